/* Runs scenario files (sim/scenario.h):
 *
 *   run_scenarios [--seed N] [--trace] FILE.scn...
 *
 * Each runs twice: the second run must leave the same trace, byte for byte. */
#include "sim/scenario.h"

#include "base/buf.h"

#include <stdlib.h>
#include <string.h>

static bool read_file(const char *path, struct buf *out)
{
	FILE *f = fopen(path, "rb");
	char bytes[65536];
	size_t n;

	if (!f)
		return false;
	while ((n = fread(bytes, 1, sizeof bytes, f)) > 0)
		buf_put(out, (struct slice){ bytes, n });
	fclose(f);
	return true;
}

static bool run_file(const char *path, const struct scenario_options *options)
{
	struct scenario_result first = { 0 }, second = { 0 };
	struct buf text = BUF_INIT(16 << 20);
	const char *name = strrchr(path, '/');
	bool good = false;

	name = name ? name + 1 : path;
	if (!read_file(path, &text)) {
		fprintf(options->out, "%s: cannot be read\n", path);
		return false;
	}
	good = scenario_run(name, buf_slice(&text), options, &first);
	if (good && !options->trace) {
		good = scenario_run(name, buf_slice(&text), options, &second);
		if (first.trace_hash != second.trace_hash) {
			fprintf(options->out, "%s: two runs of one seed differ\n", name);
			good = false;
		}
	}
	printf("%s %s (%u runs, %u expectations, %llu steps)\n", good ? "ok  " : "FAIL", name,
	       first.runs, first.expectations, (unsigned long long)first.steps);
	buf_free(&text);
	return good;
}

int main(int argc, char **argv)
{
	struct scenario_options options = { .out = stderr };
	unsigned files = 0, failed = 0;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--trace") == 0) {
			options.trace = stdout;
		} else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
			options.has_seed = true;
			options.seed = strtoull(argv[++i], NULL, 10);
		} else {
			files++;
			failed += !run_file(argv[i], &options);
		}
	}
	if (files > 1)
		printf("%u scenarios, %u failed\n", files, failed);
	return failed || !files;
}
