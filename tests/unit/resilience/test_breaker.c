/* May this be tried now? Each row is a moment in the life of a breaker. */
#include "cm.h"

#include "resilience/breaker.h"

static const struct breaker_policy policy = {
	.faults_in_row = 3, .rate_percent = 50, .rate_min = 10, .window_ms = 30000,
	.open_ms = 2000, .open_max_ms = 15000, .lease_ms = 1000, .ramp_ms = 10000,
};

enum verb {
	ASK,           /* with pass number `pass`; expects `verdict` */
	LOOK,          /* the same, taking nothing; expects `value` as the time to ask again */
	GOOD, BAD, NEUTRAL, PROGRESS,  /* of pass number `pass` */
	FORCE,
	STATE,         /* expects state `verdict` */
	WAKE,          /* expects breaker_wake_at() to be `value` */
	ALIVE, DEAD,   /* news from an active probe */
};

struct row {
	mono_ms at;
	enum verb verb;
	unsigned pass;
	int verdict;
	int64_t value;
	const char *sentence;
};

/* The random number that draws no jitter: in the middle of +-20 %. */
static uint64_t middle(const struct breaker *b)
{
	int64_t ms = policy.open_ms;

	for (unsigned i = 0; i < b->openings && ms < policy.open_max_ms; i++)
		ms *= 2;
	ms = ms < policy.open_max_ms ? ms : policy.open_max_ms;
	return (uint64_t)(ms / 5);
}

static void step(struct breaker *b, struct breaker_pass *passes, const struct row *r)
{
	static const enum breaker_outcome outcomes[] = {
		[GOOD] = BREAKER_GOOD, [BAD] = BREAKER_BAD, [NEUTRAL] = BREAKER_NEUTRAL,
	};
	mono_ms at;

	switch (r->verb) {
	case ASK:
		row_holds((int)breaker_ask(b, &policy, r->at, 999, &passes[r->pass]) == r->verdict,
			  r->sentence);
		return;
	case LOOK:
		row_holds((int)breaker_look(b, &policy, r->at, 999, &at) == r->verdict, r->sentence);
		row_holds(at == r->value, r->sentence);
		return;
	case GOOD:
	case BAD:
	case NEUTRAL:
		breaker_report(b, &policy, r->at, middle(b), &passes[r->pass], outcomes[r->verb]);
		return;
	case PROGRESS:
		breaker_progress(b, &policy, r->at, &passes[r->pass]);
		return;
	case FORCE:
		breaker_force(b, r->at, &passes[r->pass]);
		return;
	case STATE:
		row_holds((int)breaker_state_at(b, r->at) == r->verdict, r->sentence);
		return;
	case WAKE:
		row_holds(breaker_wake_at(b) == r->value, r->sentence);
		return;
	case ALIVE:
		breaker_hint_alive(b, r->at);
		return;
	case DEAD:
		breaker_hint_dead(b, &policy, r->at, middle(b));
		return;
	}
}

static void play(const struct row *rows, size_t count)
{
	struct breaker b = { 0 };
	struct breaker_pass passes[16] = { { 0 } };

	for (size_t i = 0; i < count; i++)
		step(&b, passes, &rows[i]);
}

#define PLAY(...)                                                                   \
	do {                                                                        \
		static const struct row rows[] = { __VA_ARGS__ };                   \
		play(rows, sizeof rows / sizeof *rows);                             \
	} while (0)

#define THREE_FAULTS(t)                                                             \
	{ t, ASK, 0, BREAKER_ALLOW, 0, "closed" }, { t, BAD, 0, 0, 0, "first" },    \
	{ t, ASK, 0, BREAKER_ALLOW, 0, "closed" }, { t, BAD, 0, 0, 0, "second" },   \
	{ t, ASK, 0, BREAKER_ALLOW, 0, "closed" }, { t, BAD, 0, 0, 0, "third" }

