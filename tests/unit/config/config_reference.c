/* config_reference: keeps docs/config.md and the examples true.
 *   --check FILE     the generated part of FILE is what the code says
 *   --write FILE     make it so
 *   --check-dialects, --write-dialects FILE     the same for docs/dialects.md
 *   --parse FILE …   each is a valid config, without a note (given every key) */
#include "fake_world.h"

#include "dialect/codec.h"

#include <stdio.h>
#include <string.h>

#define BEGIN_MARK "<!-- begin generated reference -->\n"
#define END_MARK "<!-- end generated reference -->\n"
#define FILE_MAX (1024 * 1024)

static bool read_whole(const char *path, struct buf *out)
{
	struct buf why = BUF_INIT(1024);
	bool good = config_source_process.read_file(NULL, path, out, &why);

	if (!good)
		fprintf(stderr, "%s: %.*s\n", path, SLICE_ARG(buf_slice(&why)));
	buf_free(&why);
	return good;
}

/* Where the generated part begins and ends. */
static bool find_part(struct slice text, size_t *from, size_t *to)
{
	*from = slice_find_slice(text, S(BEGIN_MARK));
	*to = slice_find_slice(text, S(END_MARK));
	if (*from == SLICE_NOT_FOUND || *to == SLICE_NOT_FOUND)
		return false;
	*from += strlen(BEGIN_MARK);
	return *from <= *to;
}

static bool rewrite(const char *path, struct slice text, size_t from, size_t to, struct slice part)
{
	FILE *f = fopen(path, "w");

	if (!f)
		return false;
	fprintf(f, "%.*s%.*s%.*s", SLICE_ARG(slice_sub(text, 0, from)), SLICE_ARG(part),
		SLICE_ARG(slice_from(text, to)));
	return fclose(f) == 0;
}

static bool reference(const char *path, bool write, void (*write_part)(struct buf *out))
{
	struct buf file = BUF_INIT(FILE_MAX), part = BUF_INIT(FILE_MAX);
	size_t from, to;
	bool good = false;

	buf_puts(&part, "\n");
	write_part(&part);
	if (!read_whole(path, &file)) {
		good = false;
	} else if (!find_part(buf_slice(&file), &from, &to)) {
		fprintf(stderr, "%s lacks the marks of the generated part\n", path);
	} else if (slice_eq(slice_sub(buf_slice(&file), from, to), buf_slice(&part))) {
		good = true;
	} else if (write) {
		good = rewrite(path, buf_slice(&file), from, to, buf_slice(&part));
	} else {
		fprintf(stderr, "%s is not what the code says; run: ninja update-config-reference\n",
			path);
	}
	buf_free(&file);
	buf_free(&part);
	return good;
}

static const char *any_env(void *owner, const char *name)
{
	(void)owner;
	return strstr(name, "KEY") ? "sk-1234567890abcdef" : NULL;
}

static bool parse(const char *path)
{
	struct config_source source = { any_env, config_source_process.read_file, NULL };
	struct buf errors = BUF_INIT(FILE_MAX);
	struct config *c = config_load(path, &source, &errors);
	bool good = c != NULL && c->note_count == 0;

	fprintf(stderr, "%.*s", SLICE_ARG(buf_slice(&errors)));
	for (size_t i = 0; c && i < c->note_count; i++)
		fprintf(stderr, "%s: %.*s\n", path, SLICE_ARG(c->notes[i]));
	config_give(c);
	buf_free(&errors);
	return good;
}

int main(int argc, char **argv)
{
	bool good = true;

	if (argc < 3)
		return 2;
	for (int i = 2; i < argc; i++) {
		if (strcmp(argv[1], "--parse") == 0)
			good = parse(argv[i]) && good;
		else
			good = reference(argv[i], strncmp(argv[1], "--write", 7) == 0,
					 strstr(argv[1], "dialects") ? codec_write_reference
								     : config_write_reference) && good;
	}
	return good ? 0 : 1;
}
