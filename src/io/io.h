/* io.h: THE door to the outside. Everything Backstay does to the world, or
 * learns from it, goes through here. src/io/real implements it with libev,
 * OpenSSL and c-ares; sim/ implements it with a heap of future events. Which
 * one a program gets is decided by what it is linked with.
 *
 * Rules that hold for both:
 *  - One `struct io` is one loop on one thread. Nothing of it may be touched
 *    from another thread, io_post() excepted.
 *  - No function calls back before it has returned: results come in a later
 *    step of the loop.
 *  - An event handler may do anything, closing the very stream it is told
 *    about included. After io_close() no event of that stream arrives.
 *  - Time stands still during a turn of the loop.
 *  - Slices and names given to a function are borrowed for the call only.
 *    Slices given to a handler are valid until it returns. */
#ifndef BACKSTAY_IO_IO_H
#define BACKSTAY_IO_IO_H

#include "base/fault.h"
#include "base/heap.h"
#include "base/mono.h"
#include "base/slice.h"

struct io;

/* ---- time and chance -------------------------------------------------- */

/* Monotonic milliseconds, cached once per turn. */
mono_ms io_now(const struct io *io);
/* Unix time in milliseconds; only for dates that are shown or parsed, never
 * for measuring. May jump. */
int64_t io_wall_ms(const struct io *io);
/* Microseconds since this turn of the loop began, read from the clock: how long
 * what came with it has been waiting for us. Only for measuring ourselves; where
 * time is simulated it is 0. */
int64_t io_turn_us(const struct io *io);
/* 64 random bits (seeded from the kernel in the real world). Not for keys. */
uint64_t io_random(struct io *io);

/* A timer lives inside its owner. Zero it and set `fire` before first use. */
struct io_timer {
	struct heap_node node;
	void (*fire)(struct io_timer *t, mono_ms now);
};

/* Fires once at the first turn with now >= at. Setting a pending timer moves
 * it; MONO_NEVER clears it. */
void io_timer_set(struct io *io, struct io_timer *t, mono_ms at);
/* Makes it not fire; fine if it is not pending. */
void io_timer_clear(struct io *io, struct io_timer *t);

/* ---- the dead of a turn ----------------------------------------------- */

struct io_grave {
	struct io_grave *next;
	void (*bury)(struct io_grave *g);
};

/* Calls bury(g) at the end of this turn, when no event of the turn can name
 * the dead any more. */
void io_bury(struct io *io, struct io_grave *g);

/* Wakes at the end of this turn, before anything is flushed to the sockets:
 * for work gathered over a turn. Runs at most once per io_defer() call. */
struct io_deferred {
	struct io_deferred *next;
	bool queued;
	void (*run)(struct io_deferred *d, mono_ms now);
};
void io_defer(struct io *io, struct io_deferred *d);

/* ---- addresses --------------------------------------------------------- */

enum io_family { IO_IPV4 = 4, IO_IPV6 = 6, IO_UNIX = 1 };

struct io_addr {
	enum io_family family;
	uint8_t bytes[16];            /* network order; 4 used for IPv4 */
	uint16_t port;                /* host order */
	char path[108];               /* IO_UNIX only, NUL-terminated */
};

/* "1.2.3.4:80", "[::1]:80", "unix:/path". Port 0 is allowed. False: not an
 * address of that form (a host name is not one). */
bool io_addr_parse(struct slice text, struct io_addr *out);
/* The reverse; `out` holds at least IO_ADDR_TEXT_MAX bytes. Gives `out`. */
#define IO_ADDR_TEXT_MAX 128
const char *io_addr_text(const struct io_addr *a, char *out);
/* How many bytes of its front say all, for those who keep many: few but for paths. */
size_t io_addr_bytes(const struct io_addr *a);
/* The address again, from so many bytes of it. */
struct io_addr io_addr_from(const void *bytes, size_t count);
bool io_addr_eq(const struct io_addr *a, const struct io_addr *b);
/* 127.0.0.0/8, ::1 and unix sockets. */
bool io_addr_is_loopback(const struct io_addr *a);

/* ---- resolving ---------------------------------------------------------- */

