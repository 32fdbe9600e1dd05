/* fault_table: keeps the fault table of docs/failure-handling.md true.
 *   --check FILE     the generated part of FILE is what base/fault.h says
 *   --write FILE     make it so */
#include "base/buf.h"
#include "base/check.h"
#include "base/fault.h"

#include <stdio.h>
#include <string.h>

#define BEGIN_MARK "<!-- begin generated fault table -->\n"
#define END_MARK "<!-- end generated fault table -->\n"
#define FILE_MAX (1024 * 1024)

static const char *const again[] = {
	[AGAIN_NEVER] = "never", [AGAIN_FRESH] = "fresh connection", [AGAIN_IF_FAST] = "once, if it failed fast",
	[AGAIN_IF_LAST] = "once, if no other is left", [AGAIN_AFTER_HINT] = "after its pause",
};
static const char *const elsewhere[] = {
	[ELSEWHERE_NO] = "no", [ELSEWHERE_YES] = "yes", [ELSEWHERE_LARGER] = "with a larger window",
	[ELSEWHERE_RESUME] = "to continue",
};
static const char *const blame[] = {
	[BLAME_NOBODY] = "", [BLAME_TARGET] = "target", [BLAME_PACE] = "its pace",
	[BLAME_CREDENTIAL] = "credential", [BLAME_MODEL] = "model there",
};

static void write_table(struct buf *out)
{
	buf_puts(out, "\n| fault | what it is | the same target again | others | blames | client's status |\n"
		      "|---|---|---|---|---|---|\n");
	for (int f = FAULT_NONE + 1; f < FAULT_COUNT; f++) {
		const struct fault_row *r = fault_row((enum fault)f);

		buf_putf(out, "| `%s` | %s | %s | %s | %s | %d |\n", r->name, r->text, again[r->again],
			 elsewhere[r->elsewhere], blame[r->blame], r->status);
	}
	buf_puts(out, "\n");
}

static bool read_whole(const char *path, struct buf *out)
{
	FILE *f = fopen(path, "r");
	char some[4096];
	size_t n;

	if (!f)
		return false;
	while ((n = fread(some, 1, sizeof some, f)) > 0)
		buf_put(out, (struct slice){ some, n });
	return fclose(f) == 0;
}

static bool find_part(struct slice text, size_t *from, size_t *to)
{
	*from = slice_find_slice(text, S(BEGIN_MARK));
	*to = slice_find_slice(text, S(END_MARK));
	if (*from == SLICE_NOT_FOUND || *to == SLICE_NOT_FOUND)
		return false;
	*from += strlen(BEGIN_MARK);
	return *from <= *to;
}

static bool write_whole(const char *path, struct slice before, struct slice part, struct slice after)
{
	FILE *f = fopen(path, "w");

	if (!f)
		return false;
	fprintf(f, "%.*s%.*s%.*s", SLICE_ARG(before), SLICE_ARG(part), SLICE_ARG(after));
	return fclose(f) == 0;
}

int main(int argc, char **argv)
{
	struct buf file = BUF_INIT(FILE_MAX), part = BUF_INIT(FILE_MAX);
	struct slice text;
	size_t from, to;
	bool good;

	if (argc != 3 || !read_whole(argv[2], &file))
		return 2;
	text = buf_slice(&file);
	write_table(&part);
	if (!find_part(text, &from, &to))
		return 2;
	good = slice_eq(slice_sub(text, from, to), buf_slice(&part));
	if (!good && strcmp(argv[1], "--write") == 0)
		good = write_whole(argv[2], slice_sub(text, 0, from), buf_slice(&part), slice_from(text, to));
	else if (!good)
		fprintf(stderr, "%s is not what the code says; run: ninja update-fault-table\n", argv[2]);
	buf_free(&file);
	buf_free(&part);
	return !good;
}
