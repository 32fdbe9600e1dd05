/* Answers in memory: bounds, who is dropped, purges. */
#include "cm.h"

#include "base/check.h"
#include "base/rng.h"
#include "cache/cache.h"

#include <stdlib.h>
#include <string.h>

static struct cache_key key_of(uint64_t n)
{
	struct cache_key key;

	cache_key_of((struct slice){ (const char *)&n, sizeof n }, &key);
	return key;
}

static struct cache_entry *make(uint64_t n, size_t bytes, mono_ms now, const char *tags)
{
	struct cache_key key = key_of(n);
	char *body = malloc(bytes + 1);
	struct cache_facts facts = { .model = n % 2 ? S("odd") : S("even"), .tags = slice_of(tags),
				     .body = { body, bytes } };
	struct cache_entry *e;

	memset(body, 'x', bytes);
	e = cache_entry_create(&key, &facts, now, 0);
	free(body);
	return e;
}

static void put(struct cache_memory *m, uint64_t n, size_t bytes, mono_ms now)
{
	struct cache_entry *e = make(n, bytes, now, "");

	cache_memory_put(m, e);
	cache_entry_give(e);
}

static bool has(struct cache_memory *m, uint64_t n)
{
	struct cache_key key = key_of(n);
	struct cache_entry *e = cache_memory_get(m, &key);

	cache_entry_give(e);
	return e != NULL;
}

static void it_stays_within_its_bytes(void **state)
{
	struct cache_memory *m = cache_memory_create(1 << 20, 64 << 10, 1);
	struct cache_memory_stats s;
	struct rng rng;

	(void)state;
	rng_seed(&rng, 1);
	for (uint64_t i = 0; i < 20000; i++) {
		put(m, rng_below(&rng, 5000), rng_below(&rng, 3000), (mono_ms)i);
		s = cache_memory_stats(m);
		assert_true(s.bytes <= s.bytes_max);
	}
	assert_true(s.bytes > s.bytes_max / 2);
	assert_true(s.evictions > 1000);
	cache_memory_free(m);
}

/* A hundred answers in use stay while a hundred thousand pass that nobody asks
 * for again: each of the hundred is asked for once while five hundred pass. */
static void a_scan_drops_nothing_in_use(void **state)
{
	struct cache_memory *m = cache_memory_create(1 << 20, 64 << 10, 1);
	unsigned missed = 0;

	(void)state;
	for (uint64_t i = 0; i < 100; i++)
		put(m, i, 1000, 0);
	for (uint64_t n = 0; n < 100000; n++) {
		uint64_t used = n / 5 % 100;

		if (n % 5 == 0 && !has(m, used)) {
			put(m, used, 1000, 0);
			missed += n >= 5000;
		}
		put(m, 1000 + n, 1000, 0);
	}
	assert_int_equal(missed, 0);
	cache_memory_free(m);
}

static void large_ones_stay_outside(void **state)
{
	struct cache_memory *m = cache_memory_create(8 << 20, 100 << 10, 1);

	(void)state;
	put(m, 1, 200 << 10, 0);
	assert_false(has(m, 1));
	put(m, 2, 90 << 10, 0);
	assert_true(has(m, 2));
	assert_int_equal(cache_memory_stats(m).too_large, 1);
	cache_memory_free(m);
}

static void the_younger_answer_stays(void **state)
{
	struct cache_memory *m = cache_memory_create(1 << 20, 64 << 10, 1);
	struct cache_key key = key_of(1);
	struct cache_entry *e;

	(void)state;
	put(m, 1, 10, 500);
	put(m, 1, 20, 400);
	e = cache_memory_get(m, &key);
	assert_int_equal(e->facts.body.len, 10);
	put(m, 1, 30, 600);
	assert_int_equal(e->facts.body.len, 10);      /* who reads it may go on */
	cache_entry_give(e);
	e = cache_memory_get(m, &key);
	assert_int_equal(e->facts.body.len, 30);
	cache_memory_put(m, e);                       /* the same once more */
	cache_entry_give(e);
	assert_int_equal(cache_memory_stats(m).entries, 1);
	cache_memory_free(m);
}

static const struct cache_store_policy policy = { .memory_bytes = 4 << 20, .entry_bytes = 64 << 10 };

static bool cached(struct cache *c, uint64_t n)
{
	struct cache_key key = key_of(n);
	struct cache_entry *e = cache_get(c, &key);

	cache_entry_give(e);
	return e != NULL;
}

static void purges_drop_what_is_meant(void **state)
{
	struct cache *c = cache_create(&policy, 1, NULL, NULL);

	(void)state;
	for (uint64_t i = 0; i < 8; i++)
		cache_put(c, make(i, 10, 0, i < 4 ? "a,bc" : "b"), cache_purges(c));
	assert_int_equal(cache_purge(c, &(struct cache_purge){ CACHE_PURGE_KEY, key_of(7), SLICE_NONE }), 1);
	assert_int_equal(cache_purge(c, &(struct cache_purge){ .what = CACHE_PURGE_TAG, .name = S("b") }), 3);
	assert_true(cached(c, 1));
	assert_int_equal(cache_purge(c, &(struct cache_purge){ .what = CACHE_PURGE_MODEL, .name = S("odd") }), 2);
	assert_false(cached(c, 1));
	assert_true(cached(c, 2));
	assert_int_equal(cache_purge(c, &(struct cache_purge){ .what = CACHE_PURGE_ALL }), 2);
	assert_int_equal(cache_stats(c).memory.entries, 0);
	assert_int_equal(cache_stats(c).purged, 8);
	cache_free(c);
}

static void an_answer_begun_before_a_purge_is_not_kept(void **state)
{
	struct cache *c = cache_create(&policy, 1, NULL, NULL);
	uint64_t purges = cache_purges(c);

	(void)state;
	cache_purge(c, &(struct cache_purge){ .what = CACHE_PURGE_ALL });
	cache_put(c, make(1, 10, 0, ""), purges);
	assert_false(cached(c, 1));
	cache_put(c, make(1, 10, 0, ""), cache_purges(c));
	assert_true(cached(c, 1));
	cache_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_stays_within_its_bytes),
		cmocka_unit_test(a_scan_drops_nothing_in_use),
		cmocka_unit_test(large_ones_stay_outside),
		cmocka_unit_test(the_younger_answer_stays),
		cmocka_unit_test(purges_drop_what_is_meant),
		cmocka_unit_test(an_answer_begun_before_a_purge_is_not_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
