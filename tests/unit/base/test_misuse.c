/* What the headers forbid is found, in every build. This program brings its own
 * check_failed(), which tells cmocka instead of aborting. */
#include "base/arena.h"
#include "base/buf.h"
#include "base/fault.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/lock.h"
#include "base/map.h"
#include "base/mono.h"
#include "base/rng.h"

#include "cm.h"

#include <stdlib.h>

void check_failed(const char *file, int line, const char *text)
{
	mock_assert(0, text, file, line);
	abort();
}

static void times_and_slices(void **state)
{
	(void)state;
	expect_assert_failure(mono_after(0, -1));
	expect_assert_failure(slice_sub(S("abc"), 2, 1));
	expect_assert_failure(slice_sub(S("abc"), 0, 4));
	expect_assert_failure(slice_from(S("abc"), 4));
	expect_assert_failure(fault_row(FAULT_COUNT));
}

static void buffers(void **state)
{
	struct buf b = BUF_INIT(4);

	(void)state;
	buf_put(&b, S("abcd"));
	expect_assert_failure(buf_put(&b, S("e")));
	expect_assert_failure(buf_putf(&b, "%d", 1));
	expect_assert_failure(buf_consume(&b, 5));
	expect_assert_failure(buf_added(&b, 1));
	assert_true(slice_eq(buf_slice(&b), S("abcd")));
	buf_free(&b);
}

static void arenas_and_maps(void **state)
{
	struct arena *a = arena_create(0);
	struct map *m = map_create(1);

	(void)state;
	expect_assert_failure(arena_alloc_array(a, SIZE_MAX / 2, 3));
	expect_assert_failure(map_set(m, S("key"), NULL));
	map_free(m);
	arena_free(a);
}

static void nodes_of_another_home(void **state)
{
	struct heap mine = { 0 }, other = { 0 };
	struct heap_node node = { 0 };
	struct link link = { 0 };
	struct list list;

	(void)state;
	heap_set(&mine, &node, 1);
	expect_assert_failure(heap_remove(&other, &node));
	expect_assert_failure(heap_set(&other, &node, 1));
	heap_free(&mine);
	heap_free(&other);

	list_init(&list);
	expect_assert_failure(list_remove(&list, &link));
	list_append(&list, &link);
	expect_assert_failure(list_append(&list, &link));
}

/* ThreadSanitizer reports the misuse by itself, and would fail the test. */
#ifndef __SANITIZE_THREAD__
static void locks(void **state)
{
	struct lock l;

	(void)state;
	lock_init(&l);
	expect_assert_failure(lock_give(&l));
	lock_take(&l);
	expect_assert_failure(lock_take(&l));
	lock_give(&l);
	lock_destroy(&l);
}
#endif

static void references(void **state)
{
	struct refcount r;

	(void)state;
	refcount_init(&r);
	assert_true(refcount_give(&r));
	expect_assert_failure(refcount_take(&r));
}

static void chance(void **state)
{
	struct rng r = { { 0 } };

	(void)state;
	expect_assert_failure(rng_next(&r));
	rng_seed(&r, 0);
	expect_assert_failure(rng_below(&r, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_and_slices),
		cmocka_unit_test(buffers),
		cmocka_unit_test(arenas_and_maps),
		cmocka_unit_test(nodes_of_another_home),
#ifndef __SANITIZE_THREAD__
		cmocka_unit_test(locks),
#endif
		cmocka_unit_test(references),
		cmocka_unit_test(chance),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
