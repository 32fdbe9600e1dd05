#include "io/real/socket.h"
#include "base/check.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The kernel cuts this to net.core.somaxconn. A long queue is what carries
 * clients over a restart of the serving process. */
#define BACKLOG 4096
/* A peer that vanished is noticed after about half a minute, whether we have
 * something to send it (user timeout) or not (keepalive). */
#define KEEPALIVE_IDLE_S 15
#define KEEPALIVE_INTERVAL_S 5
#define KEEPALIVE_COUNT 3
#define USER_TIMEOUT_MS 30000

void sock_close(int fd)
{
	if (fd >= 0)
		close(fd);
}

socklen_t sock_addr_to(const struct io_addr *a, union sock_addr *out)
{
	memset(out, 0, sizeof *out);
	switch (a->family) {
	case IO_IPV4:
		out->v4.sin_family = AF_INET;
		out->v4.sin_port = htons(a->port);
		memcpy(&out->v4.sin_addr, a->bytes, 4);
		return sizeof out->v4;
	case IO_IPV6:
		out->v6.sin6_family = AF_INET6;
		out->v6.sin6_port = htons(a->port);
		memcpy(&out->v6.sin6_addr, a->bytes, 16);
		return sizeof out->v6;
	case IO_UNIX:
		out->un.sun_family = AF_UNIX;
		memcpy(out->un.sun_path, a->path, sizeof out->un.sun_path);
		return sizeof out->un;
	}
	never("an address of no family");
}

void sock_addr_from(const union sock_addr *in, socklen_t len, struct io_addr *out)
{
	*out = (struct io_addr){ .family = IO_UNIX };
	if (len >= sizeof in->v4 && in->any.sa_family == AF_INET) {
		out->family = IO_IPV4;
		out->port = ntohs(in->v4.sin_port);
		memcpy(out->bytes, &in->v4.sin_addr, 4);
	} else if (len >= sizeof in->v6 && in->any.sa_family == AF_INET6) {
		bool mapped = IN6_IS_ADDR_V4MAPPED(&in->v6.sin6_addr);

		out->family = mapped ? IO_IPV4 : IO_IPV6;
		out->port = ntohs(in->v6.sin6_port);
		memcpy(out->bytes, (const uint8_t *)&in->v6.sin6_addr + (mapped ? 12 : 0),
		       mapped ? 4 : 16);
	} else if (len > offsetof(struct sockaddr_un, sun_path)) {
		memcpy(out->path, in->un.sun_path, len - offsetof(struct sockaddr_un, sun_path));
		out->path[sizeof out->path - 1] = 0;
	}
}

static void set_option(int fd, int level, int name, int value)
{
	/* A kernel without the option, or a unix socket: does without. */
	(void)setsockopt(fd, level, name, &value, sizeof value);
}

void sock_tune(int fd)
{
	set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
	set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
	set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_COUNT);
	set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, USER_TIMEOUT_MS);
}

/* A socket file that nobody listens on any more may be replaced; anything else
 * in the way is left alone and makes bind() fail. */
static void remove_dead_unix(const struct io_addr *at, const union sock_addr *sa, socklen_t len)
{
	struct stat st;
	int fd;

	if (lstat(at->path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, &sa->any, len) < 0 && errno == ECONNREFUSED)
		unlink(at->path);
	sock_close(fd);
}

struct io_socket *io_socket_open(const struct io_addr *at, char *why, size_t why_size)
{
	union sock_addr sa;
	socklen_t len = sock_addr_to(at, &sa);
	struct io_socket *s = NULL;
	char text[IO_ADDR_TEXT_MAX];
	int fd = socket(sa.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		goto failed;
	if (at->family == IO_UNIX) {
		remove_dead_unix(at, &sa, len);
	} else {
		set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
		set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
		if (at->family == IO_IPV6)
			set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
	}
	if (bind(fd, &sa.any, len) < 0 || listen(fd, BACKLOG) < 0)
		goto failed;
	if (!(s = io_socket_adopt(fd)))
		goto failed;
	return s;
failed:
	snprintf(why, why_size, "cannot listen on %s: %s", io_addr_text(at, text), strerror(errno));
	sock_close(fd);
	return NULL;
}

struct io_socket *io_socket_adopt(int fd)
{
	struct io_socket *s = calloc(1, sizeof *s);
	int flags = fcntl(fd, F_GETFL);

	if (!s)
		return NULL;
	s->fd = fd;
	if (flags >= 0)
		(void)fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	sock_tune(fd);
	return s;
}

int io_socket_fd(const struct io_socket *s)
{
	return s->fd;
}

struct io_addr io_socket_addr(const struct io_socket *s)
{
	union sock_addr sa;
	socklen_t len = sizeof sa;
	struct io_addr at = { .family = IO_UNIX };

	memset(&sa, 0, sizeof sa);
	if (getsockname(s->fd, &sa.any, &len) == 0)
		sock_addr_from(&sa, len, &at);
	return at;
}

void io_socket_close(struct io_socket *s)
{
	if (!s)
		return;
	sock_close(s->fd);
	free(s);
}
