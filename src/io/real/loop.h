/* loop.h: the real loop from the inside; only src/io/real includes it.
 *
 * A turn: the kernel reports what is ready (the clock is read once here), the
 * streams' handlers run, then turn_end(): timers that are due, deferred work,
 * events that were owed, flushing what was written, burying the dead. Then the
 * loop blocks again. */
#ifndef BACKSTAY_IO_REAL_LOOP_H
#define BACKSTAY_IO_REAL_LOOP_H

#include "base/buf.h"
#include "base/check.h"
#include "base/list.h"
#include "base/lock.h"
#include "base/rng.h"
#include "io/real/real.h"

#include <ev.h>

/* One read takes at most this much; one buffer serves all streams of a loop. */
#define SCRATCH_BYTES (128u * 1024)
/* Small buffers that written bytes have left, for the next ones. */
#define SPARES 64
#define SPARE_BYTES_MAX 2048

struct background;
struct resolver;
struct signal_watch;

struct io {
	struct ev_loop *loop;
	ev_prepare prepare;
	ev_check check;
	ev_timer alarm;                  /* wakes for the earliest io_timer */
	ev_async wake;

	mono_ms now;
	int64_t now_us;                  /* the same, finer: when this turn began */
	void (*on_turn)(void *owner, int64_t took_us);        /* NULL: nobody wants to know */
	void *on_turn_owner;
	int64_t wall_offset_ms;          /* wall = now + this; refreshed once a second */
	mono_ms wall_read_at;
	struct rng rng;

	struct heap timers;
	mono_ms alarm_at;                /* what `alarm` is set for; MONO_NEVER: not set */

	struct io_deferred *deferred, **deferred_end;
	struct io_grave *graves, **graves_end;
	struct list streams;             /* all that have a descriptor or an owner */
	struct list dirty;               /* to be flushed at the end of the turn */
	struct list due;                 /* owed an event that no readiness will bring */
	struct list listeners;
	char *scratch;
	struct buf spares[SPARES];       /* empty, with memory */
	unsigned spare_count;

	struct lock post_lock;
	struct io_message *posted, **posted_end;
	struct io_job *finished, **finished_end;
	struct background *background;   /* NULL until the first job */

	struct resolver *resolver;       /* NULL until the first name */
	struct signal_watch *signals;
	bool stopping;
};

/* timer.c: fires what is due; makes the loop wake for the next. */
void timers_run(struct io *io);
void timers_arm(struct io *io);

/* post.c: hands over messages and finished jobs. */
void post_start(struct io *io);
void post_stop(struct io *io);
void post_finished_job(struct io *io, struct io_job *job);

/* background.c: runs the queue empty and joins the threads. NULL is fine. */
void background_free(struct background *b);
/* signal.c and resolve.c: end everything without calling back. */
void signals_free(struct io *io);
void resolver_free(struct resolver *r);
/* Asks the name servers in `list` ("127.0.0.1:5353,...") instead of the system's
 * from now on. False: not a list of addresses. */
bool resolver_use_servers(struct io *io, const char *list);
/* listen.c: stops all listeners. */
void listeners_free(struct io *io);

/* stream.c: the streams' part of the end of a turn. */
void streams_pay_due(struct io *io);
void streams_flush_dirty(struct io *io);
void streams_free(struct io *io);

#endif
