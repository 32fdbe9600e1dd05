/* The conductor: a request comes in, is planned, tried, tried again, and ends
 * exactly once. Read down. */
#include "exchange/exchange.h"

#include "base/check.h"
#include "exchange/answer.h"
#include "exchange/attempt.h"
#include "exchange/conductor.h"
#include "exchange/queue.h"
#include "observe/price.h"
#include "exchange/quotas.h"
#include "exchange/recall.h"
#include "exchange/translate.h"

#include <string.h>

#define TO(s) (1u << EXCHANGE_##s)
#define ON_ITS_WAY (TO(QUEUED) | TO(TRYING) | TO(PAUSING) | TO(STREAMING) | TO(ENDED))

static const unsigned exchange_may_go[EXCHANGE_STATE_COUNT] = {
	[EXCHANGE_NEW]       = TO(RECALLING) | TO(FOLLOWING) | ON_ITS_WAY,
	[EXCHANGE_RECALLING] = TO(FOLLOWING) | ON_ITS_WAY,
	[EXCHANGE_FOLLOWING] = TO(RECALLING) | ON_ITS_WAY,
	[EXCHANGE_QUEUED]    = TO(RECALLING) | ON_ITS_WAY,
	[EXCHANGE_TRYING]    = TO(RECALLING) | ON_ITS_WAY,
	[EXCHANGE_PAUSING]   = TO(RECALLING) | ON_ITS_WAY,
	[EXCHANGE_STREAMING] = TO(RESUMING) | TO(ENDED),
	[EXCHANGE_RESUMING]  = TO(STREAMING) | TO(ENDED),
};

void exchange_enter(struct exchange *x, enum exchange_state to)
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
	ledger_free(&x->ledger);
	explain_free(x);
	translate_free(x);
	framing_free(x);
	config_give(x->config);
	arena_free(x->arena);
}

static enum degraded degradation(const struct exchange *x)
{
	if (x->degraded_by)
		return x->degraded_by;
	if (x->resorted && x->committed_at != MONO_NEVER)
		return DEGRADED_LAST_RESORT;
	if (x->resumes)
		return DEGRADED_RESUMED;
	return x->served_fallback ? DEGRADED_FALLBACK : DEGRADED_NO;
}

static struct slice group_of(const struct client_key *who)
{
	return !who ? SLICE_NONE : who->group.len ? who->group : who->name;
}

static void report(struct exchange *x, mono_ms now)
{
	bool served = x->committed_at != MONO_NEVER;
	char key_text[CACHE_KEY_TEXT];
	struct exchange_record record = {
		.request_id = x->id,
		.trace = x->trace,
		.client_key = x->who ? x->who->name : SLICE_NONE,
		.client_group = group_of(x->who),
		.peer = x->peer,
		.method = x->method,
		.path = x->path,
		.asked_model = x->facts.model,
		.served_model = x->served_model,
		.target = x->served_target,
		.stream = x->facts.stream,
		.status = x->status_sent ? x->status_sent : fault_row(x->fault)->status,
		.fault = x->fault,
		.committed = served,
		.degraded = degradation(x),
		.resumes = x->resumes,
		.hedged = x->hedged,
		.hedge_won = x->hedge_won,
		.attempts = x->records,
		.attempt_count = x->attempts,
		.usage_known = x->usage.known,
		.input_tokens = x->usage.input_tokens,
		.output_tokens = x->usage.output_tokens + x->untold_tokens,
		.cached_tokens = x->usage.cached_tokens,
		.reasoning_tokens = x->usage.reasoning_tokens,
		.finish_reason = x->finish_reason,
		.bytes_in = x->bytes_in,
		.bytes_out = x->bytes_out,
		.wall_ms = x->wall_ms,
		.first_token_ms = served ? x->committed_at - x->started_at : -1,
		.duration_ms = now - x->started_at,
		.overhead_us = served ? x->overhead_us : -1,
		.cost_nano_usd = x->cost_nano_usd,
		.priority = x->priority,
		.queued_ms = x->queued_ms,
		.shed = x->shed,
		.cache = x->cache,
		.cache_tier = x->cache_tier,
		.cache_age_ms = x->cache_age_ms,
		.kept = x->kept,
		.similarity = x->similarity,
		.cache_key = recall_key_text(x, key_text),
	};

	budgets_pay(x);
	if (x->attempts > 0)
		quotas_spend(x->all->setup.quotas, x->who, now,
			     x->usage.input_tokens + x->usage.output_tokens + x->untold_tokens);
	if (x->all->setup.on_record)
		x->all->setup.on_record(x->all->setup.owner, &record);
}

