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
	struct slice embed_model;     /* makes vectors of questions, for near matches; empty: none */
	int64_t embed_milli;          /* least cosine of a near match by them, as near_milli */
	int64_t embed_wait_ms;        /* longest wait for one in an outage */
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

struct io_tls;

enum shared_mode {
	SHARED_SINGLE,                /* one server; several addresses: whichever answers */
	SHARED_SENTINEL,              /* the master that the sentinels at the addresses name */
	SHARED_CLUSTER,               /* a cluster, which the addresses are some nodes of */
};

struct shared_address {
	struct slice host;
	uint16_t port;
};

/* A Redis or Valkey that several machines share. */
struct shared_policy {
	enum shared_mode mode;
	const struct shared_address *addresses;
	size_t address_count;         /* 0: there is none */
	struct slice master;          /* the sentinels' name for it */
	struct slice user, password, sentinel_user, sentinel_password;   /* secrets; may be empty */
	struct io_tls *tls;           /* NULL: plain */
	unsigned database;
	struct slice prefix;          /* of all names of ours there */
	int64_t wait_ms;              /* longest wait for an answer */
	int64_t connect_ms;           /* for name, TCP and TLS together */
	int64_t lease_ms;             /* how long one node may be alone with a question; 0: no leases */
};

/* Where answers are kept, for all models. */
struct cache_store_policy {
	size_t memory_bytes;          /* 0: nothing is kept in memory */
	size_t entry_bytes;           /* larger answers are not kept */
	struct slice disk_path;       /* empty: none are kept on disk; NUL behind it */
	size_t disk_bytes;
	int64_t disk_wait_ms;         /* longest wait for it */
	struct shared_policy shared;
};

/* Do both mean the same stores? */
bool cache_store_policy_eq(const struct cache_store_policy *a, const struct cache_store_policy *b);

#endif
