/* worker.h: one thread with a loop of its own, its listening sockets, its pool
 * of connections to backends and its exchanges. */
#ifndef BACKSTAY_DAEMON_WORKER_H
#define BACKSTAY_DAEMON_WORKER_H

#include "conn/client_conn.h"
#include "config/config.h"
#include "io/real/real.h"
#include "observe/metrics.h"
#include "observe/recent.h"

enum access_form { ACCESS_OFF, ACCESS_JSON, ACCESS_TERMINAL, ACCESS_TERMINAL_COLOUR };

struct cache;
struct drills;
struct pulse;
struct flights;
struct quotas;
struct lobby;
struct worker;

/* Everything is borrowed and outlives the worker, except what is said otherwise. */
struct worker_setup {
	struct config *config;        /* a reference is taken */
	struct io_socket **sockets;   /* the worker closes them when it stops accepting; it
	                               * empties the slots at once */
	size_t socket_count;
	struct client_counters *counters;
	struct lobby *lobby;
	struct cache *cache;
	struct flights *flights;
	struct quotas *quotas;
	struct metrics *metrics;
	struct recent *recent, *troubles;
	struct pulse *pulse;
	struct drills *drills;
	struct io_lines *log_lines, *access_lines;    /* the second may be NULL: ACCESS_OFF */
	enum access_form access;
	struct io *control;           /* loop of the thread that owns the workers */
	/* Told on that loop, once, after worker_drain() when nothing is under way any
	 * more. */
	void (*on_drained)(void *owner, struct worker *w);
	void *owner;
};

/* Starts the thread; it accepts at once. NULL with a sentence in `why`. The
 * caller ends it with worker_stop(). All functions here are for the control
 * thread. */
struct worker *worker_start(const struct worker_setup *setup, char *why, size_t why_size);
/* Exchanges begun from now on use `config`, of which a reference is taken. */
void worker_set_config(struct worker *w, struct config *config);
/* Stops accepting and closes idle connections. */
void worker_drain(struct worker *w);
/* Ends the exchanges under way honestly. */
void worker_end_all(struct worker *w);
/* Breaks what is left, ends the thread and frees the worker. */
void worker_stop(struct worker *w);

#endif
