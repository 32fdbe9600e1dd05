#include "io/real/stream.h"
#include "io/real/socket.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum io_broken broken_from_errno(int error)
{
	switch (error) {
	case ECONNREFUSED:
	case ENOENT:                            /* a unix socket that is not there */
		return IO_REFUSED;
	case ECONNRESET:
	case ECONNABORTED:
	case EPIPE:
	case ENOTCONN:
		return IO_RESET;
	case ETIMEDOUT:
		return IO_TIMED_OUT;
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
	case EADDRNOTAVAIL:
	case EADDRINUSE:
	case EAGAIN:                            /* a full unix backlog, or no port left */
		return IO_LOCAL;
	default:                                /* ENETUNREACH, EHOSTUNREACH, EACCES ... */
		return IO_UNREACHABLE;
	}
}

/* EADDRNOTAVAIL means that no port is left or, on a machine without IPv6, that
 * there is no address to come from; only the first is our own trouble. A UDP
 * socket knows: its ports are others. */
static bool no_way_there(const struct io_addr *to)
{
	union sock_addr sa;
	socklen_t len = sock_addr_to(to, &sa);
	int fd = socket(sa.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool none = fd >= 0 && connect(fd, &sa.any, len) < 0;

	sock_close(fd);
	return none;
}

static void fail_connect(struct io_stream *s, const struct io_addr *to, int error)
{
	if (error == EADDRNOTAVAIL && to->family != IO_UNIX && no_way_there(to))
		error = EHOSTUNREACH;
	stream_fail_errno(s, error, "");
	stream_owe(s);
}

struct io_stream *io_connect(struct io *io, const struct io_addr *to,
			     const struct io_stream_events *events, void *owner)
{
	union sock_addr sa;
	socklen_t len = sock_addr_to(to, &sa);
	int fd = socket(sa.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int error = fd < 0 ? errno : 0;
	struct io_stream *s = stream_create(io, fd, STREAM_CONNECTING);

	io_stream_adopt(s, events, owner);
	if (fd < 0) {
		fail_connect(s, to, error);
		return s;
	}
	if (to->family != IO_UNIX)
		sock_tune(fd);
	s->loopback = to->family != IO_UNIX && io_addr_is_loopback(to);
	if (connect(fd, &sa.any, len) == 0)
		stream_owe(s);
	else if (errno == EINPROGRESS || errno == EINTR)
		stream_watch(s);
	else
		fail_connect(s, to, errno);
	return s;
}

/* TCP lets a socket connect to itself when the kernel happens to choose, for
 * its own end, the very port that nobody listens on. That is a refusal. */
static bool connected_to_itself(int fd)
{
	union sock_addr here, there;
	socklen_t here_len = sizeof here, there_len = sizeof there;

	memset(&here, 0, sizeof here);
	memset(&there, 0, sizeof there);
	return getsockname(fd, &here.any, &here_len) == 0 &&
	       getpeername(fd, &there.any, &there_len) == 0 && here_len == there_len &&
	       memcmp(&here, &there, here_len) == 0;
}

void stream_on_connected(struct io_stream *s)
{
	int error = 0;
	socklen_t len = sizeof error;

	if (getsockopt(s->watch.fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		error = errno;
	if (!error && s->loopback && connected_to_itself(s->watch.fd))
		error = ECONNREFUSED;
	if (error) {
		stream_fail_errno(s, error, "");
		stream_tell_broken(s);
		return;
	}
	s->state = STREAM_OPEN;
	stream_watch(s);
	if (buf_len(&s->out) > 0 || s->finish)
		stream_dirty(s);
	if (s->events->on_open)
		s->events->on_open(s->owner);
}
