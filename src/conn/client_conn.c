/* Reading requests from one connection, one after another. */
#include "conn/client_inside.h"

#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

#define BODY_STEP ((size_t)1024 * 1024)
#define LEND_MIN ((size_t)16 * 1024)
/* Of a request that is yet to begin no more is read at once: how long it is stands in
 * its head, and the rest of a large one can be read where it belongs. */
#define FIRST_BYTES ((size_t)32 * 1024)
/* Room behind a head for what one read brings besides. */
#define IN_SLACK ((size_t)1024 * 1024)

static void next_request(struct client_conn *c);

static const struct client_limits *limits_of(const struct client_conn *c)
{
	return c->door->limits;
}

/* There is one timer, and this is what it is for from now on. */
static void limit_in(struct client_conn *c, int64_t delay_ms)
{
	c->stall_watched = false;
	io_timer_set(c->door->io, &c->timer, mono_after(io_now(c->door->io), delay_ms));
}

/* ---- memory for bodies ------------------------------------------------------------- */

/* Would `bytes` more fit into what all connections may hold? */
static bool memory_fits(const struct client_conn *c, uint64_t bytes)
{
	uint64_t held = atomic_load(&c->door->counters->body_bytes);
	uint64_t max = limits_of(c)->memory_bytes;

	return max == 0 || (held <= max && bytes <= max - held);
}

static bool memory_take(struct client_conn *c, size_t bytes)
{
	uint64_t held = atomic_fetch_add(&c->door->counters->body_bytes, bytes);
	uint64_t max = limits_of(c)->memory_bytes;

	if (max && held + bytes > max) {
		atomic_fetch_sub(&c->door->counters->body_bytes, bytes);
		return false;
	}
	c->body_held += bytes;
	return true;
}

static void memory_give(struct client_conn *c)
{
	if (c->stream)
		io_read_into(c->stream, NULL, 0);       /* where it was to be read is gone */
	buf_free(&c->body);
	atomic_fetch_sub(&c->door->counters->body_bytes, c->body_held);
	c->body_held = 0;
}

void client_body_freed(struct client_conn *c)
{
	memory_give(c);
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
	memory_give(c);
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
	struct h1_header headers[] = {
		{ S("content-type"), SLICE_NONE }, { S("retry-after"), S("1") },
	};

	atomic_fetch_add(&c->door->counters->bad_requests, 1);
	headers[0].value = c->door->events->write_error(c->door->owner, status, sentence, &body);
	c->state = CLIENT_ANSWERING;
	c->out.keep_alive = false;
	client_respond_whole(c, status, headers, status == 503 ? 2 : 1, buf_slice(&body));
	buf_free(&body);
}

/* ---- limits ------------------------------------------------------------------------- */

/* Looked at once a period: who stops taking is noticed within two. */
static void watch_stall(struct client_conn *c)
{
	limit_in(c, limits_of(c)->write_stall_ms);
	c->stall_watched = true;
	c->taken_at_check = c->written - io_write_pending(c->stream);
}

void client_conn_wrote(struct client_conn *c, size_t bytes)
{
	c->written += bytes;
	if (!c->drain_owed && io_write_pending(c->stream) > CLIENT_DRAIN_BYTES) {
		c->drain_owed = true;
		io_defer(c->door->io, &c->later);
	}
	if (!c->stall_watched)
		watch_stall(c);
}

/* The client has taken all that was written. */
static void all_taken(struct client_conn *c)
{
	c->drain_owed = false;
	if (c->state == CLIENT_FLUSHING)
		next_request(c);
	else if (c->state == CLIENT_ANSWERING && c->events && c->events->on_drained)
		c->events->on_drained(c->owner);
}

static void check_stall(struct client_conn *c)
{
	size_t pending = io_write_pending(c->stream);
	bool watched = c->stall_watched;

	c->stall_watched = false;
	if (pending > 0 && watched && c->written - pending == c->taken_at_check)
		client_conn_die(c, IO_CLOSE_RESET, true);
	else if (pending > 0)
		watch_stall(c);
	else if (c->drain_owed)
		all_taken(c);
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
	case CLIENT_FLUSHING:
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
	c->stall_watched = false;
	io_timer_clear(c->door->io, &c->timer);
	c->door->events->on_request(c->door->owner, c, head, &body);
	must(c->state != CLIENT_ANSWERING || c->events);
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
	c->head = BUF_INIT(0);
	hand_up(c, &head);
	buf_free(&kept);
}

/* ---- the body ---------------------------------------------------------------------------- */

static void refuse_large_body(struct client_conn *c)
{
	client_conn_refuse(c, 413, S("The request's body is larger than this proxy's limit "
				     "(limits.body_bytes)."));
}

static void refuse_for_memory(struct client_conn *c)
{
	atomic_fetch_add(&c->door->counters->refused_memory, 1);
	client_conn_refuse(c, 503, S("The proxy holds as many bytes of requests as it may "
				     "(limits.memory)."));
}

