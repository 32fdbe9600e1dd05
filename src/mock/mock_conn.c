/* mock_conn.c: one accepted connection: reads requests, plays answers. */
#include "mock/mock_internal.h"
#include "wire/chunked.h"

#include <stdlib.h>

#define PENDING_MAX (256u * 1024)         /* write no more while so much is queued */
#define AHEAD_MAX (256u * 1024)           /* read no more while answering */
#define RESET_PAUSE_MS 10                 /* so that what was sent is read before the reset */
#define MUTE_MS (600 * 1000)
/* What it takes for asked who answers before it has read. */
#define EARLY_BODY                                                                             \
	"{\"model\":\"any\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]}"

enum conn_state {
	CONN_READ_HEAD,
	CONN_READ_BODY,
	CONN_ANSWER,
	CONN_MUTE,
};

struct mock_conn {
	struct link link;
	struct mock *mock;
	struct io_stream *stream;             /* NULL: closed; freed when depth is 0 */
	unsigned depth;                       /* handlers of ours on the stack */
	enum conn_state state;
	struct io_timer timer;
	uint64_t answered;

	struct buf in;
	size_t scanned, head_bytes, eaten;    /* eaten: chunked bytes behind the head */
	struct chunked chunked;
	struct buf body;                      /* of a chunked request */
	bool paused;

	struct mock_behaviour b;
	enum mock_endpoint endpoint;
	bool counted;                         /* the request's end is not counted yet */
	struct mock_script wire;
	size_t at, sent;                      /* step; bytes of it already sent (drip) */
	bool resetting;
};

/* ---- counting ------------------------------------------------------------------------ */

enum conn_end { END_FINISHED, END_BROKEN, END_CANCELLED };

static void count_one(struct mock_counts *n, enum conn_end how)
{
	must(n->in_flight > 0);
	n->in_flight--;
	if (how == END_FINISHED)
		n->finished++;
	else if (how == END_BROKEN)
		n->broken++;
	else
		n->cancelled++;
}

static void count_begin(struct mock_conn *c)
{
	struct mock_stats *s = &c->mock->stats;

	c->counted = true;
	s->per[c->endpoint].requests++;
	s->per[c->endpoint].in_flight++;
	if (c->endpoint == MOCK_CONTROL)
		return;
	s->all.requests++;
	s->all.in_flight++;
	if (!c->b.healthy)
		s->faulty++;
}

static void count_end(struct mock_conn *c, enum conn_end how)
{
	if (!c->counted)
		return;
	c->counted = false;
	if (log_wants(c->mock->log, LOG_DEBUG))
		log_line(c->mock->log, LOG_DEBUG, "mock_request", "name=%s endpoint=%s end=%s", c->mock->name,
			 mock_endpoint_name(c->endpoint), how == END_FINISHED ? "finished" :
			 how == END_BROKEN ? "broken" : "cancelled");
	count_one(&c->mock->stats.per[c->endpoint], how);
	if (c->endpoint != MOCK_CONTROL)
		count_one(&c->mock->stats.all, how);
}

/* ---- life ----------------------------------------------------------------------------- */

static void conn_free(struct mock_conn *c)
{
	buf_free(&c->in);
	buf_free(&c->body);
	mock_script_free(&c->wire);
	free(c);
}

static void conn_close(struct mock_conn *c, enum io_close how, enum conn_end end)
{
	struct mock *mock = c->mock;

	if (!c->stream)
		return;
	count_end(c, end);
	io_timer_clear(mock->io, &c->timer);
	io_close(c->stream, how);
	c->stream = NULL;
	list_remove(&mock->connections, &c->link);
	mock->stats.connections_open--;
	if (!c->depth)
		conn_free(c);
}

static void enter(struct mock_conn *c)
{
	c->depth++;
}

static void leave(struct mock_conn *c)
{
	must(c->depth > 0);
	if (!--c->depth && !c->stream)
		conn_free(c);
}

/* ---- playing an answer ------------------------------------------------------------------ */

