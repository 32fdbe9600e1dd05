/* The conductor: a request comes in, is planned, tried, tried again, and ends
 * exactly once. Read down. */
#include "exchange/exchange.h"

#include "base/check.h"
#include "exchange/answer.h"
#include "exchange/attempt.h"
#include "exchange/conductor.h"

#define TO(s) (1u << EXCHANGE_##s)

static const unsigned exchange_may_go[EXCHANGE_STATE_COUNT] = {
	[EXCHANGE_NEW]       = TO(TRYING) | TO(PAUSING) | TO(ENDED),
	[EXCHANGE_TRYING]    = TO(TRYING) | TO(PAUSING) | TO(STREAMING) | TO(ENDED),
	[EXCHANGE_PAUSING]   = TO(TRYING) | TO(PAUSING) | TO(ENDED),
	[EXCHANGE_STREAMING] = TO(ENDED),
};

static void enter(struct exchange *x, enum exchange_state to)
{
	must(x->magic == EXCHANGE_MAGIC);
	must(exchange_may_go[x->state] & (1u << to));
	x->state = to;
}

static struct io *io_of(const struct exchange *x)
{
	return x->all->setup.io;
}

/* ---- the end ------------------------------------------------------------------- */

static void bury(struct io_grave *grave)
{
	struct exchange *x = CONTAINER_OF(grave, struct exchange, grave);

	buf_free(&x->body);
	explain_free(x);
	config_give(x->config);
	arena_free(x->arena);
}

static void report(struct exchange *x, mono_ms now)
{
	const struct attempt *a = &x->attempt;
	bool served = x->committed_at != MONO_NEVER;
	struct exchange_record record = {
		.request_id = x->id,
		.client_key = x->who ? x->who->name : SLICE_NONE,
		.peer = x->peer,
		.method = x->method,
		.path = x->path,
		.asked_model = x->facts.model,
		.served_model = served ? x->pick.model->name : SLICE_NONE,
		.target = served ? x->pick.target->name : SLICE_NONE,
		.stream = x->facts.stream,
		.status = x->status_sent ? x->status_sent : fault_row(x->fault)->status,
		.fault = x->fault,
		.committed = served,
		.degraded = served && x->pick.is_fallback ? DEGRADED_FALLBACK : DEGRADED_NO,
		.attempts = x->records,
		.attempt_count = x->attempts,
		.usage_known = a->usage.known,
		.input_tokens = a->usage.input_tokens,
		.output_tokens = a->usage.output_tokens,
		.cached_tokens = a->usage.cached_tokens,
		.reasoning_tokens = a->usage.reasoning_tokens,
		.finish_reason = a->finish_reason,
		.bytes_in = x->bytes_in,
		.bytes_out = x->bytes_out,
		.wall_ms = x->wall_ms,
		.first_token_ms = served ? x->committed_at - x->started_at : -1,
		.duration_ms = now - x->started_at,
	};

	if (x->all->setup.on_record)
		x->all->setup.on_record(x->all->setup.owner, &record);
}

/* The one way out: nothing of an exchange is left over behind this. */
void exchange_end(struct exchange *x, enum fault fault)
{
	mono_ms now = io_now(io_of(x));

	enter(x, EXCHANGE_ENDED);
	must(x->client == NULL);
	x->fault = fault;
	io_timer_clear(io_of(x), &x->deadline);
	io_timer_clear(io_of(x), &x->pause);
	if (x->attempts)
		attempt_free(&x->attempt);
	report(x, now);
	list_remove(&x->all->running, &x->link);
	x->grave.bury = bury;
	io_bury(io_of(x), &x->grave);
}

/* ---- records of attempts ---------------------------------------------------------- */

static struct attempt_record *current_record(struct exchange *x)
{
	must(x->attempts > 0);
	return &x->records[x->attempts - 1];
}

static void close_record(struct exchange *x, enum fault fault, struct slice text, mono_ms now)
{
	struct attempt *a = &x->attempt;
	struct attempt_record *r = current_record(x);

	if (fault != FAULT_NONE)
		answer_scrub(a);
	r->fault = fault;
	r->status = a->status;
	r->text = text;
	r->took_ms = now - a->started_at;
	r->first_token_ms = a->first_token_at == MONO_NEVER ? -1 : a->first_token_at - a->started_at;
	x->answers[x->attempts - 1] = a->answer;
	x->error_bodies[x->attempts - 1] = a->error_body;
	if (fault != FAULT_NONE && fault != FAULT_CLIENT_GONE)
		log_line(x->all->setup.log, fault_row(fault)->blame == BLAME_CREDENTIAL ? LOG_WARN : LOG_INFO,
			 "attempt_failed", "id=%.*s target=%.*s fault=%s status=%d took_ms=%lld text=\"%.*s\"",
			 SLICE_ARG(x->id), SLICE_ARG(r->target), fault_row(fault)->name, a->status,
			 (long long)r->took_ms, SLICE_ARG(text));
}