static bool add_body(struct client_conn *c, struct slice bytes)
{
	if (bytes.len > c->body.max - buf_len(&c->body)) {
		refuse_large_body(c);
		return false;
	}
	if (!memory_take(c, bytes.len)) {
		refuse_for_memory(c);
		return false;
	}
	if (bytes.at && c->body.bytes && bytes.at == c->body.bytes + c->body.end) {
		buf_added(&c->body, bytes.len);         /* lend_body() has lent their place */
	} else if (!buf_append(&c->body, bytes)) {
		client_conn_refuse(c, 503, S("There is no memory for the request's body."));
		return false;
	}
	return true;
}

/* Much is to come: the kernel may write it where it belongs. A MiB read into the
 * loop's buffer and copied from there cost a fifth more CPU. */
static void lend_body(struct client_conn *c)
{
	size_t room = c->body.size - c->body.end;

	if (c->state == CLIENT_BODY && c->body_kind == H1_BODY_LENGTH && c->body_left >= LEND_MIN && room > 0)
		io_read_into(c->stream, c->body.bytes + c->body.end,
			     room < c->body_left ? room : (size_t)c->body_left);
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
	else
		lend_body(c);
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
	c->out = (struct client_response){
		.keep_alive = head->keep_alive && !c->door->draining,
		.http10 = head->minor == 0,
		.is_head_request = slice_eq(head->method, S("HEAD")),
	};
}

/* The door's owner may answer already. False: it has. */
static bool owner_wants(struct client_conn *c, const struct h1_head *head)
{
	bool has_body = head->body == H1_BODY_CHUNKED || head->content_length > 0;
	bool keep_alive = c->out.keep_alive;

	if (!c->door->events->on_head)
		return true;
	/* An unread body would be taken for the next request. */
	c->out.keep_alive = keep_alive && !has_body;
	c->state = CLIENT_ANSWERING;
	if (!c->door->events->on_head(c->door->owner, c, head)) {
		must(c->state != CLIENT_ANSWERING);
		return false;
	}
	if (c->state == CLIENT_DEAD)
		return false;
	c->state = CLIENT_HEAD;
	c->out.keep_alive = keep_alive;
	return true;
}

/* The body is not all here: keeps the head's bytes until it is. */
static void await_body(struct client_conn *c, const struct h1_head *head, struct slice raw,
		       bool nothing_behind)
{
	size_t step = head->content_length < BODY_STEP ? (size_t)head->content_length : BODY_STEP;

	c->state = CLIENT_BODY;
	c->head = BUF_INIT(raw.len);
	limit_in(c, limits_of(c)->body_idle_ms);
	/* A promise is worth one step of memory; the rest grows as it comes. */
	if (!buf_append(&c->head, raw) || (step && !buf_room(&c->body, step))) {
		client_conn_refuse(c, 503, S("There is no memory for the request's body."));
		return;
	}
	if (head->expect_continue && nothing_behind) {
		struct slice go_on = S("HTTP/1.1 100 Continue\r\n\r\n");

		io_write(c->stream, &go_on, 1);
		c->written += go_on.len;
	}
	if (nothing_behind)
		lend_body(c);
}

static void begin_body(struct client_conn *c, const struct h1_head *head, struct slice raw,
		       struct slice *in)
{
	size_t len = (size_t)head->content_length;

	c->body_kind = head->body;
	c->body_left = head->content_length;
	c->chunked = (struct chunked){ 0 };
	c->body = BUF_INIT(head->body == H1_BODY_LENGTH ? len : limits_of(c)->body_bytes);
	if (head->body == H1_BODY_CHUNKED || len > in->len) {
		await_body(c, head, raw, in->len == 0);
		return;
	}
	/* All of it is here, which is common: the head needs no copy. */
	if (!add_body(c, slice_sub(*in, 0, len)))
		return;
	*in = slice_from(*in, len);
	hand_up(c, head);
}

static void on_head(struct client_conn *c, const struct h1_head *head, struct slice *in)
{
	struct slice raw = slice_sub(*in, 0, head->bytes);

	*in = slice_from(*in, head->bytes);
	begin_response(c, head);
	if (!owner_wants(c, head))
		return;
	if (head->content_length > limits_of(c)->body_bytes)
		refuse_large_body(c);
	else if (head->body == H1_BODY_NONE)
		hand_up(c, head);
	else if (head->body == H1_BODY_LENGTH && !memory_fits(c, head->content_length))
		refuse_for_memory(c);   /* before a byte of it is read */
	else
		begin_body(c, head, raw, in);
}

static void refuse_head(struct client_conn *c, enum h1_result r)
{
	char text[160];

	snprintf(text, sizeof text, "The request is refused: %s.", h1_result_text(r));
	client_conn_refuse(c, h1_result_status(r), slice_of(text));
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
	if (r == H1_OK)
		on_head(c, &head, in);
	else
		refuse_head(c, r);
}

/* ---- bytes ------------------------------------------------------------------------------------ */

