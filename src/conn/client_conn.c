/* Reading requests from one connection, one after another. */
#include "conn/client_inside.h"

#include "base/check.h"

#include <stdlib.h>

#define BODY_STEP ((size_t)1024 * 1024)

static void client_read(struct client_conn *c, struct slice *in);

static const struct client_limits *limits_of(const struct client_conn *c)
{
	return c->door->limits;
}

static void limit_in(struct client_conn *c, int64_t delay_ms)
{
	io_timer_set(c->door->io, &c->timer, mono_after(io_now(c->door->io), delay_ms));
}

/* ---- beginning and end ----------------------------------------------------------- */

static void bury(struct io_grave *grave)
{
	struct client_conn *c = CONTAINER_OF(grave, struct client_conn, grave);

	buf_free(&c->in);
	buf_free(&c->head);
	buf_free(&c->body);
	free(c);
}

void client_conn_die(struct client_conn *c, enum io_close how, bool tell)
{
	const struct client_request_events *events = c->events;

	must(c->state != CLIENT_DEAD);
	c->state = CLIENT_DEAD;
	c->events = NULL;
	io_timer_clear(c->door->io, &c->timer);
	io_close(c->stream, how);
	c->stream = NULL;
	list_remove(&c->door->conns, &c->link);
	atomic_fetch_sub(&c->door->counters->connections, 1);
	c->grave.bury = bury;
	io_bury(c->door->io, &c->grave);
	if (tell && events && events->on_gone)
		events->on_gone(c->owner);
}

void client_conn_refuse(struct client_conn *c, int status, struct slice sentence)
{
	struct buf body = BUF_INIT(64 * 1024);
	struct h1_header type = { S("content-type"), SLICE_NONE };

	atomic_fetch_add(&c->door->counters->bad_requests, 1);
	type.value = c->door->events->write_error(c->door->owner, status, sentence, &body);
	c->state = CLIENT_ANSWERING;
	c->keep_alive = false;
	client_respond_whole(c, status, &type, 1, buf_slice(&body));
	buf_free(&body);
}

/* ---- limits ------------------------------------------------------------------------- */

void client_watch_stall(struct client_conn *c)
{
	if (c->watching_stall)
		return;
	c->watching_stall = true;
	c->taken_at_check = c->written - io_write_pending(c->stream);
	limit_in(c, limits_of(c)->write_stall_ms);
}

static void check_stall(struct client_conn *c)
{
	size_t pending = io_write_pending(c->stream);

	c->watching_stall = false;
	if (pending == 0)
		return;
	if (c->written - pending == c->taken_at_check) {
		client_conn_die(c, IO_CLOSE_RESET, true);
		return;
	}
	client_watch_stall(c);
}

static void on_timer(struct io_timer *timer, mono_ms now)
{
	struct client_conn *c = CONTAINER_OF(timer, struct client_conn, timer);

	(void)now;
	switch (c->state) {
	case CLIENT_IDLE:
		client_conn_die(c, IO_CLOSE_FLUSH, false);
		return;
	case CLIENT_HEAD:
		client_conn_refuse(c, 408, S("The request's header section took too long to arrive."));
		return;
	case CLIENT_BODY:
		client_conn_refuse(c, 408, S("The request's body stopped arriving."));
		return;
	case CLIENT_ANSWERING:
		check_stall(c);
		return;
	case CLIENT_DEAD:
		return;
	}
}

/* ---- handing up ----------------------------------------------------------------------- */

static void hand_up(struct client_conn *c, const struct h1_head *head)
{
	struct buf body = c->body;

	c->body = BUF_INIT(0);
	c->state = CLIENT_ANSWERING;
	io_timer_clear(c->door->io, &c->timer);
	c->door->events->on_request(c->door->owner, c, head, &body);
	buf_free(&body);
}

/* The head was kept as bytes while its body came. */
static void hand_up_kept(struct client_conn *c)
{
	struct h1_head head;
	struct buf kept = c->head;
	size_t scanned = 0;
	enum h1_result r = h1_parse_request(buf_slice(&kept), SIZE_MAX, &scanned, &head);

	must(r == H1_OK);
	c->head = BUF_INIT(SIZE_MAX);
	hand_up(c, &head);
	buf_free(&kept);
}

/* ---- the body ---------------------------------------------------------------------------- */

static bool add_body(struct client_conn *c, struct slice bytes)
{
	if (buf_append(&c->body, bytes))
		return true;
	client_conn_refuse(c, 413, S("The request's body is larger than this proxy's limit "
				     "(limits.body_bytes)."));
	return false;
}

static void read_length_body(struct client_conn *c, struct slice *in)
{
	size_t part = in->len < c->body_left ? in->len : (size_t)c->body_left;

	if (!add_body(c, slice_sub(*in, 0, part)))
		return;
	*in = slice_from(*in, part);
	c->body_left -= part;
	if (c->body_left == 0)
		hand_up_kept(c);
}

