/* Which target next? Each row is one step in the life of an exchange. */
#include "cm.h"

#include "house.h"

#define DEADLINE 60000

enum verb {
	NEXT,          /* ask at `at`; expect target `name` at time `value` */
	FAILS,         /* the running try fails with `fault` after `took`; hint in `value` */
	REFUSES,       /* the same, and it says x-should-retry: false */
	OUTRUN,        /* cancelled, since another try was quicker */
	WAITS,         /* the plan's pause is over: take the place */
	SPENT,         /* ask; expect nothing left */
	FULL,          /* ask; expect only places lacking */
	OTHER, ALONE,  /* is anything else left to move to? */
};

struct step {
	mono_ms at;
	enum verb verb;
	const char *name;
	enum fault fault;
	int64_t took, value;
	const char *sentence;
};

static void take_step(struct plan *p, struct pick *pick, const struct step *s)
{
	switch (s->verb) {
	case NEXT:
		row_holds(plan_next(p, s->at, 0, pick) == PLAN_GO, s->sentence);
		row_holds(slice_eq(pick->target->name, slice_of(s->name)), s->sentence);
		row_holds(pick->at == s->value, s->sentence);
		return;
	case FAILS:
	case REFUSES:
		plan_report(p, pick, s->at, 0, s->fault, s->took, s->value, s->verb == REFUSES);
		return;
	case OUTRUN:
		plan_cancelled(p, pick, s->at, s->took);
		plan_forget_try(p, pick);
		return;
	case WAITS:
		row_holds(plan_enter(p, pick, s->at, 0), s->sentence);
		return;
	case SPENT:
		row_holds(plan_next(p, s->at, 0, pick) == PLAN_SPENT, s->sentence);
		return;
	case FULL:
		row_holds(plan_next(p, s->at, 0, pick) == PLAN_FULL, s->sentence);
		return;
	case OTHER:
		row_holds(plan_has_other(p, pick, s->at), s->sentence);
		return;
	case ALONE:
		row_holds(!plan_has_other(p, pick, s->at), s->sentence);
		return;
	}
}

static void play(struct house *h, const struct step *steps, size_t count)
{
	struct arena *arena = arena_create(0);
	struct plan *p = plan_create(arena, &h->models[0], S("asked"), S("star"), DEADLINE);
	struct pick pick = { 0 };
	unsigned before = target_registry_in_flight(h->registry);

	for (size_t i = 0; i < count; i++)
		take_step(p, &pick, &steps[i]);
	assert_int_equal(target_registry_in_flight(h->registry), before);
	arena_free(arena);
}

#define PLAY(house, ...)                                                            \
	do {                                                                        \
		static const struct step steps[] = { __VA_ARGS__ };                 \
		play(house, steps, sizeof steps / sizeof *steps);                   \
	} while (0)

static void two_targets(struct house *h)
{
	house_open(h);
	house_target(h, "a", 1, 1, 0);
	house_target(h, "b", 1, 1, 0);
	house_model(h, "chat", 2);
	house_bind(h);
}

static void another_target_comes_before_the_same_one(void **state)
{
	struct house h;

	(void)state;
	two_targets(&h);
	PLAY(&h,
	     { 0, NEXT, "a", 0, 0, 0, "round robin starts with the first" },
	     { 50, FAILS, "a", FAULT_SERVER_ERROR, 50, -1, "a quick 500" },
	     { 50, NEXT, "b", 0, 0, 50, "the other one at once" },
	     { 90, FAILS, "b", FAULT_SERVER_ERROR, 40, -1, "a quick 500 there too" },
	     { 90, NEXT, "a", 0, 0, 90, "then the first again, since it failed fast" },
	     { 95, FAILS, "a", FAULT_SERVER_ERROR, 5, -1, "again" },
	     { 95, NEXT, "b", 0, 0, 95, "and the other again" },
	     { 99, FAILS, "b", FAULT_SERVER_ERROR, 4, -1, "again" },
	     { 99, SPENT, 0, 0, 0, 0, "twice each is enough" });
	house_close(&h);
}

