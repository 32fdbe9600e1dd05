#include "daemon/trace_export.h"

#include "base/check.h"
#include "conn/upstream.h"
#include "observe/otlp.h"
#include "wire/json.h"

#include <stdlib.h>

#define GATHER_MAX   ((size_t)2 * 1024 * 1024)        /* bytes of spans that wait */
#define BATCH_BYTES  ((size_t)256 * 1024)             /* sent at once when there are so many ... */
#define BATCH_SPANS  512                              /* ... or so many spans */
#define ANSWER_MAX   ((size_t)64 * 1024)
#define POST_LIMIT_MS 10000
/* A collector that takes nothing is asked again after a growing pause; a batch it
 * has not taken so often is given up, and it is asked no more often than that. */
#define PAUSE_MS     1000
#define PAUSE_MAX_MS 60000
#define TRIES_MAX    5
#define HINT_MAX_S   3600

struct trace_export {
	struct io *io;
	const struct log *log;
	struct metrics_sheet *sheet;
	struct config *config;
	struct upstream_pool *pool;   /* its own: counters of backends are not about it */
	struct buf gathered, batch;   /* spans; those on their way, or waiting to be sent again */
	size_t gathered_spans, batch_spans;
	unsigned tries, failed_in_row;
	mono_ms not_before;           /* the next try */
	struct io_timer due, limit;
	struct upstream_call *call;
	struct upstream_request request;
	struct buf headers, head, tail, answer;
	struct slice parts[3];
	int status;
	int64_t hint_ms;
};

static const struct trace_policy *policy_of(const struct trace_export *e)
{
	return &e->config->tracing;
}

static void count(struct trace_export *e, enum metric_spans what, size_t spans)
{
	metrics_add(e->sheet, AT_WORKER_SPANS + what, spans);
}

/* ---- what becomes of a batch ------------------------------------------------------- */

static void end_call(struct trace_export *e)
{
	if (e->call)
		upstream_cancel(e->call);
	e->call = NULL;
	io_timer_clear(e->io, &e->limit);
	buf_free(&e->headers);
	buf_free(&e->head);
	buf_free(&e->tail);
}

static void forget_batch(struct trace_export *e)
{
	buf_free(&e->batch);
	e->batch_spans = 0;
	e->tries = 0;
}

static void arm(struct trace_export *e)
{
	mono_ms at = mono_after(io_now(e->io), policy_of(e)->every_ms);

	if (e->batch_spans)
		at = e->not_before;
	else if (!e->gathered_spans)
		at = MONO_NEVER;
	else if (e->not_before > at)
		at = e->not_before;
	io_timer_set(e->io, &e->due, at);
}

/* Spans that the collector took the batch without; it says so in its answer. */
static size_t rejected_of(const struct trace_export *e)
{
	struct slice said = json_path(buf_slice(&e->answer), S("partialSuccess.rejectedSpans"));
	int64_t count = 0;

	if (said.len > 2 && said.at[0] == '"')
		said = slice_sub(said, 1, said.len - 1);
	if (!slice_to_i64(said, &count) || count < 0)
		return 0;
	return (size_t)count < e->batch_spans ? (size_t)count : e->batch_spans;
}

static void on_taken(struct trace_export *e)
{
	size_t rejected = rejected_of(e);

	count(e, SPANS_EXPORTED, e->batch_spans - rejected);
	count(e, SPANS_REJECTED, rejected);
	if (e->failed_in_row)
		log_line(e->log, LOG_INFO, "tracing_back", "failures=%u", e->failed_in_row);
	e->failed_in_row = 0;
	e->not_before = 0;
	forget_batch(e);
}

/* By the specification only these are worth another try. */
static bool may_try_again(int status)
{
	return status == 0 || status == 429 || status == 502 || status == 503 || status == 504;
}

static int64_t pause_of(const struct trace_export *e)
{
	int64_t pause = PAUSE_MS;

	if (e->hint_ms >= 0)
		return e->hint_ms;
	for (unsigned i = 1; i < e->failed_in_row && pause < PAUSE_MAX_MS; i++)
		pause *= 2;
	pause = pause < PAUSE_MAX_MS ? pause : PAUSE_MAX_MS;
	return pause / 2 + (int64_t)(io_random(e->io) % (uint64_t)(pause / 2 + 1));
}

static void on_refused(struct trace_export *e, const char *text)
{
	bool again = may_try_again(e->status) && e->tries < TRIES_MAX;

	e->failed_in_row++;
	metrics_add(e->sheet, AT_WORKER_SPAN_FAILURES, 1);
	e->not_before = mono_after(io_now(e->io), pause_of(e));
	if (e->failed_in_row == 1)
		log_line(e->log, LOG_WARN, "tracing_fails", "endpoint=%.*s status=%d text=\"%s\" %s",
			 SLICE_ARG(policy_of(e)->origin->authority), e->status, text,
			 e->status == 404 ? "check the path in tracing.endpoint" : e->status == 401 ||
			 e->status == 403 ? "check tracing.headers" : "spans are dropped until it works");
	if (again)
		return;
	count(e, SPANS_DROPPED, e->batch_spans);
	forget_batch(e);
}

/* ---- what the connection tells ----------------------------------------------------- */

static void finish(struct trace_export *e, const char *text)
{
	bool good = e->status >= 200 && e->status < 300;

	end_call(e);
	if (good)
		on_taken(e);
	else
		on_refused(e, text);
	buf_free(&e->answer);
	arm(e);
}

static void on_connected(void *owner, bool reused)
{
	(void)owner, (void)reused;
}

