#include "fake_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct io_tls {
	int count;
};

static int alive;

static const char *find(const struct fake_pair *list, const char *name)
{
	for (; list && list->name; list++)
		if (strcmp(list->name, name) == 0)
			return list->value;
	return NULL;
}

static const char *fake_env(void *owner, const char *name)
{
	return find(((struct fake_world *)owner)->env, name);
}

static bool fake_read_file(void *owner, const char *path, struct buf *out, struct buf *why)
{
	const char *content = find(((struct fake_world *)owner)->files, path);

	if (!content)
		buf_puts(why, "No such file or directory");
	return content && buf_append(out, slice_of(content));
}

struct config_source fake_source(const struct fake_world *w)
{
	return (struct config_source){
		.env = fake_env, .read_file = fake_read_file, .owner = (void *)(uintptr_t)w,
	};
}

static struct io_tls *fake_tls(const char *path, char *why, size_t why_size)
{
	struct io_tls *tls;

	if (path && strstr(path, "missing")) {
		snprintf(why, why_size, "%s: not usable", path);
		return NULL;
	}
	tls = calloc(1, sizeof *tls);
	must(tls != NULL);
	tls->count = 1;
	alive++;
	return tls;
}

struct io_tls *io_tls_client(const struct io_tls_client_options *o, char *why, size_t why_size)
{
	return fake_tls(o->ca_file, why, why_size);
}

struct io_tls *io_tls_server(const char *cert_file, const char *key_file, char *why, size_t why_size)
{
	must(key_file != NULL);
	return fake_tls(cert_file, why, why_size);
}

struct io_tls *io_tls_take(struct io_tls *tls)
{
	tls->count++;
	return tls;
}

void io_tls_give(struct io_tls *tls)
{
	if (tls && --tls->count == 0) {
		free(tls);
		alive--;
	}
}

int fake_tls_alive(void)
{
	return alive;
}