static void set_timer(struct mock_conn *c, int64_t after_ms)
{
	io_timer_set(c->mock->io, &c->timer, mono_after(io_now(c->mock->io), after_ms));
}

/* The answer has been sent to its right end. */
static void finish_answer(struct mock_conn *c)
{
	const struct mock_behaviour *b = &c->b;

	count_end(c, END_FINISHED);
	c->answered++;
	c->state = CONN_READ_HEAD;
	mock_script_clear(&c->wire);
	if (c->paused) {
		c->paused = false;
		io_read_pause(c->stream, false);
	}
	if (b->idle_close_ms >= 0)
		set_timer(c, b->idle_close_ms);
	else if (b->idle_reset_ms >= 0)
		set_timer(c, b->idle_reset_ms);
	else if (b->idle_junk_ms >= 0)
		set_timer(c, b->idle_junk_ms);
}

/* Sends the run of pieces that begins at the current step. False: wait. */
static bool play_send(struct mock_conn *c)
{
	const struct mock_step *steps = c->wire.steps, *step = &steps[c->at];
	size_t from = step->from, to = step->to;

	if (step->drip) {
		from += c->sent;
		if (to - from > c->b.drip_bytes) {
			to = from + (size_t)c->b.drip_bytes;
			c->sent += (size_t)c->b.drip_bytes;
		} else {
			c->sent = 0;
			c->at++;
		}
	} else {
		while (++c->at < c->wire.count && steps[c->at].kind == STEP_SEND && !steps[c->at].drip &&
		       steps[c->at].from == to)
			to = steps[c->at].to;
	}
	io_write(c->stream, &(struct slice){ c->wire.bytes.bytes + c->wire.bytes.start + from, to - from }, 1);
	if (step->drip) {
		set_timer(c, c->b.drip_ms);
		return false;
	}
	if (io_write_pending(c->stream) <= PENDING_MAX)
		return true;
	/* on_drained comes only if the queue outlives this turn: look again. */
	set_timer(c, 1);
	return false;
}

/* Goes on until a wait, a full queue or the end of the answer. */
static void play(struct mock_conn *c)
{
	while (c->stream && c->state == CONN_ANSWER) {
		struct mock_step *step = &c->wire.steps[c->at];

		must(c->at < c->wire.count);
		switch (step->kind) {
		case STEP_SEND:
			if (io_write_pending(c->stream) > PENDING_MAX || !play_send(c))
				return;
			break;
		case STEP_WAIT:
			c->at++;
			set_timer(c, step->ms);
			return;
		case STEP_REPEAT:
			if (step->times != UINT32_MAX && --step->times == 0)
				c->at++;
			else
				c->at -= step->back;
			break;
		case STEP_FINISHED:
			c->at++;
			count_end(c, END_FINISHED);
			break;
		case STEP_HANG:
			return;
		case STEP_END:
			finish_answer(c);
			return;
		case STEP_END_CLOSE:
			conn_close(c, IO_CLOSE_FLUSH, END_FINISHED);
			return;
		case STEP_CUT:
			conn_close(c, IO_CLOSE_FLUSH, END_BROKEN);
			return;
		case STEP_RESET:
			c->resetting = true;
			set_timer(c, RESET_PAUSE_MS);
			return;
		case STEP_BAD_CHUNK:
			never("framing leaves no such step");
		}
	}
}

/* ---- reading requests -------------------------------------------------------------------- */

static void start_answer(struct mock_conn *c)
{
	c->state = CONN_ANSWER;
	c->at = c->sent = 0;
	c->resetting = false;
	if (!c->wire.count || c->wire.steps[c->wire.count - 1].kind == STEP_SEND)
		mock_script_step(&c->wire, STEP_CUT);
	play(c);
}

static void respond(struct mock_conn *c, const struct h1_head *head, struct slice body, size_t used)
{
	mock_compose(c->mock, head, body, c->answered, &c->b, &c->wire);
	buf_consume(&c->in, used);
	if (!buf_len(&c->in))
		buf_release(&c->in);
	if (c->body.size) {
		buf_clear(&c->body);
		buf_release(&c->body);
	}
	c->scanned = 0;
	start_answer(c);
}