/* ---- trying ------------------------------------------------------------------------- */

static unsigned attempts_max(const struct exchange *x)
{
	return x->model->retry.max_attempts;
}

static void begin_attempt(struct exchange *x, mono_ms now)
{
	x->records[x->attempts++] = (struct attempt_record){
		.target = x->pick.target->name,
		.start_ms = now - x->started_at,
		.first_token_ms = -1,
	};
	enter(x, EXCHANGE_TRYING);
	attempt_start(&x->attempt, x, &x->pick, now);
}

static void give_up(struct exchange *x, bool full, mono_ms now)
{
	struct error_answer e;
	struct slice body;

	answer_choose_error(x, full, now, &e, &body);
	answer_error(x, &e, body);
	exchange_end(x, e.fault);
}

static void try_next(struct exchange *x, mono_ms now)
{
	enum plan_answer answer;

	if (x->attempts >= attempts_max(x)) {
		give_up(x, false, now);
		return;
	}
	answer = plan_next(x->plan, now, io_random(io_of(x)), &x->pick);
	if (answer != PLAN_GO) {
		give_up(x, answer == PLAN_FULL, now);
		return;
	}
	if (x->pick.at > now) {
		enter(x, EXCHANGE_PAUSING);
		io_timer_set(io_of(x), &x->pause, x->pick.at);
		return;
	}
	begin_attempt(x, now);
}

static void on_pause_over(struct io_timer *timer, mono_ms now)
{
	struct exchange *x = CONTAINER_OF(timer, struct exchange, pause);

	if (plan_enter(x->plan, &x->pick, now, io_random(io_of(x))))
		begin_attempt(x, now);
	else
		try_next(x, now);       /* it has become full: others have not */
}

/* Creating a thing that stays (a file, a batch) is asked for once: again only
 * where no byte was sent, or where the backend refused and so did nothing. */
static bool may_be_sent_again(const struct exchange *x, enum fault why)
{
	switch (fault_row(why)->blame) {
	case BLAME_PACE: case BLAME_CREDENTIAL: case BLAME_MODEL:
		return true;
	case BLAME_NOBODY: case BLAME_TARGET:
		break;
	}
	return x->endpoint->may_retry || why == FAULT_CONNECT;
}

bool exchange_has_other(struct exchange *x)
{
	return x->endpoint->may_retry && x->attempts < attempts_max(x) &&
	       plan_has_other(x->plan, &x->pick, io_now(io_of(x)));
}

/* ---- what the attempt tells ------------------------------------------------------------ */

void exchange_on_commit(struct exchange *x, mono_ms now)
{
	enter(x, EXCHANGE_STREAMING);
	x->committed_at = now;
	if (x->attempt.is_sse && x->facts.stream)
		plan_first_token(x->plan, &x->pick, now, now - x->attempt.started_at);
	answer_head(x, &x->attempt);
	/* Nothing will be sent again: a long stream need not hold its request. */
	buf_free(&x->body);
}

void exchange_on_data(struct exchange *x, struct slice bytes)
{
	must(x->state == EXCHANGE_STREAMING);
	x->bytes_out += bytes.len;
	client_respond_data(x->client, bytes);
	if (client_pending(x->client) > CLIENT_PENDING_MAX)
		attempt_pause(&x->attempt, true, io_now(io_of(x)));
}

/* Tokens a second behind the first one; 0 where there were too few to tell, or
 * where it was the client who was slow. */
static double speed_of(const struct attempt *a, mono_ms now)
{
	int64_t tokens = a->usage.known ? a->usage.output_tokens : (int64_t)a->facts.events;

	if (a->was_paused || a->first_token_at == MONO_NEVER || tokens < 20 ||
	    now - a->first_token_at < 50)
		return 0;
	return (double)(tokens - 1) * 1000.0 / (double)(now - a->first_token_at);
}

static void report_served(struct exchange *x, mono_ms now)
{
	const struct attempt *a = &x->attempt;
	bool streamed = a->is_sse && x->facts.stream;

	plan_served(x->plan, &x->pick, now, io_random(io_of(x)), now - a->started_at, streamed,
		    streamed ? speed_of(a, now) : 0);
}

void exchange_on_done(struct exchange *x, mono_ms now)
{
	close_record(x, FAULT_NONE, SLICE_NONE, now);
	report_served(x, now);
	client_respond_end(x->client);
	x->client = NULL;
	exchange_end(x, FAULT_NONE);
}

