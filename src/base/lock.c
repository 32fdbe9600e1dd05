#include "base/lock.h"

#include "base/check.h"

#include <limits.h>

#ifdef LOCK_CHECKS
#define LOCK_KIND PTHREAD_MUTEX_ERRORCHECK
#else
#define LOCK_KIND PTHREAD_MUTEX_NORMAL
#endif

void lock_init(struct lock *l)
{
	pthread_mutexattr_t kind;

	must(pthread_mutexattr_init(&kind) == 0);
	/* Taking a lock twice, or giving one that is not ours, must be found. Where all
	 * tests have run with that, the installed program goes without: a request takes
	 * some twenty locks, and the plain kind has half the instructions. */
	must(pthread_mutexattr_settype(&kind, LOCK_KIND) == 0);
	must(pthread_mutex_init(&l->mutex, &kind) == 0);
	must(pthread_mutexattr_destroy(&kind) == 0);
}

void lock_destroy(struct lock *l)
{
	must(pthread_mutex_destroy(&l->mutex) == 0);
}

void lock_take(struct lock *l)
{
	must(pthread_mutex_lock(&l->mutex) == 0);
}

void lock_give(struct lock *l)
{
	must(pthread_mutex_unlock(&l->mutex) == 0);
}

void refcount_init(struct refcount *r)
{
	atomic_init(&r->count, 1);
}

void refcount_take(struct refcount *r)
{
	unsigned before = atomic_fetch_add_explicit(&r->count, 1, memory_order_relaxed);

	must(before > 0);
	must(before < UINT_MAX);
}

bool refcount_give(struct refcount *r)
{
	/* Release what we wrote to the last owner; as the last owner, see what
	 * all others wrote. */
	unsigned before = atomic_fetch_sub_explicit(&r->count, 1, memory_order_acq_rel);

	must(before > 0);
	return before == 1;
}
