#include "exchange/exchange.h"

#include "base/check.h"
#include "exchange/attempt.h"
#include "exchange/translate.h"

#include <stdlib.h>

#define TO(s) (1u << ATTEMPT_##s)

/* What may happen to an attempt. The most expensive rule of the product, that
 * nothing is retried unseen once the client has content, is the bit FAILED that
 * STREAMING lacks. */
static const unsigned attempt_may_go[ATTEMPT_STATE_COUNT] = {
	[ATTEMPT_IDLE]       = TO(CONNECTING),
	[ATTEMPT_CONNECTING] = TO(WAITING) | TO(FAILED) | TO(CANCELLED),
	[ATTEMPT_WAITING]    = TO(COLLECTING) | TO(HOLDING) | TO(FAILED) | TO(CANCELLED),
	[ATTEMPT_COLLECTING] = TO(HOLDING) | TO(STREAMING) | TO(FAILED) | TO(CANCELLED),
	[ATTEMPT_HOLDING]    = TO(STREAMING) | TO(FAILED) | TO(CANCELLED),
	[ATTEMPT_STREAMING]  = TO(DONE) | TO(BROKEN) | TO(CANCELLED),
};

static const char *const state_names[] = {
	[ATTEMPT_IDLE] = "idle", [ATTEMPT_CONNECTING] = "connecting",
	[ATTEMPT_WAITING] = "waiting", [ATTEMPT_COLLECTING] = "collecting",
	[ATTEMPT_HOLDING] = "holding", [ATTEMPT_STREAMING] = "streaming",
	[ATTEMPT_DONE] = "done", [ATTEMPT_FAILED] = "failed",
	[ATTEMPT_BROKEN] = "broken", [ATTEMPT_CANCELLED] = "cancelled",
};

const char *attempt_state_name(enum attempt_state s)
{
	return state_names[s];
}

/* The only door between states. */
void attempt_enter(struct attempt *a, enum attempt_state to)
{
	must(attempt_may_go[a->state] & (1u << to));
	a->state = to;
}

static struct io *io_of(const struct attempt *a)
{
	return a->x->all->setup.io;
}

/* ---- endings ------------------------------------------------------------------ */

static void let_go(struct attempt *a)
{
	credentials_forget(a->x->all->credentials, &a->waiting);
	io_timer_clear(io_of(a), &a->limit);
	sse_free(&a->sse);
	if (a->frames)
		eventstream_free(a->frames);
	buf_free(&a->body);
}

void attempt_fail(struct attempt *a, enum fault why, struct slice text)
{
	mono_ms now = io_now(io_of(a));
	bool committed = a->state == ATTEMPT_STREAMING;

	if (a->call)
		upstream_cancel(a->call);
	a->call = NULL;
	/* Age may be what is wrong with a token: then the next try has a new one. */
	if (why == FAULT_CREDENTIAL && a->credential_number &&
	    credentials_refused(a->x->all->credentials, a->pick.target->backend->credential,
				a->credential_number))
		why = FAULT_OLD_TOKEN;
	a->fault = why;
	a->fault_text = arena_copy(a->x->arena, text);
	/* Before the commit point a broken stream is just an answer that was no good,
	 * and a stall is the silence of a target that is not asked again. */
	if (!committed && why == FAULT_CUT)
		a->fault = FAULT_BAD_ANSWER;
	if (!committed && why == FAULT_STALL)
		a->fault = FAULT_SILENCE;
	let_go(a);
	attempt_enter(a, committed ? ATTEMPT_BROKEN : ATTEMPT_FAILED);
	if (committed)
		exchange_on_broken(a, now);
	else
		exchange_on_failed(a, now);
}

void attempt_finish(struct attempt *a)
{
	/* Behind the last event a backend may leave its connection open (E14). */
	if (a->call)
		upstream_release(a->call);
	a->call = NULL;
	let_go(a);
	attempt_enter(a, ATTEMPT_DONE);
	exchange_on_done(a, io_now(io_of(a)));
}

void attempt_cancel(struct attempt *a)
{
	if (!(attempt_may_go[a->state] & TO(CANCELLED)))
		return;
	if (a->call)
		upstream_cancel(a->call);
	a->call = NULL;
	let_go(a);
	attempt_enter(a, ATTEMPT_CANCELLED);
}

