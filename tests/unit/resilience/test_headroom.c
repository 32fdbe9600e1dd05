#include "cm.h"

#include "resilience/headroom.h"

static void what_is_not_known_does_not_hold_back(void **state)
{
	struct headroom h = { 0 };

	(void)state;
	assert_int_equal(headroom_ready_at(&h, 5, 1e9), 5);
	headroom_seen(&h, 5, 100, -1, -1);
	assert_int_equal(headroom_ready_at(&h, 5, 1e9), 5);
	headroom_take(&h, 5, 1e9);
	assert_int_equal(headroom_ready_at(&h, 5, 1), 5);
}

static void nothing_left_means_waiting_for_one_not_for_all(void **state)
{
	struct headroom h = { 0 };
	mono_ms at;

	(void)state;
	headroom_seen(&h, 0, 60, 0, 60000);           /* sixty a minute, all used up */
	at = headroom_ready_at(&h, 0, 1);
	row_holds(at >= 1000, "one comes back each second");
	row_holds(at <= 1001, "and then it may go");
	row_holds(headroom_ready_at(&h, at, 1) == at, "it is there");
	headroom_take(&h, at, 1);
	row_holds(headroom_ready_at(&h, at, 1) > at, "and taken");
	row_holds(headroom_ready_at(&h, 60000, 60) == 60000, "all of it is back after a minute");
}

static void without_a_limit_the_reset_counts(void **state)
{
	struct headroom h = { 0 };

	(void)state;
	headroom_seen(&h, 0, -1, 0, 20000);
	row_holds(headroom_ready_at(&h, 0, 1) >= 20000, "nobody said how fast it comes back");
}

static void what_goes_out_is_counted_until_the_next_answer_tells(void **state)
{
	struct headroom h = { 0 };

	(void)state;
	headroom_seen(&h, 0, 1000, 3, 600000);
	for (unsigned i = 0; i < 3; i++) {
		row_holds(headroom_ready_at(&h, 0, 1) == 0, "three may go");
		headroom_take(&h, 0, 1);
	}
	row_holds(headroom_ready_at(&h, 0, 1) > 0, "the fourth waits");
	headroom_seen(&h, 0, 1000, 900, 60000);
	row_holds(headroom_ready_at(&h, 0, 1) == 0, "an answer knows better");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_known_does_not_hold_back),
		cmocka_unit_test(nothing_left_means_waiting_for_one_not_for_all),
		cmocka_unit_test(without_a_limit_the_reset_counts),
		cmocka_unit_test(what_goes_out_is_counted_until_the_next_answer_tells),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
