/* recall_follow.c: identical requests under way share one answer. The first
 * leads; those that come meanwhile follow it, and go their own way where it
 * fails. */
#include "exchange/recall.h"

#include "base/check.h"
#include "exchange/conductor.h"

#define PIECE_MAX ((size_t)64 * 1024)

static struct io *io_of(const struct exchange *x)
{
	return x->all->setup.io;
}

bool recall_join(struct exchange *x, mono_ms now)
{
	struct recall *r = x->recall;

	if (!x->all->flights || !(r->policy->coalesce || r->refresh))
		return false;
	flight_join(x->all->setup.flights, x->all->flights, &r->flight_key, &r->guest);
	if (r->guest.leads)
		return recall_lease(x, now);
	if (r->refresh) {       /* somebody else is at it already */
		exchange_end(x, FAULT_NONE);
		return true;
	}
	exchange_enter(x, EXCHANGE_FOLLOWING);
	return true;
}

/* ---- going its own way ---------------------------------------------------------------- */

/* What the client has been given, as the ledger of an attempt would have it. */
static void note_given(struct exchange *x, struct slice given)
{
	struct arena *scratch = arena_create(0);
	struct stream_facts *so_far = &exchange_broke(x)->so_far;
	struct sse parser;
	struct sse_event ev;

	*so_far = (struct stream_facts){ 0 };
	sse_init(&parser, EVENT_BYTES_MAX);
	while (sse_feed(&parser, &given, &ev) == SSE_EVENT) {
		struct event_facts facts = { .retry_after_ms = -1 };

		if (!ev.has_data)
			continue;
		x->dialect->judge_event(scratch, x->endpoint, ev.type, ev.data, so_far, &facts);
		if (!x->identity_known && (facts.is & (EVENT_CONTENT | EVENT_FINISH)))
			relay_keep_identity(x, ev.data);
		ledger_add(&x->ledger, scratch, &facts);
	}
	sse_free(&parser);
	arena_free(scratch);
}

/* Half an answer has been given: it goes on as a broken stream does. */
static void go_on_alone(struct exchange *x, mono_ms now)
{
	struct recall *r = x->recall;
	struct buf given = BUF_INIT(FLIGHT_BYTES_MAX);
	bool known = flight_reread(&r->guest, &given);

	flight_leave(&r->guest);
	x->cache = CACHE_USE_MISS;
	*exchange_broke(x) = (struct broke){ .why = FAULT_CUT, .at = now };
	x->may_resume = known && x->facts.stream && x->model->resume && x->endpoint->may_retry &&
			x->dialect->may_resume(x->endpoint, &x->facts, RESUME_AUTO) != RESUME_NONE;
	if (known)
		note_given(x, buf_slice(&given));
	/* What is kept is the whole of it, or nothing. */
	if (!known || !buf_append(&r->noted, buf_slice(&given)))
		r->noted_lost = true;
	buf_free(&given);
	if (!resume_is_possible(x, FAULT_CUT)) {
		relay_end_broken(x, FAULT_CUT);
		return;
	}
	exchange_enter(x, EXCHANGE_RESUMING);
	exchange_go(x, now);
}

static void go_alone(struct exchange *x, mono_ms now)
{
	struct recall *r = x->recall;

	if (exchange_committed(x)) {
		go_on_alone(x, now);
		return;
	}
	flight_leave(&r->guest);
	x->cache = CACHE_USE_MISS;
	/* The leader may have found that another machine's answer has come. */
	if (!cache_may_hit(r->policy, &r->wishes) || !recall_hit(x, now))
		exchange_go(x, now);
}

/* ---- reading ------------------------------------------------------------------------------ */

static void take_facts(struct exchange *x)
{
	struct flight_facts f = flight_facts_of(&x->recall->guest, x->arena);

	x->cache = CACHE_USE_JOINED;
	x->served_target = f.target;
	x->served_model = f.model;
	x->served_fallback = f.fallback;
	x->finish_reason = f.finish_reason;
	x->usage = (struct usage){
		.known = f.usage_known, .input_tokens = f.input_tokens, .output_tokens = f.output_tokens,
		.cached_tokens = f.cached_tokens, .reasoning_tokens = f.reasoning_tokens,
	};
}

/* All of it, to a client that wants it whole. */
static void give_whole(struct exchange *x, mono_ms now)
{
	struct buf answer = BUF_INIT(FLIGHT_BYTES_MAX);

	flight_read(&x->recall->guest, FLIGHT_BYTES_MAX, &answer);
	take_facts(x);
	flight_leave(&x->recall->guest);
	give_answer(x, buf_slice(&answer), 0, now);
	buf_free(&answer);
}

static void begin_stream(struct exchange *x, mono_ms now)
{
	take_facts(x);
	x->committed_at = now;
	exchange_enter(x, EXCHANGE_STREAMING);
	give_head(x, CLIENT_LENGTH_UNKNOWN);
}

static void end_stream(struct exchange *x)
{
	take_facts(x);
	flight_leave(&x->recall->guest);
	framing_end(x);
	x->client = NULL;
	exchange_end(x, FAULT_NONE);
}

/* Gives what has come, as far as the client takes it. */
static void give_stream(struct exchange *x, mono_ms now)
{
	struct recall *r = x->recall;
	struct buf piece = BUF_INIT(PIECE_MAX);
	enum flight_state state;
	bool more;

	if (client_pending(x->client) >= CLIENT_PENDING_MAX)
		return;
	do {
		buf_clear(&piece);
		state = flight_read(&r->guest, PIECE_MAX, &piece);
		more = buf_len(&piece) > 0;
		if (more && !exchange_committed(x))
			begin_stream(x, now);
		if (more) {
			x->bytes_out += buf_len(&piece);
			x->sent_at = now;
			framing_give(x, buf_slice(&piece));
		}
	} while (more && client_pending(x->client) < CLIENT_PENDING_MAX);
	buf_free(&piece);
	r->amid = more;
	if (more)
		return;                 /* the rest when there is room */
	if (state == FLIGHT_DONE)
		end_stream(x);
	else if (state == FLIGHT_FAILED)
		go_alone(x, now);
}

static void follow(struct exchange *x, mono_ms now)
{
	enum flight_state state = flight_state_of(&x->recall->guest);

	if (x->facts.stream)
		give_stream(x, now);
	else if (state == FLIGHT_DONE)
		give_whole(x, now);
	else if (state == FLIGHT_FAILED)
		go_alone(x, now);
}

/* ---- what is told ------------------------------------------------------------------------------ */

static bool follows(const struct recall *r)
{
	return r->guest.flight && !r->guest.leads;
}

bool recall_goes_on(struct exchange *x)
{
	struct recall *r = x->recall;

	return r && r->guest.flight && r->guest.leads && flight_followers(&r->guest) > 0;
}

void recall_on_news(struct flight_guest *g)
{
	struct recall *r = CONTAINER_OF(g, struct recall, guest);
	struct exchange *x = r->x;

	if (follows(r))
		follow(x, io_now(io_of(x)));
	else if (!x->client && !r->refresh && flight_followers(g) == 0)
		exchange_abandon(x);
}

void recall_drained(struct exchange *x, mono_ms now)
{
	if (x->recall && follows(x->recall) && exchange_committed(x))
		follow(x, now);
}
