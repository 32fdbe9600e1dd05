/* scenario_judge.c: what always holds, and what everybody may expect. */
#include "sim/scenario_inside.h"

/* A released answer is swallowed for up to a second (conn/upstream.h). */
#define RELEASED_MS 1100

/* ---- one answer and its record --------------------------------------------------- */

static void judge_record(struct scenario *sc, const struct actor *a,
			 const struct sim_answer *answer)
{
	const struct kept_record *r = scenario_record(sc, a, answer);

	if (!r || a->direct)
		return;
	if (answer->end == ANSWER_COMPLETE && r->fault != FAULT_NONE)
		scenario_fail(sc, 0, "%.*s has a complete answer, the record says %s",
			      SLICE_ARG(a->name), fault_row(r->fault)->name);
	if ((answer->end == ANSWER_ERROR || answer->end == ANSWER_BROKEN) && r->fault == FAULT_NONE)
		scenario_fail(sc, 0, "%.*s: %s, the record says that all was well",
			      SLICE_ARG(a->name), sim_answer_end_name(answer->end));
	if (answer->status && r->status != answer->status && answer->end != ANSWER_LEFT)
		scenario_fail(sc, 0, "%.*s saw status %d, the record says %d", SLICE_ARG(a->name),
			      answer->status, r->status);
}

/* One after another, not too many, and never back to one that was silent. */
static void judge_attempts(struct scenario *sc, const struct kept_record *r)
{
	if (r->attempt_count > sc->limits.max_attempts)
		scenario_fail(sc, 0, "%.*s: %zu attempts, at most %u are allowed",
			      SLICE_ARG(r->request_id), r->attempt_count, sc->limits.max_attempts);
	for (size_t i = 0; i < r->attempt_count; i++) {
		const struct kept_attempt *a = &r->attempts[i];

		if (i + 1 < r->attempt_count && !slice_eq(r->attempts[i + 1].kind, S("hedge")) &&
		    a->start_ms + a->took_ms > r->attempts[i + 1].start_ms)
			scenario_fail(sc, 0, "%.*s: attempt %zu began before attempt %zu had ended",
				      SLICE_ARG(r->request_id), i + 2, i + 1);
		if (i + 1 < r->attempt_count && a->fault == FAULT_NONE && !r->hedged)
			scenario_fail(sc, 0, "%.*s: an attempt follows the one that served",
				      SLICE_ARG(r->request_id));
		if (a->stale_replays > 1)
			scenario_fail(sc, 0, "%.*s: %u stale replays in one attempt",
				      SLICE_ARG(r->request_id), a->stale_replays);
		for (size_t k = 0; k < i; k++) {
			if (r->attempts[k].fault == FAULT_SILENCE &&
			    slice_eq(r->attempts[k].target, a->target))
				scenario_fail(sc, 0, "%.*s: %.*s was silent and is asked again",
					      SLICE_ARG(r->request_id), SLICE_ARG(a->target));
		}
	}
}

/* A kept answer is there: when the time is over, its client still gets the rest of it. */
static bool was_kept(const struct kept_record *r)
{
	return r->cache == CACHE_USE_HIT || r->cache == CACHE_USE_STALE || r->cache == CACHE_USE_NEAR;
}

static void judge_records(struct scenario *sc)
{
	for (unsigned i = 0; i < sc->record_count; i++) {
		const struct kept_record *r = &sc->records[i];

		judge_attempts(sc, r);
		if (r->duration_ms > sc->limits.total_ms && !was_kept(r))
			scenario_fail(sc, 0, "%.*s took %lld ms, the total limit is %lld ms",
				      SLICE_ARG(r->request_id), (long long)r->duration_ms,
				      (long long)sc->limits.total_ms);
		for (unsigned k = 0; k < i; k++) {
			if (slice_eq(r->request_id, sc->records[k].request_id))
				scenario_fail(sc, 0, "exchange %.*s ended twice",
					      SLICE_ARG(r->request_id));
		}
	}
}

void scenario_judge_all(struct scenario *sc)
{
	for (unsigned i = 0; i < sc->actor_count; i++) {
		struct actor *a = &sc->actors[i];

		for (unsigned n = 0; n < a->asked_count; n++) {
			const struct sim_answer *answer = sim_client_answer_at(a->client, n);

			if (answer->violation[0])
				scenario_fail(sc, 0, "%.*s: %s", SLICE_ARG(a->name),
					      answer->violation);
			if (answer->end == ANSWER_PENDING && !a->may_pend)
				scenario_fail(sc, 0, "%.*s never got an end", SLICE_ARG(a->name));
			judge_record(sc, a, answer);
		}
	}
	if (sc->proxy)
		judge_records(sc);
}

/* ---- after every step --------------------------------------------------------------- */

