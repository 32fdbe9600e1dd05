#include "base/check.h"
#include "base/rng.h"

#include "cm.h"

/* The authors' reference programs give these numbers. */
static void gives_the_published_numbers(void **state)
{
	static const uint64_t seeded_with_0[] = {
		UINT64_C(0xe220a8397b1dcdaf), UINT64_C(0x6e789e6aa1b965f4),
		UINT64_C(0x06c45d188009454f), UINT64_C(0xf88bb8a8724c81ec),
	};
	static const uint64_t from_1_2_3_4[] = {
		11520, 0, 1509978240, UINT64_C(1215971899390074240),
	};
	struct rng r;

	(void)state;
	rng_seed(&r, 0);
	assert_memory_equal(r.s, seeded_with_0, sizeof r.s);
	r = (struct rng){ { 1, 2, 3, 4 } };
	for (size_t i = 0; i < COUNT_OF(from_1_2_3_4); i++)
		assert_int_equal(rng_next(&r), from_1_2_3_4[i]);
}

static void same_seed_same_numbers(void **state)
{
	struct rng a, b, other;
	unsigned equal = 0;

	(void)state;
	rng_seed(&a, 42);
	rng_seed(&b, 42);
	rng_seed(&other, 43);
	for (int i = 0; i < 1000; i++) {
		uint64_t x = rng_next(&a);

		assert_int_equal(x, rng_next(&b));
		equal += x == rng_next(&other);
	}
	assert_int_equal(equal, 0);
}

static void below_is_even_and_below(void **state)
{
	static const uint64_t limits[] = { 1, 2, 3, 7, 10, 1000 };
	struct rng r;

	(void)state;
	rng_seed(&r, 7);
	for (size_t i = 0; i < COUNT_OF(limits); i++) {
		uint64_t limit = limits[i], low = 0;
		const uint64_t draws = 20000;

		for (uint64_t n = 0; n < draws; n++) {
			uint64_t x = rng_below(&r, limit);

			assert_true(x < limit);
			low += x < limit / 2;
		}
		/* Six standard deviations of a fair coin are about 424 here. */
		assert_in_range(low * limit, (draws - 900) * (limit / 2), (draws + 900) * (limit / 2));
	}
	for (int n = 0; n < 1000; n++)
		assert_true(rng_below(&r, UINT64_MAX) < UINT64_MAX);
}

static void each_number_below_comes(void **state)
{
	unsigned seen[7] = { 0 };
	struct rng r;

	(void)state;
	rng_seed(&r, 1);
	for (int n = 0; n < 7000; n++)
		seen[rng_below(&r, 7)]++;
	for (size_t i = 0; i < COUNT_OF(seen); i++)
		assert_in_range(seen[i], 800, 1200);
}

static void unit_is_in_0_to_1(void **state)
{
	struct rng r;
	double sum = 0;

	(void)state;
	rng_seed(&r, 9);
	for (int n = 0; n < 10000; n++) {
		double x = rng_unit(&r);

		assert_true(x >= 0);
		assert_true(x < 1);
		sum += x;
	}
	assert_true(sum > 4800 && sum < 5200);
}

static void one_in(void **state)
{
	struct rng r;
	unsigned hits = 0;

	(void)state;
	rng_seed(&r, 3);
	for (int n = 0; n < 10000; n++) {
		hits += rng_one_in(&r, 10);
		assert_true(rng_one_in(&r, 1));
	}
	assert_in_range(hits, 850, 1150);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_the_published_numbers),
		cmocka_unit_test(same_seed_same_numbers),
		cmocka_unit_test(below_is_even_and_below),
		cmocka_unit_test(each_number_below_comes),
		cmocka_unit_test(unit_is_in_0_to_1),
		cmocka_unit_test(one_in),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
