#include "cm.h"

#include "resilience/latency.h"

static void the_percentile_is_within_a_fifth(void **state)
{
	static const struct { int64_t ms; const char *sentence; } rows[] = {
		{ 0, "nothing at all" }, { 1, "a millisecond" }, { 7, "small ones are exact" },
		{ 8, "the first bucket of two" }, { 100, "a tenth of a second" }, { 1234, "a second" },
		{ 12000, "the default limit" }, { 600000, "ten minutes" }, { 14000000, "almost four hours" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct latency l = { 0 };
		int64_t p95;

		for (unsigned n = 0; n < LATENCY_P95_MIN; n++) {
			row_holds(latency_p95_ms(&l, 5) == -1, "too few to say");
			latency_add(&l, 5, rows[i].ms, true);
		}
		p95 = latency_p95_ms(&l, 5);
		row_holds(p95 >= rows[i].ms, rows[i].sentence);
		row_holds(p95 <= rows[i].ms + rows[i].ms / 4 + 1, rows[i].sentence);
	}
}

static void one_in_twenty_may_be_slow(void **state)
{
	struct latency l = { 0 };

	(void)state;
	for (unsigned n = 0; n < 95; n++)
		latency_add(&l, 0, 100, true);
	for (unsigned n = 0; n < 5; n++)
		latency_add(&l, 0, 9000, true);
	row_holds(latency_p95_ms(&l, 0) < 130, "five of a hundred do not move it");
	latency_add(&l, 0, 9000, true);
	row_holds(latency_p95_ms(&l, 0) >= 9000, "six do");
}

static void what_was_given_up_does_not_raise_the_limit(void **state)
{
	struct latency l = { 0 };

	(void)state;
	for (unsigned n = 0; n < 30; n++)
		latency_add(&l, 0, 100, true);
	for (unsigned n = 0; n < 30; n++)
		latency_add(&l, 0, 12000, false);
	row_holds(latency_p95_ms(&l, 0) < 130, "limits must not learn from themselves");
	row_holds(latency_peak_ms(&l, 0) >= 12000, "but the choice of a target learns from it");
}

static void old_samples_fade(void **state)
{
	struct latency l = { 0 };
	mono_ms now = 0;

	(void)state;
	for (unsigned n = 0; n < 200; n++)
		latency_add(&l, now, 5000, true);
	for (unsigned n = 0; n < 400; n++, now += 10000)
		latency_add(&l, now, 100, true);
	row_holds(latency_p95_ms(&l, now) < 130, "an hour of quick answers is what counts");
	row_holds(latency_p95_ms(&l, now + 31 * 60 * 1000) == -1, "after half an hour nothing is known");
}

static void the_peak_jumps_up_and_comes_down_slowly(void **state)
{
	struct latency l = { 0 };

	(void)state;
	row_holds(latency_peak_ms(&l, 0) <= 0, "nothing known");
	latency_add(&l, 0, 100, true);
	latency_add(&l, 0, 4000, true);
	row_holds(latency_peak_ms(&l, 0) >= 4000, "one slow answer is felt at once");
	latency_add(&l, 100, 100, true);
	row_holds(latency_peak_ms(&l, 100) > 3000, "one quick answer does not wipe it out");
	for (unsigned n = 0; n < 100; n++)
		latency_add(&l, 100, 100, true);
	row_holds(latency_peak_ms(&l, 100) < 150, "many do");
	latency_add(&l, 100, 4000, true);
	row_holds(latency_peak_ms(&l, 60100) < 600, "and so does a quiet minute: it is tried again");
}

static void means_fade_too(void **state)
{
	struct mean m = { 0 };

	(void)state;
	for (unsigned n = 0; n < 10; n++)
		mean_add(&m, 0, 10);
	assert_true(m.value > 9.99 && m.value < 10.01);
	assert_true(mean_weight(&m, 0) > 9.99);
	row_holds(mean_weight(&m, 30000) < 5.1, "half is gone after half a minute");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_percentile_is_within_a_fifth),
		cmocka_unit_test(one_in_twenty_may_be_slow),
		cmocka_unit_test(what_was_given_up_does_not_raise_the_limit),
		cmocka_unit_test(old_samples_fade),
		cmocka_unit_test(the_peak_jumps_up_and_comes_down_slowly),
		cmocka_unit_test(means_fade_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
