/* quotas.h: what client keys may ask for in a minute: requests, and tokens of all
 * tries. Counted by all workers of the process and, where there is a shared store, by
 * all machines that share it. Any thread. */
#ifndef BACKSTAY_EXCHANGE_QUOTAS_H
#define BACKSTAY_EXCHANGE_QUOTAS_H

#include "admit/admit.h"
#include "base/log.h"
#include "base/mono.h"

struct cache;
struct quotas;

/* One for a process. `cache` (with which machines share; NULL: they do not) is freed
 * before it. Counts are kept over reloads, by the keys' names. */
struct quotas *quotas_create(struct cache *cache, const struct log *log);
void quotas_free(struct quotas *q);          /* NULL is fine */

/* A request of `who` comes in. True: it may, and is counted. Else *wait_ms is when
 * the next one may, and *tokens whether it is tokens that are spent. */
bool quotas_enter(struct quotas *q, const struct client_key *who, mono_ms now, int64_t *wait_ms, bool *tokens);
/* It took so many tokens. */
void quotas_spend(struct quotas *q, const struct client_key *who, mono_ms now, int64_t tokens);

struct quota_stats {
	uint64_t refused_requests, refused_tokens;    /* requests turned away, by what was spent */
	bool shared;                  /* several machines count together at present */
	bool alone;                   /* they should, and this one counts alone */
};
/* NULL is fine: nothing is counted. */
struct quota_stats quotas_stats(struct quotas *q);

#endif
