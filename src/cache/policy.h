/* policy.h: what the config says of cached answers and of the last resort.
 * Plain data, owned by the config snapshot, immutable, shared by all workers. */
#ifndef BACKSTAY_CACHE_POLICY_H
#define BACKSTAY_CACHE_POLICY_H

#include "base/slice.h"

/* Who may see an answer that was computed for somebody. */
enum cache_scope {
	CACHE_SCOPE_KEY,              /* only the same client key; without keys, who presents the same one */
	CACHE_SCOPE_GROUP,            /* client keys of the same group */
	CACHE_SCOPE_SHARED,           /* everybody */
};

/* Of one model. */
struct cache_policy {
	int64_t fresh_ms;             /* younger answers are given instead of asking; 0: never */
	int64_t stale_ms;             /* younger ones are given when nothing else is left; 0: never */
	int64_t refresh_ms;           /* so long behind `fresh` they are given while a new one is fetched */
	int64_t temperature_milli;    /* requests above it are not kept */
	enum cache_scope scope;
	bool tools;                   /* requests that offer tools are kept too */
	bool resumed;                 /* answers that broke off and went on are kept too */
	bool coalesce;                /* identical requests under way share one answer */
	int64_t pace_ms;              /* between the pieces of a replayed stream; 0: all at once */
	int64_t near_milli;           /* least similarity of a near match, in thousandths of a percent; 0: none */
};

/* Is there anything to do for such a model? */
static inline bool cache_policy_on(const struct cache_policy *p)
{
	return p->fresh_ms > 0 || p->stale_ms > 0 || p->coalesce;
}

/* How long an answer is kept at all, in ms. */
static inline int64_t cache_kept_ms(const struct cache_policy *p)
{
	int64_t hit_ms = p->fresh_ms + p->refresh_ms;

	return p->stale_ms > hit_ms ? p->stale_ms : hit_ms;
}

/* What is said when nothing is left; either or both may be empty. */
struct last_resort_policy {
	struct slice message;         /* a fixed answer */
	struct slice model;           /* a model of the config that is asked beyond all attempts */
};

/* Where answers are kept, for all models. */
struct cache_store_policy {
	size_t memory_bytes;          /* 0: nothing is kept in memory */
	size_t entry_bytes;           /* larger answers are not kept */
	struct slice disk_path;       /* empty: none are kept on disk; NUL behind it */
	size_t disk_bytes;
	int64_t disk_wait_ms;         /* longest wait for it */
};

/* Do both mean the same stores? */
bool cache_store_policy_eq(const struct cache_store_policy *a, const struct cache_store_policy *b);

#endif