void exchange_on_failed(struct exchange *x, mono_ms now)
{
	struct attempt *a = &x->attempt;

	close_record(x, a->fault, a->fault_text, now);
	plan_report(x->plan, &x->pick, now, io_random(io_of(x)), a->fault, now - a->started_at,
		    a->answer.retry_after_ms, a->answer.no_retry);
	attempt_free(a);
	if (may_be_sent_again(x, a->fault))
		try_next(x, now);
	else
		give_up(x, false, now);
}

/* One honest ending: an event that says what happened where the client reads
 * events, a broken connection where it reads a body. */
static void end_broken(struct exchange *x, enum fault why)
{
	struct error_answer e;
	struct buf event = BUF_INIT(64 * 1024);

	if (x->attempt.is_sse && x->facts.stream) {
		answer_broken_error(x, why, &e);
		x->dialect->write_error_event(x->endpoint, &e, &event);
		x->bytes_out += buf_len(&event);
		client_respond_data(x->client, buf_slice(&event));
		client_respond_end(x->client);
		buf_free(&event);
	} else {
		client_respond_break(x->client);
	}
	x->client = NULL;
	exchange_end(x, why);
}

void exchange_on_broken(struct exchange *x, mono_ms now)
{
	struct attempt *a = &x->attempt;

	close_record(x, a->fault, a->fault_text, now);
	plan_report(x->plan, &x->pick, now, io_random(io_of(x)), a->fault, now - a->started_at,
		    a->answer.retry_after_ms, a->answer.no_retry);
	end_broken(x, a->fault);
}

/* ---- what others tell --------------------------------------------------------------------- */

/* Ends the running attempt, if there is one, because of something outside it. */
static void stop_attempt(struct exchange *x, enum fault why, struct slice text, mono_ms now)
{
	if (x->state != EXCHANGE_TRYING && x->state != EXCHANGE_STREAMING)
		return;
	attempt_note_call(&x->attempt);
	attempt_cancel(&x->attempt);
	close_record(x, why, text, now);
	/* Whoever has been silent beyond its limit is to blame for that, whatever
	 * it was that ended the waiting. */
	if (x->attempt.overdue && x->attempt.first_token_at == MONO_NEVER)
		plan_report(x->plan, &x->pick, now, io_random(io_of(x)), FAULT_SILENCE,
			    now - x->attempt.started_at, -1, false);
	else
		plan_done(x->plan, &x->pick);
}

static void on_client_gone(void *owner)
{
	struct exchange *x = owner;

	x->client = NULL;
	stop_attempt(x, FAULT_CLIENT_GONE, S("the client left"), io_now(io_of(x)));
	exchange_end(x, FAULT_CLIENT_GONE);
}

static void on_client_drained(void *owner)
{
	struct exchange *x = owner;

	if (x->state == EXCHANGE_STREAMING)
		attempt_pause(&x->attempt, false, io_now(io_of(x)));
}

const struct client_request_events exchange_client_events = {
	.on_gone = on_client_gone,
	.on_drained = on_client_drained,
};

void exchange_stop(struct exchange *x, enum fault why)
{
	bool committed = x->state == EXCHANGE_STREAMING;
	struct error_answer e = { .fault = why, .request_id = x->id, .retry_after_ms = -1 };

	stop_attempt(x, why, slice_of(fault_row(why)->text), io_now(io_of(x)));
	if (committed) {
		end_broken(x, why);
		return;
	}
	answer_error(x, &e, SLICE_NONE);
	exchange_end(x, why);
}

static void on_deadline(struct io_timer *timer, mono_ms now)
{
	struct exchange *x = CONTAINER_OF(timer, struct exchange, deadline);

	(void)now;
	exchange_stop(x, FAULT_DEADLINE);
}

/* ---- the beginning -------------------------------------------------------------------------- */

void exchange_begin(struct exchange *x, const struct model_policy *model, struct slice star)
{
	mono_ms now = io_now(io_of(x));
	mono_ms deadline = mono_after(x->started_at, model->timeouts.total_ms);

	x->model = model;
	x->records = arena_array(x->arena, struct attempt_record, attempts_max(x));
	x->answers = arena_array(x->arena, struct answer_facts, attempts_max(x));
	x->error_bodies = arena_array(x->arena, struct slice, attempts_max(x));
	x->plan = plan_create(x->arena, model, x->facts.model, star, deadline);
	explain_plan(x);
	x->deadline.fire = on_deadline;
	x->pause.fire = on_pause_over;
	io_timer_set(io_of(x), &x->deadline, deadline);
	try_next(x, now);
}
