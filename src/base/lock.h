/* lock.h: the one mutex and the one counter that threads share. */
#ifndef BACKSTAY_BASE_LOCK_H
#define BACKSTAY_BASE_LOCK_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

struct lock {
	pthread_mutex_t mutex;
};

/* A lock is held for a few hundred nanoseconds at most: no I/O, no malloc of
 * unbounded size, no callback while holding one. All abort on misuse, where
 * built with lock_checks. */
void lock_init(struct lock *l);
void lock_destroy(struct lock *l);
void lock_take(struct lock *l);
void lock_give(struct lock *l);

/* Count of owners of something shared between threads. */
struct refcount {
	atomic_uint count;
};

/* One owner, then one more. Taking aborts if nobody owned it any more. */
void refcount_init(struct refcount *r);
void refcount_take(struct refcount *r);
/* True for the one caller that gave the last reference back. */
bool refcount_give(struct refcount *r);

#endif
