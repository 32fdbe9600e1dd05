/* relay.c: towards the client: the commit point, bytes, honest endings, and
 * comments for those who wait long. */
#include "exchange/exchange.h"

#include "base/check.h"
#include "exchange/conductor.h"
#include "exchange/recall.h"
#include "exchange/translate.h"
#include "observe/metrics.h"
#include "wire/json.h"

static struct io *io_of(const struct exchange *x)
{
	return x->all->setup.io;
}

/* ---- bytes ------------------------------------------------------------------------ */

static void give(struct exchange *x, struct slice bytes)
{
	if (!x->client)
		return;                 /* it goes on for others */
	x->bytes_out += bytes.len;
	x->sent_at = io_now(io_of(x));
	framing_give(x, bytes);
}

void relay_last(struct exchange *x, struct slice bytes)
{
	recall_note(x, bytes);
	give(x, bytes);
}

void relay_bytes(struct attempt *a, struct slice bytes)
{
	struct exchange *x = a->x;

	must(x->state == EXCHANGE_STREAMING);
	must(x->lead == a);
	recall_note(x, bytes);
	give(x, bytes);
	if (x->client && client_pending(x->client) > CLIENT_PENDING_MAX)
		attempt_pause(a, true, io_now(io_of(x)));
}

/* Nothing will be sent upstream again: a long stream need not hold its request,
 * unless what it says is still needed to write the answer, or some of it has not
 * even gone yet. */
static void forget(struct exchange *x)
{
	x->may_resume = false;
	ledger_free(&x->ledger);
	if (x->lead && (x->lead->translation || !attempt_forget_request(x->lead)))
		return;
	translate_free(x);
	buf_free(&x->body);
	if (x->client)
		client_body_freed(x->client);
}

void relay_note(struct attempt *a, struct arena *scratch, const struct event_facts *facts)
{
	struct exchange *x = a->x;

	if (!x->may_resume)
		return;
	ledger_add(&x->ledger, scratch, facts);
	if (x->ledger.lost)
		forget(x);
}

void relay_count_piece(struct exchange *x)
{
	mono_ms now = io_now(io_of(x)), last = x->piece_at;

	x->piece_at = now;
	if (last == MONO_NEVER || !x->client || !x->all->setup.sheet)
		return;
	if (!x->gaps)
		x->gaps = metrics_gaps_of(x->all->setup.sheet, x->model->name);
	metrics_note_gap(x->gaps, now - last);
}

void relay_event(struct attempt *a, struct arena *scratch, const struct sse_event *event,
		 const struct event_facts *facts)
{
	relay_bytes(a, event->raw);
	if (!event->has_data)
		return;
	if (facts->is & EVENT_CONTENT)
		relay_count_piece(a->x);
	relay_note(a, scratch, facts);
}

/* ---- the commit point ---------------------------------------------------------------- */

void relay_keep_identity(struct exchange *x, struct slice data)
{
	struct event_identity *i = &x->identity;

	if (x->lead && x->lead->translation)
		translate_identity(x->lead, i);
	else
		x->dialect->read_identity(data, i);
	i->id = arena_copy(x->arena, i->id);
	i->created = arena_copy(x->arena, i->created);
	i->model = arena_copy(x->arena, i->model);
	i->fingerprint = arena_copy(x->arena, i->fingerprint);
}

/* Responses begin with events that name what follows: the response itself, and its
 * first items. They were held back until now; the last one is the caller's. */
static void note_preamble(struct attempt *a)
{
	struct exchange *x = a->x;
	struct arena *scratch = exchanges_scratch(x->all);
	struct slice held = buf_slice(&a->body);
	struct stream_facts so_far = { .events = 0 };
	struct sse_event event;
	struct sse sse;

	sse_init(&sse, EVENT_BYTES_MAX);
	while (sse_feed(&sse, &held, &event) == SSE_EVENT && held.len) {
		struct slice response = json_member(event.data, S("response"));
		struct event_facts facts;

		x->dialect->judge_event(scratch, x->endpoint, event.type, event.data, &so_far, &facts);
		relay_note(a, scratch, &facts);
		if (response.len && !x->identity.id.len) {
			relay_keep_identity(x, response);
			x->identity.created = arena_copy(x->arena, json_member(response, S("created_at")));
		}
	}
	sse_free(&sse);
}

