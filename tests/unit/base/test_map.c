#include "base/check.h"
#include "base/map.h"
#include "base/rng.h"

#include "cm.h"

#include <stdio.h>
#include <string.h>

static void set_get_remove(void **state)
{
	int one, two;
	char key[] = "openai";
	struct map *m = map_create(1);

	(void)state;
	assert_null(map_get(m, S("openai")));
	assert_null(map_remove(m, S("openai")));
	assert_null(map_set(m, slice_of(key), &one));
	key[0] = 'X';                            /* the map has its own copy */
	assert_ptr_equal(map_get(m, S("openai")), &one);
	assert_null(map_get(m, S("openai2")));
	assert_null(map_get(m, S("OpenAI")));
	assert_ptr_equal(map_set(m, S("openai"), &two), &one);
	assert_int_equal(map_count(m), 1);
	assert_null(map_set(m, SLICE_NONE, &one));
	assert_ptr_equal(map_get(m, S("")), &one);
	assert_null(map_set(m, S("a\0b"), &one));
	assert_null(map_get(m, S("a")));
	assert_int_equal(map_count(m), 3);
	assert_ptr_equal(map_remove(m, S("openai")), &two);
	assert_null(map_get(m, S("openai")));
	assert_int_equal(map_count(m), 2);
	map_free(m);
	map_free(NULL);
}

static void walk_meets_each_once(void **state)
{
	int values[500];
	char seen[COUNT_OF(values)] = { 0 };
	struct map *m = map_create(7);
	size_t cursor = 0, met = 0;
	struct slice key;
	void *value;

	(void)state;
	assert_false(map_next(m, &cursor, &key, &value));
	for (size_t i = 0; i < COUNT_OF(values); i++) {
		char name[20];

		snprintf(name, sizeof name, "%zu", i);
		map_set(m, slice_of(name), &values[i]);
	}
	for (cursor = 0; map_next(m, &cursor, &key, &value); met++) {
		uint64_t i;

		assert_true(slice_to_u64(key, &i));
		assert_ptr_equal(value, &values[i]);
		assert_int_equal(seen[i]++, 0);
	}
	assert_int_equal(met, COUNT_OF(values));
	map_free(m);
}

/* Many removals in a table that stays nearly full: long runs of neighbours, in
 * which each gap must be closed. */
static void agrees_with_an_array(void **state)
{
	enum { KEYS = 60 };
	void *should[KEYS] = { NULL };
	int values[KEYS];
	size_t count = 0;
	struct rng r;
	struct map *m;

	(void)state;
	rng_seed(&r, 11);
	m = map_create(rng_next(&r));
	for (int i = 0; i < 20000; i++) {
		size_t k = (size_t)rng_below(&r, KEYS);
		int *value = &values[rng_below(&r, KEYS)];
		char name[20];

		snprintf(name, sizeof name, "key %zu", k);
		if (rng_one_in(&r, 2)) {
			assert_ptr_equal(map_remove(m, slice_of(name)), should[k]);
			count -= should[k] != NULL;
			should[k] = NULL;
		} else {
			assert_ptr_equal(map_set(m, slice_of(name), value), should[k]);
			count += should[k] == NULL;
			should[k] = value;
		}
		assert_int_equal(map_count(m), count);
		k = (size_t)rng_below(&r, KEYS);
		snprintf(name, sizeof name, "key %zu", k);
		assert_ptr_equal(map_get(m, slice_of(name)), should[k]);
	}
	map_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(set_get_remove),
		cmocka_unit_test(walk_meets_each_once),
		cmocka_unit_test(agrees_with_an_array),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
