/* How many requests a target stands at once. */
#include "cm.h"

#include "base/check.h"
#include "resilience/limiter.h"

enum step { GOOD, QUICK, SLOW_BATCH, FAST_BATCH, LEAVE_BATCH, OVERLOAD, LIMIT, ADMIT };

struct row {
	mono_ms at;
	enum step step;
	mono_ms started_at;
	uint32_t in_flight, want;     /* want: of LIMIT; of ADMIT whether */
	const char *sentence;
};

static void batch(struct limiter *l, const struct limiter_policy *policy, const struct row *r,
		  int64_t first_token_ms)
{
	/* One of them is fast, or was lucky: it is the fastest that counts. */
	for (unsigned i = 0; i < LIMITER_BATCH; i++)
		limiter_good(l, policy, r->at, r->started_at, r->in_flight,
			     first_token_ms + (int64_t)i * 1000);
}

static void play(const struct limiter_policy *policy, const struct row *rows, size_t count)
{
	struct limiter l = { 0 };

	for (size_t i = 0; i < count; i++) {
		const struct row *r = &rows[i];

		switch (r->step) {
		case GOOD:
			limiter_good(&l, policy, r->at, r->started_at, r->in_flight, -1);
			break;
		case QUICK:
			limiter_good(&l, policy, r->at, r->started_at, r->in_flight, r->at - r->started_at);
			break;
		case FAST_BATCH:
			batch(&l, policy, r, 200);
			break;
		case SLOW_BATCH:
			batch(&l, policy, r, 2000);
			break;
		case LEAVE_BATCH:
			for (unsigned n = 0; n < LIMITER_BATCH; n++)
				limiter_silent(&l, policy, r->at, r->started_at, r->in_flight);
			break;
		case OVERLOAD:
			limiter_overload(&l, policy, r->at, r->started_at, r->in_flight);
			break;
		case LIMIT:
			row_holds(limiter_limit(&l, policy, r->at) == r->want, r->sentence);
			break;
		case ADMIT:
			row_holds(limiter_admit(&l, policy, r->at, r->in_flight) == r->want, r->sentence);
			break;
		}
	}
}

static const struct limiter_policy open_end = { .floor = 4 };
static const struct limiter_policy to_64 = { .floor = 4, .ceiling = 64 };
static const struct limiter_policy to_2 = { .floor = 4, .ceiling = 2 };

static const struct row overload_cuts_once[] = {
	{   0, LIMIT,    0,   0, LIMITER_NONE, "no limit is known" },
	{ 100, OVERLOAD, 0, 100, 0, "the target says that it has enough" },
	{ 100, LIMIT,    0,   0, 75, "three quarters of what was running" },
	{ 150, OVERLOAD, 50, 75, 0, "another one that was asked before" },
	{ 150, LIMIT,    0,   0, 75, "tells nothing new" },
	{ 300, OVERLOAD, 200, 75, 0, "one that was asked since then" },
	{ 300, LIMIT,    0,   0, 56, "is worth another cut" },
};

static const struct row the_floor_holds[] = {
	{ 100, OVERLOAD, 100, 8, 0, "" },
	{ 100, LIMIT,    0,   0, 6, "six" },
	{ 200, OVERLOAD, 200, 6, 0, "" },
	{ 200, LIMIT,    0,   0, 4, "four and a half would be next" },
	{ 300, OVERLOAD, 300, 4, 0, "" },
	{ 300, LIMIT,    0,   0, 4, "but never below four" },
	{ 400, OVERLOAD, 400, 1, 0, "even if fewer ran" },
	{ 400, LIMIT,    0,   0, 4, "" },
};

