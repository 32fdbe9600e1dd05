/* alert_book.h: the alerts of a process: which are on, who still has to be told,
 * when, and what to do where telling fails. Pure: time and chance are
 * arguments, nothing is sent here.
 *
 * What keeps people from being woken for nothing:
 *  - one alert for each kind and subject, however often the event comes;
 *  - it must last `wait_ms`; all that begins meanwhile is told in one message;
 *  - its end is told once it has been over for `calm_ms`: what comes back
 *    sooner was never away;
 *  - what begins ALERT_FLAPS times within ALERT_FLAP_WINDOW_MS comes and goes:
 *    that is told once, and its end after ten times `calm_ms`;
 *  - in a sink's queue an alert stands once, with its latest news. */
#ifndef BACKSTAY_OBSERVE_ALERT_BOOK_H
#define BACKSTAY_OBSERVE_ALERT_BOOK_H

#include "base/buf.h"
#include "observe/alert.h"

#define ALERT_BOOK_MAX   1024         /* alerts at once; events of further ones are dropped and counted */
#define ALERT_QUEUE_MAX  256          /* notes a sink; then the oldest is dropped and counted */
#define ALERT_BATCH_MAX  32           /* notes in one message */
#define ALERT_FLAPS      4
#define ALERT_FLAP_WINDOW_MS ((int64_t)10 * 60 * 1000)
#define ALERT_KEEP_MS ((int64_t)24 * 60 * 60 * 1000)  /* a note nobody takes is dropped then */
#define ALERT_MANAGER_REPEAT_MS ((int64_t)60 * 1000)  /* Alertmanager forgets who does not repeat */
#define ALERT_STATE_MAX ((size_t)4 * 1024 * 1024)     /* of what alert_book_write() makes */

struct alert_book;

/* Empty, without sinks. The caller ends it with alert_book_free(). */
struct alert_book *alert_book_create(void);
void alert_book_free(struct alert_book *b);  /* NULL is fine */
/* Sinks and times to go by from now on; borrowed until the next call. Sinks of a
 * name that was there keep their queue. A message under way is taken for not
 * sent: the caller gives it up before. */
void alert_book_use(struct alert_book *b, const struct alert_policy *policy, mono_ms now);

/* `on_told` hears of each alert that begins to fire or is over, when sinks are
 * told; it must not call the book. */
void alert_book_watch(struct alert_book *b, void (*on_told)(void *owner, const struct alert_note *n),
		      void *owner);

/* ---- news ----------------------------------------------------------------------- */

/* Somebody says that something is wrong, or over. */
void alert_book_event(struct alert_book *b, const struct alert_event *e, mono_ms now,
		      int64_t wall_ms);
/* For who looks at everything again and again: alerts of `kinds` (bits, 1 << kind)
 * that got no event since the last alert_book_round() are over. */
void alert_book_round(struct alert_book *b, unsigned kinds, mono_ms now);
/* Does what time has made due; notes go into the queues. */
void alert_book_tick(struct alert_book *b, mono_ms now, int64_t wall_ms);
/* When alert_book_tick() has something to do, or a sink a message to send. */
mono_ms alert_book_wake_at(const struct alert_book *b);

/* ---- sending ---------------------------------------------------------------------- */

enum alert_result {
	ALERT_TAKEN,
	ALERT_AGAIN,                  /* no answer, or one that says later: tried again */
	ALERT_REFUSED,                /* the message itself is refused: dropped */
};

/* The notes of the next message to the sink, if one is due and none is under
 * way: their count, at most ALERT_BATCH_MAX; 0: nothing now. They stay the
 * book's and are valid until alert_book_sent(), which must follow. */
size_t alert_book_take(struct alert_book *b, size_t sink, mono_ms now, int64_t wall_ms,
		       const struct alert_note **notes);
/* How it went. `hint_ms`: the sink's wish when to come back; -1: none. */
void alert_book_sent(struct alert_book *b, size_t sink, enum alert_result result, int64_t hint_ms,
		     mono_ms now, uint64_t random);

struct alert_sink_view {
	unsigned queued;
	unsigned failed_in_row;       /* 0: the last message was taken, or there was none */
	mono_ms next_at;              /* of the next try while it fails */
	uint64_t sent, failed, dropped;       /* messages, tries, notes */
};
void alert_book_sink(const struct alert_book *b, size_t sink, struct alert_sink_view *out);

/* ---- looking ------------------------------------------------------------------------- */

/* Walks the alerts that are told or about to be: start with *cursor = 0; false at
 * the end. `firing` in *out is false for those that are over but not told so. */
bool alert_book_next(const struct alert_book *b, size_t *cursor, struct alert_note *out);
/* Those of a kind that fire. */
unsigned alert_book_firing(const struct alert_book *b, enum alert_kind kind);
/* Events dropped since ALERT_BOOK_MAX was reached. */
uint64_t alert_book_lost(const struct alert_book *b);

/* ---- surviving a restart ---------------------------------------------------------------- */

/* Counts changes of what alert_book_write() would write. */
uint64_t alert_book_version(const struct alert_book *b);
/* Appends alerts and queues as JSON. False: the buf's maximum was reached. */
MUST_USE bool alert_book_write(const struct alert_book *b, struct buf *out);
/* Takes over what another process has written, into a book that is empty but has
 * its policy: queues of known sinks, and alerts, which fire on if an event says
 * so within calm_ms and are over otherwise. False, with nothing taken: it is
 * nothing that was written by alert_book_write(). */
bool alert_book_read(struct alert_book *b, struct slice text, mono_ms now);

#endif