static void read_chunked_body(struct client_conn *c, struct slice *in)
{
	struct slice data;

	while (c->state == CLIENT_BODY) {
		switch (chunked_feed(&c->chunked, in, &data)) {
		case CHUNKED_MORE:
			return;
		case CHUNKED_DATA:
			add_body(c, data);
			break;
		case CHUNKED_END:
			hand_up_kept(c);
			return;
		case CHUNKED_BAD:
			client_conn_refuse(c, 400, S("The request's chunked body is malformed."));
			return;
		}
	}
}

static void read_body(struct client_conn *c, struct slice *in)
{
	if (in->len)
		limit_in(c, limits_of(c)->body_idle_ms);
	if (c->body_kind == H1_BODY_CHUNKED)
		read_chunked_body(c, in);
	else
		read_length_body(c, in);
}

/* ---- the head ------------------------------------------------------------------------------ */

static void begin_response(struct client_conn *c, const struct h1_head *head)
{
	c->keep_alive = head->keep_alive && !c->door->draining;
	c->http10 = head->minor == 0;
	c->is_head_request = slice_eq(head->method, S("HEAD"));
	c->head_sent = c->chunked_out = c->until_close = c->no_body = false;
	c->watching_stall = false;
}

/* The door's owner may answer already. False: it has. */
static bool owner_wants(struct client_conn *c, const struct h1_head *head)
{
	bool had_body = head->body != H1_BODY_NONE, kept = c->keep_alive;

	if (!c->door->events->on_head)
		return true;
	/* An unread body would be taken for the next request. */
	c->keep_alive = kept && !had_body;
	c->state = CLIENT_ANSWERING;
	if (!c->door->events->on_head(c->door->owner, c, head))
		return false;
	c->state = CLIENT_HEAD;
	c->keep_alive = kept;
	return true;
}

static void begin_body(struct client_conn *c, const struct h1_head *head, struct slice raw,
		       struct slice behind)
{
	c->body_kind = head->body;
	c->body_left = head->content_length;
	c->chunked = (struct chunked){ 0 };
	c->body = BUF_INIT(limits_of(c)->body_bytes);
	if (head->body == H1_BODY_LENGTH && head->content_length <= behind.len) {
		/* All of it is here: the common case needs no copy of the head. */
		c->body_left = 0;
		return;
	}
	c->state = CLIENT_BODY;
	c->head = BUF_INIT(SIZE_MAX);
	buf_put(&c->head, raw);
	limit_in(c, limits_of(c)->body_idle_ms);
	if (head->body == H1_BODY_LENGTH) {
		size_t step = head->content_length < BODY_STEP ? (size_t)head->content_length : BODY_STEP;

		/* A promise is worth one step of memory; the rest grows as it comes. */
		if (!buf_room(&c->body, step)) {
			client_conn_refuse(c, 413, S("There is no memory for the request's body."));
			return;
		}
	}
	if (head->expect_continue && behind.len == 0) {
		struct slice go_on = S("HTTP/1.1 100 Continue\r\n\r\n");

		io_write(c->stream, &go_on, 1);
		c->written += go_on.len;
	}
}

static void on_head(struct client_conn *c, const struct h1_head *head, struct slice *in)
{
	struct slice raw = slice_sub(*in, 0, head->bytes);

	*in = slice_from(*in, head->bytes);
	begin_response(c, head);
	if (!owner_wants(c, head) || c->state == CLIENT_DEAD)
		return;
	if (head->body == H1_BODY_LENGTH && head->content_length > limits_of(c)->body_bytes) {
		client_conn_refuse(c, 413, S("The request's body is larger than this proxy's limit "
					     "(limits.body_bytes)."));
		return;
	}
	if (head->body == H1_BODY_NONE) {
		c->body = BUF_INIT(0);
		hand_up(c, head);
		return;
	}
	begin_body(c, head, raw, *in);
	if (c->state == CLIENT_HEAD) {
		size_t len = (size_t)head->content_length;

		if (!add_body(c, slice_sub(*in, 0, len)))
			return;
		*in = slice_from(*in, len);
		hand_up(c, head);
	}
}

static void read_head(struct client_conn *c, struct slice *in, bool *starved)
{
	struct h1_head head;
	enum h1_result r;

	if (c->state == CLIENT_IDLE) {
		c->state = CLIENT_HEAD;
		limit_in(c, limits_of(c)->header_ms);
	}
	r = h1_parse_request(*in, limits_of(c)->header_bytes, &c->scanned, &head);
	if (r == H1_MORE) {
		*starved = true;
		return;
	}
	c->scanned = 0;
	if (r == H1_OK) {
		on_head(c, &head, in);
		return;
	}
	c->http10 = false;
	c->is_head_request = c->head_sent = c->watching_stall = false;
	c->chunked_out = c->until_close = c->no_body = false;
	client_conn_refuse(c, h1_result_status(r), slice_of(h1_result_text(r)));
}

