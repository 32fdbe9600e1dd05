#include "daemon/alert_post.h"

#include "base/check.h"
#include "observe/alert_text.h"

#include <stdlib.h>

#define ANSWER_MAX  ((size_t)64 * 1024)
#define ANSWER_KEPT 200
#define HINT_MAX_S  86400

struct alert_post {
	struct alert_post_setup setup;
	struct upstream_call *call;
	struct upstream_request request;
	struct buf headers, body, answer;
	struct slice part;
	struct io_timer limit;
	struct io_grave grave;
	int status;
	int64_t hint_ms;
};

static void bury(struct io_grave *g)
{
	struct alert_post *p = CONTAINER_OF(g, struct alert_post, grave);

	buf_free(&p->headers);
	buf_free(&p->body);
	buf_free(&p->answer);
	free(p);
}

static void drop(struct alert_post *p)
{
	if (p->call)
		upstream_cancel(p->call);
	p->call = NULL;
	io_timer_clear(p->setup.io, &p->limit);
	p->grave.bury = bury;
	io_bury(p->setup.io, &p->grave);
}

/* A message that is refused for what it says is refused again; everything else
 * may be mended: a wrong address or key by a reload, the rest by time. */
static enum alert_result judge(int status)
{
	if (status >= 200 && status < 300)
		return ALERT_TAKEN;
	return status == 400 || status == 413 || status == 422 ? ALERT_REFUSED : ALERT_AGAIN;
}

static void finish(struct alert_post *p, enum alert_result result, struct slice text)
{
	const struct alert_posted posted = {
		.result = result, .status = p->status, .hint_ms = p->hint_ms,
		.text = text.len > ANSWER_KEPT ? slice_sub(text, 0, ANSWER_KEPT) : text,
	};
	void (*on_done)(void *owner, const struct alert_posted *posted) = p->setup.on_done;

	drop(p);
	on_done(p->setup.owner, &posted);
}

/* ---- what the connection tells ------------------------------------------------------ */

static void on_connected(void *owner, bool reused)
{
	(void)owner, (void)reused;
}

static void on_head(void *owner, const struct h1_head *head)
{
	struct alert_post *p = owner;
	uint64_t seconds;

	p->status = head->status;
	if (slice_to_u64(h1_get(head, S("retry-after")), &seconds) && seconds <= HINT_MAX_S)
		p->hint_ms = (int64_t)seconds * 1000;
}

static void on_body(void *owner, struct slice bytes)
{
	struct alert_post *p = owner;

	(void)!buf_append(&p->answer, bytes);         /* only its beginning is shown */
}

static void on_end(void *owner, bool until_close)
{
	struct alert_post *p = owner;

	(void)until_close;
	p->call = NULL;
	finish(p, judge(p->status), buf_slice(&p->answer));
}

static void on_fault(void *owner, enum fault why, const char *text)
{
	struct alert_post *p = owner;

	(void)why;
	p->call = NULL;
	/* With a good status it has been taken, whatever became of the answer's body. */
	finish(p, p->status ? judge(p->status) : ALERT_AGAIN, slice_of(text));
}

static void on_limit(struct io_timer *t, mono_ms now)
{
	(void)now;
	finish(CONTAINER_OF(t, struct alert_post, limit), ALERT_AGAIN, S("no answer in time"));
}

static const struct upstream_events events = {
	.on_connected = on_connected, .on_head = on_head, .on_body = on_body, .on_end = on_end,
	.on_fault = on_fault,
};

/* ---- the message ------------------------------------------------------------------------ */

static void write_message(struct alert_post *p, const struct alert_note *notes, size_t count)
{
	const struct alert_policy *policy = p->setup.policy;
	const struct alert_sink_policy *sink = p->setup.sink;
	int64_t wall_ms = io_wall_ms(p->setup.io);
	const struct alert_letter letter = {
		.source = policy->source.len ? policy->source : p->setup.source,
		.link = policy->link, .routing_key = sink->secret, .wall_ms = wall_ms,
	};
	struct buf text = BUF_INIT(H1_HEAD_BYTES_MAX);

	alert_text_write(sink->kind, &letter, notes, count, &p->body);
	h1_write_header(&p->headers, S("Content-Type"), S("application/json"));
	h1_write_header(&p->headers, S("User-Agent"), S("backstay/" BACKSTAY_VERSION));
	if (sink->bearer.len) {
		buf_putf(&text, "Bearer %.*s", SLICE_ARG(sink->bearer));
		h1_write_header(&p->headers, S("Authorization"), buf_slice(&text));
	}
	if (sink->kind == ALERT_WEBHOOK && sink->secret.len) {
		buf_clear(&text);
		alert_text_signature(sink->secret, wall_ms, buf_slice(&p->body), &text);
		h1_write_header(&p->headers, S("X-Backstay-Signature"), buf_slice(&text));
	}
	buf_free(&text);
	p->part = buf_slice(&p->body);
	p->request = (struct upstream_request){
		.method = S("POST"),
		.target = sink->target,
		.headers = buf_slice(&p->headers),
		.body = &p->part,
		.body_parts = 1,
		.has_body = true,
		.fresh = true,
		.body_max = ANSWER_MAX,
	};
}

struct alert_post *alert_post_start(const struct alert_post_setup *setup, const struct alert_note *notes,
				    size_t count)
{
	struct alert_post *p = calloc(1, sizeof *p);

	must(p != NULL);
	p->setup = *setup;
	p->headers = BUF_INIT(2 * H1_HEAD_BYTES_MAX);
	p->body = BUF_INIT(ALERT_MESSAGE_MAX);
	p->answer = BUF_INIT(ANSWER_MAX);
	p->hint_ms = -1;
	p->limit.fire = on_limit;
	write_message(p, notes, count);
	io_timer_set(setup->io, &p->limit, mono_after(io_now(setup->io), ALERT_POST_LIMIT_MS));
	p->call = upstream_start(setup->pool, setup->sink->origin, &p->request, &events, p);
	return p;
}

void alert_post_cancel(struct alert_post *p)
{
	drop(p);
}

const char *alert_post_remedy(const struct alert_posted *p)
{
	if (p->status == 0)
		return "check the URL, that the receiver runs, and what stands between (firewall, proxy)";
	if (p->status == 401 || p->status == 403)
		return "check the sink's secret or bearer";
	if (p->status == 404 || p->status == 410)
		return "check the sink's URL; it may have been revoked";
	if (p->status == 429)
		return "the receiver asks for a pause; it is tried again";
	if (p->result == ALERT_REFUSED)
		return "check the sink's kind and its secret: the receiver does not take what is sent";
	if (p->status >= 300 && p->status < 400)
		return "write the URL that the receiver points to; redirections are not followed";
	return "look at the receiver's own log";
}