/* The one way out: nothing of an exchange is left over behind this. */
void exchange_end(struct exchange *x, enum fault fault)
{
	mono_ms now = io_now(io_of(x));

	exchange_enter(x, EXCHANGE_ENDED);
	must(x->client == NULL);
	x->fault = x->detached ? FAULT_CLIENT_GONE : fault;
	io_timer_clear(io_of(x), &x->deadline);
	io_timer_clear(io_of(x), &x->pause);
	io_timer_clear(io_of(x), &x->hedge);
	io_timer_clear(io_of(x), &x->warm);
	queue_end(x, now);
	recall_end(x);
	give_free(x);
	must(exchange_running(x) == 0);
	attempt_free(&x->first);
	if (x->second)
		attempt_free(x->second);
	report(x, now);
	list_remove(&x->all->running, &x->link);
	x->grave.bury = bury;
	io_bury(io_of(x), &x->grave);
}

/* ---- records of attempts ---------------------------------------------------------- */

/* What an attempt used: as it was told, or as far as it was heard. */
static struct spent spent_by(const struct attempt *a)
{
	return (struct spent){
		.told = a->usage.known,
		.input_tokens = a->usage.known ? a->usage.input_tokens : 0,
		.output_tokens = a->usage.known ? a->usage.output_tokens : a->tokens,
		.cached_tokens = a->usage.known ? a->usage.cached_tokens : 0,
		.reasoning_tokens = a->usage.known ? a->usage.reasoning_tokens : 0,
	};
}

static void price(const struct attempt *a, struct spent *s)
{
	const struct target_policy *t = a->pick.target;
	const struct price *p = t->price;

	if (s->input_tokens <= 0 && s->output_tokens <= 0)
		return;
	/* A table of a hundred names is gone through once, when the config is read,
	 * unless the name is only known now. */
	if (!p && slice_find(t->model, '*') != SLICE_NOT_FOUND)
		p = price_find(&a->x->config->prices, t->backend->name, a->pick.upstream_model);
	s->priced = p != NULL;
	s->cost_nano_usd = p ? price_cost(p, s) : 0;
}

/* Tokens were computed and are paid for, whatever became of the attempt. */
static void add_usage(struct exchange *x, const struct attempt *a)
{
	if (!a->usage.known) {
		x->untold_tokens += a->tokens;
		return;
	}
	x->usage.known = true;
	x->usage.input_tokens += a->usage.input_tokens;
	x->usage.output_tokens += a->usage.output_tokens;
	x->usage.cached_tokens += a->usage.cached_tokens;
	x->usage.reasoning_tokens += a->usage.reasoning_tokens;
}

static bool is_worth_a_line(enum fault fault)
{
	return fault != FAULT_NONE && fault != FAULT_CLIENT_GONE && fault != FAULT_OUTRUN;
}

static void close_record(struct attempt *a, enum fault fault, struct slice text, mono_ms now)
{
	struct exchange *x = a->x;
	struct attempt_record *r = &x->records[a->number];

	if (fault != FAULT_NONE)
		answer_scrub(a);
	r->fault = fault;
	r->status = a->status;
	r->text = text;
	r->took_ms = now - a->started_at;
	r->first_token_ms = a->first_token_at == MONO_NEVER ? -1 : a->first_token_at - a->started_at;
	r->spent = spent_by(a);
	price(a, &r->spent);
	x->cost_nano_usd += r->spent.cost_nano_usd;
	x->said[a->number] = a->said;
	add_usage(x, a);
	if (a->finish_reason.len)
		x->finish_reason = a->finish_reason;
	if (is_worth_a_line(fault))
		log_line(x->all->setup.log, fault_row(fault)->blame == BLAME_CREDENTIAL ? LOG_WARN : LOG_INFO,
			 "attempt_failed", "id=%.*s target=%.*s fault=%s status=%d took_ms=%lld text=\"%.*s\"",
			 SLICE_ARG(x->id), SLICE_ARG(r->target), fault_row(fault)->name, a->status,
			 (long long)r->took_ms, SLICE_ARG(text));
}

/* ---- trying ------------------------------------------------------------------------- */

static unsigned attempts_max(const struct exchange *x)
{
	return x->resorted ? x->attempts_allowed : x->model->retry.max_attempts;
}