/* ---- bytes ------------------------------------------------------------------------------------ */

/* Reads as much of *in as can be understood now. */
static void client_read(struct client_conn *c, struct slice *in)
{
	bool starved = false;

	must(!c->reading);
	c->reading = true;
	while (in->len && !starved && c->state != CLIENT_ANSWERING && c->state != CLIENT_DEAD) {
		if (c->state == CLIENT_BODY)
			read_body(c, in);
		else
			read_head(c, in, &starved);
	}
	c->reading = false;
}

static void pause_if_full(struct client_conn *c)
{
	bool full = c->state == CLIENT_ANSWERING && buf_len(&c->in) > CLIENT_PIPELINE_BYTES;

	if (full != c->paused) {
		c->paused = full;
		io_read_pause(c->stream, full);
	}
}

/* What waited in c->in. */
static void read_waiting(struct client_conn *c)
{
	struct slice held = buf_slice(&c->in), rest = held;

	client_read(c, &rest);
	if (c->state == CLIENT_DEAD)
		return;
	buf_consume(&c->in, held.len - rest.len);
	buf_release(&c->in);
	pause_if_full(c);
}

static void on_data(void *owner, struct slice bytes)
{
	struct client_conn *c = owner;

	if (buf_len(&c->in) == 0)
		client_read(c, &bytes);
	if (c->state == CLIENT_DEAD || bytes.len == 0)
		return;
	if (!buf_append(&c->in, bytes)) {
		client_conn_die(c, IO_CLOSE_NOW, true);
		return;
	}
	if (c->state != CLIENT_ANSWERING && buf_len(&c->in) > bytes.len)
		read_waiting(c);
	else
		pause_if_full(c);
}

static void on_resume(struct io_deferred *d, mono_ms now)
{
	struct client_conn *c = CONTAINER_OF(d, struct client_conn, resume);

	(void)now;
	if (c->state == CLIENT_IDLE && buf_len(&c->in) > 0)
		read_waiting(c);
	else if (c->state != CLIENT_DEAD)
		pause_if_full(c);
}

void client_conn_answered(struct client_conn *c)
{
	c->events = NULL;
	c->owner = NULL;
	if (!c->keep_alive || c->door->draining) {
		client_conn_die(c, IO_CLOSE_FLUSH, false);
		return;
	}
	c->state = CLIENT_IDLE;
	limit_in(c, limits_of(c)->keep_alive_ms);
	if (buf_len(&c->in) > 0 && !c->reading)
		io_defer(c->door->io, &c->resume);
}

/* ---- the stream's other news -------------------------------------------------------------------- */

/* A FIN cannot be told from an abort; while a response is owed it is one
 * (catalogue C01-C03). */
static void on_end(void *owner)
{
	struct client_conn *c = owner;
	bool answering = c->state == CLIENT_ANSWERING;

	client_conn_die(c, answering ? IO_CLOSE_NOW : IO_CLOSE_FLUSH, answering);
}

static void on_broken(void *owner, enum io_broken why, const char *text)
{
	struct client_conn *c = owner;

	if (why == IO_TLS_FAILED)
		log_line(c->door->log, LOG_INFO, "client_tls_failed", "text=\"%s\"", text);
	client_conn_die(c, IO_CLOSE_NOW, c->state == CLIENT_ANSWERING);
}

static void on_drained(void *owner)
{
	struct client_conn *c = owner;

	if (c->state == CLIENT_ANSWERING && c->events && c->events->on_drained)
		c->events->on_drained(c->owner);
}

static const struct io_stream_events stream_events = {
	.on_data = on_data,
	.on_end = on_end,
	.on_broken = on_broken,
	.on_drained = on_drained,
};

void client_conn_begin(struct client_door *d, struct io_stream *s, const struct io_addr *peer)
{
	struct client_conn *c = calloc(1, sizeof *c);

	if (!c) {
		io_close(s, IO_CLOSE_NOW);
		return;
	}
	c->state = CLIENT_HEAD;         /* the first head's time runs from the accept */
	c->door = d;
	c->stream = s;
	c->peer = *peer;
	c->timer.fire = on_timer;
	c->resume.run = on_resume;
	c->in = BUF_INIT(d->limits->header_bytes + 1024 * 1024);
	list_append(&d->conns, &c->link);
	atomic_fetch_add(&d->counters->connections, 1);
	io_stream_adopt(s, &stream_events, c);
	limit_in(c, d->limits->header_ms);
}