static void asking_free(struct attempt *a)
{
	if (!a->asking)
		return;
	buf_free(&a->asking->headers);
	buf_free(&a->asking->room);
	free(a->asking);
	a->asking = NULL;
}

bool attempt_forget_request(struct attempt *a)
{
	if (a->call && !upstream_forget_request(a->call))
		return false;
	asking_free(a);
	return true;
}

struct said *attempt_said(struct attempt *a)
{
	if (!a->said) {
		a->said = arena_new(a->x->arena, struct said);
		a->said->facts.retry_after_ms = -1;
	}
	return a->said;
}

const struct answer_facts *said_facts(const struct said *said)
{
	static const struct answer_facts nothing = { .retry_after_ms = -1 };

	return said ? &said->facts : &nothing;
}

void attempt_free(struct attempt *a)
{
	must(a->call == NULL);
	if (!a->x)
		return;                 /* it never began */
	let_go(a);
	asking_free(a);
	if (a->seam)
		seam_free(a->seam);
}

bool attempt_runs(const struct attempt *a)
{
	return a->state > ATTEMPT_IDLE && a->state < ATTEMPT_DONE;
}

/* ---- limits -------------------------------------------------------------------- */

/* How often one that is late looks for somebody who has become well. */
#define LATE_ASK_MS 1000

static const struct timeout_policy *timeouts_of(const struct attempt *a)
{
	return &a->pick.model->timeouts;
}

/* How long until something must have come, counted from the start. */
static int64_t first_limit_ms(const struct attempt *a)
{
	const struct timeout_policy *t = timeouts_of(a);

	if (!a->x->facts.stream && !a->as_stream)
		return t->answer_ms;
	return plan_first_token_limit_ms(&a->pick, a->x->facts.reasons || a->pick.reasons
							   ? t->first_token_reasoning_ms
							   : t->first_token_ms, io_now(io_of(a)));
}

static void limit_at(struct attempt *a, mono_ms at)
{
	a->limit_at = at;
	io_timer_set(io_of(a), &a->limit, at);
}

/* Runs with each event: the timer is left where it is, fires too early, and is
 * set anew then. */
void attempt_progress(struct attempt *a)
{
	mono_ms at = mono_after(io_now(io_of(a)), timeouts_of(a)->idle_ms);

	if (a->paused)
		io_timer_clear(io_of(a), &a->limit);
	else if (a->limit.node.at == 0 || a->limit.node.key > at)
		limit_at(a, at);
	else
		a->limit_at = at;
}

/* Where nothing is left to move to, a late answer beats none, and the exchange's
 * deadline still holds. But somebody may have become well meanwhile. */
static void keep_late(struct attempt *a, mono_ms now)
{
	a->overdue = true;
	limit_at(a, mono_after(now, LATE_ASK_MS));
}

static void on_limit(struct io_timer *timer, mono_ms now)
{
	struct attempt *a = CONTAINER_OF(timer, struct attempt, limit);

	if (a->limit_at > now)
		limit_at(a, a->limit_at);
	else if (a->state == ATTEMPT_STREAMING)
		attempt_fail(a, FAULT_STALL, S("no event within the idle limit"));
	else if (!exchange_has_other(a, now))
		keep_late(a, now);
	else if (a->heard)
		attempt_fail(a, FAULT_STALL, S("no event within the idle limit"));
	else
		attempt_fail(a, FAULT_SILENCE, a->x->facts.stream || a->as_stream
			     ? S("no first token within the limit")
			     : S("no answer within the limit"));
}

void attempt_pause(struct attempt *a, bool paused, mono_ms now)
{
	(void)now;
	if (a->paused == paused || !a->call)
		return;
	a->paused = paused;
	a->was_paused = a->was_paused || paused;
	upstream_pause(a->call, paused);
	/* While the client is the slow one, silence is not the backend's. */
	if (a->state == ATTEMPT_STREAMING)
		attempt_progress(a);
}

/* ---- drills --------------------------------------------------------------------- */

#define DRILL_EVENTS 5                /* reach the client before a drill cuts a stream */

static void on_drill(struct io_timer *timer, mono_ms now)
{
	struct attempt *a = CONTAINER_OF(timer, struct attempt, limit);

	(void)now;
	attempt_fail(a, a->drilled, S("a drill"));
}

