/* alert_inside.h: between alert_book.c (alerts), alert_queue.c (what waits for
 * sinks) and alert_state.c (the file). Nobody else includes it. */
#ifndef BACKSTAY_OBSERVE_ALERT_INSIDE_H
#define BACKSTAY_OBSERVE_ALERT_INSIDE_H

#include "base/list.h"
#include "base/map.h"
#include "observe/alert_book.h"

#define ALERT_KEY_MAX (ALERT_SUBJECT_MAX + 24)

/* What people have been told, apart from whether it is so. */
enum alert_state {
	ALERT_QUIET,                  /* nothing; kept since it may be flapping */
	ALERT_PENDING,                /* it is on, and told when it has lasted */
	ALERT_FIRING,                 /* told */
	ALERT_ENDING,                 /* over, and told when it has been over for long enough */
};

struct alert {
	enum alert_kind kind;
	char subject[ALERT_SUBJECT_MAX + 1], text[ALERT_TEXT_MAX + 1];
	enum alert_state state;
	bool flapping;
	bool seen;                    /* an event came since the last round */
	int64_t since_wall_ms, until_wall_ms;
	mono_ms on_at;                /* of the last beginning */
	mono_ms off_at;               /* of the last end */
	mono_ms repeat_at;
	mono_ms ends_at;              /* of kinds that end by themselves; else MONO_NEVER */
	mono_ms starts[ALERT_FLAPS];  /* the last beginnings, the newest first; 0: none */
	struct link link;
};

struct alert_queue {
	char name[65];
	const struct alert_sink_policy *policy;
	struct alert_note *notes;     /* the first `under_way` belong to a message */
	size_t count, room, under_way;
	unsigned failed_in_row;
	mono_ms next_at;              /* not before; 0: at once */
	mono_ms repeat_at;            /* Alertmanager only */
	uint64_t sent, failed, dropped;
};

struct alert_book {
	struct alert_policy policy;
	struct list alerts;
	struct map *by_key;
	struct alert_queue queues[ALERT_SINKS_MAX];
	size_t queue_count;
	mono_ms group_at;             /* pending ones are told then; MONO_NEVER: there are none */
	uint64_t lost, version;
	void (*on_told)(void *owner, const struct alert_note *n);
	void *owner;
};

/* Cuts `text` to `max` bytes at a character's border, and puts a NUL behind. */
void alert_copy(char *to, size_t max, struct slice text);
/* The alert of that kind and subject; with `make` a new quiet one where there is
 * none yet (NULL where there are too many). */
struct alert *alert_find(struct alert_book *b, enum alert_kind kind, struct slice subject, bool make);
/* An alert's news for all whom it concerns. */
void alert_enqueue_all(struct alert_book *b, const struct alert *a, bool repeated, int64_t wall_ms);
/* The note that an alert makes now. */
void alert_note_of(const struct alert *a, bool repeated, int64_t wall_ms, struct alert_note *out);
/* Appends a note as it is. */
void alert_queue_put(struct alert_queue *q, const struct alert_note *note);
/* Alertmanager's own repetitions; drops what nobody took for too long. */
void alert_queues_tick(struct alert_book *b, mono_ms now, int64_t wall_ms);
/* When a queue has something to do. */
mono_ms alert_queues_wake_at(const struct alert_book *b);

#endif