bool exchange_committed(const struct exchange *x)
{
	return x->state == EXCHANGE_STREAMING || x->state == EXCHANGE_RESUMING;
}

unsigned exchange_running(const struct exchange *x)
{
	return (attempt_runs(&x->first) ? 1u : 0u) +
	       (x->second && attempt_runs(x->second) ? 1u : 0u);
}

static struct attempt *free_attempt(struct exchange *x)
{
	if (!attempt_runs(&x->first))
		return &x->first;
	if (!x->second)
		x->second = arena_new(x->arena, struct attempt);
	must(!attempt_runs(x->second));
	return x->second;
}

static enum resume_way next_way(struct exchange *x)
{
	enum resume_way way = exchange_committed(x) ? resume_way_for(x) : RESUME_NONE;

	if (x->replay_only && way != RESUME_NONE)
		way = RESUME_REPLAY;
	x->replay_only = false;
	return way;
}

/* The request cannot be written for the target that was picked. */
static void cannot_be_asked(struct exchange *x, mono_ms now)
{
	struct attempt_record *r = &x->records[x->attempts - 1];

	r->fault = FAULT_UNSUPPORTED;
	r->text = S("the request cannot be written in this backend's dialect");
	x->said[x->attempts - 1] = NULL;
	plan_report(x->plan, &x->pick, now, io_random(io_of(x)), FAULT_UNSUPPORTED, 0, -1, true);
}

static void *grown(struct exchange *x, const void *old, size_t size)
{
	void *more = arena_alloc_array(x->arena, size, x->attempts_room);

	if (x->attempts > 0)
		memcpy(more, old, size * x->attempts);
	return more;
}

/* Nearly always one attempt is all: room for all that may be would take 2 KiB of
 * every open stream. */
static void add_record(struct exchange *x, mono_ms now)
{
	if (x->attempts == x->attempts_room) {
		x->attempts_room = x->attempts_room ? 2 * x->attempts_room : 1;
		x->records = grown(x, x->records, sizeof *x->records);
		x->said = grown(x, x->said, sizeof(struct said *));
	}
	x->records[x->attempts++] = (struct attempt_record){
		.target = x->pick.target->name,
		.model = x->pick.upstream_model,
		.authority = x->pick.target->origin->authority,
		.start_ms = now - x->started_at,
		.first_token_ms = -1,
	};
}

bool exchange_begin_attempt(struct exchange *x, const char *kind, mono_ms now)
{
	struct attempt *a = free_attempt(x);
	struct attempt_plan how = {
		.pick = &x->pick,
		.number = x->attempts,
		.way = next_way(x),
		.as_stream = !exchange_committed(x) && request_wants_stream(x),
	};
	bool begun;

	queue_run(x, true, now);
	if (exchange_committed(x) && how.way == RESUME_NONE) {
		plan_done(x->plan, &x->pick);
		return false;
	}
	add_record(x, now);
	if (!exchange_committed(x))
		exchange_enter(x, EXCHANGE_TRYING);
	begun = attempt_start(a, x, &how, now);
	if (!begun) {
		/* The conversation has no place for the text: as it was, then. */
		how.way = how.way == RESUME_NONE ? RESUME_NONE : RESUME_REPLAY;
		how.as_stream = false;
		begun = attempt_start(a, x, &how, now);
	}
	if (!begun) {
		cannot_be_asked(x, now);
		return false;
	}
	x->records[a->number].kind = how.way == RESUME_NONE ? kind : resume_way_name(how.way);
	x->records[a->number].resumes = how.way != RESUME_NONE;
	if (x->attempts == 1) {
		x->overhead_us = io_turn_us(io_of(x));
		hedge_arm(x, a, now);
	}
	return true;
}

void exchange_queued(struct exchange *x)
{
	if (!exchange_committed(x))
		exchange_enter(x, EXCHANGE_QUEUED);
}

void exchange_give_up(struct exchange *x, bool full, mono_ms now)
{
	struct error_answer e;
	struct slice body;

	if (exchange_committed(x)) {
		relay_end_broken(x, x->broke->why);
		return;
	}
	answer_choose_error(x, full, now, &e, &body);
	if (recall_rescue(x, e.fault, full, now) || last_resort(x, e.fault, now))
		return;
	if (x->warmed)
		relay_end_error(x, &e);
	else
		answer_error(x, &e, body);
	exchange_end(x, e.fault);
}

