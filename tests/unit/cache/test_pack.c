/* Answers as bytes: whole or nothing. */
#include "cm.h"

#include "cache/pack.h"
#include "made.h"

static void it_comes_back_as_it_was(void **state)
{
	struct cache_entry *e = made_entry(5, 1000, 250), *back;
	struct buf b = BUF_INIT(1 << 20);

	(void)state;
	e->facts.context = 77;
	e->facts.sketch[31] = 9;
	assert_true(cache_pack(e, &b));
	assert_true(buf_len(&b) < e->facts.body.len + 300);
	back = cache_unpack(buf_slice(&b), &e->key, 1 << 20, 5000, 300);
	assert_non_null(back);
	assert_true(made_right(back));
	assert_true(slice_eq(back->facts.tags, S("t5,all")));
	assert_true(slice_eq(back->facts.model, S("m2")));
	assert_true(back->facts.usage_known);
	assert_int_equal(back->facts.kept_ms, 3600000);
	assert_int_equal(back->facts.context, 77);
	assert_int_equal(back->facts.sketch[31], 9);
	assert_int_equal(cache_entry_age_ms(back, 5000), 300);
	cache_entry_give(back);
	cache_entry_give(e);
	buf_free(&b);
}

static void what_is_damaged_is_nothing(void **state)
{
	struct cache_entry *e = made_entry(6, 0, 0);
	struct cache_key other = made_key(7);
	struct buf b = BUF_INIT(1 << 20);
	struct slice whole;
	char *bytes;

	(void)state;
	assert_true(cache_pack(e, &b));
	whole = buf_slice(&b);
	bytes = (char *)(uintptr_t)whole.at;
	assert_null(cache_unpack(whole, &other, 1 << 20, 0, 0));
	assert_null(cache_unpack(whole, &e->key, 10, 0, 0));
	for (size_t i = 0; i < whole.len; i++) {
		bytes[i] ^= 0x10;
		assert_null(cache_unpack(whole, &e->key, 1 << 20, 0, 0));
		bytes[i] ^= 0x10;
		assert_null(cache_unpack(slice_sub(whole, 0, i), &e->key, 1 << 20, 0, 0));
	}
	buf_free(&b);
	cache_entry_give(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_comes_back_as_it_was),
		cmocka_unit_test(what_is_damaged_is_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