void relay_begin(struct attempt *a, struct slice data, mono_ms now)
{
	struct exchange *x = a->x;

	x->lead = a;
	x->committed_at = now;
	x->served_target = a->pick.target->name;
	x->served_model = a->pick.model->name;
	x->served_fallback = a->pick.is_fallback;
	x->client_sse = (a->is_sse || a->answer_retold) && x->facts.stream;
	x->may_resume = a->is_sse && x->facts.stream && x->model->resume &&
			(data.len || a->translation) &&
			x->endpoint->may_retry && x->attempts < x->model->retry.max_attempts &&
			x->dialect->may_resume(x->endpoint, &x->facts, RESUME_AUTO) != RESUME_NONE;
	(void)attempt_forget_request(a);
	recall_commit(x);
	if (!x->warmed && x->client)
		answer_head(x, a);
	if (x->may_resume)
		relay_keep_identity(x, data);
	else
		forget(x);
	if (x->may_resume && x->endpoint->kind == ENDPOINT_RESPONSES && !a->translation)
		note_preamble(a);
}

/* ---- endings ----------------------------------------------------------------------------- */

void relay_end(struct exchange *x)
{
	recall_keep(x);
	if (x->client)
		framing_end(x);
	x->client = NULL;
	x->lead = NULL;
	exchange_end(x, FAULT_NONE);
}

void relay_end_error(struct exchange *x, const struct error_answer *e)
{
	struct buf event = BUF_INIT(1024 * 1024);

	if (!x->client)
		return;
	x->dialect->write_error_event(x->endpoint, e, &event);
	give(x, buf_slice(&event));
	framing_end(x);
	x->client = NULL;
	buf_free(&event);
}

void relay_end_broken(struct exchange *x, enum fault why)
{
	struct error_answer e;

	if (x->client_sse) {
		answer_broken_error(x, why, &e);
		relay_end_error(x, &e);
	} else if (x->client) {
		client_respond_break(x->client);
	}
	x->client = NULL;
	exchange_end(x, why);
}

/* ---- keeping a connection warm ------------------------------------------------------------- */

/* The status is fixed with the first comment: what goes wrong later can only be
 * told as an error event. */
static void send_early_head(struct exchange *x)
{
	struct h1_header headers[] = {
		{ S("content-type"), framing_type(x) },
		{ S("cache-control"), S("no-cache") },
		{ S("x-request-id"), x->id },
	};

	x->warmed = true;
	x->client_sse = true;
	x->status_sent = 200;
	client_respond_head(x->client, 200, headers, COUNT_OF(headers), CLIENT_LENGTH_UNKNOWN);
}

static void on_warm(struct io_timer *timer, mono_ms now)
{
	struct exchange *x = CONTAINER_OF(timer, struct exchange, warm);
	mono_ms due = mono_after(x->sent_at, x->model->comments_ms);

	if (!x->client)
		return;
	if (due <= now) {
		if (!x->warmed && !exchange_committed(x))
			send_early_head(x);
		/* A client that does not read gets no more to read, and half an event is
		 * followed by its other half. */
		if (x->client_sse && client_pending(x->client) == 0 && !give_is_amid(x)) {
			x->sent_at = now;
			framing_keep_alive(x);
		}
		due = mono_after(now, x->model->comments_ms);
	}
	io_timer_set(io_of(x), &x->warm, due);
}

void relay_warm_start(struct exchange *x, mono_ms now)
{
	bool events = x->endpoint->kind == ENDPOINT_CHAT || x->endpoint->kind == ENDPOINT_COMPLETIONS ||
		      x->endpoint->kind == ENDPOINT_RESPONSES;

	x->sent_at = now;
	x->warm.fire = on_warm;
	if (x->facts.stream && events && x->model->comments_ms > 0)
		io_timer_set(io_of(x), &x->warm, mono_after(now, x->model->comments_ms));
}