static void on_head(void *owner, const struct h1_head *head)
{
	struct trace_export *e = owner;
	uint64_t seconds;

	e->status = head->status;
	if (slice_to_u64(h1_get(head, S("retry-after")), &seconds) && seconds <= HINT_MAX_S)
		e->hint_ms = (int64_t)seconds * 1000;
}

static void on_body(void *owner, struct slice bytes)
{
	struct trace_export *e = owner;

	(void)!buf_append(&e->answer, bytes);
}

static void on_end(void *owner, bool until_close)
{
	struct trace_export *e = owner;

	(void)until_close;
	e->call = NULL;
	finish(e, "the collector refused them");
}

static void on_fault(void *owner, enum fault why, const char *text)
{
	struct trace_export *e = owner;

	(void)why;
	e->call = NULL;
	finish(e, text);
}

static void on_limit(struct io_timer *t, mono_ms now)
{
	struct trace_export *e = CONTAINER_OF(t, struct trace_export, limit);

	(void)now;
	e->status = 0;
	finish(e, "no answer in time");
}

static const struct upstream_events events = {
	.on_connected = on_connected, .on_head = on_head, .on_body = on_body, .on_end = on_end,
	.on_fault = on_fault,
};

/* ---- sending -------------------------------------------------------------------------- */

static void post(struct trace_export *e)
{
	const struct trace_policy *p = policy_of(e);

	e->headers = BUF_INIT(4 * H1_HEAD_BYTES_MAX);
	e->head = e->tail = BUF_INIT(16 * 1024);
	e->answer = BUF_INIT(ANSWER_MAX);
	h1_write_header(&e->headers, S("Content-Type"), S("application/json"));
	h1_write_header(&e->headers, S("User-Agent"), S("backstay/" BACKSTAY_VERSION));
	buf_put(&e->headers, p->headers);
	otlp_write_head(&e->head, p->service);
	otlp_write_tail(&e->tail);
	e->parts[0] = buf_slice(&e->head);
	e->parts[1] = buf_slice(&e->batch);
	e->parts[2] = buf_slice(&e->tail);
	e->request = (struct upstream_request){
		.method = S("POST"), .target = p->target, .headers = buf_slice(&e->headers),
		.body = e->parts, .body_parts = COUNT_OF(e->parts), .has_body = true,
		.body_max = ANSWER_MAX,
	};
	e->status = 0;
	e->hint_ms = -1;
	e->tries++;
	io_timer_set(e->io, &e->limit, mono_after(io_now(e->io), POST_LIMIT_MS));
	e->call = upstream_start(e->pool, p->origin, &e->request, &events, e);
}

static void ship(struct trace_export *e)
{
	if (e->call || io_now(e->io) < e->not_before || !policy_of(e)->origin)
		return;
	if (!e->batch_spans) {
		if (!e->gathered_spans)
			return;
		e->batch = e->gathered;
		e->batch_spans = e->gathered_spans;
		e->gathered = BUF_INIT(GATHER_MAX);
		e->gathered_spans = 0;
	}
	io_timer_clear(e->io, &e->due);
	post(e);
}

static void on_due(struct io_timer *t, mono_ms now)
{
	(void)now;
	ship(CONTAINER_OF(t, struct trace_export, due));
}

void trace_export_flush(struct trace_export *e)
{
	ship(e);
}

bool trace_export_idle(const struct trace_export *e)
{
	return !e->gathered_spans && !e->batch_spans;
}

void trace_export_add(struct trace_export *e, const struct exchange_record *r)
{
	if (!r->trace || !policy_of(e)->origin || !otlp_wants(r))
		return;
	if (buf_len(&e->gathered) + OTLP_EXCHANGE_MAX > GATHER_MAX) {
		count(e, SPANS_DROPPED, 1 + r->attempt_count);
		return;
	}
	e->gathered_spans += otlp_write_spans(r, &e->gathered);
	if (buf_len(&e->gathered) >= BATCH_BYTES || e->gathered_spans >= BATCH_SPANS)
		ship(e);
	if (!e->call && e->due.node.at == 0)
		arm(e);
}

/* ---- life ------------------------------------------------------------------------------- */

struct trace_export *trace_export_create(struct io *io, const struct log *log,
					 struct metrics_sheet *sheet, struct config *config)
{
	struct trace_export *e = calloc(1, sizeof *e);

	must(e != NULL);
	e->io = io;
	e->log = log;
	e->sheet = sheet;
	e->config = config_take(config);
	e->pool = upstream_pool_create(io, log);
	e->gathered = BUF_INIT(GATHER_MAX);
	e->due.fire = on_due;
	e->limit.fire = on_limit;
	return e;
}

void trace_export_set_config(struct trace_export *e, struct config *config)
{
	struct config *old = e->config;

	/* A call borrows the old config's origin. */
	if (e->call)
		end_call(e);
	e->config = config_take(config);
	upstream_pool_flush(e->pool);
	config_give(old);
	e->not_before = 0;
	if (!policy_of(e)->origin) {
		count(e, SPANS_DROPPED, e->gathered_spans + e->batch_spans);
		forget_batch(e);
		buf_free(&e->gathered);
		e->gathered_spans = 0;
	}
	arm(e);
}

void trace_export_free(struct trace_export *e)
{
	if (!e)
		return;
	end_call(e);
	io_timer_clear(e->io, &e->due);
	count(e, SPANS_DROPPED, e->gathered_spans + e->batch_spans);
	upstream_pool_free(e->pool);
	buf_free(&e->gathered);
	buf_free(&e->batch);
	buf_free(&e->answer);
	config_give(e->config);
	free(e);
}
