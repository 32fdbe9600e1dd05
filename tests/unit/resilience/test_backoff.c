#include "cm.h"

#include "resilience/backoff.h"

struct row {
	int64_t base_ms, cap_ms;
	unsigned tries;
	int64_t ceiling_ms;
	const char *sentence;
};

static const struct row ceilings[] = {
	{ 100, 500, 0, 100, "the first pause is at most the base" },
	{ 100, 500, 1, 200, "each try doubles it" },
	{ 100, 500, 2, 400, "and doubles it again" },
	{ 100, 500, 3, 500, "up to the cap" },
	{ 100, 500, 4000000000u, 500, "any number of tries stays at the cap" },
	{ 500, 100, 0, 100, "a base above the cap is the cap" },
	{ INT64_MAX, INT64_MAX, 9, INT64_MAX, "the largest values do not overflow" },
};

static void pauses_lie_between_nothing_and_the_ceiling(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof ceilings / sizeof *ceilings; i++) {
		const struct row *r = &ceilings[i];
		uint64_t top = (uint64_t)r->ceiling_ms;

		row_holds(backoff_full_jitter_ms(r->base_ms, r->cap_ms, r->tries, 0) == 0, r->sentence);
		row_holds(backoff_full_jitter_ms(r->base_ms, r->cap_ms, r->tries, top) == r->ceiling_ms,
			  r->sentence);
		row_holds(backoff_full_jitter_ms(r->base_ms, r->cap_ms, r->tries, top + 1) == 0, r->sentence);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pauses_lie_between_nothing_and_the_ceiling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
