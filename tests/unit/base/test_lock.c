#include "base/check.h"
#include "base/lock.h"

#include "cm.h"

#define THREADS 4
#define ROUNDS 5000

struct shared {
	struct lock lock;
	struct refcount owners;
	atomic_uint last_ones;
	unsigned count;
};

static void *count_and_leave(void *arg)
{
	struct shared *s = arg;

	for (int i = 0; i < ROUNDS; i++) {
		lock_take(&s->lock);
		s->count++;
		lock_give(&s->lock);
		refcount_take(&s->owners);
		must(!refcount_give(&s->owners));
	}
	if (refcount_give(&s->owners))
		atomic_fetch_add(&s->last_ones, 1);
	return NULL;
}

static void threads_exclude_each_other_and_one_is_last(void **state)
{
	struct shared s = { .count = 0 };
	pthread_t threads[THREADS];

	(void)state;
	lock_init(&s.lock);
	refcount_init(&s.owners);
	for (unsigned i = 0; i < THREADS; i++) {
		if (i > 0)
			refcount_take(&s.owners);
	}
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, count_and_leave, &s), 0);
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(s.count, THREADS * ROUNDS);
	assert_int_equal(atomic_load(&s.last_ones), 1);
	lock_destroy(&s.lock);
}

static void the_last_reference_is_told(void **state)
{
	struct refcount r;

	(void)state;
	refcount_init(&r);
	refcount_take(&r);
	assert_false(refcount_give(&r));
	assert_true(refcount_give(&r));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_exclude_each_other_and_one_is_last),
		cmocka_unit_test(the_last_reference_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
