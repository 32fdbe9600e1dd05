/* scenario_expect.c: what must be seen. */
#include "sim/scenario_inside.h"

#define SHOWN 120

static void bad(struct scenario *sc, const struct words *w)
{
	scenario_fail(sc, w->line, "expectation not understood");
}

/* A slice for a message: its beginning. */
static struct slice shown(struct slice s)
{
	return s.len > SHOWN ? slice_sub(s, 0, SHOWN) : s;
}

static void same(struct scenario *sc, const struct words *w, const char *what, struct slice got,
		 struct slice want)
{
	if (!slice_eq(got, want))
		scenario_fail(sc, w->line, "%s: expected '%.*s' (%zu bytes), got '%.*s' (%zu bytes)",
			      what, SLICE_ARG(shown(want)), want.len, SLICE_ARG(shown(got)),
			      got.len);
}

static void number(struct scenario *sc, struct words *w, const char *what, uint64_t got)
{
	bool least = false, most = false;
	uint64_t want;

	if (words_take(w, "at")) {
		least = words_take(w, "least");
		most = !least && words_take(w, "most");
	}
	if (!words_number(w, &want)) {
		bad(sc, w);
		return;
	}
	if (least ? got < want : most ? got > want : got != want)
		scenario_fail(sc, w->line, "%s: expected %s%llu, got %llu", what,
			      least ? "at least " : most ? "at most " : "",
			      (unsigned long long)want, (unsigned long long)got);
}

/* ---- clients --------------------------------------------------------------------- */

static void expect_text(struct scenario *sc, struct words *w, const struct actor *a,
			const struct sim_answer *answer)
{
	struct slice got = buf_slice(&answer->text), want;

	if (words_take(w, "complete")) {
		if (answer->end != ANSWER_COMPLETE)
			scenario_fail(sc, w->line, "the answer is %s, not complete",
				      sim_answer_end_name(answer->end));
		same(sc, w, "text", got, scenario_oracle(sc, a));
	} else if (words_take(w, "empty")) {
		same(sc, w, "text", got, SLICE_NONE);
	} else if (words_take(w, "is") && words_next(w, &want)) {
		same(sc, w, "text", got, want);
	} else if (words_take(w, "contains") && words_next(w, &want)) {
		if (slice_find_slice(got, want) == SLICE_NOT_FOUND)
			scenario_fail(sc, w->line, "'%.*s' is not in '%.*s'", SLICE_ARG(want),
				      SLICE_ARG(shown(got)));
	} else {
		bad(sc, w);
	}
}

static void expect_header(struct scenario *sc, struct words *w, const struct sim_answer *answer)
{
	struct slice name, want, got;

	if (!words_next(w, &name)) {
		bad(sc, w);
		return;
	}
	got = sim_answer_header(answer, name);
	if (words_take(w, "absent")) {
		if (got.at)
			scenario_fail(sc, w->line, "%.*s is there: '%.*s'", SLICE_ARG(name),
				      SLICE_ARG(got));
	} else if (words_take(w, "present")) {
		if (!got.at)
			scenario_fail(sc, w->line, "%.*s is missing", SLICE_ARG(name));
	} else if (words_next(w, &want)) {
		same(sc, w, "header", got, want);
	} else {
		bad(sc, w);
	}
}

static void expect_end(struct scenario *sc, struct words *w, struct actor *a,
		       const struct sim_answer *answer)
{
	struct slice want, code;

	if (!words_next(w, &want)) {
		bad(sc, w);
		return;
	}
	a->may_pend = slice_eq(want, S("pending"));
	same(sc, w, answer->broken[0] ? answer->broken : "end",
	     slice_of(sim_answer_end_name(answer->end)), want);
	if (words_next(w, &code))
		same(sc, w, "error code", slice_of(answer->error_code), code);
}