void exchange_try(struct exchange *x, mono_ms now)
{
	enum plan_answer answer;

	do {
		if (x->attempts >= attempts_max(x)) {
			exchange_give_up(x, false, now);
			return;
		}
		answer = plan_next(x->plan, now, io_random(io_of(x)), &x->pick);
		if (answer == PLAN_FULL && !x->resorted) {
			queue_wait(x, plan_full_places(x->plan), now);
			return;
		}
		if (answer != PLAN_GO) {
			exchange_give_up(x, answer == PLAN_FULL, now);
			return;
		}
		if (x->pick.at > now) {
			queue_run(x, false, now);
			if (!exchange_committed(x))
				exchange_enter(x, EXCHANGE_PAUSING);
			io_timer_set(io_of(x), &x->pause, x->pick.at);
			return;
		}
	} while (!exchange_begin_attempt(x, "", now));
}

static void on_pause_over(struct io_timer *timer, mono_ms now)
{
	struct exchange *x = CONTAINER_OF(timer, struct exchange, pause);

	if (plan_enter(x->plan, &x->pick, now, io_random(io_of(x))) &&
	    exchange_begin_attempt(x, "", now))
		return;
	exchange_try(x, now);               /* it has become full: others have not */
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

bool exchange_has_other(struct attempt *a, mono_ms now)
{
	struct exchange *x = a->x;

	return x->endpoint->may_retry && x->attempts < attempts_max(x) &&
	       (a->overdue ? plan_has_healthy(x->plan, &a->pick, now)
			   : plan_has_other(x->plan, &a->pick, now));
}

/* ---- what an attempt tells -------------------------------------------------------------- */

void exchange_on_heard(struct attempt *a, mono_ms now)
{
	if (a->is_sse)
		plan_first_token(a->x->plan, &a->pick, now, now - a->started_at);
	hedge_settle(a, now);
}

void exchange_on_commit(struct attempt *a, struct slice data, mono_ms now)
{
	hedge_settle(a, now);
	exchange_enter(a->x, EXCHANGE_STREAMING);
	relay_begin(a, data, now);
	a->x->overhead_us += io_turn_us(io_of(a->x));
}

void exchange_on_resumed(struct attempt *a, mono_ms now)
{
	struct exchange *x = a->x;
	struct slice target = a->pick.target->name;
	const char *way = resume_way_name(a->way);
	struct buf comment = BUF_INIT(64 * 1024);

	exchange_enter(x, EXCHANGE_STREAMING);
	x->resumes++;
	x->records[a->number].went_on = true;
	x->lead = a;
	(void)attempt_forget_request(a);
	x->served_target = target;
	x->served_model = a->pick.model->name;
	x->served_fallback = a->pick.is_fallback;
	if (!x->dialect->no_comments) {
		buf_putf(&comment, ": backstay resumed on %.*s\n\n", SLICE_ARG(target));
		relay_bytes(a, buf_slice(&comment));
	}
	buf_free(&comment);
	log_line(x->all->setup.log, LOG_INFO, "stream_resumed",
		 "id=%.*s target=%.*s way=%s after_ms=%lld break=%u", SLICE_ARG(x->id),
		 SLICE_ARG(target), way, (long long)(now - x->broke->at), x->resumes);
}

/* Tokens a second behind the first one; 0 where there were too few to tell, or
 * where it was the client who was slow. */
static double speed_of(const struct attempt *a, mono_ms now)
{
	int64_t tokens = a->usage.known ? a->usage.output_tokens : (int64_t)a->tokens;

	if (a->was_paused || a->first_token_at == MONO_NEVER || tokens < 20 ||
	    now - a->first_token_at < 50)
		return 0;
	return (double)(tokens - 1) * 1000.0 / (double)(now - a->first_token_at);
}

void exchange_on_done(struct attempt *a, mono_ms now)
{
	struct exchange *x = a->x;
	bool streamed = a->is_sse;

	close_record(a, FAULT_NONE, SLICE_NONE, now);
	plan_served(x->plan, &a->pick, now, io_random(io_of(x)), now - a->started_at, streamed,
		    streamed ? speed_of(a, now) : 0);
	relay_end(x);
}

static void report_fault(struct attempt *a, mono_ms now)
{
	struct exchange *x = a->x;

	close_record(a, a->fault, a->fault_text, now);
	plan_report(x->plan, &a->pick, now, io_random(io_of(x)), a->fault, now - a->started_at,
		    said_facts(a->said)->retry_after_ms, said_facts(a->said)->no_retry);
}

/* Was it the way of asking that was refused, not the request? */
static bool refused_the_way(const struct attempt *a)
{
	const struct answer_facts *said = said_facts(a->said);
	bool client_error = a->status >= 400 && a->status < 500 &&
			    fault_row(a->fault)->blame == BLAME_NOBODY;

	if (!client_error)
		return false;
	if (a->seam)
		return a->way != RESUME_REPLAY;
	return a->as_stream && (slice_find_slice(said->param, S("stream")) != SLICE_NOT_FOUND ||
				slice_find_nocase(said->message, S("stream")) != SLICE_NOT_FOUND);
}

/* Asks the same target again in the plain way; its place is kept. */
static void ask_plainly(struct attempt *a, mono_ms now)
{
	struct exchange *x = a->x;

	close_record(a, a->fault, a->fault_text, now);
	x->pick = a->pick;
	x->replay_only = a->seam != NULL;
	x->whole_upstream = x->whole_upstream || a->as_stream;
	attempt_free(a);
	if (x->attempts < attempts_max(x) && exchange_begin_attempt(x, "", now))
		return;
	if (x->attempts >= attempts_max(x))
		plan_done(x->plan, &x->pick);
	exchange_try(x, now);
}

void exchange_on_failed(struct attempt *a, mono_ms now)
{
	struct exchange *x = a->x;
	enum fault fault = a->fault;

	if (refused_the_way(a) && exchange_running(x) == 0) {
		ask_plainly(a, now);
		return;
	}
	report_fault(a, now);
	attempt_free(a);
	if (exchange_running(x))
		return;                 /* a second attempt still has its chance */
	if (may_be_sent_again(x, fault))
		exchange_try(x, now);
	else
		exchange_give_up(x, false, now);
}

/* Only the end of the stream is missing, nothing of the answer (E12). */
static bool is_complete(const struct attempt *a)
{
	const struct exchange *x = a->x;
	unsigned finished = (unsigned)__builtin_popcountll(x->ledger.finished);

	bool ended = a->translation ? a->translation->reader.finished
		   : x->dialect->judge_end(x->endpoint, &a->facts) == FAULT_NONE;

	return (a->fault == FAULT_CUT || a->fault == FAULT_STALL) && x->client_sse && ended &&
	       (x->facts.choices == 1 || finished >= x->facts.choices);
}

/* What the client's dialect says at the end. False: it is too large to be said. */
static bool write_end(struct attempt *a, struct buf *last)
{
	struct exchange *x = a->x;
	struct canon_events end = canon_events_in(x->arena);

	if (!a->translation) {
		x->dialect->write_end(x->endpoint, &a->facts, last);
		return true;
	}
	canon_add(&end, CANON_EVENT_DONE);
	return translate_tell(a, &end, last);
}

static void end_complete(struct exchange *x, struct slice last)
{
	relay_last(x, last);
	relay_end(x);
}

struct broke *exchange_broke(struct exchange *x)
{
	if (!x->broke)
		x->broke = arena_new(x->arena, struct broke);
	return x->broke;
}

void exchange_on_broken(struct attempt *a, mono_ms now)
{
	struct exchange *x = a->x;
	struct buf last = BUF_INIT(ANSWER_BYTES_MAX);
	bool complete = is_complete(a) && write_end(a, &last);

	report_fault(a, now);
	x->lead = NULL;
	*exchange_broke(x) = (struct broke){
		.why = a->fault, .at = now, .said = a->said, .so_far = a->facts,
	};
	attempt_free(a);
	if (complete) {
		end_complete(x, buf_slice(&last));
	} else if (resume_is_possible(x, x->broke->why)) {
		exchange_enter(x, EXCHANGE_RESUMING);
		exchange_try(x, now);
	} else {
		relay_end_broken(x, x->broke->why);
	}
	buf_free(&last);
}

/* ---- what others tell --------------------------------------------------------------------- */

void exchange_cancel_attempt(struct attempt *a, enum fault why, struct slice text, mono_ms now)
{
	must(attempt_runs(a));
	attempt_note_call(a);
	attempt_cancel(a);
	close_record(a, why, text, now);
	/* Whoever has been silent beyond its limit is to blame for that, whatever
	 * it was that ended the waiting. */
	if (a->overdue && !a->heard && a->first_token_at == MONO_NEVER)
		plan_report(a->x->plan, &a->pick, now, io_random(io_of(a->x)), FAULT_SILENCE,
			    now - a->started_at, -1, false);
	else
		plan_cancelled(a->x->plan, &a->pick, now,
			       a->heard || a->first_token_at != MONO_NEVER ? 0 : now - a->started_at);
	if (why == FAULT_OUTRUN && !a->overdue)
		plan_forget_try(a->x->plan, &a->pick);
	attempt_free(a);
}

void exchange_stop_attempts(struct exchange *x, enum fault why, mono_ms now)
{
	struct slice text = why == FAULT_CLIENT_GONE ? S("the client left")
						     : slice_of(fault_row(why)->text);

	if (x->lead)
		exchange_broke(x)->so_far = x->lead->facts;
	x->lead = NULL;
	if (attempt_runs(&x->first))
		exchange_cancel_attempt(&x->first, why, text, now);
	if (x->second && attempt_runs(x->second))
		exchange_cancel_attempt(x->second, why, text, now);
}

void exchange_abandon(struct exchange *x)
{
	exchange_stop_attempts(x, FAULT_CLIENT_GONE, io_now(io_of(x)));
	exchange_end(x, FAULT_CLIENT_GONE);
}

static void on_client_gone(void *owner)
{
	struct exchange *x = owner;

	x->client = NULL;
	if (recall_goes_on(x)) {
		x->detached = true;
		if (x->lead)
			attempt_pause(x->lead, false, io_now(io_of(x)));
		return;
	}
	exchange_abandon(x);
}

static void on_client_drained(void *owner)
{
	struct exchange *x = owner;
	mono_ms now = io_now(io_of(x));

	if (x->lead)
		attempt_pause(x->lead, false, now);
	else if (x->giving)
		give_more(x, now);
	else
		recall_drained(x, now);
}

const struct client_request_events exchange_client_events = {
	.on_gone = on_client_gone,
	.on_drained = on_client_drained,
};

void exchange_stop(struct exchange *x, enum fault why)
{
	struct error_answer e = { .fault = why, .request_id = x->id, .retry_after_ms = -1 };

	exchange_stop_attempts(x, why, io_now(io_of(x)));
	if (exchange_committed(x)) {
		exchange_broke(x)->said = NULL;
		relay_end_broken(x, why);
		return;
	}
	if (x->warmed)
		relay_end_error(x, &e);
	else
		answer_error(x, &e, SLICE_NONE);
	exchange_end(x, why);
}

void exchange_late(struct exchange *x, mono_ms now)
{
	if (!exchange_committed(x) &&
	    (recall_rescue(x, FAULT_DEADLINE, false, now) || last_resort(x, FAULT_DEADLINE, now)))
		return;
	exchange_stop(x, FAULT_DEADLINE);
}

static void on_deadline(struct io_timer *timer, mono_ms now)
{
	struct exchange *x = CONTAINER_OF(timer, struct exchange, deadline);

	if (give_hurry(x, now))
		return;
	exchange_stop_attempts(x, FAULT_DEADLINE, now);
	queue_run(x, false, now);
	exchange_late(x, now);
}

/* ---- the beginning -------------------------------------------------------------------------- */

void exchange_go(struct exchange *x, mono_ms now)
{
	budgets_ask(x);
	if (budgets_refuse(x)) {
		exchange_give_up(x, false, now);
		return;
	}
	x->plan = plan_create(x->arena, x->model, x->facts.model, x->star, x->deadline_at);
	explain_plan(x);
	if (queue_is_behind(x))
		queue_wait(x, LOBBY_ANY_PLACE, now);
	else
		exchange_try(x, now);
}

void exchange_begin(struct exchange *x, const struct model_policy *model, struct slice star)
{
	mono_ms now = io_now(io_of(x));
	mono_ms deadline = mono_after(x->started_at, model->timeouts.total_ms);

	if (x->client_timeout_ms)
		deadline = mono_earlier(deadline, mono_after(x->started_at, x->client_timeout_ms));
	x->deadline_at = deadline;
	x->model = model;
	x->star = star;
	x->deadline.fire = on_deadline;
	x->pause.fire = on_pause_over;
	ledger_init(&x->ledger, x->arena);
	if (x->client)
		relay_warm_start(x, now);
	io_timer_set(io_of(x), &x->deadline, deadline);
	if (!recall_begin(x, now))
		exchange_go(x, now);
}
