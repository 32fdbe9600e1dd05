/* upstream.c: one call, from its start to its one ending. */
#include "conn/upstream_inside.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOW_MAX 160

static void dial(struct upstream_call *c);
static void read_on(struct upstream_call *c);

/* ---- endings -------------------------------------------------------------------------- */

static void bury(struct io_grave *g)
{
	struct upstream_call *c = CONTAINER_OF(g, struct upstream_call, grave);

	reader_free(&c->reader);
	free(c->how);
	free(c);
}

/* Says how the connection ended; nearly always it just does, without a word. */
static void PRINTF_LIKE(2, 3) note_end(struct upstream_call *c, const char *format, ...)
{
	char text[HOW_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	free(c->how);
	c->how = strdup(text);
	must(c->how != NULL);
}

/* The connection, if there is one, is done with. */
static void drop_conn(struct upstream_call *c, enum io_close how)
{
	if (c->conn)
		pool_conn_close(c->conn, how);
	c->conn = NULL;
}

/* Nothing names the call after this turn. */
static void leave(struct upstream_call *c)
{
	must(!c->gone);
	must(!c->conn);
	c->gone = true;
	if (c->dial)
		dial_cancel(c->dial);
	c->dial = NULL;
	io_timer_clear(c->pool->io, &c->timer);
	list_remove(&c->pool->calls, &c->link);
	c->grave.bury = bury;
	io_bury(c->pool->io, &c->grave);
}

static void fail(struct upstream_call *c, enum fault why, const char *text)
{
	drop_conn(c, IO_CLOSE_NOW);
	leave(c);
	if (!c->released)
		c->events->on_fault(c->owner, why, text);
}

/* The body is complete. Only a connection on which both sides have said all,
 * and nothing more, carries another request (catalogue H02, H21). */
static void finish(struct upstream_call *c)
{
	bool until_close = c->reader.framing == H1_BODY_UNTIL_CLOSE;

	if (c->reader.keep_alive && !until_close && !c->ended && call_sent(c) &&
	    reader_extra(&c->reader) == 0) {
		if (c->stream_paused)
			io_read_pause(c->conn->stream, false);
		pool_put(c->conn);
		c->conn = NULL;
	}
	drop_conn(c, IO_CLOSE_NOW);
	leave(c);
	if (!c->released)
		c->events->on_end(c->owner, until_close);
}

void upstream_cancel(struct upstream_call *c)
{
	/* A plain FIN may pass for a half-close; after RST nobody goes on working. */
	drop_conn(c, IO_CLOSE_RESET);
	leave(c);
}

/* ---- reading ------------------------------------------------------------------------------- */

/* The connection has ended and all it brought is read. */
static void on_over(struct upstream_call *c)
{
	switch (reader_close(&c->reader, c->ended_clean, c->how)) {
	case READER_END:
		finish(c);
		break;
	case READER_CUT:
		fail(c, c->ended_local ? FAULT_LOCAL : FAULT_CUT, c->reader.text);
		break;
	default:
		fail(c, c->ended_local ? FAULT_LOCAL : FAULT_BAD_ANSWER, c->reader.text);
		break;
	}
}

/* N08: the peer had closed the connection when, or before, the request came.
 * What was never answered on a reused connection goes once more, on a fresh one. */
static bool replay(struct upstream_call *c)
{
	if (!c->conn->reused || c->replays > 0 || c->ended_local || c->released)
		return false;
	struct io_addr addr = pool_conn_addr(c->conn);
	char peer[IO_ADDR_TEXT_MAX];

	log_line(c->pool->log, LOG_DEBUG, "stale_connection", "peer=%s how=\"%s\"",
		 io_addr_text(&addr, peer), c->how);
	drop_conn(c, IO_CLOSE_NOW);
	reader_free(&c->reader);
	reader_init(&c->reader, slice_eq(c->request->method, S("HEAD")), c->request->body_max);
	call_send_stop(c);
	c->replays++;
	c->pool->counters.stale_replays++;
	c->announce = c->ended = c->stream_paused = false;
	dial(c);
	return true;
}

/* A server that gives up waiting on an idle connection says 408; if the request
 * crossed that, it was not read (RFC 9110 15.5.9). Not all of them say that they
 * close, so it is not asked for. */
static bool is_idle_timeout(const struct upstream_call *c, const struct h1_head *head)
{
	return head->status == 408 && c->conn->reused && c->reader.interims == 0;
}

static void tell_head(struct upstream_call *c, const struct h1_head *head)
{
	if (is_idle_timeout(c, head)) {
		note_end(c, "the answer was 408 for the idle connection");
		if (replay(c))
			return;
	}
	c->head_told = true;
	/* Whether a 408 answers this request or none cannot be told, so what comes
	 * behind it could be taken for the answer to the next (N16). */
	if (head->status == 408)
		c->reader.keep_alive = false;
	/* Whoever refuses does not want the rest of the request; one who accepts
	 * early may still be reading it. */
	if (head->status >= 300)
		call_send_stop(c);
	if (!c->released)
		c->events->on_head(c->owner, head);
}

static void tell_data(struct upstream_call *c, struct slice data)
{
	if (!c->released) {
		c->events->on_body(c->owner, data);
		return;
	}
	c->swallowed += data.len;
	if (c->swallowed > RELEASED_BYTES_MAX) {
		drop_conn(c, IO_CLOSE_RESET);
		leave(c);
	}
}

/* Tells what has been read, until the owner pauses or leaves. True if all was
 * eaten and the call is still there. */
static bool tell_read(struct upstream_call *c)
{
	struct h1_head head;
	struct slice data;

	while (!c->gone && !c->paused && c->conn) {
		switch (reader_next(&c->reader, &head, &data)) {
		case READER_MORE:
			return true;
		case READER_HEAD:
			tell_head(c, &head);
			break;
		case READER_DATA:
			tell_data(c, data);
			break;
		case READER_END:
			finish(c);
			break;
		case READER_BAD:
		case READER_CUT:
			fail(c, FAULT_BAD_ANSWER, c->reader.text);
			break;
		}
	}
	return false;
}

static void read_on(struct upstream_call *c)
{
	bool all;

	must(!c->reading);
	c->reading = true;
	all = tell_read(c);
	c->reading = false;
	if (c->gone || !c->conn)
		return;
	if (!all)
		reader_keep(&c->reader);
	else if (c->ended)
		on_over(c);
}

static void on_data(void *owner, struct slice bytes)
{
	struct upstream_call *c = owner;

	/* Said before the request can have left: not an answer to it (N16). */
	if (c->announce) {
		c->pool->counters.junk_discards++;
		note_end(c, "the peer spoke before it was asked");
		must(replay(c));
		return;
	}
	reader_give(&c->reader, bytes);
	read_on(c);
}

static void on_ended(struct upstream_call *c)
{
	c->ended = true;
	io_timer_clear(c->pool->io, &c->timer);
	if ((c->reader.any || !replay(c)) && !c->paused && !reader_has_unread(&c->reader))
		on_over(c);
	/* Else: told when the owner has taken what came before. */
}

static void on_end(void *owner)
{
	struct upstream_call *c = owner;

	c->ended_clean = true;
	note_end(c, "the connection was closed");
	on_ended(c);
}

static void on_broken(void *owner, enum io_broken why, const char *text)
{
	struct upstream_call *c = owner;

	c->ended_clean = false;
	c->ended_local = why == IO_LOCAL;
	note_end(c, "the connection broke (%s)", text);
	on_ended(c);
}

static const struct io_stream_events stream_events = {
	.on_data = on_data,
	.on_end = on_end,
	.on_broken = on_broken,
	.on_drained = call_send_drained,
};

/* ---- connecting --------------------------------------------------------------------------- */

/* The call gets its connection, and the connection its request. */
static void attach(struct upstream_call *c, struct upstream_conn *conn)
{
	c->conn = conn;
	c->send.part = c->send.part_at = 0;
	c->send.done = 0;
	c->send.head_done = c->send.all_done = c->send.stopped = false;
	io_stream_adopt(conn->stream, &stream_events, c);
	if (c->paused)
		io_read_pause(conn->stream, true);
	c->stream_paused = c->paused;
	call_send(c);
}

static void on_dialled(void *owner, struct io_stream *s, const struct io_addr *addr)
{
	struct upstream_call *c = owner;

	c->dial = NULL;
	c->pool->counters.connects++;
	attach(c, pool_conn_create(c->pool, c->origin, s, addr));
	c->events->on_connected(c->owner, false);
}

static void on_dial_fault(void *owner, enum fault why, const char *text)
{
	struct upstream_call *c = owner;

	c->dial = NULL;
	c->pool->counters.connect_faults++;
	fail(c, why, text);
}

static const struct dial_events dial_events = { on_dialled, on_dial_fault };

static void dial(struct upstream_call *c)
{
	c->dial = dial_start(c->pool->io, c->pool->names, c->origin, &dial_events, c);
}

/* At the end of the turn: what could not be told inside a function of ours. */
static void on_later(struct io_deferred *d, mono_ms now)
{
	struct upstream_call *c = CONTAINER_OF(d, struct upstream_call, later);

	(void)now;
	if (c->gone)
		return;
	if (c->announce) {
		c->announce = false;
		c->events->on_connected(c->owner, true);
	}
	if (c->gone || c->paused || !c->conn)
		return;
	read_on(c);
	if (c->gone || c->paused || !c->conn || !c->stream_paused)
		return;
	c->stream_paused = false;
	io_read_pause(c->conn->stream, false);
}

static void on_patience(struct io_timer *t, mono_ms now)
{
	(void)now;
	upstream_cancel(CONTAINER_OF(t, struct upstream_call, timer));
}

struct upstream_call *upstream_start(struct upstream_pool *p, const struct origin *origin,
				     const struct upstream_request *request,
				     const struct upstream_events *events, void *owner)
{
	struct upstream_call *c = calloc(1, sizeof *c);
	struct upstream_conn *conn;

	must(c != NULL);
	c->pool = p;
	c->origin = origin;
	c->request = request;
	c->events = events;
	c->owner = owner;
	c->timer.fire = call_send_kick;
	c->later.run = on_later;
	reader_init(&c->reader, slice_eq(request->method, S("HEAD")), request->body_max);
	list_append(&p->calls, &c->link);
	conn = request->fresh ? NULL : pool_take(p, origin);
	if (conn) {
		attach(c, conn);
		c->announce = true;
		io_defer(p->io, &c->later);
	} else {
		dial(c);
	}
	return c;
}

/* ---- what the owner may do meanwhile ---------------------------------------------------------- */

void upstream_pause(struct upstream_call *c, bool paused)
{
	must(!c->gone);
	if (c->paused == paused)
		return;
	c->paused = paused;
	if (!c->conn)
		return;
	if (!paused) {
		/* What was read before goes first. */
		io_defer(c->pool->io, &c->later);
	} else if (!c->stream_paused && !c->ended) {
		c->stream_paused = true;
		io_read_pause(c->conn->stream, true);
	}
}

/* Behind a head there is no second try on another connection. */
bool upstream_forget_request(struct upstream_call *c)
{
	must(!c->gone);
	must(c->head_told);
	if (!c->send.all_done && !c->send.stopped)
		return false;
	c->request = NULL;
	return true;
}

void upstream_release(struct upstream_call *c)
{
	must(!c->gone);
	must(!c->released);
	if (!c->conn || !c->head_told || c->ended || !call_sent(c) || !c->reader.keep_alive ||
	    c->reader.framing == H1_BODY_UNTIL_CLOSE) {
		upstream_cancel(c);
		return;
	}
	c->released = true;
	c->origin = NULL;
	c->request = NULL;
	c->events = NULL;
	c->owner = NULL;
	upstream_pause(c, false);
	c->timer.fire = on_patience;         /* all has been sent */
	io_timer_set(c->pool->io, &c->timer, mono_after(io_now(c->pool->io), RELEASED_MS));
}

void call_close_released(struct upstream_pool *p)
{
	LIST_EACH(&p->calls, n, after) {
		struct upstream_call *c = CONTAINER_OF(n, struct upstream_call, link);

		if (c->released)
			upstream_cancel(c);
	}
}

unsigned upstream_stale_replays(const struct upstream_call *c)
{
	return c->replays;
}
