/* quota.h: so much a minute: a bucket that holds a minute's worth and fills up
 * evenly. What is known only afterwards (tokens) may be taken beyond what is there,
 * by a minute's worth at most; it is made up for before anything else goes. Pure. */
#ifndef BACKSTAY_RESILIENCE_QUOTA_H
#define BACKSTAY_RESILIENCE_QUOTA_H

#include "base/mono.h"

#include <stdbool.h>

/* Zeroed is one that has never been used: it is full. */
struct quota {
	bool begun;
	double left;                  /* at `at` */
	mono_ms at;
};

/* What is left at `now`, which must not go backwards in any of these; below 0 where
 * more was taken than there was. `per_minute` > 0; it may change. */
double quota_left(const struct quota *q, int64_t per_minute, mono_ms now);
/* Takes `amount`; below 0 it gives back. */
void quota_take(struct quota *q, int64_t per_minute, mono_ms now, double amount);
/* Somebody who counts for several says that so much is left. */
void quota_told(struct quota *q, int64_t per_minute, mono_ms now, double left);
/* How long until `amount` (at most a minute's worth) is there, in ms; 0: it is. */
int64_t quota_wait_ms(const struct quota *q, int64_t per_minute, mono_ms now, double amount);

#endif
