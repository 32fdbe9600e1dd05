/* headroom.h: how much more an upstream will take, as its headers say: so many
 * left of so many, full again in so long. Between two answers it is taken to
 * fill up evenly, as token buckets do. Pure. */
#ifndef BACKSTAY_RESILIENCE_HEADROOM_H
#define BACKSTAY_RESILIENCE_HEADROOM_H

#include "base/mono.h"

#include <stdbool.h>

/* Zeroed: nothing is known, so nothing holds back. */
struct headroom {
	bool known;
	double left, limit;           /* requests or tokens, at `at` */
	mono_ms at, full_at;
};

/* An answer said so. `limit` may be unknown (-1). What was told long ago is
 * replaced, not mixed. */
void headroom_seen(struct headroom *h, mono_ms now, int64_t limit, int64_t left, int64_t full_in_ms);
/* What is left at `now`; a large number where nothing is known. */
double headroom_left(const struct headroom *h, mono_ms now);
/* Something of `amount` begins: it is taken off. */
void headroom_take(struct headroom *h, mono_ms now, double amount);
/* The first time at which `amount` is there (or all of it, if it is more than
 * that); `now` if it is there now. */
mono_ms headroom_ready_at(const struct headroom *h, mono_ms now, double amount);

#endif