#define IO_RESOLVE_MAX 16

struct io_resolve {
	/* Set by the caller. Called once, unless cancelled. */
	void (*done)(struct io_resolve *r);
	/* Filled in before done(): */
	struct io_addr addrs[IO_RESOLVE_MAX];   /* in the order to try, families alternating */
	unsigned count;                         /* 0: failed, see why */
	int64_t ttl_ms;                         /* how long the answer holds; >= 0 */
	const char *why;                        /* static sentence on failure */
	void *private;                          /* the implementation's */
};

/* Looks `host` up (IPv4 and IPv6; literals answer too, in a later step). No
 * cache: conn/names keeps one. Each answer carries `port`. */
void io_resolve_start(struct io *io, struct io_resolve *r, struct slice host, uint16_t port);
/* done() will not be called. */
void io_resolve_cancel(struct io *io, struct io_resolve *r);

/* ---- TLS ----------------------------------------------------------------- */

struct io_tls;               /* a shared, immutable TLS setup; counted */

struct io_tls_client_options {
	const char *ca_file;          /* PEM; NULL: the system's store */
	const char *cert_file, *key_file;   /* client certificate; NULL: none */
};

/* A setup for connections to verified servers (name and chain are always
 * verified, TLS 1.2 at least). NULL on failure with a sentence in why. The
 * caller owns one reference. May be called on any thread. */
struct io_tls *io_tls_client(const struct io_tls_client_options *o, char *why, size_t why_size);
/* A setup for our own listener. */
struct io_tls *io_tls_server(const char *cert_file, const char *key_file, char *why, size_t why_size);
struct io_tls *io_tls_take(struct io_tls *tls);
/* Unix time in seconds at which the certificate that it presents ends; 0: it presents
 * none. */
int64_t io_tls_expires(const struct io_tls *tls);
/* The same of what the server `name` (as in io_stream_tls()) showed when it was last
 * connected to with this setup; 0: it is not known. Any thread. */
int64_t io_tls_peer_expires(struct io_tls *tls, struct slice name);
void io_tls_give(struct io_tls *tls);        /* NULL is fine */

/* ---- streams -------------------------------------------------------------- */

struct io_stream;

/* Why a stream is dead. */
enum io_broken {
	IO_REFUSED,          /* connect: nobody listens (RST) */
	IO_UNREACHABLE,      /* connect: no route, network down */
	IO_RESET,            /* RST or a write to a closed peer */
	IO_TLS_FAILED,       /* handshake or record failure; text says which */
	IO_LOCAL,            /* EMFILE, EADDRNOTAVAIL, no memory: not the peer's doing */
	IO_TIMED_OUT,        /* the kernel gave up (TCP_USER_TIMEOUT, keepalive) */
};

/* What a stream tells its owner. Any pointer may be NULL except on_broken. */
struct io_stream_events {
	/* The connection stands; after io_stream_tls(): the peer is verified. */
	void (*on_open)(void *owner);
	/* Bytes arrived. The owner takes all of them. */
	void (*on_data)(void *owner, struct slice bytes);
	/* The peer will send no more (FIN, or TLS close_notify). Writing is still
	 * possible. A TLS stream whose peer left without close_notify ends like
	 * this too: message framing decides what that means (RFC 9112 9.8). */
	void (*on_end)(void *owner);
	/* The stream is dead; the owner still has to io_close() it. `text` is a
	 * static or stream-owned sentence for the log. */
	void (*on_broken)(void *owner, enum io_broken why, const char *text);
	/* All written bytes have gone to the kernel; told once each time the
	 * queue had been non-empty at the end of a turn and became empty. */
	void (*on_drained)(void *owner);
};

/* Starts a TCP (or unix) connection; on_open or on_broken follows. There is no
 * time-out here: the caller closes when it has waited enough. The caller owns
 * the stream and ends it with io_close(). Never NULL: local trouble comes as
 * on_broken(IO_LOCAL). */
struct io_stream *io_connect(struct io *io, const struct io_addr *to,
			     const struct io_stream_events *events, void *owner);