static void what_failed_slowly_is_not_asked_again(void **state)
{
	struct house h;

	(void)state;
	two_targets(&h);
	PLAY(&h,
	     { 0, NEXT, "a", 0, 0, 0, "first" },
	     { 5000, FAILS, "a", FAULT_SERVER_ERROR, 5000, -1, "it took five seconds to fail" },
	     { 5000, NEXT, "b", 0, 0, 5000, "the other" },
	     { 5010, FAILS, "b", FAULT_SILENCE, 10, -1, "silence" },
	     { 5010, SPENT, 0, 0, 0, 0, "neither a slow failure nor silence is asked again" });
	house_close(&h);
}

static void who_says_not_to_come_back_is_not_asked_again(void **state)
{
	struct house h;

	(void)state;
	two_targets(&h);
	PLAY(&h,
	     { 0, NEXT, "a", 0, 0, 0, "first" },
	     { 5, REFUSES, "a", FAULT_SERVER_ERROR, 5, -1, "a quick 500 with x-should-retry: false (S11)" },
	     { 5, NEXT, "b", 0, 0, 5, "the other has not said so" },
	     { 9, REFUSES, "b", FAULT_RATE_LIMITED, 4, 500, "a rate limit with the same" },
	     { 9, SPENT, 0, 0, 0, 0, "neither is asked again" });
	house_close(&h);
}

static void who_was_outrun_has_not_failed(void **state)
{
	struct house h;

	(void)state;
	two_targets(&h);
	PLAY(&h,
	     { 0, NEXT, "a", 0, 0, 0, "first" },
	     { 50, OUTRUN, "a", 0, 50, 0, "another was heard first" },
	     { 50, NEXT, "b", 0, 0, 50, "which is this one" },
	     { 90, FAILS, "b", FAULT_SILENCE, 40, -1, "and then it says no more" },
	     { 90, NEXT, "a", 0, 0, 90, "the slower one still has its try" },
	     { 99, FAILS, "a", FAULT_SILENCE, 9, -1, "silence" },
	     { 99, SPENT, 0, 0, 0, 0, "and no more than that" });
	house_close(&h);
}

static void a_verdict_on_the_request_ends_the_plan(void **state)
{
	static const enum fault verdicts[] = { FAULT_CALLER, FAULT_POLICY, FAULT_CONTEXT };
	struct house h;

	(void)state;
	for (size_t i = 0; i < sizeof verdicts / sizeof *verdicts; i++) {
		struct arena *arena;
		struct plan *p;
		struct pick pick;

		two_targets(&h);
		arena = arena_create(0);
		p = plan_create(arena, &h.models[0], S("asked"), SLICE_NONE, DEADLINE);
		assert_int_equal(plan_next(p, 0, 0, &pick), PLAN_GO);
		plan_report(p, &pick, 10, 0, verdicts[i], 10, -1, false);
		row_holds(plan_next(p, 10, 0, &pick) == PLAN_SPENT, fault_row(verdicts[i])->name);
		arena_free(arena);
		house_close(&h);
	}
}