/* True: the drill takes the backend's place. */
static bool drill_begin(struct attempt *a, mono_ms now)
{
	a->drilled = plan_drilled(a->x->plan, &a->pick);
	a->drill_left = DRILL_EVENTS;
	if (a->drilled == FAULT_NONE)
		return false;
	a->x->records[a->number].drilled = true;
	if (a->drilled == FAULT_CUT)
		return false;                 /* of a living stream */
	if (a->drilled != FAULT_SILENCE) {
		a->limit.fire = on_drill;
		limit_at(a, now);
	}
	return true;
}

bool attempt_drill_cuts(struct attempt *a)
{
	if (a->drilled != FAULT_CUT)
		return false;
	if (a->is_sse && a->drill_left-- > 0)
		return false;
	attempt_fail(a, FAULT_CUT, S("a drill"));
	return true;
}

/* ---- what the connection tells --------------------------------------------------- */

static void on_connected(void *owner, bool reused)
{
	struct attempt *a = owner;

	(void)reused;
	if (a->state == ATTEMPT_CONNECTING)
		attempt_enter(a, ATTEMPT_WAITING);
}

static void on_fault(void *owner, enum fault why, const char *text)
{
	struct attempt *a = owner;

	attempt_note_call(a);
	a->call = NULL;
	attempt_fail(a, why, slice_of(text));
}

static const struct upstream_events call_events = {
	.on_connected = on_connected,
	.on_head = attempt_on_head,
	.on_body = attempt_on_body,
	.on_end = attempt_on_end,
	.on_fault = on_fault,
};

void attempt_note_call(struct attempt *a)
{
	if (a->call)
		a->x->records[a->number].stale_replays = upstream_stale_replays(a->call);
}

static enum seam_kind seam_of(enum resume_way way)
{
	if (way == RESUME_REPLAY)
		return SEAM_REPLAY;
	return way == RESUME_INSTRUCT ? SEAM_OVERLAP : SEAM_NATIVE;
}

static void open_call(struct attempt *a)
{
	a->call = upstream_start(a->x->all->setup.pool, a->pick.target->origin, &a->asking->request,
				 &call_events, a);
}

static void on_credential(struct credential_wait *w, enum fault why, struct slice text)
{
	struct attempt *a = CONTAINER_OF(w, struct attempt, waiting);

	if (why != FAULT_NONE)
		attempt_fail(a, why, text);
	else if (!request_authorize(a))
		attempt_fail(a, FAULT_CREDENTIAL, S("the credential ended as soon as it came"));
	else
		open_call(a);
}

static struct asking *asking_new(const struct exchange *x)
{
	struct asking *asking = calloc(1, sizeof *asking);

	must(asking != NULL);
	asking->room = BUF_INIT(6 * LEDGER_BYTES_MAX + 2 * buf_len(&x->body) + ERROR_BYTES_MAX);
	asking->headers = BUF_INIT(H1_HEAD_BYTES_MAX * 2);
	return asking;
}

bool attempt_start(struct attempt *a, struct exchange *x, const struct attempt_plan *plan, mono_ms now)
{
	*a = (struct attempt){
		.x = x,
		.pick = *plan->pick,
		.number = plan->number,
		.as_stream = plan->as_stream,
		.way = plan->way,
		.started_at = now,
		.first_token_at = MONO_NEVER,
		.limit = { .fire = on_limit },
		.waiting = { .done = on_credential },
		.asking = asking_new(x),
		.body = BUF_INIT(ANSWER_BYTES_MAX),
		.answer_length = CLIENT_LENGTH_UNKNOWN,
	};
	sse_init(&a->sse, EVENT_BYTES_MAX);
	if (!translate_begin(a) || !request_build(a)) {
		attempt_free(a);
		return false;
	}
	if (a->way != RESUME_NONE) {
		a->seam = arena_new(x->arena, struct seam);
		seam_init(a->seam, &x->ledger, seam_of(a->way));
	}
	attempt_enter(a, ATTEMPT_CONNECTING);
	limit_at(a, mono_after(now, first_limit_ms(a)));
	if (drill_begin(a, now))
		return true;
	if (request_authorize(a))
		open_call(a);
	else
		credentials_await(x->all->credentials, x->config, a->pick.target->backend->credential,
				  &a->waiting);
	return true;
}
