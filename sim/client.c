/* client.c: connects, asks, and reads the framing of what comes back. */
#include "sim/client.h"

#include "sim/judge.h"
#include "sim/sim.h"
#include "wire/chunked.h"
#include "wire/h1.h"

#include <stdlib.h>

#define BODY_MAX ((size_t)128 << 20)
#define EVENT_MAX ((size_t)32 << 20)

enum reading { READ_NOTHING, READ_HEAD, READ_BODY };

struct sim_client {
	struct io *io;
	struct io_addr to;
	struct io_stream *s;
	struct buf in, request;
	enum reading reading;
	size_t scanned;
	bool keep_alive, served;
	enum h1_body framing;
	uint64_t left;
	struct chunked chunked;
	struct sse sse;
	struct slice content_type;
	struct sim_answer **answers;          /* all asked for; those from `ended` on are awaited */
	unsigned asked, ended;
	struct sim_answer none;
};

const char *sim_answer_end_name(enum sim_answer_end end)
{
	static const char *const names[] = { "pending", "complete", "error", "broken", "left",
						"unserved" };

	return names[end];
}

static void answer_free(struct sim_answer *a)
{
	buf_free(&a->head);
	buf_free(&a->body);
	buf_free(&a->text);
	buf_free(&a->comments);
}

/* The answer that bytes belong to: the first awaited one, else the last. */
static struct sim_answer *current(struct sim_client *c)
{
	if (c->ended < c->asked)
		return c->answers[c->ended];
	return c->asked ? c->answers[c->asked - 1] : &c->none;
}

static void read_next(struct sim_client *c)
{
	sse_free(&c->sse);
	sse_init(&c->sse, EVENT_MAX);
	c->chunked = (struct chunked){ 0 };
	c->scanned = 0;
	c->reading = c->ended < c->asked ? READ_HEAD : READ_NOTHING;
	if (c->reading == READ_HEAD)
		current(c)->reused = c->served;
}

static void await(struct sim_client *c, bool to_head)
{
	struct sim_answer *a = calloc(1, sizeof *a);

	must(a != NULL);
	*a = (struct sim_answer){
		.asked_at = io_now(c->io), .head_at = MONO_NEVER, .text_at = MONO_NEVER,
		.ended_at = MONO_NEVER, .head = BUF_INIT(BODY_MAX), .body = BUF_INIT(BODY_MAX),
		.text = BUF_INIT(BODY_MAX), .to_head = to_head,
		.comments = BUF_INIT(BODY_MAX), .input_tokens = -1, .output_tokens = -1,
	};
	c->answers = realloc(c->answers, (c->asked + 1) * sizeof *c->answers);
	must(c->answers != NULL);
	c->answers[c->asked++] = a;
	if (c->reading == READ_NOTHING)
		read_next(c);
}

struct sim_client *sim_client_create(struct io *io, const struct io_addr *to)
{
	struct sim_client *c = calloc(1, sizeof *c);

	must(c != NULL);
	c->io = io;
	c->to = *to;
	c->in = BUF_INIT(BODY_MAX);
	c->request = BUF_INIT(BODY_MAX);
	sse_init(&c->sse, EVENT_MAX);
	c->none.end = ANSWER_LEFT;
	return c;
}

static void hang_up(struct sim_client *c, enum io_close how)
{
	if (c->s)
		io_close(c->s, how);
	c->s = NULL;
	c->served = false;
	buf_clear(&c->in);
}

void sim_client_free(struct sim_client *c)
{
	if (!c)
		return;
	hang_up(c, IO_CLOSE_NOW);
	for (unsigned i = 0; i < c->asked; i++) {
		answer_free(c->answers[i]);
		free(c->answers[i]);
	}
	free(c->answers);
	sse_free(&c->sse);
	buf_free(&c->in);
	buf_free(&c->request);
	free(c);
}

/* The current answer has got its end. */
static void ended(struct sim_client *c)
{
	const struct sim_answer *a = current(c);

	sim_trace(sim_io_world(c->io), sim_io_name(c->io), "answer %s: status %d, %zu bytes of text%s%s",
		  sim_answer_end_name(a->end), a->status, buf_len(&a->text),
		  a->violation[0] ? ", VIOLATION: " : "", a->violation);
	c->ended++;
	read_next(c);
}

