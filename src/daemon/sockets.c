#include "daemon/sockets.h"

#include "base/check.h"
#include "io/real/real.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WHY_MAX 256

static void add_remedy(const struct io_addr *at, const char *what, char *why, size_t size)
{
	if (strstr(why, "in use"))
		snprintf(why, size, "%s; see who has it with: ss -ltnp 'sport = :%u', or choose "
			 "another address in the config", what, (unsigned)at->port);
	else
		snprintf(why, size, "%s", what);
}

static struct io_socket *open_one(const struct io_addr *at, bool first, char *why, size_t size)
{
	char what[WHY_MAX] = "";
	struct io_socket *s = NULL;

	if (!first || at->port == 0 || io_port_is_free(at, what, sizeof what))
		s = io_socket_open(at, what, sizeof what);
	if (!s) {
		snprintf(why, size, "%s", what);
		add_remedy(at, what, why, size);
	}
	return s;
}

/* Unix sockets cannot be bound twice: the workers share one. */
static struct io_socket *another(const struct io_socket *first, char *why, size_t size)
{
	struct io_addr at = io_socket_addr(first);
	struct io_socket *s;
	int fd;

	if (at.family != IO_UNIX)
		return open_one(&at, false, why, size);
	fd = dup(io_socket_fd(first));
	s = fd < 0 ? NULL : io_socket_adopt(fd);
	if (!s)
		snprintf(why, size, "no descriptors left for %s", at.path);
	return s;
}

static bool open_all(struct sockets *out, const struct config *config, char *why, size_t size)
{
	for (size_t i = 0; i < out->per_worker; i++) {
		out->data[i] = open_one(&config->listen[i], true, why, size);
		if (!out->data[i])
			return false;
	}
	for (size_t i = out->per_worker; i < out->workers * out->per_worker; i++) {
		out->data[i] = another(out->data[i % out->per_worker], why, size);
		if (!out->data[i])
			return false;
	}
	if (config->admin_enabled)
		out->admin = open_one(&config->admin_listen, true, why, size);
	return !config->admin_enabled || out->admin;
}

bool sockets_open(struct sockets *out, const struct config *config, unsigned workers, char *why,
		  size_t why_size)
{
	must(workers > 0);
	*out = (struct sockets){ .workers = workers, .per_worker = config->listen_count };
	out->data = calloc((size_t)workers * out->per_worker + 1, sizeof *out->data);
	must(out->data != NULL);
	if (open_all(out, config, why, why_size))
		return true;
	sockets_close(out);
	return false;
}

void sockets_close(struct sockets *s)
{
	for (size_t i = 0; s->data && i < s->workers * s->per_worker; i++)
		io_socket_close(s->data[i]);
	io_socket_close(s->admin);
	free(s->data);
	*s = (struct sockets){ 0 };
}

static void unlink_one(const struct io_socket *socket)
{
	struct io_addr at = io_socket_addr(socket);

	if (at.family == IO_UNIX)
		unlink(at.path);
}

void sockets_unlink(const struct sockets *s)
{
	for (size_t i = 0; s->data && i < s->per_worker; i++)
		unlink_one(s->data[i]);
	if (s->admin)
		unlink_one(s->admin);
}

struct io_addr sockets_addr(const struct sockets *s, size_t i)
{
	return io_socket_addr(s->data[i]);
}
