/* bench-relay PORT BACKEND_PORT: the least that an HTTP/1.1 proxy with pooled
 * backend connections can do, as the floor to compare with. It follows where
 * messages end and forwards their bytes as they are; no timeouts, no checks. */
#include "plain.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* One side of an exchange; `peer` is the other one while there is an exchange. */
struct side {
	int fd;
	bool is_client, dead;
	struct frame frame;         /* of what this side sends */
	struct side *peer, *next;   /* next: idle or dead ones */
	char *out;                  /* for this side, not taken by its socket yet */
	size_t out_len;
};

struct relay {
	int epoll, listener;
	uint16_t backend_port;
	struct side *idle, *dead;
	char read[PLAIN_READ_BYTES];
};

/* A side whose peer is behind with taking bytes is not read. */
static void watch(struct relay *r, struct side *s, int op)
{
	struct epoll_event e = { .data.ptr = s };

	e.events = (s->peer && s->peer->out_len ? 0u : (uint32_t)EPOLLIN) |
	           (s->out_len ? (uint32_t)EPOLLOUT : 0u);
	if (epoll_ctl(r->epoll, op, s->fd, &e) < 0)
		plain_die("epoll_ctl");
}

static struct side *side_new(struct relay *r, int fd, bool is_client)
{
	struct side *s = calloc(1, sizeof *s);

	if (!s)
		plain_die("calloc");
	s->fd = fd;
	s->is_client = is_client;
	watch(r, s, EPOLL_CTL_ADD);
	return s;
}

/* Freed at the end of the turn, since events for it may be waiting. */
static void side_close(struct relay *r, struct side *s)
{
	struct side **at;

	for (at = &r->idle; !s->is_client && !s->peer && *at; at = &(*at)->next)
		if (*at == s) {
			*at = s->next;
			break;
		}
	close(s->fd);
	s->dead = true;
	s->next = r->dead;
	r->dead = s;
}

static void pair_close(struct relay *r, struct side *s)
{
	if (s->peer)
		side_close(r, s->peer);
	side_close(r, s);
}

/* False: it is gone. */
static bool side_send(struct relay *r, struct side *s, const char *at, size_t len)
{
	ssize_t n = s->out_len ? 0 : send(s->fd, at, len, MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN)
		return false;
	n = n < 0 ? 0 : n;
	if ((size_t)n == len)
		return true;
	s->out = realloc(s->out, s->out_len + len - (size_t)n);
	if (!s->out)
		plain_die("realloc");
	memcpy(s->out + s->out_len, at + n, len - (size_t)n);
	s->out_len += len - (size_t)n;
	watch(r, s, EPOLL_CTL_MOD);
	watch(r, s->peer, EPOLL_CTL_MOD);
	return true;
}

static bool take_backend(struct relay *r, struct side *client)
{
	struct side *s = r->idle;
	int fd;

	if (s) {
		r->idle = s->next;
	} else {
		if ((fd = plain_connect(r->backend_port)) < 0)
			return false;
		s = side_new(r, fd, false);
	}
	s->peer = client;
	client->peer = s;
	return true;
}

static void exchange_end(struct relay *r, struct side *backend)
{
	struct side *client = backend->peer;

	memset(&backend->frame, 0, sizeof backend->frame);
	memset(&client->frame, 0, sizeof client->frame);
	client->peer = NULL;
	backend->peer = NULL;
	if (client->out_len)
		watch(r, backend, EPOLL_CTL_MOD);
	backend->next = r->idle;
	r->idle = backend;
}

static void on_readable(struct relay *r, struct side *s)
{
	ssize_t got = recv(s->fd, r->read, sizeof r->read, 0);
	struct piece body;
	size_t eaten = 0, n;

	if (got < 0 && errno == EAGAIN)
		return;
	if (got <= 0 || (!s->peer && (!s->is_client || !take_backend(r, s)))) {
		pair_close(r, s);
		return;
	}
	while ((n = frame_eat(&s->frame, r->read + eaten, (size_t)got - eaten, &body)))
		eaten += n;
	if (!side_send(r, s->peer, r->read, (size_t)got))
		pair_close(r, s);
	else if (!s->is_client && s->frame.state == FRAME_DONE)
		exchange_end(r, s);
}

static void on_writable(struct relay *r, struct side *s)
{
	ssize_t n = send(s->fd, s->out, s->out_len, MSG_NOSIGNAL);

	if (n < 0) {
		if (errno != EAGAIN)
			pair_close(r, s);
		return;
	}
	s->out_len -= (size_t)n;
	memmove(s->out, s->out + n, s->out_len);
	if (s->out_len)
		return;
	watch(r, s, EPOLL_CTL_MOD);
	if (s->peer)
		watch(r, s->peer, EPOLL_CTL_MOD);
}

static void bury(struct relay *r)
{
	struct side *s;

	while ((s = r->dead)) {
		r->dead = s->next;
		free(s->out);
		free(s);
	}
}

int main(int argc, char **argv)
{
	static struct relay r;
	struct epoll_event ready[256], e = { .events = EPOLLIN };
	struct side *s;
	int i, n, fd;

	if (argc != 3) {
		fprintf(stderr, "usage: bench-relay PORT BACKEND_PORT\n");
		return 2;
	}
	plain_raise_nofile();
	r.backend_port = (uint16_t)plain_number(argv[2], 1, 65535);
	r.listener = plain_listen((uint16_t)plain_number(argv[1], 1, 65535));
	r.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (r.epoll < 0 || epoll_ctl(r.epoll, EPOLL_CTL_ADD, r.listener, &e) < 0)
		plain_die("epoll");
	for (;;) {
		n = epoll_wait(r.epoll, ready, 256, -1);
		for (i = 0; i < n; i++) {
			s = ready[i].data.ptr;
			if (s && !s->dead && (ready[i].events & EPOLLOUT))
				on_writable(&r, s);
			if (s && !s->dead && (ready[i].events & ~(uint32_t)EPOLLOUT))
				on_readable(&r, s);
			while (!s && (fd = plain_accept(r.listener)) >= 0)
				side_new(&r, fd, true);
		}
		bury(&r);
	}
}
