/* metrics_reference: keeps docs/metrics.md true.
 *   --check FILE   the generated part of FILE is what the table says
 *   --write FILE   make it so */
#include "observe/metrics.h"

#include <stdio.h>
#include <string.h>

#define BEGIN_MARK "<!-- begin generated reference -->\n"
#define END_MARK "<!-- end generated reference -->\n"
#define FILE_MAX ((size_t)1024 * 1024)

static bool read_whole(const char *path, struct buf *out)
{
	FILE *f = fopen(path, "r");
	char piece[4096];
	size_t n;
	bool good = f != NULL;

	while (f && (n = fread(piece, 1, sizeof piece, f)) > 0)
		good = buf_append(out, (struct slice){ piece, n }) && good;
	if (f)
		fclose(f);
	return good;
}

static bool write_whole(const char *path, struct slice before, struct slice part, struct slice after)
{
	FILE *f = fopen(path, "w");

	if (!f)
		return false;
	fprintf(f, "%.*s%.*s%.*s", SLICE_ARG(before), SLICE_ARG(part), SLICE_ARG(after));
	return fclose(f) == 0;
}

static bool reference(const char *path, bool write)
{
	struct buf file = BUF_INIT(FILE_MAX), part = BUF_INIT(FILE_MAX);
	struct slice text;
	size_t from, to;
	bool good = false;

	buf_puts(&part, "\n");
	metrics_write_reference(&part);
	buf_puts(&part, "\n");
	if (!read_whole(path, &file))
		fprintf(stderr, "%s cannot be read\n", path);
	text = buf_slice(&file);
	from = slice_find_slice(text, S(BEGIN_MARK));
	to = slice_find_slice(text, S(END_MARK));
	if (from == SLICE_NOT_FOUND || to == SLICE_NOT_FOUND || from > to) {
		fprintf(stderr, "%s lacks the marks of the generated part\n", path);
	} else {
		from += strlen(BEGIN_MARK);
		good = slice_eq(slice_sub(text, from, to), buf_slice(&part));
		if (!good && write)
			good = write_whole(path, slice_sub(text, 0, from), buf_slice(&part),
					   slice_from(text, to));
		else if (!good)
			fprintf(stderr, "%s is not what the code says; run: ninja update-metrics-reference\n",
				path);
	}
	buf_free(&file);
	buf_free(&part);
	return good;
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	return reference(argv[2], strcmp(argv[1], "--write") == 0) ? 0 : 1;
}
