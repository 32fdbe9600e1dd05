/* client_stage.h: a door in a simulated world, an owner behind it whose answers
 * follow from the path that is asked for, and clients that speak raw bytes. */
#ifndef TEST_CONN_CLIENT_STAGE_H
#define TEST_CONN_CLIENT_STAGE_H

#include "conn/client_conn.h"
#include "conn/client_inside.h"
#include "sim/sim.h"
#include "tests/unit/base/cm.h"

#include <stdlib.h>
#include <string.h>

#define DATE "Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
#define CLOSE "Connection: close\r\n"
#define HOST "Host: a\r\n"
#define STEP_MS 10
#define ASKED_MAX 64
#define PEERS_MAX 8

/* One request that was claimed. */
struct asked {
	struct stage *stage;
	struct client_conn *c;        /* NULL once answered or gone */
	struct io_timer timer;
	char path[32], method[16];
	struct buf body;
	unsigned step, gone, drained;
	mono_ms gone_at;
};

/* A client; what it saw of the stream's end has its time in ms. */
struct peer {
	struct stage *stage;
	struct io_stream *s;
	struct buf got;
	bool ended, broken;
	mono_ms ended_at;
};

struct stage {
	struct sim *sim;
	struct io *client_io, *server_io;
	struct io_addr at;
	struct sim_link *way;
	struct io_socket *socket;
	struct io_tls *tls;
	struct client_limits limits;
	struct client_counters counters;
	struct client_door *door;
	struct log log;
	char logged[512];
	struct asked asked[ASKED_MAX];
	unsigned asked_count, heads, requests;
	size_t big_bytes;             /* of an answer to /big */
	struct peer peers[PEERS_MAX];
	unsigned peer_count;
};

/* ---- the owner ----------------------------------------------------------------- */

static void asked_gone(void *owner)
{
	struct asked *a = owner;

	a->gone++;
	a->gone_at = io_now(a->stage->server_io);
	a->c = NULL;
	io_timer_clear(a->stage->server_io, &a->timer);
}

static void asked_drained(void *owner)
{
	((struct asked *)owner)->drained++;
}

static const struct client_request_events asked_events = { asked_gone, asked_drained };

static void answer_echo(struct client_conn *c, int status, struct slice method, struct slice path,
			struct slice body)
{
	struct buf out = BUF_INIT(128 * 1024 * 1024);

	buf_putf(&out, "%.*s %.*s [", SLICE_ARG(method), SLICE_ARG(path));
	buf_put(&out, body);
	buf_puts(&out, "]");
	client_respond_whole(c, status, NULL, 0, buf_slice(&out));
	buf_free(&out);
}

static void answer_big(struct client_conn *c, size_t bytes)
{
	char *all = malloc(bytes);

	assert_non_null(all);
	memset(all, 'x', bytes);
	client_respond_whole(c, 200, NULL, 0, (struct slice){ all, bytes });
	free(all);
}

/* Takes the connection out of the record: it may not be named after its end. */
static struct client_conn *asked_take(struct asked *a)
{
	struct client_conn *c = a->c;

	a->c = NULL;
	io_timer_clear(a->stage->server_io, &a->timer);
	return c;
}

static inline void asked_answer(struct asked *a)
{
	answer_echo(asked_take(a), 200, slice_of(a->method), slice_of(a->path), buf_slice(&a->body));
}

/* Head and first piece at once, a second piece, then the end or a break. */
static void asked_stream(struct asked *a)
{
	bool breaks = strncmp(a->path, "/break", 6) == 0;
	uint64_t length = strstr(a->path, "10") ? 10 : CLIENT_LENGTH_UNKNOWN;

	switch (a->step++) {
	case 0:
		client_respond_head(a->c, 200, NULL, 0, length);
		client_respond_data(a->c, S("first"));
		client_respond_data(a->c, SLICE_NONE);
		break;
	case 1:
		if (!breaks)
			client_respond_data(a->c, S("again"));
		break;
	default:
		if (breaks)
			client_respond_break(asked_take(a));
		else
			client_respond_end(asked_take(a));
		return;
	}
	io_timer_set(a->stage->server_io, &a->timer, io_now(a->stage->server_io) + STEP_MS);
}

