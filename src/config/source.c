#include "config/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *process_env(void *owner, const char *name)
{
	(void)owner;
	return getenv(name);
}

static bool say(struct buf *why, const char *text)
{
	buf_put(why, slice_of(text));
	return false;
}

static bool process_read_file(void *owner, const char *path, struct buf *out, struct buf *why)
{
	FILE *f = fopen(path, "re");
	char piece[4096];
	size_t got;
	bool good = true;

	(void)owner;
	if (!f)
		return say(why, strerror(errno));
	while (good && (got = fread(piece, 1, sizeof piece, f)) > 0)
		good = buf_append(out, (struct slice){ piece, got });
	if (!good)
		say(why, "it is too large");
	else if (ferror(f))
		good = say(why, strerror(errno));
	explicit_bzero(piece, sizeof piece);
	fclose(f);
	return good;
}

const struct config_source config_source_process = {
	.env = process_env,
	.read_file = process_read_file,
};