static void three_faults_in_a_row_open_it_and_one_probe_brings_it_back(void **state)
{
	(void)state;
	PLAY({ 0, WAKE, 0, 0, MONO_NEVER, "closed: only a report changes anything" },
	     THREE_FAULTS(100),
	     { 100, STATE, 0, BREAKER_OPEN, 0, "the third opens it" },
	     { 100, WAKE, 0, 0, 2100, "for two seconds" },
	     { 2099, ASK, 1, BREAKER_DENY, 0, "one ms early" },
	     { 2099, LOOK, 1, BREAKER_DENY, 2100, "and it says when" },
	     { 2100, LOOK, 1, BREAKER_PROBE, 2100, "looking takes nothing" },
	     { 2100, ASK, 1, BREAKER_PROBE, 0, "exactly on time: one trial" },
	     { 2101, ASK, 2, BREAKER_DENY, 0, "only one" },
	     { 2101, LOOK, 2, BREAKER_DENY, 3100, "until its lease ends" },
	     { 2200, GOOD, 1, 0, 0, "the trial came back" },
	     { 2200, STATE, 0, BREAKER_RAMPING, 0, "it ramps up" },
	     { 12199, STATE, 0, BREAKER_RAMPING, 0, "for ten seconds" },
	     { 12200, STATE, 0, BREAKER_CLOSED, 0, "then it is closed" });
}

static void a_good_answer_in_between_starts_the_count_anew(void **state)
{
	(void)state;
	PLAY({ 0, ASK, 0, BREAKER_ALLOW, 0, "" }, { 0, BAD, 0, 0, 0, "" },
	     { 0, ASK, 0, BREAKER_ALLOW, 0, "" }, { 0, BAD, 0, 0, 0, "" },
	     { 0, ASK, 0, BREAKER_ALLOW, 0, "" }, { 0, GOOD, 0, 0, 0, "" },
	     { 0, ASK, 0, BREAKER_ALLOW, 0, "" }, { 0, BAD, 0, 0, 0, "" },
	     { 0, ASK, 0, BREAKER_ALLOW, 0, "" }, { 0, BAD, 0, 0, 0, "" },
	     { 0, STATE, 0, BREAKER_CLOSED, 0, "two faults, a good one, two faults: still closed" },
	     { 0, ASK, 0, BREAKER_ALLOW, 0, "" }, { 0, NEUTRAL, 0, 0, 0, "" },
	     { 0, ASK, 0, BREAKER_ALLOW, 0, "" }, { 0, BAD, 0, 0, 0, "" },
	     { 0, STATE, 0, BREAKER_OPEN, 0, "a cancelled try neither counts nor interrupts" });
}

static void half_of_ten_within_the_window_open_it(void **state)
{
	struct breaker b = { 0 };
	struct breaker_pass pass;

	(void)state;
	for (unsigned i = 0; i < 9; i++) {
		assert_int_equal(breaker_ask(&b, &policy, i * 1000, 0, &pass), BREAKER_ALLOW);
		breaker_report(&b, &policy, i * 1000, 0, &pass, i % 2 ? BREAKER_BAD : BREAKER_GOOD);
		row_holds(b.state == BREAKER_CLOSED, "nine say nothing about a rate");
	}
	breaker_ask(&b, &policy, 9000, 0, &pass);
	breaker_report(&b, &policy, 9000, 0, &pass, BREAKER_BAD);
	row_holds(b.state == BREAKER_OPEN, "the tenth makes five of ten");
}

static void faults_that_are_long_past_do_not_count(void **state)
{
	struct breaker b = { 0 };
	struct breaker_pass pass;

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		mono_ms now = (mono_ms)i * 4000;      /* at most eight in any window */

		assert_int_equal(breaker_ask(&b, &policy, now, 0, &pass), BREAKER_ALLOW);
		breaker_report(&b, &policy, now, 0, &pass, i % 2 ? BREAKER_BAD : BREAKER_GOOD);
	}
	assert_int_equal(b.state, BREAKER_CLOSED);
}

