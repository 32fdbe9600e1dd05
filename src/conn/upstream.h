/* upstream.h: the client side of HTTP/1.1 over io streams: calls to backends
 * over pooled connections.
 *
 * An upstream_pool belongs to one worker. A call is one request and its
 * response on one connection: finding or making the connection (names, next
 * address, CONNECT through a proxy, TLS, all inside the origin's connect_ms),
 * writing, reading, judging the framing. A reused connection that turns out to
 * have been closed by the peer before any byte of the response is replaced by
 * a fresh one once, unseen (catalogue N08). */
#ifndef BACKSTAY_CONN_UPSTREAM_H
#define BACKSTAY_CONN_UPSTREAM_H

#include "base/fault.h"
#include "base/log.h"
#include "conn/policy.h"
#include "wire/h1.h"

struct upstream_pool;
struct upstream_call;

/* All told in later steps of the loop, never inside a call's own functions.
 * After on_end, on_fault or upstream_cancel()/upstream_release() the call is
 * gone and must not be named. */
struct upstream_events {
	/* A connection stands and the request is on its way. `reused`: from the
	 * pool. May come twice where a stale connection was replaced. */
	void (*on_connected)(void *owner, bool reused);
	/* The final response head (1xx are skipped, at most 16). Valid during the
	 * call. Hop-by-hop headers, Content-Encoding and Content-Length of decoded
	 * bodies are still in it: the owner picks what it wants. */
	void (*on_head)(void *owner, const struct h1_head *head);
	/* Body bytes, dechunked and decompressed; valid during the call. */
	void (*on_body)(void *owner, struct slice bytes);
	/* The body ended as its framing says. until_close: the end was only the
	 * connection's end, which proves nothing. */
	void (*on_end)(void *owner, bool until_close);
	/* FAULT_CONNECT: nothing was sent. FAULT_BAD_ANSWER: framing wrong, junk,
	 * oversized head, cut before the head. FAULT_CUT: broken in the body.
	 * FAULT_LOCAL: our own trouble. `text` is a sentence for the log, valid
	 * during the call. */
	void (*on_fault)(void *owner, enum fault why, const char *text);
};

/* Everything is borrowed until the call is gone. */
struct upstream_request {
	struct slice method;
	struct slice target;          /* path and query as sent */
	struct slice headers;         /* ready lines "Name: value\r\n"…, without Host, Content-Length,
	                               * Connection, Accept-Encoding, which are added here */
	const struct slice *body;     /* parts that together are the body */
	size_t body_parts;
	bool has_body;                /* sends Content-Length even if it is 0 */
	bool fresh;                   /* never a pooled connection (requests not safe to repeat) */
	uint64_t body_max;            /* response bytes accepted (decoded); more is FAULT_BAD_ANSWER */
};

/* Counters of one pool; read by the owner's thread. `connects` counts those that
 * came to stand, `connect_faults` the calls that got no connection. */
struct upstream_counters {
	uint64_t connects, connect_faults, reuses, stale_replays, junk_discards;
	uint64_t open, idle;          /* now */
};

/* A pool for one worker. `log` is borrowed. Idle connections are closed at
 * their origin's idle_ms, at once when the peer says anything or closes, and
 * when the origin's name no longer has their address. LIFO reuse. */
struct upstream_pool *upstream_pool_create(struct io *io, const struct log *log);
/* Closes idle connections; calls under way must be gone. */
void upstream_pool_free(struct upstream_pool *p);
/* Closes all idle connections (drain, or origins that left the config). */
void upstream_pool_flush(struct upstream_pool *p);
const struct upstream_counters *upstream_pool_counters(const struct upstream_pool *p);

/* Starts a call. `origin` must live until the call is gone. Never NULL. */
struct upstream_call *upstream_start(struct upstream_pool *p, const struct origin *origin,
				     const struct upstream_request *request,
				     const struct upstream_events *events, void *owner);
/* Stops and resumes reading (backpressure). While paused nothing of the answer
 * is told, its end or a broken connection included; what had been read waits
 * (no more than one piece from the kernel). */
void upstream_pause(struct upstream_call *call, bool paused);
/* The owner has lost interest: the connection is closed at once, so that the
 * backend stops working. */
void upstream_cancel(struct upstream_call *call);
/* The owner has been told of the final head: may what it was asked with go away? False:
 * some of it is still to be sent. True: the call names `request` and all that it
 * refers to no more. */
MUST_USE bool upstream_forget_request(struct upstream_call *call);
/* The owner has all it needs although the body has not ended (after [DONE]):
 * the rest is swallowed for up to a second and 64 KiB so that the connection
 * can be kept, else it is closed. */
void upstream_release(struct upstream_call *call);
/* For the log. */
unsigned upstream_stale_replays(const struct upstream_call *call);

#endif
