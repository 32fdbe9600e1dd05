/* upstream_stage.h: a simulated backend that answers from a script, and an owner
 * of calls that writes down what it is told:
 * "fresh 200 'hello' end | reused 200 'hel' fault cut: ...". With `timed` each
 * word and each piece of a body has its time before it. */
#ifndef TEST_CONN_UPSTREAM_STAGE_H
#define TEST_CONN_UPSTREAM_STAGE_H

#include "conn/upstream.h"
#include "sim/sim.h"
#include "../base/cm.h"

#include <stdio.h>
#include <string.h>

/* What the backend does after the bytes of a reply have been written. */
enum after { KEEP, FIN, CLOSE, RESET };

struct reply {
	struct slice bytes;
	enum after after;
	bool on_accept;               /* said at once, not after a request */
	bool early;                   /* said when the head has come, not the body */
};

#define SEATS 24
#define REPLIES 24

struct stage;

/* One connection as the backend sees it. */
struct seat {
	struct stage *stage;
	struct io_stream *s;
	struct buf got;
	size_t bytes_ever;
	bool heard_end, heard_reset, finished;
};

struct stage {
	struct sim *sim;
	struct io *io, *server_io;
	struct io_addr at;
	struct sim_link *way;
	struct io_socket *socket;
	struct io_listener *listener;
	struct seat seats[SEATS];
	unsigned seat_count;
	struct reply replies[REPLIES];
	unsigned reply_count, replied;
	struct buf asked;             /* all requests, one behind the other */

	struct upstream_pool *pool;
	struct origin origin;
	struct upstream_request request;
	struct upstream_call *call;
	unsigned calls_left;          /* started from inside on_end/on_fault */
	char story[4096];
	bool in_body, timed;
	void (*on_body)(struct stage *st);   /* NULL, or what the owner does there */
	void (*on_head)(struct stage *st);
	size_t body_bytes;
};

/* ---- the backend ------------------------------------------------------------------ */

static void seat_reply(struct seat *seat)
{
	struct stage *st = seat->stage;
	const struct reply *r = &st->replies[st->replied++];

	if (r->bytes.len > 0)
		io_write(seat->s, &r->bytes, 1);
	switch (r->after) {
	case KEEP:
		return;
	case FIN:
		seat->finished = true;
		io_stream_finish(seat->s);
		return;
	case CLOSE:
		io_close(seat->s, IO_CLOSE_FLUSH);
		break;
	case RESET:
		io_close(seat->s, IO_CLOSE_RESET);
		break;
	}
	seat->s = NULL;
}

/* Length of the request at the front of what came; 0 if it is not all there. */
static size_t request_bytes(const struct seat *seat, bool head_is_enough)
{
	struct slice got = buf_slice(&seat->got);
	size_t head = slice_find_slice(got, S("\r\n\r\n"));
	size_t at;
	uint64_t body = 0;

	if (head == SLICE_NOT_FOUND)
		return 0;
	at = slice_find_slice(slice_sub(got, 0, head + 2), S("\r\nContent-Length: "));
	if (at != SLICE_NOT_FOUND && !head_is_enough) {
		struct slice digits = slice_from(got, at + 18);

		digits.len = slice_find(digits, '\r');
		assert_true(slice_to_u64(digits, &body));
	}
	return got.len >= head + 4 + body ? head + 4 + (size_t)body : 0;
}

static void seat_on_data(void *owner, struct slice bytes)
{
	struct seat *seat = owner;
	struct stage *st = seat->stage;
	size_t len;

	seat->bytes_ever += bytes.len;
	assert_true(buf_append(&seat->got, bytes));
	while (seat->s && !seat->finished && st->replied < st->reply_count &&
	       (len = request_bytes(seat, st->replies[st->replied].early)) > 0) {
		buf_put(&st->asked, slice_sub(buf_slice(&seat->got), 0, len));
		buf_consume(&seat->got, len);
		seat_reply(seat);
	}
}

static void seat_on_end(void *owner)
{
	struct seat *seat = owner;

	seat->heard_end = true;
	io_close(seat->s, IO_CLOSE_FLUSH);
	seat->s = NULL;
}

static void seat_on_broken(void *owner, enum io_broken why, const char *text)
{
	struct seat *seat = owner;

	(void)why;
	(void)text;
	seat->heard_reset = true;
	io_close(seat->s, IO_CLOSE_NOW);
	seat->s = NULL;
}

static const struct io_stream_events seat_events = {
	.on_data = seat_on_data, .on_end = seat_on_end, .on_broken = seat_on_broken,
};

static void stage_on_accept(void *owner, struct io_stream *s, const struct io_addr *peer)
{
	struct stage *st = owner;
	struct seat *seat = &st->seats[st->seat_count++];

	(void)peer;
	assert_true(st->seat_count <= SEATS);
	*seat = (struct seat){ .stage = st, .s = s, .got = BUF_INIT(1 << 24) };
	io_stream_adopt(s, &seat_events, seat);
	if (st->replied < st->reply_count && st->replies[st->replied].on_accept)
		seat_reply(seat);
}