static void each_failed_probe_doubles_the_time_up_to_the_longest(void **state)
{
	(void)state;
	PLAY(THREE_FAULTS(0),
	     { 2000, ASK, 1, BREAKER_PROBE, 0, "after two seconds" },
	     { 2000, BAD, 1, 0, 0, "it is still dead" },
	     { 2000, WAKE, 0, 0, 6000, "four seconds" },
	     { 6000, ASK, 1, BREAKER_PROBE, 0, "" }, { 6000, BAD, 1, 0, 0, "" },
	     { 6000, WAKE, 0, 0, 14000, "eight" },
	     { 14000, ASK, 1, BREAKER_PROBE, 0, "" }, { 14000, BAD, 1, 0, 0, "" },
	     { 14000, WAKE, 0, 0, 29000, "fifteen, not sixteen" },
	     { 29000, ASK, 1, BREAKER_PROBE, 0, "" }, { 29000, BAD, 1, 0, 0, "" },
	     { 29000, WAKE, 0, 0, 44000, "and fifteen again" },
	     { 44000, ASK, 1, BREAKER_PROBE, 0, "" }, { 44000, GOOD, 1, 0, 0, "" },
	     { 45000, ASK, 1, BREAKER_ALLOW, 0, "it ramps" }, { 45000, BAD, 1, 0, 0, "a fault in the ramp" },
	     { 45000, STATE, 0, BREAKER_OPEN, 0, "opens it at once" },
	     { 45000, WAKE, 0, 0, 60000, "for as long as before" },
	     { 60000, ASK, 1, BREAKER_PROBE, 0, "" }, { 60000, GOOD, 1, 0, 0, "" },
	     { 70000, STATE, 0, BREAKER_CLOSED, 0, "a whole ramp without a fault" },
	     THREE_FAULTS(80000),
	     { 80000, WAKE, 0, 0, 82000, "the next time begins with two seconds again" });
}

static void jitter_keeps_within_a_fifth_and_the_longest(void **state)
{
	(void)state;
	for (uint64_t random = 0; random < 2000; random++) {
		struct breaker b = { 0 };
		int64_t wanted = 2000;

		for (unsigned i = 0; i < 6; i++) {
			mono_ms now = b.until;
			int64_t open_for;

			breaker_hint_alive(&b, now);
			breaker_hint_dead(&b, &policy, now, random * 7919);
			open_for = b.until - now;
			row_holds(open_for >= wanted - wanted / 5, "not much shorter");
			row_holds(open_for <= wanted + wanted / 5, "not much longer");
			row_holds(open_for <= 15000, "never longer than the longest");
			wanted = wanted * 2 < 15000 ? wanted * 2 : 15000;
		}
	}
}

static void a_lease_that_runs_out_is_given_anew(void **state)
{
	(void)state;
	PLAY(THREE_FAULTS(0),
	     { 2000, ASK, 1, BREAKER_PROBE, 0, "a trial that never reports" },
	     { 2999, ASK, 2, BREAKER_DENY, 0, "holds the lease for a second" },
	     { 3000, ASK, 2, BREAKER_PROBE, 0, "and no longer" },
	     { 3100, BAD, 1, 0, 0, "the lost one fails after all" },
	     { 3100, STATE, 0, BREAKER_HALF_OPEN, 0, "the new one decides" },
	     { 3200, GOOD, 2, 0, 0, "" },
	     { 3200, STATE, 0, BREAKER_RAMPING, 0, "and it went well" });
}

static void a_cancelled_probe_hands_the_lease_on(void **state)
{
	(void)state;
	PLAY(THREE_FAULTS(0),
	     { 2000, ASK, 1, BREAKER_PROBE, 0, "" },
	     { 2100, NEUTRAL, 1, 0, 0, "its client has left" },
	     { 2100, ASK, 2, BREAKER_PROBE, 0, "the next request is the trial" },
	     { 2100, ASK, 3, BREAKER_DENY, 0, "one at a time" });
}

static void late_reports_do_not_confuse_it(void **state)
{
	(void)state;
	PLAY({ 0, ASK, 5, BREAKER_ALLOW, 0, "begun before it opens" },
	     { 0, ASK, 6, BREAKER_ALLOW, 0, "begun before it opens" },
	     { 0, ASK, 7, BREAKER_ALLOW, 0, "begun before it opens" },
	     THREE_FAULTS(10),
	     { 20, GOOD, 5, 0, 0, "a late success" },
	     { 20, STATE, 0, BREAKER_OPEN, 0, "does not close it" },
	     { 2010, ASK, 1, BREAKER_PROBE, 0, "" },
	     { 2020, BAD, 6, 0, 0, "a late fault" },
	     { 2020, STATE, 0, BREAKER_HALF_OPEN, 0, "does not fail the trial" },
	     { 2030, GOOD, 1, 0, 0, "" },
	     { 2040, BAD, 7, 0, 0, "a very late fault" },
	     { 2040, STATE, 0, BREAKER_RAMPING, 0, "does not break the ramp" });
}

