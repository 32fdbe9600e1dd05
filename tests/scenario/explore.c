/* Explores: runs made-up scenarios until so many steps have been made.
 *
 *   explore [--steps N] [--seed FROM] [--clients N]     seeds FROM, FROM+1, ...
 *   explore --seeds FILE ...                            first the seeds of a file
 *   explore --seed N --print                            shows the scenario
 *   explore --seed N --trace                            runs it, showing all
 *
 * A seed that fails is a regression test in the making: print it to a .scn, cut
 * it down to the story, and write the seed into seeds.txt. */
#include "sim/explore.h"
#include "sim/scenario.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

#define FAILURES_MAX 5

struct settings {
	uint64_t steps, seed;
	unsigned clients;
	const char *seeds;
	bool print, trace;
};

static bool read_settings(int argc, char **argv, struct settings *s)
{
	for (int i = 1; i < argc; i++) {
		bool more = i + 1 < argc;

		if (strcmp(argv[i], "--print") == 0)
			s->print = true;
		else if (strcmp(argv[i], "--trace") == 0)
			s->trace = true;
		else if (strcmp(argv[i], "--steps") == 0 && more)
			s->steps = strtoull(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--seed") == 0 && more)
			s->seed = strtoull(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--seeds") == 0 && more)
			s->seeds = argv[++i];
		else if (strcmp(argv[i], "--clients") == 0 && more)
			s->clients = (unsigned)strtoul(argv[++i], NULL, 10);
		else
			return false;
	}
	return s->clients >= 1 && s->clients <= 200;
}

static bool explore_one(const struct settings *s, uint64_t seed, struct scenario_result *total)
{
	struct scenario_options options = { .out = stderr, .trace = s->trace ? stdout : NULL };
	struct scenario_result one = { 0 }, again = { 0 };
	struct buf text = BUF_INIT(4 << 20);
	char name[64];
	bool good;

	snprintf(name, sizeof name, "explore --seed %llu", (unsigned long long)seed);
	explore_write(&text, seed, s->clients);
	good = scenario_run(name, buf_slice(&text), &options, &one);
	if (good && seed % 8 == 0) {
		scenario_run(name, buf_slice(&text), &options, &again);
		if (one.trace_hash != again.trace_hash) {
			fprintf(stderr, "%s: two runs of one seed differ\n", name);
			good = false;
		}
	}
	total->runs++;
	total->failed_runs += !good;
	total->steps += one.steps;
	buf_free(&text);
	return good;
}

/* Replays the seeds of a file: lines of a number and what it once found; '#'
 * begins a comment. False if it cannot be read. */
static bool replay(const struct settings *s, struct scenario_result *total)
{
	FILE *f = fopen(s->seeds, "r");
	char line[512], *end;

	if (!f) {
		fprintf(stderr, "%s: cannot be read\n", s->seeds);
		return false;
	}
	while (fgets(line, sizeof line, f)) {
		uint64_t seed = strtoull(line, &end, 10);

		if (end != line && !explore_one(s, seed, total))
			fprintf(stderr, "this seed once found:%s", end);
	}
	fclose(f);
	return true;
}

int main(int argc, char **argv)
{
	struct settings s = { .steps = 300000, .seed = 1, .clients = 12 };
	struct scenario_result total = { 0 };
	struct buf text = BUF_INIT(4 << 20);
	uint64_t seed;

	if (!read_settings(argc, argv, &s)) {
		fprintf(stderr, "usage: explore [--steps N] [--seed N] [--seeds FILE] "
				"[--clients 1..200] [--print] [--trace]\n");
		return 2;
	}
	if (s.print) {
		explore_write(&text, s.seed, s.clients);
		printf("%.*s", SLICE_ARG(buf_slice(&text)));
		buf_free(&text);
		return 0;
	}
	if (s.trace)
		return !explore_one(&s, s.seed, &total);
	if (s.seeds && !replay(&s, &total))
		return 2;
	for (seed = s.seed; total.steps < s.steps && total.failed_runs < FAILURES_MAX; seed++)
		explore_one(&s, seed, &total);
	printf("explored %u worlds (seeds %llu..%llu), %llu steps: %u failed\n", total.runs,
	       (unsigned long long)s.seed, (unsigned long long)(seed - 1),
	       (unsigned long long)total.steps, total.failed_runs);
	return total.failed_runs > 0;
}