static void refuse_head(struct mock_conn *c, enum h1_result why)
{
	c->mock->stats.bad_requests++;
	c->b = mock_behaviour_healthy();
	mock_compose_bad_head(c->mock, why, &c->wire);
	start_answer(c);
}

/* True: *body is the whole body and *used what it took of the input. */
static bool take_body(struct mock_conn *c, const struct h1_head *head, struct slice *body, size_t *used)
{
	struct slice in = slice_from(buf_slice(&c->in), head->bytes), rest, data;
	enum chunked_step step = CHUNKED_MORE;

	*used = head->bytes;
	*body = SLICE_NONE;
	if (head->body == H1_BODY_LENGTH) {
		if (head->content_length > MOCK_BODY_MAX) {
			refuse_head(c, H1_TOO_LARGE);
			return false;
		}
		if (in.len < head->content_length)
			return false;
		*body = slice_sub(in, 0, (size_t)head->content_length);
		*used += (size_t)head->content_length;
		return true;
	}
	if (head->body != H1_BODY_CHUNKED)
		return true;
	rest = slice_from(in, c->eaten);
	while ((step = chunked_feed(&c->chunked, &rest, &data)) == CHUNKED_DATA) {
		if (!buf_append(&c->body, data)) {
			step = CHUNKED_BAD;
			break;
		}
	}
	c->eaten = in.len - rest.len;
	if (step == CHUNKED_BAD)
		refuse_head(c, H1_BAD_ENCODING);
	if (step != CHUNKED_END)
		return false;
	*body = buf_slice(&c->body);
	*used += c->eaten;
	return true;
}

static void begin_request(struct mock_conn *c, const struct h1_head *head)
{
	io_timer_clear(c->mock->io, &c->timer);
	c->state = CONN_READ_BODY;
	c->eaten = 0;
	c->chunked = (struct chunked){ 0 };
	c->endpoint = mock_find_endpoint(head->target);
	mock_pick_behaviour(c->mock, head, c->endpoint, &c->b);
	count_begin(c);
}

/* Reads what can be read. True: something was done, call again. */
static bool read_request(struct mock_conn *c)
{
	struct h1_head head;
	struct slice body;
	enum h1_result why;
	bool begun = c->state == CONN_READ_BODY;
	size_t used;

	if (!buf_len(&c->in))
		return false;
	if (begun)
		c->scanned = 0;
	why = h1_parse_request(buf_slice(&c->in), H1_HEAD_BYTES_MAX, &c->scanned, &head);
	if (why == H1_MORE)
		return false;
	if (why != H1_OK) {
		refuse_head(c, why);
		return true;
	}
	if (!begun)
		begin_request(c, &head);
	if (c->b.early) {
		respond(c, &head, S(EARLY_BODY), buf_len(&c->in));
		return true;
	}
	if (!take_body(c, &head, &body, &used)) {
		if (!begun && head.expect_continue && c->state == CONN_READ_BODY &&
		    c->b.instead != INSTEAD_CONTINUE_EOF)
			io_write(c->stream, &S("HTTP/1.1 100 Continue\r\n\r\n"), 1);
		return false;
	}
	respond(c, &head, body, used);
	return true;
}

static void advance(struct mock_conn *c)
{
	while (c->stream && c->state <= CONN_READ_BODY)
		if (!read_request(c))
			return;
}

/* ---- events -------------------------------------------------------------------------------- */

static void on_data(void *owner, struct slice bytes)
{
	struct mock_conn *c = owner;

	enter(c);
	if (!buf_append(&c->in, bytes)) {
		conn_close(c, IO_CLOSE_RESET, END_BROKEN);
	} else if (c->state <= CONN_READ_BODY) {
		advance(c);
	} else if (buf_len(&c->in) > AHEAD_MAX && !c->paused) {
		c->paused = true;
		io_read_pause(c->stream, true);
	}
	leave(c);
}

