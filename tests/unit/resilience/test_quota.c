#include "cm.h"

#include "resilience/quota.h"

static void a_minutes_worth_goes_at_once_then_as_it_fills_up(void **state)
{
	struct quota q = { 0 };

	(void)state;
	for (unsigned i = 0; i < 60; i++) {
		row_holds(quota_wait_ms(&q, 60, 1000, 1) == 0, "a new one is full");
		quota_take(&q, 60, 1000, 1);
	}
	row_holds(quota_wait_ms(&q, 60, 1000, 1) > 990, "one comes back each second");
	row_holds(quota_wait_ms(&q, 60, 1000, 1) <= 1001, "and no later");
	row_holds(quota_wait_ms(&q, 60, 2001, 1) == 0, "it is there");
	row_holds(quota_left(&q, 60, 1000 + 3600000) == 60, "never more than a minute's worth");
}

static void what_was_taken_beyond_is_made_up_for(void **state)
{
	struct quota q = { 0 };

	(void)state;
	quota_take(&q, 100, 0, 150);
	row_holds(quota_left(&q, 100, 0) == -50, "it was known too late");
	row_holds(quota_wait_ms(&q, 100, 0, 1) > 30000, "nothing goes until it is made up for");
	row_holds(quota_wait_ms(&q, 100, 31000, 1) == 0, "then it does");
	quota_take(&q, 100, 31000, 1e12);
	row_holds(quota_left(&q, 100, 31000) == -100, "a minute's worth of debt at most");
}

static void who_counts_for_several_knows_better(void **state)
{
	struct quota q = { 0 };

	(void)state;
	quota_take(&q, 100, 0, 1);
	quota_told(&q, 100, 10, 0.5);
	row_holds(quota_wait_ms(&q, 100, 10, 1) > 0, "others took the rest");
	quota_told(&q, 100, 20, 1e9);
	row_holds(quota_left(&q, 100, 20) == 100, "no more than there can be");
	row_holds(quota_left(&q, 10, 20) == 10, "the config's new word holds at once");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_minutes_worth_goes_at_once_then_as_it_fills_up),
		cmocka_unit_test(what_was_taken_beyond_is_made_up_for),
		cmocka_unit_test(who_counts_for_several_knows_better),
	};

	return cmocka_run_group_tests_name("resilience/quota", tests, NULL, NULL);
}
