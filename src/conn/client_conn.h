/* client_conn.h: the server side of HTTP/1.1 over io streams.
 *
 * A client_door accepts for one worker; a client_conn is one connection. It
 * reads requests strictly and whole (head and body, within limits), hands them
 * up one after another, and frames the responses. It knows nothing of models:
 * what it says by itself (400, 408, 413, 431, 503 ...) is worded by the layer
 * above through write_error(). */
#ifndef BACKSTAY_CONN_CLIENT_CONN_H
#define BACKSTAY_CONN_CLIENT_CONN_H

#include "base/buf.h"
#include "base/log.h"
#include "conn/policy.h"
#include "wire/h1.h"

#include <stdatomic.h>

struct client_door;
struct client_conn;

/* Calls up to the owner of the door. */
struct client_door_events {
	/* A head has arrived and is well formed; its body has not been read. True:
	 * go on (a `100 Continue` is sent where the client waits for it). False:
	 * the owner has answered already with client_respond_*(); the rest of the
	 * request is not handed up and the connection closes after the answer.
	 * `head` is valid during the call. May be NULL: everything goes on. */
	bool (*on_head)(void *owner, struct client_conn *c, const struct h1_head *head);
	/* A whole request. `head` is valid during the call; the body's memory may be
	 * taken with buf_take(). Exactly one response is owed; the next request of
	 * the connection waits for its end. The owner claims the request with
	 * client_claim() or answers before it returns. */
	void (*on_request)(void *owner, struct client_conn *c, const struct h1_head *head,
			   struct buf *body);
	/* Appends the body of an error the connection answers by itself and gives
	 * its content type. */
	struct slice (*write_error)(void *owner, int status, struct slice sentence, struct buf *out);
};

#define CLIENT_DRAIN_BYTES ((size_t)64 * 1024)

/* What the claimer of a request is told. */
struct client_request_events {
	/* The client closed, reset or takes nothing any more before the response
	 * ended. A FIN counts as leaving: half-closing cannot be told from going
	 * away. Told within the turn of the loop that learns of it. The connection
	 * is dead and must not be named again. */
	void (*on_gone)(void *owner);
	/* The response's bytes have all left; told each time client_pending() had
	 * been above CLIENT_DRAIN_BYTES, or above 0 at the end of a turn. */
	void (*on_drained)(void *owner);
};

/* Counters shared by all doors of a process; plain atomics, any thread reads. */
struct client_counters {
	atomic_uint_fast64_t connections;         /* open now */
	atomic_uint_fast64_t accepted, refused_full;
	atomic_uint_fast64_t bad_requests;        /* answered by the connection itself */
	atomic_uint_fast64_t body_bytes;          /* of request bodies held now */
	atomic_uint_fast64_t refused_memory;      /* requests refused since limits.memory was reached */
};

/* A door for one worker. `limits` may be replaced later with
 * client_door_set_limits() and is borrowed; `counters` is shared and outlives
 * it. The caller ends it with client_door_free(). */
struct client_door *client_door_create(struct io *io, const struct client_limits *limits,
				       struct client_counters *counters, const struct log *log,
				       const struct client_door_events *events, void *owner);
/* Accepts on `socket` too (several are fine). `tls` NULL: plain. */
void client_door_listen(struct client_door *d, struct io_socket *socket, struct io_tls *tls);
void client_door_set_limits(struct client_door *d, const struct client_limits *limits);
void client_door_set_tls(struct client_door *d, struct io_tls *tls);
/* Stops accepting and closes idle connections; those with a request under way
 * close when its response has ended ("Connection: close" is said). */
void client_door_drain(struct client_door *d);
/* Connections still open. */
size_t client_door_count(const struct client_door *d);
/* Breaks what is still open (claimers get on_gone) and frees the door. */
void client_door_free(struct client_door *d);

/* ---- one request ------------------------------------------------------------- */

/* From now on `events` (borrowed, static) are told to `owner`, until the
 * response ended. */
void client_claim(struct client_conn *c, const struct client_request_events *events, void *owner);
/* The claimer has freed the request's body: it counts against limits.memory no
 * longer. Without this it does until the response has ended. */
void client_body_freed(struct client_conn *c);
/* Who is at the other end. */
struct io_addr client_peer(const struct client_conn *c);

#define CLIENT_LENGTH_UNKNOWN UINT64_MAX
/* Writes the response head. Content-Length (or chunked for
 * CLIENT_LENGTH_UNKNOWN; until-close for HTTP/1.0 clients), Connection and Date
 * are added here and must not be among `headers`. */
void client_respond_head(struct client_conn *c, int status, const struct h1_header *headers,
			 size_t header_count, uint64_t length);
/* Body bytes; dropped by themselves for HEAD requests. Empty slices are fine. */
void client_respond_data(struct client_conn *c, struct slice bytes);
/* The response is complete. Afterwards the connection belongs to its door again
 * and must not be named. With a known length all bytes must have been given. */
void client_respond_end(struct client_conn *c);
/* The response cannot be completed: what was written so far leaves, then the
 * connection breaks so that no client can take it for an end (no last chunk;
 * RST where the length was open until close). */
void client_respond_break(struct client_conn *c);
/* Head, body and end in one. */
void client_respond_whole(struct client_conn *c, int status, const struct h1_header *headers,
			  size_t header_count, struct slice body);
/* Response bytes that the client has not taken yet. */
size_t client_pending(const struct client_conn *c);

#endif