/* "before 3s", "after 2s" since the beginning; "within 3s" since it asked. */
static void expect_time(struct scenario *sc, struct words *w, const struct sim_answer *answer,
			mono_ms at, const char *what)
{
	bool before = words_take(w, "before"), after = !before && words_take(w, "after");
	bool not = !before && !after && words_take(w, "not");
	int64_t limit_ms, got_ms;

	if (!before && !after && !words_take(w, "within")) {
		bad(sc, w);
		return;
	}
	if (!words_time(w, &limit_ms)) {
		bad(sc, w);
		return;
	}
	if (at == MONO_NEVER) {
		scenario_fail(sc, w->line, "%s: never", what);
		return;
	}
	got_ms = at - (before || after ? SIM_START_MS : answer->asked_at);
	if ((after || not) ? got_ms <= limit_ms : got_ms > limit_ms)
		scenario_fail(sc, w->line, "%s: at %lld ms, the limit is %lld ms", what,
			      (long long)got_ms, (long long)limit_ms);
}

static void expect_record(struct scenario *sc, struct words *w, const struct actor *a)
{
	const struct kept_record *r = scenario_record(sc, a, NULL);
	struct slice word;

	if (!r)
		scenario_fail(sc, w->line, "the proxy has no record of this client's exchange");
	else if (words_take(w, "fault") && words_next(w, &word))
		same(sc, w, "fault", slice_of(fault_row(r->fault)->name), word);
	else if (words_take(w, "target") && words_next(w, &word))
		same(sc, w, "target", r->target, word);
	else if (words_take(w, "status"))
		number(sc, w, "recorded status", (uint64_t)r->status);
	else if (words_take(w, "attempts"))
		number(sc, w, "recorded attempts", r->attempts);
	else
		bad(sc, w);
}

static void expect_client(struct scenario *sc, struct words *w, struct actor *a)
{
	const struct sim_answer *answer = sim_client_answer(a->client);
	struct slice word;

	if (words_take(w, "status"))
		number(sc, w, "status", (uint64_t)answer->status);
	else if (words_take(w, "text"))
		expect_text(sc, w, a, answer);
	else if (words_take(w, "header"))
		expect_header(sc, w, answer);
	else if (words_take(w, "ends"))
		expect_end(sc, w, a, answer);
	else if (words_take(w, "done"))
		expect_time(sc, w, answer, answer->ended_at, "done");
	else if (words_take(w, "first-text"))
		expect_time(sc, w, answer, answer->text_at, "first text");
	else if (words_take(w, "head"))
		expect_time(sc, w, answer, answer->head_at, "head");
	else if (words_take(w, "record"))
		expect_record(sc, w, a);
	else if (words_take(w, "events"))
		number(sc, w, "events", answer->events);
	else if (words_take(w, "finish_reason") && words_next(w, &word))
		same(sc, w, "finish_reason", slice_of(answer->finish_reason), word);
	else if (words_take(w, "reused"))
		same(sc, w, "connection", answer->reused ? S("reused") : S("fresh"), S("reused"));
	else if (words_take(w, "fresh"))
		same(sc, w, "connection", answer->reused ? S("reused") : S("fresh"), S("fresh"));
	else if (words_take(w, "body") && words_take(w, "contains") && words_next(w, &word)) {
		if (slice_find_slice(buf_slice(&answer->body), word) == SLICE_NOT_FOUND)
			scenario_fail(sc, w->line, "'%.*s' is not in the body '%.*s'",
				      SLICE_ARG(word), SLICE_ARG(shown(buf_slice(&answer->body))));
	} else
		bad(sc, w);
}

/* ---- backends, log, all ------------------------------------------------------------ */