static const struct row it_grows_while_it_is_used[] = {
	{  100, OVERLOAD, 100, 64, 0, "" },
	{  100, LIMIT,    0,   0, 48, "" },
	{  900, GOOD,   200,  48, 0, "less than a second" },
	{  900, LIMIT,    0,   0, 48, "is too early" },
	{ 1100, GOOD,    50,  48, 0, "one that was asked before the cut" },
	{ 1100, LIMIT,    0,   0, 48, "proves nothing" },
	{ 1200, GOOD,   200,  20, 0, "less than half of it in use" },
	{ 1200, LIMIT,    0,   0, 48, "neither" },
	{ 1300, GOOD,   200,  40, 0, "in use, and well" },
	{ 1300, LIMIT,    0,   0, 54, "an eighth more" },
	{ 1400, GOOD,   200,  54, 0, "" },
	{ 1400, LIMIT,    0,   0, 54, "once a second" },
	{ 2300, GOOD,   200,  54, 0, "" },
	{ 2300, LIMIT,    0,   0, 60, "" },
	{ 3300, GOOD,   200,  60, 0, "" },
	{ 3300, LIMIT,    0,   0, 64, "up to the ceiling, where it is forgotten" },
};

static const struct row a_minute_forgives[] = {
	{     0, LIMIT,    0,   0, 64, "only the ceiling" },
	{   100, OVERLOAD, 100, 64, 0, "" },
	{ 60099, LIMIT,    0,   0, 48, "almost a minute" },
	{ 60100, LIMIT,    0,   0, 64, "a minute" },
	{ 60200, OVERLOAD, 60150, 64, 0, "anew" },
	{ 60200, LIMIT,    0,   0, 48, "" },
};

static const struct row slowness_is_overload_unsaid[] = {
	{    0, SLOW_BATCH, 0,  80, 0, "slow, but nothing else is known" },
	{    0, LIMIT,      0,  0, LIMITER_NONE, "so this is its habit" },
	{ 1000, FAST_BATCH, 0,  80, 0, "it can do better" },
	{ 2000, FAST_BATCH, 0,  80, 0, "" },
	{ 2000, LIMIT,      0,  0, LIMITER_NONE, "" },
	{ 3000, SLOW_BATCH, 0,  80, 0, "ten times slower, all of them" },
	{ 3000, LIMIT,      0,  0, 20, "a tenth would do, but a quarter of what was running is the least" },
	{ 3500, SLOW_BATCH, 0,  70, 0, "these were asked before" },
	{ 3500, LIMIT,      0,  0, 20, "" },
	{ 5000, FAST_BATCH, 3100, 20, 0, "these were not, and all is well" },
	{ 5000, LIMIT,      0,  0, 22, "an eighth more" },
	{ 7000, SLOW_BATCH, 5100, 22, 0, "too much again" },
	{ 7000, LIMIT,      0,  0, 5, "" },
};

static const struct row slowness_that_no_limit_cures[] = {
	{ 1000, FAST_BATCH, 0,  80, 0, "fast by habit" },
	{ 3000, SLOW_BATCH, 0,  80, 0, "slow, all of a sudden" },
	{ 3000, LIMIT,      0,  0, 20, "" },
	{ 6000, SLOW_BATCH, 3100, 20, 0, "and as slow with a quarter of it" },
	{ 6000, LIMIT,      0,  0, 22, "that is its habit now: it grows again" },
	{ 8000, SLOW_BATCH, 6100, 22, 0, "" },
	{ 8000, LIMIT,      0,  0, 24, "once in the time a first token takes" },
};

static const struct row leaving_is_a_sign[] = {
	{ 1000, FAST_BATCH, 0,  80, 0, "" },
	{ 2000, LEAVE_BATCH, 1700, 80, 0, "clients leave soon after asking: that is their affair" },
	{ 2000, LIMIT,      0,  0, LIMITER_NONE, "" },
	{ 9000, LEAVE_BATCH, 4000, 80, 0, "all leave without a word after five seconds" },
	{ 9000, LIMIT,      0,  0, 20, "" },
};

static const struct row long_streams_do_not_keep_a_wrong_limit[] = {
	{ 1000, FAST_BATCH, 0, 60, 0, "" },
	{ 3000, SLOW_BATCH, 0, 60, 0, "a moment's slowness, and all that run have long streams" },
	{ 3000, LIMIT,      0,  0, 15, "" },
	{ 3999, ADMIT,      0, 60, 0, "nobody else ..." },
	{ 4000, ADMIT,      0, 60, 1, "... but one, after a second" },
	{ 4001, ADMIT,      0, 61, 0, "and not two" },
	{ 4900, QUICK,   4000, 61, 0, "that one is slow" },
	{ 4900, LIMIT,      0,  0, 15, "so the limit was right" },
	{ 5000, ADMIT,      0, 60, 1, "another one" },
	{ 5200, QUICK,   5000, 61, 0, "is as quick as ever" },
	{ 5200, LIMIT,      0,  0, 68, "so that many are not too many, nor is an eighth more" },
	{ 5201, ADMIT,      0, 67, 1, "" },
	{ 5201, ADMIT,      0, 68, 0, "" },
};