/* ---- the owner of calls --------------------------------------------------------------- */

static void say(struct stage *st, const char *format, ...) PRINTF_LIKE(2, 3);
static void say(struct stage *st, const char *format, ...)
{
	size_t len = strlen(st->story);
	va_list args;

	if (len + 512 > sizeof st->story)
		return;
	if (st->in_body)
		len += (size_t)snprintf(st->story + len, sizeof st->story - len, "'");
	st->in_body = false;
	if (len > 0)
		len += (size_t)snprintf(st->story + len, sizeof st->story - len, " ");
	if (st->timed)
		len += (size_t)snprintf(st->story + len, sizeof st->story - len, "@%lld ",
					(long long)(sim_now(st->sim) - SIM_START_MS));
	va_start(args, format);
	vsnprintf(st->story + len, sizeof st->story - len, format, args);
	va_end(args);
}

static void stage_start(struct stage *st);

static void stage_over(struct stage *st)
{
	st->call = NULL;
	if (st->calls_left == 0)
		return;
	st->calls_left--;
	say(st, "|");
	stage_start(st);
}

static void owner_on_connected(void *owner, bool reused)
{
	say(owner, reused ? "reused" : "fresh");
}

static void owner_on_head(void *owner, const struct h1_head *head)
{
	struct stage *st = owner;

	say(st, "%d", head->status);
	if (st->on_head)
		st->on_head(st);
}

static void owner_on_body(void *owner, struct slice bytes)
{
	struct stage *st = owner;
	size_t len;

	assert_true(bytes.len > 0);
	st->body_bytes += bytes.len;
	if (st->timed) {
		say(st, "'%.*s'", SLICE_ARG(bytes));
	} else {
		if (!st->in_body)
			say(st, "'");
		st->in_body = true;
		len = strlen(st->story);
		snprintf(st->story + len, sizeof st->story - len, "%.*s", SLICE_ARG(bytes));
	}
	if (st->on_body)
		st->on_body(st);
}

static void owner_on_end(void *owner, bool until_close)
{
	say(owner, until_close ? "end?" : "end");
	stage_over(owner);
}

static void owner_on_fault(void *owner, enum fault why, const char *text)
{
	say(owner, "fault %s: %s", fault_row(why)->name, text);
	stage_over(owner);
}

static const struct upstream_events owner_events = {
	owner_on_connected, owner_on_head, owner_on_body, owner_on_end, owner_on_fault,
};

static void stage_start(struct stage *st)
{
	st->call = upstream_start(st->pool, &st->origin, &st->request, &owner_events, st);
	assert_non_null(st->call);
}

/* ---- the stage ---------------------------------------------------------------------------- */

/* A backend at 10.1.0.1:80 ("b.test"), 5 ms away, and a pool. */
static void stage_begin(struct stage *st, uint64_t seed)
{
	memset(st, 0, sizeof *st);
	st->sim = sim_create(seed);
	st->io = sim_io_create(st->sim, "proxy");
	st->server_io = sim_io_create(st->sim, "backend");
	st->at = sim_addr("10.1.0.1:80");
	sim_host_add(st->sim, "b.test", "10.1.0.1");
	st->way = sim_link_to(st->sim, &st->at);
	st->way->latency_us = 5000;
	st->socket = io_socket_open(&st->at, NULL, 0);
	st->listener = io_listen(st->server_io, st->socket, NULL, stage_on_accept, st);
	st->asked = BUF_INIT(1 << 24);
	st->pool = upstream_pool_create(st->io, NULL);
	st->origin = (struct origin){
		.key = S("http://b.test:80"),
		.host = S("b.test"),
		.port = 80,
		.authority = S("b.test"),
		.connect_ms = 2000,
		.idle_ms = 50000,
		.idle_max = 64,
	};
	st->request = (struct upstream_request){
		.method = S("GET"),
		.target = S("/v1/x"),
		.body_max = 1 << 20,
	};
}

static inline void stage_reply(struct stage *st, struct slice bytes, enum after after)
{
	assert_true(st->reply_count < REPLIES);
	st->replies[st->reply_count++] = (struct reply){ .bytes = bytes, .after = after };
}

static inline unsigned stage_idle(const struct stage *st)
{
	return (unsigned)upstream_pool_counters(st->pool)->idle;
}

/* Frees all and checks that nothing is left over. */
static void stage_end(struct stage *st)
{
	struct sim_counts c;
	char text[256];

	assert_null(st->call);
	upstream_pool_free(st->pool);
	sim_run_for(st->sim, 1);
	c = sim_count(st->sim, st->io);
	assert_string_equal(sim_counts_text(&c, text, sizeof text), "nothing");
	for (unsigned i = 0; i < st->seat_count; i++) {
		if (st->seats[i].s)
			io_close(st->seats[i].s, IO_CLOSE_NOW);
		buf_free(&st->seats[i].got);
	}
	if (st->listener)
		io_listener_close(st->listener);
	io_socket_close(st->socket);
	buf_free(&st->asked);
	sim_settle(st->sim, 600000);
	sim_free(st->sim);
}

#endif