static void expect_backend(struct scenario *sc, struct words *w)
{
	struct slice name = SLICE_NONE, what = SLICE_NONE;
	struct backend *b;
	struct mock_stats stats;

	words_next(w, &name);
	b = scenario_backend(sc, name);
	if (!b || !words_next(w, &what)) {
		bad(sc, w);
		return;
	}
	stats = mock_stats(b->mock);
	const struct { struct slice name; uint64_t count; } rows[] = {
		{ S("requests"), stats.all.requests }, { S("finished"), stats.all.finished },
		{ S("broken"), stats.all.broken }, { S("cancelled"), stats.all.cancelled },
		{ S("in_flight"), stats.all.in_flight },
		{ S("connections"), stats.connections_total },
		{ S("open"), stats.connections_open }, { S("faulty"), stats.faulty },
		{ S("connects"), sim_link_to(sc->sim, &b->addr)->connects },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		if (slice_eq(rows[i].name, what)) {
			number(sc, w, rows[i].name.at, rows[i].count);
			return;
		}
	}
	bad(sc, w);
}

static void expect_log(struct scenario *sc, struct words *w)
{
	bool lacks = words_take(w, "lacks");
	struct slice word;

	if ((!lacks && !words_take(w, "contains")) || !words_next(w, &word)) {
		bad(sc, w);
		return;
	}
	if ((slice_find_slice(buf_slice(&sc->log_text), word) == SLICE_NOT_FOUND) != lacks)
		scenario_fail(sc, w->line, "the log %s '%.*s'", lacks ? "holds" : "lacks",
			      SLICE_ARG(word));
}

static void whole_or_honest(struct scenario *sc, const struct words *w)
{
	for (unsigned i = 0; i < sc->actor_count; i++) {
		const struct actor *a = &sc->actors[i];
		const struct sim_answer *answer = sim_client_answer(a->client);

		if (answer->end == ANSWER_BROKEN || answer->end == ANSWER_PENDING)
			scenario_fail(sc, w->line, "%.*s: %s %s", SLICE_ARG(a->name),
				      sim_answer_end_name(answer->end), answer->broken);
		if (answer->end == ANSWER_COMPLETE &&
		    !slice_eq(buf_slice(&answer->text), scenario_oracle(sc, a)))
			scenario_fail(sc, w->line, "%.*s: a complete answer with other words",
				      SLICE_ARG(a->name));
	}
}

void scenario_expect(struct scenario *sc, struct words *w)
{
	struct slice name = SLICE_NONE;
	struct actor *a;

	sc->expectations++;
	if (words_take(w, "backend")) {
		expect_backend(sc, w);
	} else if (words_take(w, "log")) {
		expect_log(sc, w);
	} else if (words_take(w, "records")) {
		number(sc, w, "records", sc->record_count);
	} else if (words_take(w, "everyone")) {
		whole_or_honest(sc, w);
	} else if (words_take(w, "nothing")) {
		return;
	} else {
		words_next(w, &name);
		a = scenario_actor(sc, name);
		if (a && a->client)
			expect_client(sc, w, a);
		else
			scenario_fail(sc, w->line, "no client is called '%.*s'", SLICE_ARG(name));
	}
}

/* ---- what always holds --------------------------------------------------------------- */

static void judge_record(struct scenario *sc, const struct actor *a,
			 const struct sim_answer *answer)
{
	unsigned count = 0;
	const struct kept_record *r = scenario_record(sc, a, &count);

	if (!r || a->direct || count != a->asked)
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

static void judge_ids(struct scenario *sc)
{
	for (unsigned i = 0; i < sc->record_count; i++) {
		for (unsigned k = 0; k < i; k++) {
			if (slice_eq(sc->records[i].request_id, sc->records[k].request_id))
				scenario_fail(sc, 0, "exchange %.*s ended twice",
					      SLICE_ARG(sc->records[i].request_id));
		}
	}
}

void scenario_judge_all(struct scenario *sc)
{
	for (unsigned i = 0; i < sc->actor_count; i++) {
		struct actor *a = &sc->actors[i];
		const struct sim_answer *answer = sim_client_answer(a->client);

		if (answer->violation[0])
			scenario_fail(sc, 0, "%.*s: %s", SLICE_ARG(a->name), answer->violation);
		if (answer->end == ANSWER_PENDING && !a->may_pend)
			scenario_fail(sc, 0, "%.*s never got an end", SLICE_ARG(a->name));
		judge_record(sc, a, answer);
	}
	judge_ids(sc);
}