static void asked_fire(struct io_timer *t, mono_ms now)
{
	struct asked *a = CONTAINER_OF(t, struct asked, timer);

	(void)now;
	if (strcmp(a->path, "/later") == 0)
		asked_answer(a);
	else
		asked_stream(a);
}

static struct asked *asked_new(struct stage *st, struct client_conn *c, const struct h1_head *head,
			       struct buf *body)
{
	struct asked *a;

	must(st->asked_count < ASKED_MAX);
	a = &st->asked[st->asked_count++];
	a->stage = st;
	a->c = c;
	a->timer.fire = asked_fire;
	snprintf(a->path, sizeof a->path, "%.*s", SLICE_ARG(head->target));
	snprintf(a->method, sizeof a->method, "%.*s", SLICE_ARG(head->method));
	a->body = *body;
	*body = BUF_INIT(0);
	client_claim(c, &asked_events, a);
	return a;
}

static bool stage_on_head(void *owner, struct client_conn *c, const struct h1_head *head)
{
	struct stage *st = owner;

	st->heads++;
	if (!slice_starts(head->target, S("/no/")))
		return true;
	answer_echo(c, 401, head->method, head->target, SLICE_NONE);
	return false;
}

static void stage_on_request(void *owner, struct client_conn *c, const struct h1_head *head,
			     struct buf *body)
{
	struct stage *st = owner;
	struct slice path = head->target;

	st->requests++;
	if (slice_starts(path, S("/echo")))
		answer_echo(c, 200, head->method, path, buf_slice(body));
	else if (slice_starts(path, S("/none")))
		client_respond_whole(c, 204, NULL, 0, SLICE_NONE);
	else if (slice_starts(path, S("/same")))
		client_respond_whole(c, 304, NULL, 0, S("never seen"));
	else if (slice_starts(path, S("/big")))
		answer_big(c, st->big_bytes);
	else if (slice_starts(path, S("/stream")) || slice_starts(path, S("/break")))
		asked_stream(asked_new(st, c, head, body));
	else if (slice_starts(path, S("/later")))
		io_timer_set(st->server_io, &asked_new(st, c, head, body)->timer,
			     io_now(st->server_io) + STEP_MS);
	else    /* "/hold": the test answers */
		asked_new(st, c, head, body);
}

static struct slice stage_write_error(void *owner, int status, struct slice sentence, struct buf *out)
{
	(void)owner;
	assert_true(sentence.len > 0);
	buf_putf(out, "E%d", status);
	return S("text/plain");
}

static const struct client_door_events stage_events = { stage_on_head, stage_on_request,
							stage_write_error };

static void stage_log(void *owner, enum log_level level, struct slice line)
{
	struct stage *st = owner;

	(void)level;
	snprintf(st->logged, sizeof st->logged, "%.*s", SLICE_ARG(line));
}

static int64_t stage_wall_ms(void *owner)
{
	return io_wall_ms(((struct stage *)owner)->server_io);
}

/* ---- beginning and end ----------------------------------------------------------- */

static void stage_begin(struct stage *st, bool tls)
{
	memset(st, 0, sizeof *st);
	st->sim = sim_create(1);
	st->client_io = sim_io_create(st->sim, "client");
	st->server_io = sim_io_create(st->sim, "server");
	st->at = sim_addr("10.1.0.1:80");
	st->way = sim_link_to(st->sim, &st->at);
	st->way->latency_us = 0;
	st->socket = io_socket_open(&st->at, NULL, 0);
	st->tls = tls ? io_tls_server("", "", NULL, 0) : NULL;
	st->limits = (struct client_limits){
		.header_bytes = 64 * 1024, .body_bytes = 64 * 1024 * 1024,
		.header_ms = 10000, .body_idle_ms = 30000, .keep_alive_ms = 75000,
		.write_stall_ms = 60000, .connections = 100,
	};
	st->log = (struct log){ stage_log, stage_wall_ms, st, LOG_INFO };
	st->door = client_door_create(st->server_io, &st->limits, &st->counters, &st->log,
				      &stage_events, st);
	client_door_listen(st->door, st->socket, st->tls);
}

