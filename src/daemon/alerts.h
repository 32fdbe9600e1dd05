/* alerts.h: the one teller of trouble in a process. It lives on the control
 * thread's loop; whoever sees trouble on whatever thread says so with
 * alerts_raise(). What is wrong with targets and models it sees itself. */
#ifndef BACKSTAY_DAEMON_ALERTS_H
#define BACKSTAY_DAEMON_ALERTS_H

#include "base/buf.h"
#include "base/log.h"
#include "config/config.h"
#include "io/io.h"
#include "observe/alert_book.h"

struct alerts;
struct cache;

/* Begins to tell by the config's `alerts`; a reference of it is taken, and its
 * targets are bound. `log` is borrowed. */
struct alerts *alerts_create(struct io *io, const struct log *log, struct config *config);
/* Looks at the cache's stores too; NULL: at none. Borrowed until alerts_stop(). */
void alerts_watch_cache(struct alerts *a, struct cache *cache);
/* The config has changed; messages under way are sent again. */
void alerts_set_config(struct alerts *a, struct config *config);
/* Something is wrong, or over (see struct alert_event). Any thread, until
 * alerts_stop(); cheap, and bounded: what comes faster than it can be noted is
 * dropped and counted. NULL alerts drop everything. */
void alerts_raise(struct alerts *a, const struct alert_event *e);
/* The same, on the control thread, at once. */
void alerts_note(struct alerts *a, const struct alert_event *e);
/* Kinds (bits) whose trouble has all been noted since the last call: what was not
 * is over. The control thread. */
void alerts_round(struct alerts *a, unsigned kinds);
/* Before the loop is freed: gives messages up, and writes the state once more. */
void alerts_stop(struct alerts *a);
/* After it. NULL is fine, here and above. */
void alerts_free(struct alerts *a);

/* Appends {"firing":[...],"sinks":[...]}; false: the buf's maximum was reached. */
MUST_USE bool alerts_write_json(const struct alerts *a, struct buf *out);
/* For metrics: cells of the PROCESS rows that concern alerts; the sinks, their
 * names, and cells of the SINK rows. NULL alerts have no sinks. */
double alerts_read(const struct alerts *a, size_t cell);
size_t alerts_sinks(const struct alerts *a);
struct slice alerts_sink_name(const struct alerts *a, size_t sink);
double alerts_read_sink(const struct alerts *a, size_t sink, size_t cell);

/* Looks at all targets, models, budgets and stores (`cache` NULL: none), and notes
 * what is wrong with them (alert_watch.c). */
void alert_watch_look(struct alerts *a, const struct config *c, struct cache *cache, mono_ms now,
		      int64_t wall_ms);

#endif
