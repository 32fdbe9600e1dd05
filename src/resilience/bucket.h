/* bucket.h: a budget for what must stay a small share of something: retries,
 * hedges. Tokens come in with each success (a share of one each), and slowly by
 * themselves up to a reserve, so that small traffic has some too. Pure. */
#ifndef BACKSTAY_RESILIENCE_BUCKET_H
#define BACKSTAY_RESILIENCE_BUCKET_H

#include "base/mono.h"

#include <stdbool.h>

struct bucket_policy {
	int64_t share_milli;          /* of a token for each success, in thousandths of a percent */
	unsigned reserve;             /* tokens it begins with and slowly comes back to */
	unsigned most;                /* never more tokens than that; at least `reserve` */
	int64_t reserve_ms;           /* one token of the reserve each; > 0 */
};

/* Zeroed is one that has never been used: it holds its reserve. */
struct bucket {
	int64_t level;                /* thousandths of a percent of a token */
	mono_ms filled_at;
	bool begun;
};

#define BUCKET_TOKEN ((int64_t)100000)

/* A success: the share comes in. `now` must not go backwards in any of these. */
void bucket_feed(struct bucket *b, const struct bucket_policy *policy, mono_ms now);
/* Takes a token; false: there is none. */
bool bucket_take(struct bucket *b, const struct bucket_policy *policy, mono_ms now);
/* Gives a whole token back (what it was taken for has paid off, or did not begin). */
void bucket_give(struct bucket *b, const struct bucket_policy *policy, mono_ms now);
/* Whole and part tokens there now. */
double bucket_level(const struct bucket *b, const struct bucket_policy *policy, mono_ms now);

#endif