static bool wants_bytes(const struct client_conn *c)
{
	return c->state == CLIENT_IDLE || c->state == CLIENT_HEAD || c->state == CLIENT_BODY;
}

/* Reads as much of *in as can be understood now. */
static void client_read(struct client_conn *c, struct slice *in)
{
	bool starved = false;

	must(!c->reading);
	c->reading = true;
	while (in->len && !starved && wants_bytes(c)) {
		if (c->state == CLIENT_BODY)
			read_body(c, in);
		else
			read_head(c, in, &starved);
	}
	c->reading = false;
}

static void pause_if_full(struct client_conn *c)
{
	bool full = !wants_bytes(c) && buf_len(&c->in) > CLIENT_PIPELINE_BYTES;

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
	bool waited = buf_len(&c->in) > 0;

	if (!waited)
		client_read(c, &bytes);
	if (c->state == CLIENT_DEAD || c->closing || bytes.len == 0)
		return;
	if (!buf_append(&c->in, bytes)) {
		client_conn_die(c, IO_CLOSE_NOW, true);
		return;
	}
	if (waited && wants_bytes(c))
		read_waiting(c);
	else
		pause_if_full(c);
}

/* At the end of a turn. io tells on_drained only of a queue that outlives its
 * turn; a large one may yet be taken whole at the end of this one, so the timer
 * looks again in the next. */
static void on_later(struct io_deferred *d, mono_ms now)
{
	struct client_conn *c = CONTAINER_OF(d, struct client_conn, later);

	(void)now;
	if (c->state == CLIENT_IDLE && buf_len(&c->in) > 0)
		read_waiting(c);
	else if (c->drain_owed && (c->state == CLIENT_ANSWERING || c->state == CLIENT_FLUSHING))
		limit_in(c, 0);
}

static void next_request(struct client_conn *c)
{
	c->drain_owed = false;
	if (c->closing || c->door->draining) {
		client_conn_die(c, IO_CLOSE_FLUSH, false);
		return;
	}
	c->state = CLIENT_IDLE;
	io_read_into(c->stream, NULL, FIRST_BYTES);
	limit_in(c, limits_of(c)->keep_alive_ms);
	if (buf_len(&c->in) > 0 && !c->reading)
		io_defer(c->door->io, &c->later);
}

void client_conn_answered(struct client_conn *c)
{
	c->events = NULL;
	c->owner = NULL;
	memory_give(c);
	c->closing = !c->out.keep_alive;
	c->out = (struct client_response){ 0 };
	/* Who asks and asks and takes no answer must not fill our memory; and what
	 * is closed must not lose more than the kernel's patience covers. */
	if (io_write_pending(c->stream) > CLIENT_DRAIN_BYTES)
		c->state = CLIENT_FLUSHING;
	else
		next_request(c);
}

/* ---- the stream's other news -------------------------------------------------------------------- */

/* A FIN cannot be told from an abort; while a response is owed it is one
 * (catalogue C01-C03). Once all of the response is given, the rest is sent. */
static void on_end(void *owner)
{
	struct client_conn *c = owner;
	bool answering = c->state == CLIENT_ANSWERING;

	if (c->state == CLIENT_FLUSHING)
		c->closing = true;
	else
		client_conn_die(c, answering ? IO_CLOSE_NOW : IO_CLOSE_FLUSH, answering);
}

static void on_broken(void *owner, enum io_broken why, const char *text)
{
	struct client_conn *c = owner;
	char quoted[256];

	if (why == IO_TLS_FAILED)
		log_line(c->door->log, LOG_INFO, "client_tls_failed", "text=%s",
			 log_quote(slice_of(text), quoted, sizeof quoted));
	client_conn_die(c, IO_CLOSE_NOW, c->state == CLIENT_ANSWERING);
}

static void on_drained(void *owner)
{
	all_taken(owner);
}

static const struct io_stream_events stream_events = {
	.on_data = on_data,
	.on_end = on_end,
	.on_broken = on_broken,
	.on_drained = on_drained,
};

void client_conn_begin(struct client_door *d, struct io_stream *s, const struct io_addr *peer)
{
	struct client_conn *c = calloc(1, sizeof *c + io_addr_bytes(peer));

	if (!c) {
		atomic_fetch_sub(&d->counters->connections, 1);
		io_close(s, IO_CLOSE_NOW);
		return;
	}
	c->state = CLIENT_HEAD;         /* the first head's time runs from the accept */
	c->door = d;
	c->stream = s;
	c->peer_bytes = (uint8_t)io_addr_bytes(peer);
	memcpy(c->peer, peer, c->peer_bytes);
	c->timer.fire = on_timer;
	c->later.run = on_later;
	c->in = BUF_INIT(d->limits->header_bytes + IN_SLACK);
	list_append(&d->conns, &c->link);
	io_stream_adopt(s, &stream_events, c);
	io_read_into(s, NULL, FIRST_BYTES);
	limit_in(c, d->limits->header_ms);
}
