#include "io/real/stream.h"
#include "io/real/socket.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* New connections taken in one turn; the others are not forgotten, the kernel
 * says so again. */
#define ACCEPTS_PER_TURN 32
/* How long accepting rests when descriptors have run out. Clients wait in the
 * kernel's queue meanwhile. */
#define REST_MS 100

struct io_listener {
	ev_io watch;
	struct io *io;
	struct io_tls *tls;
	void (*on_accept)(void *owner, struct io_stream *s, const struct io_addr *peer);
	void *owner;
	struct io_timer rest;
	struct link in_listeners;
	struct io_grave grave;
	bool closed;
};

static void rest_over(struct io_timer *t, mono_ms now)
{
	struct io_listener *l = CONTAINER_OF(t, struct io_listener, rest);

	(void)now;
	ev_io_start(l->io->loop, &l->watch);
}

static bool out_of_something(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

static void take(struct io_listener *l, int fd, const union sock_addr *from, socklen_t len)
{
	struct io_stream *s = stream_create(l->io, fd, STREAM_OPEN);
	struct io_addr peer;

	s->accepted = true;
	sock_addr_from(from, len, &peer);
	if (l->tls)
		tls_stream_accept(s, l->tls);
	l->on_accept(l->owner, s, &peer);
	if (s->state == STREAM_CLOSED || s->state == STREAM_LINGER)
		return;
	must(s->events != NULL);
	stream_watch(s);
}

/* False: nothing more to take now. */
static bool accept_one(struct io_listener *l)
{
	union sock_addr from;
	socklen_t len = sizeof from;
	int fd = accept4(l->watch.fd, &from.any, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0) {
		take(l, fd, &from, len);
		return true;
	}
	if (out_of_something(errno)) {
		ev_io_stop(l->io->loop, &l->watch);
		io_timer_set(l->io, &l->rest, mono_after(io_now(l->io), REST_MS));
		return false;
	}
	/* The rest (ECONNABORTED, EPROTO ...) is the affair of one connection
	 * that has gone again already. */
	return errno != EAGAIN && errno != EBADF && errno != EINVAL;
}

static void on_connections(struct ev_loop *loop, ev_io *w, int revents)
{
	struct io_listener *l = w->data;

	(void)loop, (void)revents;
	for (unsigned i = 0; i < ACCEPTS_PER_TURN && !l->closed; i++)
		if (!accept_one(l))
			return;
}

struct io_listener *io_listen(struct io *io, struct io_socket *socket, struct io_tls *tls,
			      void (*on_accept)(void *owner, struct io_stream *s,
						const struct io_addr *peer),
			      void *owner)
{
	struct io_listener *l = calloc(1, sizeof *l);

	must(l != NULL);
	l->io = io;
	l->tls = io_tls_take(tls);
	l->on_accept = on_accept;
	l->owner = owner;
	l->rest.fire = rest_over;
	l->watch.data = l;
	ev_io_init(&l->watch, on_connections, socket->fd, EV_READ);
	ev_io_start(io->loop, &l->watch);
	list_append(&io->listeners, &l->in_listeners);
	return l;
}

void io_listener_set_tls(struct io_listener *l, struct io_tls *tls)
{
	struct io_tls *old = l->tls;

	l->tls = io_tls_take(tls);
	io_tls_give(old);
}

static void listener_free(struct io_grave *g)
{
	free(CONTAINER_OF(g, struct io_listener, grave));
}

void io_listener_close(struct io_listener *l)
{
	must(!l->closed);
	l->closed = true;
	ev_io_stop(l->io->loop, &l->watch);
	io_timer_clear(l->io, &l->rest);
	io_tls_give(l->tls);
	l->tls = NULL;
	list_remove(&l->io->listeners, &l->in_listeners);
	l->grave.bury = listener_free;
	io_bury(l->io, &l->grave);
}

void listeners_free(struct io *io)
{
	while (!list_empty(&io->listeners))
		io_listener_close(CONTAINER_OF(list_first(&io->listeners), struct io_listener,
					       in_listeners));
}
