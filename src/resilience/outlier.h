/* outlier.h: which of several that do the same work is far slower than the
 * others? A grey failure answers, and would never trip a breaker. Pure. */
#ifndef BACKSTAY_RESILIENCE_OUTLIER_H
#define BACKSTAY_RESILIENCE_OUTLIER_H

#include "resilience/latency.h"

#include <stddef.h>

struct outlier_policy {
	unsigned share_percent;       /* at most this share is out at once, and never all; 0: never any */
	unsigned factor;              /* so many times slower than the others' median */
	int64_t slack_ms;             /* and by at least this, for the first token */
	unsigned samples_min;         /* recent ones needed of each that is compared */
	int64_t eject_ms, eject_max_ms;       /* the first time out, doubling, to the longest */
};

/* One of them; the means are borrowed for the call. */
struct outlier_member {
	struct mean first_token_ms, tokens_per_s;
	bool out;                     /* ejected now, or not usable for another reason */
};

enum outlier_why { OUTLIER_NONE, OUTLIER_FIRST_TOKEN, OUTLIER_SPEED };

/* The one that stands out most and may be ejected: its index, or SIZE_MAX.
 * `count` <= OUTLIER_MEMBERS_MAX; *why says by what. */
#define OUTLIER_MEMBERS_MAX 256
size_t outlier_find(const struct outlier_policy *policy, mono_ms now,
		    const struct outlier_member *members, size_t count, enum outlier_why *why);
/* How long the `times`-th ejection in a row (from 0) lasts; ms. */
int64_t outlier_eject_ms(const struct outlier_policy *policy, unsigned times);

#endif