/* Everything closes, and nothing may be left over. */
static void stage_end(struct stage *st)
{
	struct sim_counts c;
	char text[256];

	for (unsigned i = 0; i < st->peer_count; i++) {
		if (st->peers[i].s)
			io_close(st->peers[i].s, IO_CLOSE_NOW);
		buf_free(&st->peers[i].got);
	}
	client_door_free(st->door);
	io_socket_close(st->socket);
	sim_settle(st->sim, 300000);
	for (unsigned i = 0; i < st->asked_count; i++) {
		assert_null(st->asked[i].c);
		buf_free(&st->asked[i].body);
	}
	c = sim_count(st->sim, NULL);
	assert_string_equal(sim_counts_text(&c, text, sizeof text), "nothing");
	assert_int_equal(st->counters.connections, 0);
	assert_int_equal(st->counters.body_bytes, 0);
	sim_free(st->sim);
	io_tls_give(st->tls);
}

/* The inside of the first connection. */
static inline struct client_conn *stage_conn(const struct stage *st)
{
	struct link *first = list_first(&st->door->conns);

	must(first != NULL);
	return CONTAINER_OF(first, struct client_conn, link);
}

/* Milliseconds since the world's beginning. */
static inline int64_t stage_ms(const struct stage *st)
{
	return sim_now(st->sim) - SIM_START_MS;
}

/* ---- clients ----------------------------------------------------------------------- */

static void peer_on_data(void *owner, struct slice bytes)
{
	buf_put(&((struct peer *)owner)->got, bytes);
}

static void peer_on_end(void *owner)
{
	struct peer *p = owner;

	p->ended = true;
	p->ended_at = io_now(p->stage->client_io) - SIM_START_MS;
}

static void peer_on_broken(void *owner, enum io_broken why, const char *text)
{
	struct peer *p = owner;

	(void)why, (void)text;
	p->broken = true;
	p->ended_at = io_now(p->stage->client_io) - SIM_START_MS;
}

static const struct io_stream_events peer_events = {
	.on_data = peer_on_data, .on_end = peer_on_end, .on_broken = peer_on_broken,
};

static struct peer *peer_connect(struct stage *st)
{
	struct peer *p = &st->peers[st->peer_count++];

	must(st->peer_count <= PEERS_MAX);
	*p = (struct peer){ .stage = st, .got = BUF_INIT(256 * 1024 * 1024) };
	p->s = io_connect(st->client_io, &st->at, &peer_events, p);
	sim_run_for(st->sim, 1);
	return p;
}

/* Lets what happens without a wait happen. */
static void stage_turn(struct stage *st)
{
	sim_run_until(st->sim, sim_now(st->sim));
}

static void peer_write(struct peer *p, struct slice bytes)
{
	io_write(p->s, &bytes, 1);
	stage_turn(p->stage);
}

static inline void peer_say(struct peer *p, const char *text)
{
	peer_write(p, slice_of(text));
}

static inline void peer_close(struct peer *p, enum io_close how)
{
	io_close(p->s, how);
	p->s = NULL;
	stage_turn(p->stage);
}

/* What came since the last look. */
static inline void peer_got(struct peer *p, const char *expected)
{
	struct slice got = buf_slice(&p->got), want = slice_of(expected);

	if (!slice_eq(got, want))
		fail_msg("got:\n%.*s\nexpected:\n%s", SLICE_ARG(got), expected);
	buf_clear(&p->got);
}

#endif