static void the_first_token_of_a_probe_is_enough(void **state)
{
	(void)state;
	PLAY(THREE_FAULTS(0),
	     { 2000, ASK, 1, BREAKER_PROBE, 0, "" },
	     { 2300, PROGRESS, 1, 0, 0, "the stream has begun" },
	     { 2300, STATE, 0, BREAKER_RAMPING, 0, "others need not wait for its end" },
	     { 5000, BAD, 1, 0, 0, "it is cut in the middle" },
	     { 5000, STATE, 0, BREAKER_OPEN, 0, "so it was no good after all" });
}

static void a_forced_try_can_only_do_good(void **state)
{
	(void)state;
	PLAY(THREE_FAULTS(0),
	     { 100, FORCE, 1, 0, 0, "nothing else was left" },
	     { 200, BAD, 1, 0, 0, "as was to be expected" },
	     { 200, WAKE, 0, 0, 2000, "the time does not get longer" },
	     { 300, FORCE, 1, 0, 0, "again" },
	     { 400, GOOD, 1, 0, 0, "it is back" },
	     { 400, STATE, 0, BREAKER_RAMPING, 0, "which counts as a good trial" });
}

static void a_ramp_grows_and_always_lets_one_through(void **state)
{
	struct breaker b = { 0 };
	struct breaker_pass pass, held;
	unsigned let[3] = { 0 };

	(void)state;
	breaker_hint_dead(&b, &policy, 0, 0);
	assert_int_equal(breaker_ask(&b, &policy, 20000, 0, &pass), BREAKER_PROBE);
	breaker_report(&b, &policy, 20000, 0, &pass, BREAKER_GOOD);
	assert_int_equal(breaker_ask(&b, &policy, 20000, 999, &held), BREAKER_ALLOW);
	for (unsigned i = 0; i < 1000; i++) {
		for (unsigned third = 0; third < 3; third++) {
			mono_ms at;

			if (breaker_look(&b, &policy, 20000 + third * 4000, i, &at) == BREAKER_ALLOW)
				let[third]++;
		}
	}
	row_holds(let[0] == 100, "a tenth at first");
	row_holds(let[1] == 400, "after four seconds of ten four tenths");
	row_holds(let[2] == 800, "after eight eight tenths");
	breaker_report(&b, &policy, 20000, 0, &held, BREAKER_GOOD);
	assert_int_equal(breaker_ask(&b, &policy, 20000, 999, &pass), BREAKER_ALLOW);
}

static void news_from_outside(void **state)
{
	(void)state;
	PLAY({ 0, DEAD, 0, 0, 0, "a probe of ours fails again and again" },
	     { 0, STATE, 0, BREAKER_OPEN, 0, "open without any traffic" },
	     { 500, ALIVE, 0, 0, 0, "it answers again" },
	     { 500, ASK, 1, BREAKER_PROBE, 0, "a real request may try, earlier than by itself" },
	     { 500, ASK, 2, BREAKER_DENY, 0, "but only one" });
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(three_faults_in_a_row_open_it_and_one_probe_brings_it_back),
		cmocka_unit_test(a_good_answer_in_between_starts_the_count_anew),
		cmocka_unit_test(half_of_ten_within_the_window_open_it),
		cmocka_unit_test(faults_that_are_long_past_do_not_count),
		cmocka_unit_test(each_failed_probe_doubles_the_time_up_to_the_longest),
		cmocka_unit_test(jitter_keeps_within_a_fifth_and_the_longest),
		cmocka_unit_test(a_lease_that_runs_out_is_given_anew),
		cmocka_unit_test(a_cancelled_probe_hands_the_lease_on),
		cmocka_unit_test(late_reports_do_not_confuse_it),
		cmocka_unit_test(the_first_token_of_a_probe_is_enough),
		cmocka_unit_test(a_forced_try_can_only_do_good),
		cmocka_unit_test(a_ramp_grows_and_always_lets_one_through),
		cmocka_unit_test(news_from_outside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
