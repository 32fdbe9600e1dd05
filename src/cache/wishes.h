/* wishes.h: what a client wants of kept answers (Cache-Control in a request,
 * RFC 9111 5.2.1 and RFC 5861 4), and whether one of some age may be given. */
#ifndef BACKSTAY_CACHE_WISHES_H
#define BACKSTAY_CACHE_WISHES_H

#include "cache/policy.h"

struct cache_wishes {
	bool no_store;                /* neither kept nor shared */
	bool no_cache;                /* no kept answer while a new one can be had */
	bool only_if_cached;          /* a kept one or none */
	int64_t max_age_ms;           /* fresh at most so long; INT64_MAX: not said */
	int64_t max_stale_ms;         /* also so long behind it; 0: not said; INT64_MAX: any */
	int64_t stale_if_error_ms;    /* in trouble so long behind it; -1: not said */
};

/* Nothing is wished. */
void cache_wishes_init(struct cache_wishes *w);
/* Adds what one Cache-Control header says. What is not understood is no wish; a
 * span that is none is the strictest. */
void cache_wishes_read(struct cache_wishes *w, struct slice value);

enum cache_verdict {
	CACHE_MISS,
	CACHE_GIVE,                   /* as fresh */
	CACHE_GIVE_REFRESH,           /* and fetch a new one meanwhile */
	CACHE_GIVE_STALE,             /* since the client takes a stale one */
};

/* May an answer of that age be given instead of asking? */
enum cache_verdict cache_verdict(const struct cache_policy *p, const struct cache_wishes *w,
				 int64_t age_ms);
/* Could any? Otherwise there is no need to look. */
bool cache_may_hit(const struct cache_policy *p, const struct cache_wishes *w);
/* May it be given when nothing else is left? */
bool cache_may_rescue(const struct cache_policy *p, const struct cache_wishes *w, int64_t age_ms);

#endif
