/* Who is far slower than the others? */
#include "cm.h"

#include "resilience/outlier.h"

#define MOST 6

static const struct outlier_policy policy = {
	.share_percent = 50, .factor = 3, .slack_ms = 500, .samples_min = 5,
	.eject_ms = 30000, .eject_max_ms = 300000,
};

/* Times to the first token (0: nothing known), tokens a second, who is out. */
struct row {
	size_t count;
	double first_token_ms[MOST], tokens_per_s[MOST];
	unsigned samples;
	bool out[MOST];
	size_t expected;
	enum outlier_why why;
	const char *sentence;
};

static const struct row rows[] = {
	{ 3, { 200, 210, 190 }, { 0 }, 9, { 0 }, SIZE_MAX, OUTLIER_NONE, "all alike" },
	{ 3, { 200, 9000, 190 }, { 0 }, 9, { 0 }, 1, OUTLIER_FIRST_TOKEN, "one far slower" },
	{ 2, { 200, 9000 }, { 0 }, 9, { 0 }, 1, OUTLIER_FIRST_TOKEN, "of two, half may be out" },
	{ 2, { 200, 599 }, { 0 }, 9, { 0 }, SIZE_MAX, OUTLIER_NONE, "not three times slower" },
	{ 2, { 100, 400 }, { 0 }, 9, { 0 }, SIZE_MAX, OUTLIER_NONE, "four times, but by 300 ms only" },
	{ 2, { 200, 9000 }, { 0 }, 3, { 0 }, SIZE_MAX, OUTLIER_NONE, "three samples are not enough" },
	{ 2, { 0, 9000 }, { 0 }, 9, { 0 }, SIZE_MAX, OUTLIER_NONE, "nobody to compare with" },
	{ 1, { 9000 }, { 0 }, 9, { 0 }, SIZE_MAX, OUTLIER_NONE, "alone" },
	{ 3, { 200, 200, 200 }, { 50, 52, 8 }, 9, { 0 }, 2, OUTLIER_SPEED, "quick to begin, slow to speak" },
	{ 3, { 200, 200, 200 }, { 50, 52, 20 }, 9, { 0 }, SIZE_MAX, OUTLIER_NONE, "a bit slower is fine" },
	{ 3, { 200, 9000, 8000 }, { 0 }, 9, { 0, 1, 0 }, SIZE_MAX, OUTLIER_NONE,
	  "one of three is out: a second would be two thirds" },
	{ 4, { 200, 9000, 8000, 210 }, { 0 }, 9, { 0, 1, 0, 0 }, 2, OUTLIER_FIRST_TOKEN,
	  "of four a second may go" },
	{ 4, { 200, 9000, 8000, 7000 }, { 0 }, 9, { 0, 1, 1, 0 }, SIZE_MAX, OUTLIER_NONE,
	  "a third may not" },
	{ 4, { 200, 7000, 8000, 210 }, { 0 }, 9, { 0 }, 2, OUTLIER_FIRST_TOKEN, "the worst one first" },
	{ 4, { 200, 7000, 8000, 7500 }, { 0 }, 9, { 0 }, SIZE_MAX, OUTLIER_NONE,
	  "where most are slow, slow is usual" },
};

static struct mean mean_of(double value, unsigned samples)
{
	struct mean m = { 0 };

	for (unsigned i = 0; i < samples && value > 0; i++)
		mean_add(&m, 1000, value);
	return m;
}

static void the_table_holds(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct row *r = &rows[i];
		struct outlier_member members[MOST];
		enum outlier_why why;

		for (size_t m = 0; m < r->count; m++)
			members[m] = (struct outlier_member){
				.first_token_ms = mean_of(r->first_token_ms[m], r->samples),
				.tokens_per_s = mean_of(r->tokens_per_s[m], r->samples),
				.out = r->out[m],
			};
		row_holds(outlier_find(&policy, 1000, members, r->count, &why) == r->expected, r->sentence);
		row_holds(why == r->why, r->sentence);
	}
}

static void never_more_than_the_share_and_never_all(void **state)
{
	(void)state;
	for (unsigned share = 0; share <= 100; share += 5) {
		struct outlier_policy own = policy;
		struct outlier_member members[MOST];
		size_t out = 0, found;
		enum outlier_why why;

		own.share_percent = share;
		for (size_t m = 0; m < MOST; m++)
			members[m] = (struct outlier_member){ .first_token_ms = mean_of(m ? 1000 * (double)m * (double)m * (double)m : 10, 9) };
		while ((found = outlier_find(&own, 1000, members, MOST, &why)) != SIZE_MAX) {
			members[found].out = true;
			out++;
		}
		row_holds(out * 100 <= MOST * share, "within the share");
		row_holds(out < MOST, "never all");
	}
}

static void ejections_in_a_row_last_longer(void **state)
{
	(void)state;
	assert_int_equal(outlier_eject_ms(&policy, 0), 30000);
	assert_int_equal(outlier_eject_ms(&policy, 1), 60000);
	assert_int_equal(outlier_eject_ms(&policy, 3), 240000);
	assert_int_equal(outlier_eject_ms(&policy, 4), 300000);
	assert_int_equal(outlier_eject_ms(&policy, 4000000000u), 300000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_holds),
		cmocka_unit_test(never_more_than_the_share_and_never_all),
		cmocka_unit_test(ejections_in_a_row_last_longer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