/* Those that wait behind it will not be answered on this connection. */
static void give_up(struct sim_client *c, enum sim_answer_end how)
{
	while (c->ended < c->asked) {
		current(c)->end = how;
		current(c)->ended_at = io_now(c->io);
		ended(c);
	}
}

static void broken(struct sim_client *c, const char *how)
{
	struct sim_answer *a = current(c);

	if (c->reading == READ_NOTHING)
		return;
	a->end = a->error_events ? ANSWER_ERROR : ANSWER_BROKEN;
	a->ended_at = io_now(c->io);
	snprintf(a->broken, sizeof a->broken, "%s", how);
	ended(c);
	give_up(c, ANSWER_UNSERVED);
}

/* ---- reading --------------------------------------------------------------------- */

static void clean_end(struct sim_client *c)
{
	struct sim_answer *a = current(c);

	if (a->is_stream && sse_rest(&c->sse).len)
		judge_violation(a, "the body ended inside an event");
	judge_clean_end(a, c->content_type, io_now(c->io));
	c->served = true;
	/* Who refuses a connection does not know yet that HEAD was asked. */
	if (buf_len(&c->in) && (c->ended + 1 == c->asked || !c->keep_alive) &&
	    !(a->to_head && !c->keep_alive))
		judge_violation(a, "%zu bytes follow the end of the answer", buf_len(&c->in));
	ended(c);
	if (c->keep_alive)
		return;
	give_up(c, ANSWER_UNSERVED);
	hang_up(c, IO_CLOSE_FLUSH);
}

static void take_body(struct sim_client *c, struct slice bytes)
{
	struct sim_answer *a = current(c);
	struct sse_event ev;

	if (!a->is_stream) {
		buf_put(&a->body, bytes);
		return;
	}
	for (;;) {
		switch (sse_feed(&c->sse, &bytes, &ev)) {
		case SSE_MORE:
			return;
		case SSE_EVENT:
			judge_event(a, &ev, io_now(c->io));
			break;
		case SSE_TOO_LONG:
			judge_violation(a, "an event of over %zu bytes", EVENT_MAX);
			return;
		}
	}
}

/* True where the body has ended. */
static bool read_chunks(struct sim_client *c)
{
	struct slice in = buf_slice(&c->in), data;
	size_t had = in.len;
	enum chunked_step step;

	while ((step = chunked_feed(&c->chunked, &in, &data)) == CHUNKED_DATA)
		take_body(c, data);
	buf_consume(&c->in, had - in.len);
	if (step == CHUNKED_BAD) {
		judge_violation(current(c), "the chunks are malformed");
		broken(c, "malformed chunks");
		hang_up(c, IO_CLOSE_NOW);
	}
	return step == CHUNKED_END;
}

static bool read_plain(struct sim_client *c)
{
	struct slice in = buf_slice(&c->in);

	if (c->framing == H1_BODY_NONE)
		return true;
	if (c->framing == H1_BODY_LENGTH && in.len > c->left)
		in.len = (size_t)c->left;
	take_body(c, in);
	buf_consume(&c->in, in.len);
	if (c->framing != H1_BODY_LENGTH)
		return false;
	c->left -= in.len;
	return c->left == 0;
}

static void take_head(struct sim_client *c, const struct h1_head *head)
{
	struct sim_answer *a = current(c);
	struct slice bytes = buf_slice(&c->in);

	a->status = head->status;
	a->head_at = io_now(c->io);
	buf_put(&a->head, slice_sub(bytes, 0, head->bytes));
	c->framing = head->body;
	c->left = head->content_length;
	c->keep_alive = head->keep_alive;
	c->reading = READ_BODY;
	c->content_type = sim_answer_header(a, S("content-type"));
	a->is_stream = slice_starts_nocase(c->content_type, S("text/event-stream"));
	sim_trace(sim_io_world(c->io), sim_io_name(c->io), "status %d", a->status);
}

/* True where a final head has been read. */
static bool read_head(struct sim_client *c)
{
	struct h1_head *head = calloc(1, sizeof *head);
	enum h1_result r;
	bool final = false;

	must(head != NULL);
	while ((r = h1_parse_response(buf_slice(&c->in), H1_HEAD_BYTES_MAX, &c->scanned,
				      current(c)->to_head, head)) == H1_OK) {
		final = head->status >= 200;
		if (final)
			take_head(c, head);
		buf_consume(&c->in, head->bytes);
		c->scanned = 0;
		if (final)
			break;
	}
	free(head);
	if (r != H1_OK && r != H1_MORE) {
		judge_violation(current(c), "a malformed head: %s", h1_result_text(r));
		broken(c, "malformed head");
		hang_up(c, IO_CLOSE_NOW);
	}
	return final;
}

