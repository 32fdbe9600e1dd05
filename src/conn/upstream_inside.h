/* upstream_inside.h: one call, as the files that make it up see it. */
#ifndef BACKSTAY_CONN_UPSTREAM_INSIDE_H
#define BACKSTAY_CONN_UPSTREAM_INSIDE_H

#include "conn/dial.h"
#include "conn/pool.h"
#include "conn/reader.h"

/* How much of a request is given to a stream at a time (the last time, half as much
 * again); the rest waits in its
 * owner's memory until the kernel has taken that. */
#define SEND_BYTES_MAX (256 * 1024)
/* What is swallowed of a released answer. */
#define RELEASED_BYTES_MAX (64 * 1024)
#define RELEASED_MS 1000

struct upstream_call {
	struct upstream_pool *pool;
	const struct origin *origin;          /* NULL once released */
	const struct upstream_request *request;       /* NULL once forgotten, or released */
	const struct upstream_events *events;
	void *owner;
	struct link link;                     /* in the pool's calls */
	struct dial *dial;                    /* at most one of these two */
	struct upstream_conn *conn;
	struct reader reader;
	struct {
		size_t part, part_at;         /* the next byte of the body to write */
		uint64_t done;                /* bytes of the body before it */
		bool head_done, all_done;
		bool stopped;                 /* the answer made the rest pointless (H21) */
	} send;
	struct io_timer timer;                /* goes on sending; patience with a released one */
	bool gone, released;
	bool announce;                        /* on_connected is owed */
	bool paused, stream_paused;
	bool reading;                         /* inside read_on() */
	bool head_told;
	bool ended, ended_clean, ended_local; /* the connection is; not told yet */
	unsigned replays;
	uint64_t swallowed;
	struct io_deferred later;
	struct io_grave grave;
	char *how;                            /* how the connection ended; NULL: it has not */
};

/* upstream_send.c: writes as much of the request as may be queued now; goes on
 * by itself. The timer's handler and the one for drained streams. */
void call_send(struct upstream_call *c);
void call_send_kick(struct io_timer *t, mono_ms now);
void call_send_drained(void *owner);
/* Nothing of the request is written any more. */
void call_send_stop(struct upstream_call *c);
/* True if all of the request has been taken by the kernel. */
bool call_sent(const struct upstream_call *c);

/* upstream.c: ends the released calls of a pool. */
void call_close_released(struct upstream_pool *p);

#endif