static uint64_t ended_lately(const struct scenario *sc)
{
	uint64_t count = 0;

	for (unsigned i = sc->record_count; i > 0; i--) {
		if (sc->records[i - 1].ended_at + RELEASED_MS < sim_now(sc->sim))
			break;
		count++;
	}
	return count;
}

/* Places on targets and upstream connections belong to exchanges. */
void scenario_judge_step(struct scenario *sc)
{
	size_t exchanges;

	if (!sc->proxy || sc->failures)
		return;
	exchanges = sim_proxy_exchanges(sc->proxy) * (sc->limits.hedges ? 2 : 1);
	if (sim_proxy_in_flight(sc->proxy) > exchanges)
		scenario_fail(sc, 0, "%u places on targets are taken by %zu exchanges",
			      sim_proxy_in_flight(sc->proxy), exchanges);
	if (sim_proxy_busy_connections(sc->proxy) > exchanges + ended_lately(sc))
		scenario_fail(sc, 0, "%llu upstream connections are busy for %zu exchanges",
			      (unsigned long long)sim_proxy_busy_connections(sc->proxy), exchanges);
	if (sim_proxy_idle_connections(sc->proxy) > sc->limits.idle_connections)
		scenario_fail(sc, 0, "a worker has %llu idle connections, %zu are allowed",
			      (unsigned long long)sim_proxy_idle_connections(sc->proxy),
			      sc->limits.idle_connections);
}

/* ---- what everybody may expect --------------------------------------------------------- */

/* A body that is passed on unread can only be broken off where it breaks. */
static bool honestly_broken(const struct scenario *sc, const struct actor *a,
			    const struct sim_answer *answer)
{
	const struct kept_record *r = scenario_record(sc, a, answer);

	return r && r->committed && r->fault != FAULT_NONE && !answer->is_stream && answer->status;
}

/* Who asks while the proxy leaves may find the door closed, without a word. */
static bool met_a_closed_door(const struct scenario *sc, const struct sim_answer *answer)
{
	return sc->draining && answer->end == ANSWER_BROKEN && !buf_len(&answer->head);
}

static void judge_words(struct scenario *sc, unsigned line, const struct actor *a, unsigned n)
{
	const struct sim_answer *answer = sim_client_answer_at(a->client, n);
	struct slice got = buf_slice(&answer->text), right;

	if (!a->asked[n].path.len || answer->to_head)
		return;
	right = scenario_oracle(sc, &a->asked[n]);
	if (answer->end == ANSWER_COMPLETE && !slice_eq(got, right))
		scenario_fail(sc, line, "%.*s.%u: a complete answer with other words",
			      SLICE_ARG(a->name), n + 1);
	else if (!slice_starts(right, got))
		scenario_fail(sc, line, "%.*s.%u: words that the answer does not have there",
			      SLICE_ARG(a->name), n + 1);
}

void scenario_whole_or_honest(struct scenario *sc, unsigned line)
{
	for (unsigned i = 0; i < sc->actor_count; i++) {
		const struct actor *a = &sc->actors[i];

		for (unsigned n = 0; n < a->asked_count; n++) {
			const struct sim_answer *answer = sim_client_answer_at(a->client, n);

			if (answer->end == ANSWER_PENDING ||
			    (answer->end == ANSWER_BROKEN && !honestly_broken(sc, a, answer) &&
			     !met_a_closed_door(sc, answer)))
				scenario_fail(sc, line, "%.*s.%u: %s %s", SLICE_ARG(a->name), n + 1,
					      sim_answer_end_name(answer->end), answer->broken);
			judge_words(sc, line, a, n);
		}
	}
}

/* The fault struck a client that was already reading, and not from `good`. */
static bool struck_after_commit(const struct scenario *sc, const struct actor *a,
				const struct sim_answer *answer, struct slice good)
{
	const struct kept_record *r = scenario_record(sc, a, answer);

	return r && r->committed &&
	       !(slice_starts(r->target, good) && r->target.len > good.len &&
		 r->target.at[good.len] == '/');
}

void scenario_whole_thanks_to(struct scenario *sc, unsigned line, const struct actor *a,
			      struct slice good)
{
	for (unsigned n = 0; n < a->asked_count; n++) {
		const struct sim_answer *answer = sim_client_answer_at(a->client, n);

		if (answer->end == ANSWER_COMPLETE || answer->end == ANSWER_UNSERVED ||
		    struck_after_commit(sc, a, answer, good))
			continue;
		scenario_fail(sc, line, "%.*s.%u: %s (status %d %s %s) although %.*s could have answered",
			      SLICE_ARG(a->name), n + 1, sim_answer_end_name(answer->end),
			      answer->status, answer->error_code, answer->broken, SLICE_ARG(good));
	}
}
