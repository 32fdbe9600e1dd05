#include "tests/unit/base/cm.h"

#include "base/check.h"
#include "observe/pulse.h"

static const struct attempt_record good = { .fault = FAULT_NONE }, bad = { .fault = FAULT_SILENCE },
				   outrun = { .fault = FAULT_OUTRUN };
static const struct attempt_record bad_good[] = { { .fault = FAULT_SILENCE }, { .fault = FAULT_NONE } };

static const struct {
	struct exchange_record record;
	enum pulse_end end;
	bool trouble;
	const char *says;
} ends[] = {
	{ { .status = 200, .attempts = &good, .attempt_count = 1 }, PULSE_GOOD, false, "at once" },
	{ { .status = 200, .attempts = &outrun, .attempt_count = 1 }, PULSE_GOOD, false, "outrun is no fault" },
	{ { .status = 200, .attempts = bad_good, .attempt_count = 2 }, PULSE_RESCUED, true, "after a retry" },
	{ { .status = 200, .hedge_won = true }, PULSE_RESCUED, true, "by a hedge" },
	{ { .status = 200, .degraded = DEGRADED_RESUMED, .resumes = 1 }, PULSE_RESCUED, true, "resumed" },
	{ { .status = 200, .degraded = DEGRADED_FALLBACK }, PULSE_DEGRADED, true, "by a fallback" },
	{ { .status = 200, .degraded = DEGRADED_STALE, .cache = CACHE_USE_STALE }, PULSE_DEGRADED, true, "stale" },
	{ { .status = 200, .cache = CACHE_USE_HIT }, PULSE_CACHED, false, "kept" },
	{ { .status = 200, .cache = CACHE_USE_JOINED }, PULSE_CACHED, false, "shared" },
	{ { .status = 499, .fault = FAULT_CLIENT_GONE }, PULSE_CALLER, true, "the client left" },
	{ { .status = 400, .fault = FAULT_CALLER }, PULSE_CALLER, true, "the caller's mistake" },
	{ { .status = 504, .fault = FAULT_SILENCE, .attempts = &bad, .attempt_count = 1 }, PULSE_FAILED, true,
	  "it failed" },
	{ { .status = 503, .fault = FAULT_NO_TARGET }, PULSE_FAILED, true, "nobody was left" },
};

static void an_exchange_has_one_end(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(ends); i++)
		if (pulse_end_of(&ends[i].record) != ends[i].end ||
		    pulse_had_trouble(&ends[i].record) != ends[i].trouble)
			fail_msg("%s: it ended as %s", ends[i].says,
				 pulse_end_name(pulse_end_of(&ends[i].record)));
}

static void buckets_move_with_time(void **state)
{
	const struct exchange_record r = { .status = 200 };
	struct pulse *p = pulse_create();
	struct pulse_view v;

	(void)state;
	pulse_count(p, S("m"), &r, 10000);
	pulse_count(p, S("m"), &r, 10000 + PULSE_BUCKET_MS);
	pulse_count(p, S("m"), &r, 10001 + PULSE_BUCKET_MS);
	pulse_look(p, 10000 + 3 * PULSE_BUCKET_MS, &v);
	assert_int_equal(v.counts[PULSE_BUCKETS - 1][PULSE_GOOD], 0);
	assert_int_equal(v.counts[PULSE_BUCKETS - 3][PULSE_GOOD], 2);
	assert_int_equal(v.counts[PULSE_BUCKETS - 4][PULSE_GOOD], 1);
	pulse_look(p, 10000 + (int64_t)(PULSE_BUCKETS + 1) * PULSE_BUCKET_MS, &v);
	for (size_t i = 0; i < PULSE_BUCKETS; i++)
		assert_int_equal(v.counts[i][PULSE_GOOD], 0);
	pulse_free(p);
}

static void models_and_lanes_are_kept_apart(void **state)
{
	const struct exchange_record r = { .status = 200, .usage_known = true, .input_tokens = 3,
					   .output_tokens = 5 };
	struct pulse *p = pulse_create();
	struct pulse_model m;

	(void)state;
	pulse_count(p, S("a"), &r, 0);
	pulse_count(p, SLICE_NONE, &r, 0);
	pulse_model(p, S("a"), &m);
	assert_int_equal(m.ends[PULSE_GOOD], 1);
	assert_int_equal(m.output_tokens, 5);
	pulse_model(p, S("b"), &m);
	assert_int_equal(m.ends[PULSE_GOOD], 0);
	pulse_try(p, S("a"), S("x"), false);
	pulse_try(p, S("a"), S("x"), true);
	pulse_try(p, S("b"), S("x"), false);
	assert_int_equal(pulse_lane(p, S("a"), S("x")).tries, 2);
	assert_int_equal(pulse_lane(p, S("a"), S("x")).faults, 1);
	assert_int_equal(pulse_lane(p, S("b"), S("x")).tries, 1);
	assert_int_equal(pulse_lane(p, S("c"), S("x")).tries, 0);
	pulse_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_exchange_has_one_end),
		cmocka_unit_test(buckets_move_with_time),
		cmocka_unit_test(models_and_lanes_are_kept_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