/* Starts TLS as a client on an open plain stream; `name` is used for SNI and
 * verification (an IP literal is verified as such, without SNI). on_open or
 * on_broken(IO_TLS_FAILED) follows. Takes its own reference to `tls`. */
void io_stream_tls(struct io_stream *s, struct io_tls *tls, struct slice name);
/* Hands the stream to another owner, e.g. into a pool and out of it. */
void io_stream_adopt(struct io_stream *s, const struct io_stream_events *events, void *owner);
/* Queues bytes; they leave together at the end of the turn (large parts may
 * leave at once). What the kernel does not take is copied and kept. */
void io_write(struct io_stream *s, const struct slice *parts, size_t count);
/* Bytes queued and not yet taken by the kernel. Writers that can wait stop
 * above a limit of theirs and go on at on_drained(). */
size_t io_write_pending(const struct io_stream *s);
/* While paused no on_data/on_end comes (what the kernel holds stays there).
 * A reset may still be told. */
void io_read_pause(struct io_stream *s, bool paused);
/* Lends memory that the next bytes may be read into, no more than `room` of them:
 * on_data() is then told of bytes at `at`, and the loan is over. They may come
 * elsewhere just as well. Room 0 takes the memory back; so does closing. For
 * long bodies, which would otherwise be copied once more. With `at` NULL nothing is
 * lent: the next bytes are no more than `room`, so that what follows can be lent. */
void io_read_into(struct io_stream *s, char *at, size_t room);
/* Sends FIN (or close_notify) after what is queued; reading goes on. */
void io_stream_finish(struct io_stream *s);

enum io_close {
	IO_CLOSE_FLUSH,      /* send what is queued, FIN, then swallow input for up to 2 s so that
	                      * the peer reads our last words instead of a reset */
	IO_CLOSE_NOW,        /* drop what is queued, close */
	IO_CLOSE_RESET,      /* drop what is queued, RST: the peer must not take this for an end */
};
/* Ends the owner's hold; no event comes afterwards. */
void io_close(struct io_stream *s, enum io_close how);

/* ---- listening ------------------------------------------------------------- */

/* A bound listening socket of the process (kept by the supervisor, shared with
 * serving processes). */
struct io_socket;

/* Binds and listens (SO_REUSEPORT, so that each worker may have its own).
 * NULL on failure with a sentence naming the address in why. */
struct io_socket *io_socket_open(const struct io_addr *at, char *why, size_t why_size);
/* The address really bound (the port chosen where 0 was asked). */
struct io_addr io_socket_addr(const struct io_socket *s);
void io_socket_close(struct io_socket *s);

struct io_listener;

/* Accepts on `socket` in this loop. The handler gets each new stream, which it
 * owns (it must io_stream_adopt() it before returning, or io_close() it). With
 * `tls` (borrowed; a reference is taken per listener) the handshake runs by
 * itself and on_data gets plain bytes; a failed one comes as on_broken. No
 * on_open comes for an accepted stream, with TLS or without. When
 * descriptors run out, accepting pauses briefly and goes on by itself. The
 * socket stays the caller's. */
struct io_listener *io_listen(struct io *io, struct io_socket *socket, struct io_tls *tls,
			      void (*on_accept)(void *owner, struct io_stream *s,
						const struct io_addr *peer),
			      void *owner);
/* Replaces the TLS setup for connections accepted from now on. */
void io_listener_set_tls(struct io_listener *l, struct io_tls *tls);
/* Stops accepting; streams accepted before live on. */
void io_listener_close(struct io_listener *l);

/* ---- other threads ----------------------------------------------------------- */

/* Work that may block (files, a database), done away from the loop. */
struct io_job {
	void (*work)(struct io_job *job);     /* on a background thread */
	void (*done)(struct io_job *job);     /* later, on the loop */
	struct io_job *next;                  /* the implementation's */
	struct io *io;                        /* the implementation's */
};
void io_background(struct io *io, struct io_job *job);

/* A message to a loop from any thread; deliver() runs on that loop. */
struct io_message {
	void (*deliver)(struct io_message *m);
	struct io_message *next;              /* the implementation's */
};
void io_post(struct io *io, struct io_message *m);

#endif