static const struct row trials_that_fail_cut_nothing_more[] = {
	{ 1000, FAST_BATCH,  0, 60, 0, "" },
	{ 3000, OVERLOAD,    0, 60, 0, "" },
	{ 3000, LIMIT,       0,  0, 45, "" },
	{ 4000, ADMIT,       0, 60, 1, "" },
	{ 4100, OVERLOAD, 4000, 61, 0, "still too many" },
	{ 4100, LIMIT,       0,  0, 45, "which was known" },
	{ 5099, ADMIT,       0, 60, 0, "and a second goes by again" },
	{ 5100, ADMIT,       0, 64, 0, "but the operator's word is not gone beyond" },
	{ 5100, ADMIT,       0, 60, 1, "" },
};

static const struct row a_small_ceiling_is_below_the_floor[] = {
	{ 0,   LIMIT,    0, 0, 2, "the operator's word" },
	{ 100, OVERLOAD, 100, 2, 0, "" },
	{ 100, LIMIT,    0, 0, 2, "and no less" },
};

#define PLAY(policy, rows) play(policy, rows, COUNT_OF(rows))

static void an_overloaded_target_gets_less(void **state)
{
	(void)state;
	PLAY(&open_end, overload_cuts_once);
	PLAY(&open_end, the_floor_holds);
	PLAY(&to_2, a_small_ceiling_is_below_the_floor);
}

static void a_good_one_gets_more_again(void **state)
{
	(void)state;
	PLAY(&to_64, it_grows_while_it_is_used);
	PLAY(&to_64, a_minute_forgives);
}

static void a_slow_one_gets_less(void **state)
{
	(void)state;
	PLAY(&open_end, slowness_is_overload_unsaid);
	PLAY(&open_end, slowness_that_no_limit_cures);
	PLAY(&open_end, leaving_is_a_sign);
}

static void a_limit_is_tried_again(void **state)
{
	(void)state;
	PLAY(&open_end, long_streams_do_not_keep_a_wrong_limit);
	PLAY(&to_64, trials_that_fail_cut_nothing_more);
}

static void an_outage_leaves_no_limit(void **state)
{
	struct limiter l = { 0 };

	(void)state;
	for (int i = 0; i < 16; i++)
		limiter_good(&l, &open_end, 100, 0, 50, 200);
	limiter_overload(&l, &open_end, 1000, 900, 50);
	assert_int_equal(limiter_limit(&l, &open_end, 1000), 37);
	limiter_forget(&l);
	assert_int_equal(limiter_limit(&l, &open_end, 1000), LIMITER_NONE);
	for (int i = 0; i < 16; i++)
		limiter_good(&l, &open_end, 5000, 1000, 40, 2000);
	assert_int_equal(limiter_limit(&l, &open_end, 5000), 10);       /* its habit is known as before */
}

static void prompts_of_every_length_are_no_slowness(void **state)
{
	struct limiter l = { 0 };

	(void)state;
	/* Every eighth prompt is short, the others take up to a minute. */
	for (int i = 0; i < 1000; i++)
		limiter_good(&l, &open_end, i * 100, i * 100, 50, i % 8 ? 1000 * (i % 60) + 3000 : 300);
	assert_int_equal(limiter_limit(&l, &open_end, 100000), LIMITER_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_overloaded_target_gets_less),
		cmocka_unit_test(a_good_one_gets_more_again),
		cmocka_unit_test(a_slow_one_gets_less),
		cmocka_unit_test(a_limit_is_tried_again),
		cmocka_unit_test(an_outage_leaves_no_limit),
		cmocka_unit_test(prompts_of_every_length_are_no_slowness),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