static void a_star_in_a_target_s_model_is_filled_in(void **state)
{
	static const struct { const char *model, *sent; } rows[] = {
		{ "large", "large" }, { "*", "star" }, { "org/*", "org/star" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct arena *arena = arena_create(0);
		struct house h;
		struct plan *p;
		struct pick pick;

		house_open(&h);
		house_target(&h, "a", 1, 1, 0)->model = slice_of(rows[i].model);
		house_model(&h, "any*", 1);
		house_bind(&h);
		p = plan_create(arena, &h.models[0], S("asked"), S("star"), DEADLINE);
		assert_int_equal(plan_next(p, 0, 0, &pick), PLAN_GO);
		assert_true(slice_eq(pick.upstream_model, slice_of(rows[i].sent)));
		plan_done(p, &pick);
		arena_free(arena);
		house_close(&h);
	}
}

static void a_rate_limit_moves_on_and_waits_only_within_patience(void **state)
{
	struct house h;

	(void)state;
	two_targets(&h);
	PLAY(&h,
	     { 0, NEXT, "a", 0, 0, 0, "first" },
	     { 10, FAILS, "a", FAULT_RATE_LIMITED, 10, 2000, "come back in two seconds" },
	     { 10, NEXT, "b", 0, 0, 10, "the other one at once" },
	     { 20, FAILS, "b", FAULT_RATE_LIMITED, 10, 9000, "come back in nine" },
	     { 20, NEXT, "a", 0, 0, 2010, "waiting two seconds is within patience" },
	     { 2010, WAITS, "a", 0, 0, 0, "the place is taken when the pause is over" },
	     { 2020, FAILS, "a", FAULT_RATE_LIMITED, 10, 30000, "half a minute now" },
	     { 2020, NEXT, "b", 0, 0, 9020, "nothing else is left: the shortest pause that fits the deadline" },
	     { 9020, WAITS, "b", 0, 0, 0, "it is taken" },
	     { 9030, FAILS, "b", FAULT_RATE_LIMITED, 10, 3600000, "an hour" },
	     { 9030, NEXT, "a", 0, 0, 32020, "the other's pause still fits" },
	     { 32020, WAITS, "a", 0, 0, 0, "it is taken" },
	     { 32030, FAILS, "a", FAULT_RATE_LIMITED, 10, 3600000, "an hour" },
	     { 32030, SPENT, 0, 0, 0, 0, "pauses behind the deadline help nobody" });
	house_close(&h);
}

static void a_short_pause_comes_before_a_fallback_and_a_long_one_behind(void **state)
{
	struct house h;

	(void)state;
	house_open(&h);
	house_target(&h, "a", 1, 1, 0);
	house_model(&h, "chat", 1);
	house_target(&h, "f", 1, 1, 0);
	house_model(&h, "small", 1);
	house_fallback(&h, 0, 1);
	house_bind(&h);
	PLAY(&h,
	     { 0, NEXT, "a", 0, 0, 0, "first" },
	     { 10, FAILS, "a", FAULT_RATE_LIMITED, 10, 3000, "three seconds" },
	     { 10, NEXT, "a", 0, 0, 3010, "another model is a degradation, a short pause is not" },
	     { 3010, WAITS, "a", 0, 0, 0, "taken" },
	     { 3020, FAILS, "a", FAULT_RATE_LIMITED, 10, 3001, "a millisecond beyond patience" },
	     { 3020, NEXT, "f", 0, 0, 3020, "now the fallback model" },
	     { 3030, FAILS, "f", FAULT_CONNECT, 10, -1, "it is down" },
	     { 3030, NEXT, "a", 0, 0, 6021, "at last the long pause" },
	     { 6021, WAITS, "a", 0, 0, 0, "taken" },
	     { 6030, FAILS, "a", FAULT_CONNECT, 9, -1, "down too" },
	     { 6030, SPENT, 0, 0, 0, 0, "the end" });
	house_close(&h);
}

static void asking_again_leaves_a_try_for_the_fallback(void **state)
{
	struct house h;

	(void)state;
	house_open(&h);                 /* max_attempts is 4 */
	house_target(&h, "a", 1, 1, 0);
	house_target(&h, "b", 1, 1, 0);
	house_model(&h, "chat", 2);
	house_target(&h, "f", 1, 1, 0);
	house_model(&h, "small", 1);
	house_fallback(&h, 0, 1);
	house_bind(&h);
	PLAY(&h,
	     { 0, NEXT, "a", 0, 0, 0, "first" },
	     { 5, FAILS, "a", FAULT_SERVER_ERROR, 5, -1, "a quick 500" },
	     { 5, NEXT, "b", 0, 0, 5, "second" },
	     { 10, FAILS, "b", FAULT_SERVER_ERROR, 5, 0, "another" },
	     { 10, NEXT, "a", 0, 0, 10, "the third is one of them again" },
	     { 15, FAILS, "a", FAULT_SERVER_ERROR, 5, 0, "a third" },
	     { 15, NEXT, "f", 0, 0, 15, "the last one is kept for the fallback model" },
	     { 20, FAILS, "f", FAULT_CONNECT, 5, -1, "down too" });
	house_close(&h);
}

static void a_target_that_paces_us_is_not_asked_for_ever_before_a_fallback(void **state)
{
	struct house h;

	(void)state;
	house_open(&h);
	house_target(&h, "a", 1, 1, 0);
	house_model(&h, "chat", 1);
	house_target(&h, "f", 1, 1, 0);
	house_model(&h, "small", 1);
	house_fallback(&h, 0, 1);
	house_bind(&h);
	PLAY(&h,
	     { 0, NEXT, "a", 0, 0, 0, "first" },
	     { 5, FAILS, "a", FAULT_RATE_LIMITED, 5, 1000, "a second" },
	     { 5, NEXT, "a", 0, 0, 1005, "a short pause" },
	     { 1005, WAITS, "a", 0, 0, 0, "taken" },
	     { 1010, FAILS, "a", FAULT_RATE_LIMITED, 5, 1000, "another second" },
	     { 1010, NEXT, "f", 0, 0, 1010, "it said so twice: the fallback model" },
	     { 1020, FAILS, "f", FAULT_CONNECT, 5, -1, "down" },
	     { 1020, NEXT, "a", 0, 0, 2010, "nothing else is left" },
	     { 2010, WAITS, "a", 0, 0, 0, "taken" },
	     { 2020, FAILS, "a", FAULT_CONNECT, 5, -1, "down" });
	house_close(&h);
}

static void priorities_spill_over_when_full(void **state)
{
	struct house h;
	struct target_policy *a;
	struct target_visit held;
	unsigned news;
	mono_ms at;

	(void)state;
	house_open(&h);
	a = house_target(&h, "a", 1, 1, 1);
	house_target(&h, "b", 2, 1, 1);
	house_model(&h, "chat", 2);
	house_bind(&h);
	PLAY(&h,
	     { 0, NEXT, "a", 0, 0, 0, "the best priority first" },
	     { 0, OTHER, 0, 0, 0, 0, "there is another to move to" },
	     { 5, FAILS, "a", FAULT_CONNECT, 5, -1, "refused" },
	     { 5, NEXT, "b", 0, 0, 5, "then the next priority" },
	     { 5, ALONE, 0, 0, 0, 0, "nothing else is left" },
	     { 9, FAILS, "b", FAULT_CONNECT, 4, -1, "refused" },
	     { 9, SPENT, 0, 0, 0, 0, "spent" });
	assert_int_equal(target_begin(a->state, a, &h.models[0], 0, 0, false, 0, &held, &news), TARGET_GO);
	PLAY(&h, { 0, NEXT, "b", 0, 0, 0, "a full target spills over to the next priority" },
	     { 1, FAILS, "b", FAULT_CONNECT, 1, -1, "refused" },
	     { 1, FULL, 0, 0, 0, 0, "only places are lacking" },
	     { 1, FULL, 0, 0, 0, 0, "asking again changes nothing" });
	target_end(a->state, a, &h.models[0], &held, 9, 0, &(struct target_outcome){ .neutral = true }, &at);
	house_close(&h);
}

static void visit(struct target_policy *t, const struct model_policy *m, mono_ms now, enum fault fault)
{
	struct target_visit v;
	unsigned news;
	mono_ms at;

	assert_int_equal(target_begin(t->state, t, m, now, 0, false, 0, &v, &news), TARGET_GO);
	target_end(t->state, t, m, &v, now, 0,
		   &(struct target_outcome){ .fault = fault, .hint_ms = -1 }, &at);
}

/* Looking and entering draw a share of a ramp each; between them another worker
 * may have taken a trial. */
static void turned_away_at_the_door_is_asked_as_a_last_resort(void **state)
{
	for (uint64_t random = 0; random < 1000; random += 7) {
		struct house h;
		struct target_policy *ramping;
		struct target_visit held;
		struct arena *arena = arena_create(0);
		struct pick pick;
		struct plan *p;
		unsigned news;

		(void)state;
		house_open(&h);
		house_target(&h, "a", 1, 1, 0);
		ramping = house_target(&h, "b", 2, 1, 0);
		house_model(&h, "chat", 2)->breaker = (struct breaker_policy){
			.faults_in_row = 1, .open_ms = 1000, .open_max_ms = 1000, .lease_ms = 1000,
			.ramp_ms = 10000 };
		house_bind(&h);
		visit(ramping, &h.models[0], 0, FAULT_SERVER_ERROR);
		visit(ramping, &h.models[0], 1500, FAULT_NONE);
		assert_int_equal(target_begin(ramping->state, ramping, &h.models[0], 1600, 0, false, 0,
					      &held, &news), TARGET_GO);
		p = plan_create(arena, &h.models[0], S("chat"), S(""), DEADLINE);
		assert_int_equal(plan_next(p, 1600, random, &pick), PLAN_GO);
		assert_true(slice_eq(pick.target->name, S("a")));
		plan_report(p, &pick, 1600, random, FAULT_CONNECT, 0, -1, false);
		assert_int_equal(plan_next(p, 1600, random, &pick), PLAN_GO);
		assert_true(slice_eq(pick.target->name, S("b")));
		plan_report(p, &pick, 1600, random, FAULT_CONNECT, 0, -1, false);
		arena_free(arena);
		house_close(&h);
	}
}

static void patterns_and_names(void **state)
{
	struct house h;
	struct arena *arena = arena_create(0);
	struct pick pick;
	struct plan *p;

	(void)state;
	house_open(&h);
	house_target(&h, "a", 1, 1, 0)->model = S("*");
	house_model(&h, "openai/*", 1);
	house_target(&h, "f", 1, 1, 0)->model = S("fixed");
	house_model(&h, "small", 1);
	house_fallback(&h, 0, 1);
	house_fallback(&h, 1, 0);
	house_bind(&h);
	p = plan_create(arena, &h.models[0], S("openai/gpt"), S("gpt"), DEADLINE);
	assert_int_equal(plan_next(p, 0, 0, &pick), PLAN_GO);
	assert_true(slice_eq(pick.upstream_model, S("gpt")));
	assert_false(pick.is_fallback);
	plan_report(p, &pick, 0, 0, FAULT_CONNECT, 0, -1, false);
	assert_int_equal(plan_next(p, 0, 0, &pick), PLAN_GO);
	assert_true(slice_eq(pick.upstream_model, S("fixed")));
	assert_true(pick.is_fallback);
	plan_report(p, &pick, 0, 0, FAULT_CONNECT, 0, -1, false);
	assert_int_equal(plan_next(p, 0, 0, &pick), PLAN_SPENT);
	arena_free(arena);
	house_close(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(another_target_comes_before_the_same_one),
		cmocka_unit_test(what_failed_slowly_is_not_asked_again),
		cmocka_unit_test(who_says_not_to_come_back_is_not_asked_again),
		cmocka_unit_test(who_was_outrun_has_not_failed),
		cmocka_unit_test(a_verdict_on_the_request_ends_the_plan),
		cmocka_unit_test(a_star_in_a_target_s_model_is_filled_in),
		cmocka_unit_test(a_rate_limit_moves_on_and_waits_only_within_patience),
		cmocka_unit_test(a_short_pause_comes_before_a_fallback_and_a_long_one_behind),
		cmocka_unit_test(asking_again_leaves_a_try_for_the_fallback),
		cmocka_unit_test(a_target_that_paces_us_is_not_asked_for_ever_before_a_fallback),
		cmocka_unit_test(priorities_spill_over_when_full),
		cmocka_unit_test(turned_away_at_the_door_is_asked_as_a_last_resort),
		cmocka_unit_test(patterns_and_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
