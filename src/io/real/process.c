/* What programs need beside loops: threads to run them on, ports that are free,
 * a word to the operator before there is a loop. */
#include "io/real/real.h"
#include "io/real/socket.h"

#include <ares.h>
#include <errno.h>
#include <ev.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WRITE_PATIENCE_MS 100

struct io_thread {
	pthread_t thread;
	void (*run)(void *arg);
	void *arg;
};

static void *begin(void *arg)
{
	struct io_thread *t = arg;

	t->run(t->arg);
	return NULL;
}

struct io_thread *io_thread_start(void (*run)(void *arg), void *arg)
{
	struct io_thread *t = calloc(1, sizeof *t);
	sigset_t all, before;
	int error;

	if (!t)
		return NULL;
	t->run = run;
	t->arg = arg;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&t->thread, NULL, begin, t);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error) {
		free(t);
		return NULL;
	}
	return t;
}

void io_thread_join(struct io_thread *t)
{
	if (!t)
		return;
	pthread_join(t->thread, NULL);
	free(t);
}

bool io_port_is_free(const struct io_addr *at, char *why, size_t why_size)
{
	union sock_addr sa;
	socklen_t len = sock_addr_to(at, &sa);
	char text[IO_ADDR_TEXT_MAX];
	int fd, yes = 1;
	bool ok;

	if (at->family == IO_UNIX)
		return true;              /* io_socket_open() sees for itself */
	fd = socket(sa.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return true;              /* io_socket_open() will say why */
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
	ok = bind(fd, &sa.any, len) == 0 || errno != EADDRINUSE;
	if (!ok)
		snprintf(why, why_size, "cannot listen on %s: %s", io_addr_text(at, text),
			 strerror(EADDRINUSE));
	sock_close(fd);
	return ok;
}

void io_write_line(int fd, struct slice line)
{
	while (line.len) {
		struct pollfd p = { .fd = fd, .events = POLLOUT };
		ssize_t n;

		if (poll(&p, 1, WRITE_PATIENCE_MS) <= 0)
			return;
		n = write(fd, line.at, line.len < PIPE_BUF ? line.len : PIPE_BUF);
		if (n > 0)
			line = slice_from(line, (size_t)n);
		else if (n == 0 || errno != EINTR)
			return;
	}
}

const char *io_real_versions(char *out, size_t size)
{
	snprintf(out, size, "  %s\n  libev %d.%d\n  c-ares %s\n",
		 OpenSSL_version(OPENSSL_VERSION), ev_version_major(), ev_version_minor(),
		 ares_version(NULL));
	return out;
}
