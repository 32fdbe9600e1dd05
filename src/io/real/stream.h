/* stream.h: a stream from the inside; only src/io/real includes it. */
#ifndef BACKSTAY_IO_REAL_STREAM_H
#define BACKSTAY_IO_REAL_STREAM_H

#include "base/buf.h"
#include "io/real/loop.h"

#include <openssl/ssl.h>

enum stream_state {
	STREAM_CONNECTING,
	STREAM_HANDSHAKE,     /* TLS is being agreed on */
	STREAM_OPEN,
	STREAM_BROKEN,        /* told, or about to be told, on_broken; no descriptor work */
	STREAM_LINGER,        /* the owner let go; we flush, then swallow */
	STREAM_CLOSED,        /* waits for its burial */
};

/* What one attempt to move bytes came to. */
enum stream_io { STREAM_IO_OK, STREAM_IO_BLOCKED, STREAM_IO_END, STREAM_IO_FAILED };

struct io_stream {
	ev_io watch;
	struct io *io;
	union {
		struct {
			const struct io_stream_events *events;
			void *owner;
			char *lent;      /* where the next bytes go; NULL: the loop's scratch */
			size_t lent_room;
		};
		struct io_timer linger;  /* STREAM_LINGER: there is no owner any more */
	};
	union {
		struct link in_streams;
		struct io_grave grave;   /* STREAM_CLOSED */
	};
	struct link in_dirty, in_due;
	struct buf out;
	SSL *ssl;                        /* NULL: plain */
	struct io_tls *tls;              /* held while `ssl` may call into it */
	int tls_peer;                    /* see tls_peer_slot() */
	enum stream_state state;
	enum io_broken why;              /* with `text`: the failure to be told */
	const char *text;                /* NULL: nothing failed */
	bool text_is_ours;               /* malloc'd */
	bool paused;
	bool peer_ended;                 /* nothing more to read */
	bool blocked;                    /* the kernel took no more; EV_WRITE is awaited */
	bool was_pending;                /* bytes were left at the end of a turn: on_drained is owed */
	bool finish, finished;           /* FIN wanted, FIN sent */
	bool accepted;                   /* came from a listener */
	bool loopback;                   /* connecting to this machine */
	bool read_wants_write;           /* TLS: reading waits for room to write */
	bool write_wants_read;           /* TLS: writing waits for bytes to read */
	bool failing;                    /* reading the last words before on_broken */
};

/* A stream on `fd`, in `state`, not watched yet. Aborts without memory. */
struct io_stream *stream_create(struct io *io, int fd, enum stream_state state);
/* Sets the watcher to what the state needs. */
void stream_watch(struct io_stream *s);
/* Puts the stream on the list of those owed an event at the end of the turn. */
void stream_owe(struct io_stream *s);
/* Marks for flushing at the end of the turn. */
void stream_dirty(struct io_stream *s);
/* Remembers the first failure; told by stream_tell_broken(). */
void stream_fail(struct io_stream *s, enum io_broken why, const char *text);
void stream_fail_errno(struct io_stream *s, int error, const char *doing);
/* Same with the stream owning a copy of the text. */
void stream_fail_copy(struct io_stream *s, enum io_broken why, const char *text);
void stream_tell_broken(struct io_stream *s);
/* Reads and tells what came, within the turn's share of work. */
void stream_read(struct io_stream *s);
/* Pushes queued bytes (and a wanted FIN) to the kernel; calls nobody. */
enum stream_io stream_push(struct io_stream *s);
/* stream_push() and telling what came of it. */
void stream_flush(struct io_stream *s);
/* Frees descriptor, TLS and buffers now, the rest at the end of the turn. */
void stream_destroy(struct io_stream *s);

/* connect.c */
void stream_on_connected(struct io_stream *s);
/* What an errno of a socket means. */
enum io_broken broken_from_errno(int error);

/* close.c: an event or a flush of a stream whose owner let go. */
void stream_linger_step(struct io_stream *s, int revents);

/* tls_stream.c; all set want flags and failure as needed and call nobody. */
void tls_stream_accept(struct io_stream *s, struct io_tls *tls);
enum stream_io tls_handshake_step(struct io_stream *s);
enum stream_io tls_read(struct io_stream *s, char *at, size_t room, size_t *got);
enum stream_io tls_write(struct io_stream *s, struct slice bytes, size_t *taken);
/* Sends close_notify as far as possible. */
void tls_stream_finish(struct io_stream *s);
/* Frees what TLS holds; fine for a plain stream. */
void tls_stream_end(struct io_stream *s);
/* Bytes that no readiness of the descriptor will announce. */
bool tls_has_unread(const struct io_stream *s);
/* stream.c: carries the handshake on and tells its end. */
void stream_handshake(struct io_stream *s);

#endif
