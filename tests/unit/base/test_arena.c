#include "base/arena.h"

#include "cm.h"

#include <stdalign.h>
#include <string.h>

static bool is_aligned(const void *p)
{
	return (uintptr_t)p % alignof(max_align_t) == 0;
}

static bool is_zero(const char *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i])
			return false;
	return true;
}

static void memory_is_zeroed_aligned_and_apart(void **state)
{
	static const size_t sizes[] = { 1, 0, 7, 8, 16, 17, 100, 511, 512, 513, 2048, 5000, 1, 3, 100000, 2 };
	static const size_t block_sizes[] = { 0, 1, 64, 4096 };

	(void)state;
	for (size_t b = 0; b < COUNT_OF(block_sizes); b++) {
		struct arena *a = arena_create(block_sizes[b]);
		char *given[COUNT_OF(sizes)];

		for (size_t i = 0; i < COUNT_OF(sizes); i++) {
			given[i] = arena_alloc(a, sizes[i]);
			assert_non_null(given[i]);
			assert_true(is_aligned(given[i]));
			assert_true(is_zero(given[i], sizes[i]));
			memset(given[i], (int)i + 1, sizes[i]);
		}
		for (size_t i = 0; i < COUNT_OF(sizes); i++)
			for (size_t k = 0; k < sizes[i]; k++)
				assert_int_equal(given[i][k], i + 1);
		arena_free(a);
	}
	arena_free(NULL);
}

static void nothing_is_taken_before_use(void **state)
{
	struct arena *a = arena_create(1024);
	size_t empty = arena_size(a);

	(void)state;
	assert_true(empty < 128);
	arena_alloc(a, 10);
	assert_true(arena_size(a) > empty);
	arena_free(a);
}

static void the_first_block_may_fit_its_owner(void **state)
{
	struct arena *a = arena_create_for(3000, 512);
	size_t size;

	(void)state;
	assert_true(is_aligned(arena_alloc(a, 2000)));
	size = arena_size(a);
	assert_true(size < 3200);
	assert_true(slice_eq(arena_copy(a, S("abc")), S("abc")));
	assert_true(is_aligned(arena_alloc(a, 800)));
	assert_true(slice_eq(arena_printf(a, "%d", 12345), S("12345")));
#if !defined(__SANITIZE_ADDRESS__)        /* there each allocation is a block of its own */
	assert_int_equal(arena_size(a), size);
	arena_alloc(a, 100);
	arena_alloc(a, 100);
	assert_true(arena_size(a) <= size + 600);
#endif
	arena_free(a);
}

static void arrays(void **state)
{
	struct arena *a = arena_create(0);
	int *numbers = arena_array(a, int, 10);
	struct slice *one = arena_new(a, struct slice);

	(void)state;
	assert_true(is_zero((char *)numbers, 10 * sizeof *numbers));
	assert_null(one->at);
	assert_non_null(arena_array(a, int, 0));
	arena_free(a);
}

static void text(void **state)
{
	char from[] = "gpt-5-mini";
	char large[3000];
	struct arena *a = arena_create(0);
	struct slice copy = arena_copy(a, slice_of(from));

	(void)state;
	from[0] = 'X';
	assert_true(slice_eq(copy, S("gpt-5-mini")));
	assert_int_equal(copy.at[copy.len], '\0');
	assert_string_equal(arena_cstring(a, S("abc")), "abc");
	assert_string_equal(arena_cstring(a, SLICE_NONE), "");
	assert_int_equal(arena_copy(a, SLICE_NONE).len, 0);

	copy = arena_printf(a, "%s/%d", "openai", 4);
	assert_true(slice_eq(copy, S("openai/4")));
	assert_int_equal(copy.at[copy.len], '\0');
	memset(large, 'x', sizeof large);
	copy = arena_printf(a, "%.*s", (int)sizeof large, large);
	assert_int_equal(copy.len, sizeof large);
	assert_memory_equal(copy.at, large, sizeof large);
	assert_int_equal(arena_printf(a, "%s", "").len, 0);
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_zeroed_aligned_and_apart),
		cmocka_unit_test(nothing_is_taken_before_use),
		cmocka_unit_test(the_first_block_may_fit_its_owner),
		cmocka_unit_test(arrays),
		cmocka_unit_test(text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