static void on_end(void *owner)
{
	struct mock_conn *c = owner;

	enter(c);
	conn_close(c, IO_CLOSE_NOW, END_CANCELLED);
	leave(c);
}

static void on_broken(void *owner, enum io_broken why, const char *text)
{
	struct mock_conn *c = owner;

	(void)why;
	(void)text;
	enter(c);
	conn_close(c, IO_CLOSE_NOW, END_CANCELLED);
	leave(c);
}

static void on_drained(void *owner)
{
	struct mock_conn *c = owner;

	/* Only a full queue waits for this; a pending timer means that the script
	 * waits for something else. */
	enter(c);
	if (c->state == CONN_ANSWER && !c->timer.node.at) {
		play(c);
		advance(c);
	}
	leave(c);
}

/* After an answer: what the behaviour wanted done to the idle connection. */
static void strike_idle(struct mock_conn *c)
{
	if (c->b.idle_reset_ms >= 0) {
		conn_close(c, IO_CLOSE_RESET, END_FINISHED);
		return;
	}
	if (c->b.idle_junk_ms >= 0 && c->b.idle_close_ms < 0)
		io_write(c->stream, &S("HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n"
				       "connection: close\r\n\r\n"), 1);
	conn_close(c, IO_CLOSE_FLUSH, END_FINISHED);
}

static void on_timer(struct io_timer *t, mono_ms now)
{
	struct mock_conn *c = CONTAINER_OF(t, struct mock_conn, timer);

	(void)now;
	enter(c);
	if (c->resetting && c->state == CONN_ANSWER) {
		/* A reset must not overtake what was sent. */
		if (io_write_pending(c->stream) > 0)
			set_timer(c, RESET_PAUSE_MS);
		else
			conn_close(c, IO_CLOSE_RESET, END_BROKEN);
	} else if (c->state == CONN_ANSWER) {
		play(c);
		advance(c);
	} else if (c->state == CONN_READ_HEAD) {
		strike_idle(c);
	} else {
		conn_close(c, IO_CLOSE_RESET, END_BROKEN);
	}
	leave(c);
}

static const struct io_stream_events events = {
	.on_data = on_data, .on_end = on_end, .on_broken = on_broken, .on_drained = on_drained,
};

void mock_accept(struct mock *mock, struct io_stream *stream)
{
	const struct mock_behaviour *b = mock_pick_on_accept(mock);
	struct mock_conn *c;

	mock->stats.connections_total++;
	if (b && (b->connection == CONNECTION_RESET || b->connection == CONNECTION_CLOSE)) {
		io_close(stream, b->connection == CONNECTION_RESET ? IO_CLOSE_RESET : IO_CLOSE_FLUSH);
		return;
	}
	c = calloc(1, sizeof *c);
	must(c != NULL);
	c->mock = mock;
	c->stream = stream;
	c->in = BUF_INIT(MOCK_BODY_MAX * 2 + H1_HEAD_BYTES_MAX);
	c->body = BUF_INIT(MOCK_BODY_MAX);
	c->timer.fire = on_timer;
	mock_script_init(&c->wire);
	list_append(&mock->connections, &c->link);
	mock->stats.connections_open++;
	io_stream_adopt(stream, &events, c);
	if (b && b->connection == CONNECTION_MUTE) {
		c->state = CONN_MUTE;
		io_read_pause(stream, true);
		set_timer(c, MUTE_MS);
	} else if (b) {
		io_write(stream, &S("220 mail.example.com ESMTP ready\r\n"), 1);
	}
}

unsigned mock_conns_close(struct mock *mock, bool idle_only, bool reset)
{
	unsigned count = 0;

	LIST_EACH(&mock->connections, link, after) {
		struct mock_conn *c = CONTAINER_OF(link, struct mock_conn, link);

		if (idle_only && (c->state != CONN_READ_HEAD || buf_len(&c->in)))
			continue;
		conn_close(c, reset ? IO_CLOSE_RESET : idle_only ? IO_CLOSE_FLUSH : IO_CLOSE_NOW, END_BROKEN);
		count++;
	}
	return count;
}
