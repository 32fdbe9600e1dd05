/* names.h: a cache of name look-ups that keeps serving the last good addresses
 * while DNS is down (catalogue N03). One per worker. */
#ifndef BACKSTAY_CONN_NAMES_H
#define BACKSTAY_CONN_NAMES_H

#include "base/log.h"
#include "io/io.h"

#define NAMES_TTL_MIN_MS 1000
#define NAMES_TTL_MAX_MS (5 * 60 * 1000)
#define NAMES_STALE_MAX_MS (24 * 60 * 60 * 1000)      /* last good answers are served for so long */
#define NAMES_RETRY_MIN_MS 1000                       /* after a failed look-up; doubles */
#define NAMES_RETRY_MAX_MS 30000

struct names;

struct names_lookup {
	/* Called once in a later step, unless cancelled. */
	void (*done)(struct names_lookup *l);
	struct io_addr addrs[IO_RESOLVE_MAX];
	unsigned count;               /* 0: failed */
	bool stale;                   /* DNS fails; this is the last good answer */
	const char *why;              /* on failure */
	void *private;                /* the cache's */
	struct io_deferred later;     /* the cache's */
};

struct names *names_create(struct io *io, const struct log *log);
void names_free(struct names *n);
/* Looks up; answers from the cache where it holds (refreshing in the background
 * when the TTL has run out but the answer is not too old), asks DNS otherwise.
 * Identical look-ups share one query. */
void names_lookup(struct names *n, struct names_lookup *l, struct slice host, uint16_t port);
void names_cancel(struct names *n, struct names_lookup *l);
/* True unless the cache has a current answer for `host` that lacks `addr`. */
bool names_still_has(const struct names *n, struct slice host, const struct io_addr *addr);

#endif
