#include "cm.h"

#include "resilience/bucket.h"

static const struct bucket_policy policy = {
	.share_milli = 20000, .reserve = 10, .most = 100, .reserve_ms = 5000,
};

static unsigned take_all(struct bucket *b, mono_ms now)
{
	unsigned n = 0;

	while (bucket_take(b, &policy, now))
		n++;
	return n;
}

static void it_begins_with_its_reserve_which_comes_back_slowly(void **state)
{
	struct bucket b = { 0 };

	(void)state;
	row_holds(take_all(&b, 1000) == 10, "ten at first");
	row_holds(take_all(&b, 5999) == 0, "nothing for five seconds");
	row_holds(take_all(&b, 6000) == 1, "then one");
	row_holds(take_all(&b, 1000000) == 10, "never more than the reserve by itself");
}

static void successes_pay_for_a_fifth_of_as_many(void **state)
{
	struct bucket b = { 0 };

	(void)state;
	take_all(&b, 0);
	for (unsigned i = 0; i < 4; i++)
		bucket_feed(&b, &policy, 0);
	row_holds(take_all(&b, 0) == 0, "four are not enough for one");
	bucket_feed(&b, &policy, 0);
	row_holds(take_all(&b, 0) == 1, "five are");
	for (unsigned i = 0; i < 10000; i++)
		bucket_feed(&b, &policy, 0);
	row_holds(take_all(&b, 0) == 100, "savings have an end");
}

static void what_is_given_back_is_there_again(void **state)
{
	struct bucket b = { 0 };

	(void)state;
	take_all(&b, 0);
	bucket_give(&b, &policy, 0);
	assert_true(bucket_level(&b, &policy, 0) == 1.0);
	row_holds(take_all(&b, 0) == 1, "one given, one taken");
}

/* A total outage: nothing is fed, every request fails and would like to retry. */
static void an_outage_gets_the_reserve_and_little_more(void **state)
{
	struct bucket b = { 0 };
	unsigned retries = 0;

	(void)state;
	for (mono_ms now = 0; now < 60000; now += 100)        /* 600 requests in a minute */
		retries += bucket_take(&b, &policy, now);
	row_holds(retries <= 10 + 12, "the reserve, and one in five seconds");
	row_holds(retries * 100 <= 600 * 20, "far less than a fifth of the requests");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_begins_with_its_reserve_which_comes_back_slowly),
		cmocka_unit_test(successes_pay_for_a_fifth_of_as_many),
		cmocka_unit_test(what_is_given_back_is_there_again),
		cmocka_unit_test(an_outage_gets_the_reserve_and_little_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
