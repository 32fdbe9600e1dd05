/* Cache-Control in requests, as rows: what is asked, how old, what follows. */
#include "cm.h"

#include "base/check.h"
#include "cache/wishes.h"

static const struct cache_policy policy = { .fresh_ms = 60000, .stale_ms = 600000, .refresh_ms = 30000 };

struct row {
	const char *said;
	int64_t age_s;
	enum cache_verdict verdict;
	bool rescue;
};

static const struct row rows[] = {
	{ "", 59, CACHE_GIVE, true },
	{ "", 60, CACHE_GIVE_REFRESH, true },
	{ "", 90, CACHE_MISS, true },
	{ "", 600, CACHE_MISS, false },
	{ "no-store", 1, CACHE_MISS, false },
	{ "no-cache", 1, CACHE_MISS, false },
	{ "No-Cache", 1, CACHE_MISS, false },
	{ "no-cache, stale-if-error=120", 100, CACHE_MISS, true },
	{ "max-age=10", 9, CACHE_GIVE, true },
	{ "max-age=10", 10, CACHE_MISS, true },
	{ "max-age=0", 0, CACHE_MISS, true },
	{ "max-age=soon", 0, CACHE_MISS, true },
	{ "max-age=1000", 60, CACHE_MISS, true },         /* asks for less than config gives, never more */
	{ "max-age=\"10\"", 9, CACHE_GIVE, true },
	{ "max-stale=40", 99, CACHE_GIVE_STALE, true },
	{ "max-stale=40", 100, CACHE_MISS, true },
	{ "max-stale", 599, CACHE_GIVE_STALE, true },
	{ "max-stale", 600, CACHE_MISS, false },
	{ "stale-if-error=0", 59, CACHE_GIVE, true },
	{ "stale-if-error=0", 60, CACHE_GIVE_REFRESH, false },
	{ "stale-if-error=99999999999999999999", 500, CACHE_MISS, false },
	{ "only-if-cached, foo=bar, ,", 30, CACHE_GIVE, true },
};

static void wishes_are_honoured(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct cache_wishes w;

		cache_wishes_init(&w);
		cache_wishes_read(&w, slice_of(rows[i].said));
		if (cache_verdict(&policy, &w, rows[i].age_s * 1000) != rows[i].verdict)
			fail_msg("\"%s\" at %lld s: the verdict is %d", rows[i].said,
				 (long long)rows[i].age_s, cache_verdict(&policy, &w, rows[i].age_s * 1000));
		if (cache_may_rescue(&policy, &w, rows[i].age_s * 1000) != rows[i].rescue)
			fail_msg("\"%s\" at %lld s: rescue is not %d", rows[i].said,
				 (long long)rows[i].age_s, rows[i].rescue);
	}
}

static void without_fresh_nothing_is_a_hit(void **state)
{
	const struct cache_policy stale_only = { .stale_ms = 600000 };
	struct cache_wishes w;

	(void)state;
	cache_wishes_init(&w);
	assert_false(cache_may_hit(&stale_only, &w));
	assert_true(cache_may_rescue(&stale_only, &w, 1000));
	cache_wishes_read(&w, S("max-stale=10"));
	assert_int_equal(cache_verdict(&stale_only, &w, 5000), CACHE_GIVE_STALE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wishes_are_honoured),
		cmocka_unit_test(without_fresh_nothing_is_a_hit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
