/* What a plan gives for a second attempt beside the one that runs. */
#include "../base/cm.h"

#include "house.h"

static struct plan *plan_of(struct house *h)
{
	return plan_create(h->arena, &h->models[0], h->models[0].name, SLICE_NONE, 60000);
}

static void a_second_attempt_goes_to_a_fellow_never_to_a_fallback(void **state)
{
	struct pick first, second, third;
	struct house h;
	struct plan *p;

	(void)state;
	house_open(&h);
	house_target(&h, "a", 1, 1, 0);
	house_target(&h, "b", 2, 1, 0);
	house_model(&h, "chat", 2);
	house_target(&h, "c", 1, 1, 0);
	house_model(&h, "spare", 1);
	house_fallback(&h, 0, 1);
	house_bind(&h);
	p = plan_of(&h);
	assert_int_equal(plan_next(p, 0, 0, &first), PLAN_GO);
	assert_true(plan_next_fellow(p, 400, 0, &second));
	assert_true(slice_eq(first.target->name, S("a")));
	assert_true(slice_eq(second.target->name, S("b")));
	assert_false(plan_next_fellow(p, 500, 0, &third));
	/* The fallback model is still there for whoever fails. */
	plan_report(p, &first, 600, 0, FAULT_SILENCE, 600, -1, false);
	plan_report(p, &second, 700, 0, FAULT_SILENCE, 300, -1, false);
	assert_int_equal(plan_next(p, 700, 0, &third), PLAN_GO);
	assert_true(slice_eq(third.target->name, S("c")));
	plan_done(p, &third);
	house_close(&h);
}

static void who_was_only_slower_may_be_asked_as_if_it_had_not_been(void **state)
{
	struct pick first, second, again;
	struct house h;
	struct plan *p;

	(void)state;
	house_open(&h);
	house_target(&h, "a", 1, 1, 0);
	house_target(&h, "b", 2, 1, 0);
	house_model(&h, "chat", 2);
	house_bind(&h);
	p = plan_of(&h);
	assert_int_equal(plan_next(p, 0, 0, &first), PLAN_GO);
	assert_true(plan_next_fellow(p, 400, 0, &second));
	plan_cancelled(p, &second, 500, 100);
	plan_forget_try(p, &second);
	plan_report(p, &first, 900, 0, FAULT_CUT, 900, -1, false);
	assert_int_equal(plan_next(p, 900, 0, &again), PLAN_GO);
	assert_true(slice_eq(again.target->name, S("b")));
	assert_int_equal(again.at, 900);
	plan_done(p, &again);
	assert_int_equal(target_registry_in_flight(h.registry), 0);
	house_close(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_second_attempt_goes_to_a_fellow_never_to_a_fallback),
		cmocka_unit_test(who_was_only_slower_may_be_asked_as_if_it_had_not_been),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
