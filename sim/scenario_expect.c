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

static void expect_text(struct scenario *sc, struct words *w, const struct asked *asked,
			const struct sim_answer *answer)
{
	struct slice got = buf_slice(&answer->text), want;

	if (words_take(w, "complete")) {
		if (answer->end != ANSWER_COMPLETE)
			scenario_fail(sc, w->line, "the answer is %s, not complete",
				      sim_answer_end_name(answer->end));
		same(sc, w, "text", got, scenario_oracle(sc, asked));
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
	} else if (words_take(w, "contains") && words_next(w, &want)) {
		if (slice_find_slice(got, want) == SLICE_NOT_FOUND)
			scenario_fail(sc, w->line, "'%.*s' is not in '%.*s'", SLICE_ARG(want),
				      SLICE_ARG(got));
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
	bool exact = !before && !after && words_take(w, "at");
	bool not = !before && !after && words_take(w, "not");
	int64_t limit_ms, got_ms;

	if (!before && !after && !exact && !words_take(w, "within")) {
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
	got_ms = at - (before || after || exact ? SIM_START_MS : answer->asked_at);
	if (exact && got_ms == limit_ms)
		return;
	if (exact || (after || not ? got_ms <= limit_ms : got_ms > limit_ms))
		scenario_fail(sc, w->line, "%s: at %lld ms, the limit is %lld ms", what,
			      (long long)got_ms, (long long)limit_ms);
}

/* "attempt 2 fault NAME", "attempt 1 target T", "attempt 2 starts N" (ms). */
static void expect_attempt(struct scenario *sc, struct words *w, const struct kept_record *r)
{
	struct slice word;
	uint64_t n = 0;

	if (!words_number(w, &n) || n < 1 || n > r->attempt_count) {
		scenario_fail(sc, w->line, "there are %zu attempts", r->attempt_count);
		return;
	}
	if (words_take(w, "fault") && words_next(w, &word))
		same(sc, w, "fault", slice_of(fault_row(r->attempts[n - 1].fault)->name), word);
	else if (words_take(w, "target") && words_next(w, &word))
		same(sc, w, "target", r->attempts[n - 1].target, word);
	else if (words_take(w, "kind") && words_next(w, &word))
		same(sc, w, "kind of attempt", r->attempts[n - 1].kind, word);
	else if (words_take(w, "starts"))
		number(sc, w, "start of the attempt", (uint64_t)r->attempts[n - 1].start_ms);
	else if (words_take(w, "took"))
		number(sc, w, "length of the attempt", (uint64_t)r->attempts[n - 1].took_ms);
	else if (words_take(w, "stale_replays"))
		number(sc, w, "stale replays", r->attempts[n - 1].stale_replays);
	else
		bad(sc, w);
}

static void expect_record(struct scenario *sc, struct words *w, const struct actor *a,
			  const struct sim_answer *answer)
{
	const struct kept_record *r = scenario_record(sc, a, answer);
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
		number(sc, w, "recorded attempts", r->attempt_count);
	else if (words_take(w, "degraded") && words_next(w, &word))
		same(sc, w, "degraded", slice_of(degraded_name(r->degraded)), word);
	else if (words_take(w, "cache") && words_next(w, &word))
		same(sc, w, "cache", slice_of(cache_use_name(r->cache)), word);
	else if (words_take(w, "tier") && words_next(w, &word))
		same(sc, w, "tier", slice_of(cache_tier_name(r->tier)), word);
	else if (words_take(w, "resumes"))
		number(sc, w, "recorded resumes", r->resumes);
	else if (words_take(w, "hedge") && words_next(w, &word))
		same(sc, w, "hedge", !r->hedged ? S("none") : r->hedge_won ? S("won") : S("lost"), word);
	else if (words_take(w, "input_tokens"))
		number(sc, w, "recorded input tokens", (uint64_t)r->input_tokens);
	else if (words_take(w, "output_tokens"))
		number(sc, w, "recorded output tokens", (uint64_t)r->output_tokens);
	else if (words_take(w, "attempt"))
		expect_attempt(sc, w, r);
	else
		bad(sc, w);
}

static void expect_body(struct scenario *sc, struct words *w, const struct sim_answer *answer)
{
	struct slice got = buf_slice(&answer->body), want;

	if (words_take(w, "contains") && words_next(w, &want)) {
		if (slice_find_slice(got, want) == SLICE_NOT_FOUND)
			scenario_fail(sc, w->line, "'%.*s' is not in the body '%.*s'",
				      SLICE_ARG(want), SLICE_ARG(shown(got)));
	} else if (words_take(w, "is") && words_next(w, &want)) {
		same(sc, w, "body", got, want);
	} else {
		bad(sc, w);
	}
}

static void expect_comments(struct scenario *sc, struct words *w, const struct sim_answer *answer)
{
	struct slice got = buf_slice(&answer->comments), want;

	if (words_take(w, "contain") && words_next(w, &want)) {
		if (slice_find_slice(got, want) == SLICE_NOT_FOUND)
			scenario_fail(sc, w->line, "'%.*s' is not in the comments '%.*s'",
				      SLICE_ARG(want), SLICE_ARG(shown(got)));
	} else if (words_take(w, "empty")) {
		same(sc, w, "comments", got, SLICE_NONE);
	} else {
		bad(sc, w);
	}
}

static void expect_answer(struct scenario *sc, struct words *w, struct actor *a, unsigned n)
{
	const struct sim_answer *answer = sim_client_answer_at(a->client, n);
	struct slice word;

	if (words_take(w, "status"))
		number(sc, w, "status", (uint64_t)answer->status);
	else if (words_take(w, "text"))
		expect_text(sc, w, &a->asked[n], answer);
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
		expect_record(sc, w, a, answer);
	else if (words_take(w, "events"))
		number(sc, w, "events", answer->events);
	else if (words_take(w, "input_tokens"))
		number(sc, w, "input tokens", (uint64_t)answer->input_tokens);
	else if (words_take(w, "output_tokens"))
		number(sc, w, "output tokens", (uint64_t)answer->output_tokens);
	else if (words_take(w, "comments"))
		expect_comments(sc, w, answer);
	else if (words_take(w, "finish_reason") && words_next(w, &word))
		same(sc, w, "finish_reason", slice_of(answer->finish_reason), word);
	else if (words_take(w, "reused"))
		same(sc, w, "connection", answer->reused ? S("reused") : S("fresh"), S("reused"));
	else if (words_take(w, "fresh"))
		same(sc, w, "connection", answer->reused ? S("reused") : S("fresh"), S("fresh"));
	else if (words_take(w, "body"))
		expect_body(sc, w, answer);
	else if (words_take(w, "whole") && words_take(w, "thanks") && words_take(w, "to") &&
		 words_next(w, &word))
		scenario_whole_thanks_to(sc, w->line, a, word);
	else
		bad(sc, w);
}

/* "NAME" is the client's last request, "NAME.2" its second. */
static void expect_client(struct scenario *sc, struct words *w, struct slice name)
{
	struct actor *a = scenario_actor(sc, name);
	struct slice head = SLICE_NONE, tail = SLICE_NONE;
	uint64_t n = 0;

	if (!a && slice_cut(name, '.', &head, &tail) && slice_to_u64(tail, &n))
		a = scenario_actor(sc, head);
	if (!a || !a->client || !a->asked_count || n > a->asked_count)
		scenario_fail(sc, w->line, "no client asked as '%.*s'", SLICE_ARG(name));
	else
		expect_answer(sc, w, a, n ? (unsigned)n - 1 : a->asked_count - 1);
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

static void expect_forward(struct scenario *sc, struct words *w)
{
	struct slice name = SLICE_NONE;
	struct forward_proxy *f;

	words_next(w, &name);
	f = scenario_forward(sc, name);
	if (f && words_take(w, "tunnels"))
		number(sc, w, "tunnels", forward_tunnels(f->forward));
	else
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

/* A line of /metrics, of the first node. */
static void expect_metric(struct scenario *sc, struct words *w)
{
	struct buf all = BUF_INIT(4 * 1024 * 1024);
	struct slice want, text, line, value = SLICE_NONE, number;

	if (!sc->proxy || !words_next(w, &want) || !words_next(w, &number)) {
		bad(sc, w);
		return;
	}
	if (!sim_proxy_metrics(sc->proxy, &all))
		scenario_fail(sc, w->line, "too much is counted");
	text = buf_slice(&all);
	while (slice_cut(text, '\n', &line, &text))
		if (slice_starts(line, want) && line.len > want.len && line.at[want.len] == ' ')
			value = slice_from(line, want.len + 1);
	if (!value.at)
		scenario_fail(sc, w->line, "no series is called %.*s", SLICE_ARG(want));
	else
		same(sc, w, "metric", value, number);
	buf_free(&all);
}

static void expect_proxy(struct scenario *sc, struct words *w)
{
	if (!sc->proxy)
		scenario_fail(sc, w->line, "there is no proxy");
	else if (words_take(w, "queued"))
		number(sc, w, "bytes queued in one stream", sim_proxy_queued_max(sc->proxy));
	else if (words_take(w, "idle_connections"))
		number(sc, w, "idle connections", sim_proxy_idle_connections(sc->proxy));
	else
		bad(sc, w);
}

void scenario_expect(struct scenario *sc, struct words *w)
{
	struct slice name = SLICE_NONE;

	sc->expectations++;
	if (words_take(w, "backend")) {
		expect_backend(sc, w);
	} else if (words_take(w, "forward")) {
		expect_forward(sc, w);
	} else if (words_take(w, "log")) {
		expect_log(sc, w);
	} else if (words_take(w, "proxy")) {
		expect_proxy(sc, w);
	} else if (words_take(w, "metric")) {
		expect_metric(sc, w);
	} else if (words_take(w, "node")) {
		scenario_expect_node(sc, w);
	} else if (words_take(w, "records")) {
		number(sc, w, "records", sc->record_count);
	} else if (words_take(w, "everyone")) {
		scenario_whole_or_honest(sc, w->line);
	} else if (words_take(w, "nothing")) {
		return;
	} else {
		words_next(w, &name);
		expect_client(sc, w, name);
	}
}