static void on_data(void *owner, struct slice bytes)
{
	struct sim_client *c = owner;

	if (c->reading == READ_NOTHING) {
		judge_violation(current(c), "%zu bytes outside of any answer", bytes.len);
		return;
	}
	buf_put(&c->in, bytes);
	while (c->s && c->reading != READ_NOTHING) {
		if (c->reading == READ_HEAD && !read_head(c))
			return;
		if (c->reading != READ_BODY ||
		    !(c->framing == H1_BODY_CHUNKED ? read_chunks(c) : read_plain(c)))
			return;
		clean_end(c);
	}
}

static void on_end(void *owner)
{
	struct sim_client *c = owner;

	if (c->reading == READ_BODY && c->framing == H1_BODY_UNTIL_CLOSE)
		clean_end(c);
	else
		broken(c, c->reading == READ_HEAD ? "closed before an answer"
						  : "closed in the middle of the answer");
	hang_up(c, IO_CLOSE_NOW);
}

static void on_broken(void *owner, enum io_broken why, const char *text)
{
	struct sim_client *c = owner;

	(void)why;
	broken(c, text);
	hang_up(c, IO_CLOSE_NOW);
}

static const struct io_stream_events client_events = {
	.on_data = on_data, .on_end = on_end, .on_broken = on_broken,
};

/* ---- asking ------------------------------------------------------------------------ */

static bool says(struct slice headers, struct slice name)
{
	return slice_find_nocase(headers, name) != SLICE_NOT_FOUND;
}

void sim_client_say(struct sim_client *c, struct slice bytes, unsigned answers)
{
	if (!c->s)
		c->served = false;
	while (answers-- > 0)
		await(c, false);
	if (!c->s)
		c->s = io_connect(c->io, &c->to, &client_events, c);
	io_write(c->s, &bytes, 1);
}

void sim_client_ask(struct sim_client *c, const struct sim_client_request *r)
{
	if (!c->s)
		c->served = false;
	await(c, slice_eq(r->method, S("HEAD")));
	buf_clear(&c->request);
	buf_putf(&c->request, "%.*s %.*s HTTP/1.%d\r\n", SLICE_ARG(r->method), SLICE_ARG(r->path),
		 !r->http10);
	if (!says(r->headers, S("host:")))
		buf_puts(&c->request, "Host: proxy.test\r\n");
	if (r->body.len && !says(r->headers, S("content-type:")))
		buf_puts(&c->request, "Content-Type: application/json\r\n");
	if (r->body.len && !says(r->headers, S("content-length:")) &&
	    !says(r->headers, S("transfer-encoding:")))
		buf_putf(&c->request, "Content-Length: %zu\r\n", r->body.len);
	buf_put(&c->request, r->headers);
	buf_puts(&c->request, "\r\n");
	buf_put(&c->request, r->body);
	sim_client_say(c, buf_slice(&c->request), 0);
}

void sim_client_leave(struct sim_client *c, enum io_close how)
{
	give_up(c, ANSWER_LEFT);
	hang_up(c, how);
}

void sim_client_finish(struct sim_client *c)
{
	if (c->s)
		io_stream_finish(c->s);
}

void sim_client_pause(struct sim_client *c, bool paused)
{
	if (c->s)
		io_read_pause(c->s, paused);
}

unsigned sim_client_asked(const struct sim_client *c)
{
	return c->asked;
}

const struct sim_answer *sim_client_answer_at(const struct sim_client *c, unsigned n)
{
	must(n < c->asked);
	return c->answers[n];
}

const struct sim_answer *sim_client_answer(const struct sim_client *c)
{
	return c->asked ? c->answers[c->asked - 1] : &c->none;
}

bool sim_client_waits(const struct sim_client *c)
{
	return c->ended < c->asked;
}

struct slice sim_answer_header(const struct sim_answer *a, struct slice name)
{
	struct slice rest = buf_slice(&a->head), line, key, value;

	while (slice_cut(rest, '\n', &line, &rest)) {
		if (slice_cut(line, ':', &key, &value) && slice_eq_nocase(key, name))
			return slice_trim(value);
	}
	return SLICE_NONE;
}
