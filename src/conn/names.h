/* names.h: a cache of name look-ups that keeps serving the last good addresses
 * while DNS is down (catalogue N03). One per worker. */
#ifndef BACKSTAY_CONN_NAMES_H
#define BACKSTAY_CONN_NAMES_H

#include "base/list.h"
#include "base/log.h"
#include "io/io.h"

/* Answers hold for their TTL, kept within these. */
#define NAMES_TTL_MIN_MS 1000
#define NAMES_TTL_MAX_MS (5 * 60 * 1000)
#define NAMES_STALE_MAX_MS (24 * 60 * 60 * 1000)      /* last good answers are served for so long */
#define NAMES_RETRY_MIN_MS 1000                       /* after a failed look-up; doubles */
#define NAMES_RETRY_MAX_MS 30000
#define NAMES_GRACE_MS (5 * 60 * 1000)        /* so long after its TTL an answer is used while it is refreshed */
#define NAMES_PATIENCE_MS 500                 /* an older one is used when DNS has not answered by then */
#define NAMES_COUNT_MAX 256                   /* names kept; the one not asked for the longest goes */

struct names;

struct names_lookup {
	/* Called once in a later step, unless cancelled. */
	void (*done)(struct names_lookup *l);
	struct io_addr addrs[IO_RESOLVE_MAX];
	unsigned count;               /* 0: failed */
	bool stale;                   /* DNS fails; this is the last good answer */
	const char *why;              /* on failure */
	void *private;                /* the cache's */
	struct link link;             /* the cache's; zero at first */
	uint16_t port;                /* the cache's */
};

/* A cache for one loop; `log` is borrowed. The caller ends it with names_free(). */
struct names *names_create(struct io *io, const struct log *log);
/* Ends queries under way; nobody may still wait. NULL is fine. */
void names_free(struct names *n);
/* Looks up; answers from the cache where it holds (refreshing in the background
 * when the TTL has run out but the answer is not too old), asks DNS otherwise.
 * Identical look-ups share one query. Literals and "unix:/path" are answered
 * without asking. `host` is borrowed for the call. After a failure with nothing
 * good to serve, look-ups fail at once for NAMES_RETRY_MIN_MS. */
void names_lookup(struct names *n, struct names_lookup *l, struct slice host, uint16_t port);
/* done() will not be called; fine at any time after names_lookup(). */
void names_cancel(struct names *n, struct names_lookup *l);
/* Refreshes in the background if the answer's TTL has run out: for those who
 * live on old connections and look nothing up. Unknown names are fine. */
void names_refresh(struct names *n, struct slice host);
/* Has changed(owner, host) called when a new answer for `host` (in lower case)
 * lacks an address of the old one. One watcher; NULL: none. */
void names_watch(struct names *n, void (*changed)(void *owner, struct slice host), void *owner);
/* True unless the cache has a current answer for `host` that lacks `addr`
 * (ports do not count). */
bool names_still_has(const struct names *n, struct slice host, const struct io_addr *addr);

#endif
