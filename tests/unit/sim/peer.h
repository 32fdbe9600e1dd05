/* peer.h: the ends of a simulated connection that write down what they see, one
 * word an event with the time since the beginning: "open@1 data(5)@2 end@3". */
#ifndef TEST_SIM_PEER_H
#define TEST_SIM_PEER_H

#include "base/buf.h"
#include "sim/sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

struct peer {
	struct io *io;
	struct io_stream *s;
	char story[4096];
	struct buf got;
	bool echo, no_data_story;
	size_t close_after;           /* close at once when so much has come; 0: not */
	enum io_close close_how;
};

static void peer_say(struct peer *p, const char *what)
{
	size_t len = strlen(p->story);

	if (len + 32 < sizeof p->story)
		snprintf(p->story + len, sizeof p->story - len, "%s%s@%lld", len ? " " : "", what,
			 (long long)(io_now(p->io) - SIM_START_MS));
}

static void peer_close(struct peer *p, enum io_close how)
{
	io_close(p->s, how);
	p->s = NULL;
}

static void peer_on_open(void *owner)
{
	peer_say(owner, "open");
}

static void peer_on_data(void *owner, struct slice bytes)
{
	struct peer *p = owner;
	char what[32];

	assert_true(p->s != NULL);
	if (!p->no_data_story) {
		snprintf(what, sizeof what, "data(%zu)", bytes.len);
		peer_say(p, what);
	}
	buf_put(&p->got, bytes);
	if (p->echo)
		io_write(p->s, &bytes, 1);
	if (p->close_after && buf_len(&p->got) >= p->close_after)
		peer_close(p, p->close_how);
}

static void peer_on_end(void *owner)
{
	peer_say(owner, "end");
}

static void peer_on_broken(void *owner, enum io_broken why, const char *text)
{
	static const char *const names[] = { "refused", "unreachable", "reset", "tls-failed",
					     "local", "timed-out" };

	assert_non_null(text);
	peer_say(owner, names[why]);
}

static void peer_on_drained(void *owner)
{
	peer_say(owner, "drained");
}

static const struct io_stream_events peer_events = {
	peer_on_open, peer_on_data, peer_on_end, peer_on_broken, peer_on_drained,
};

static void peer_on_accept(void *owner, struct io_stream *s, const struct io_addr *from)
{
	struct peer *p = owner;

	assert_int_equal(from->family, IO_IPV4);
	p->s = s;
	io_stream_adopt(s, &peer_events, p);
	peer_say(p, "accepted");
}

static inline void peer_write(struct peer *p, const char *text)
{
	struct slice s = slice_of(text);

	io_write(p->s, &s, 1);
}

/* A world of one server (at 10.1.0.1:80, 5 ms away) and one client. */
struct pair {
	struct sim *sim;
	struct io *client_io, *server_io;
	struct io_addr at;
	struct sim_link *way;
	struct io_socket *socket;
	struct io_listener *listener;
	struct peer client, server;
};

static void pair_begin(struct pair *w, uint64_t seed)
{
	memset(w, 0, sizeof *w);
	w->sim = sim_create(seed);
	w->client_io = sim_io_create(w->sim, "client");
	w->server_io = sim_io_create(w->sim, "server");
	w->at = sim_addr("10.1.0.1:80");
	w->way = sim_link_to(w->sim, &w->at);
	w->way->latency_us = 5000;
	w->socket = io_socket_open(&w->at, NULL, 0);
	w->client = (struct peer){ .io = w->client_io, .got = BUF_INIT(1 << 26) };
	w->server = (struct peer){ .io = w->server_io, .got = BUF_INIT(1 << 26) };
	w->listener = io_listen(w->server_io, w->socket, NULL, peer_on_accept, &w->server);
}

static inline void pair_connect(struct pair *w)
{
	w->client.s = io_connect(w->client_io, &w->at, &peer_events, &w->client);
}

/* Closes what is open and checks that nothing is left over. */
static void pair_end(struct pair *w)
{
	struct sim_counts c;
	char text[256];

	if (w->client.s)
		peer_close(&w->client, IO_CLOSE_NOW);
	if (w->server.s)
		peer_close(&w->server, IO_CLOSE_NOW);
	if (w->listener)
		io_listener_close(w->listener);
	sim_settle(w->sim, 300000);
	c = sim_count(w->sim, NULL);
	assert_string_equal(sim_counts_text(&c, text, sizeof text), "nothing");
	io_socket_close(w->socket);
	buf_free(&w->client.got);
	buf_free(&w->server.got);
	sim_free(w->sim);
}

#endif
