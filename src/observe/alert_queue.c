/* What waits for the sinks, and when it is tried again. */
#include "observe/alert_inside.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

#define AGAIN_BASE_MS ((int64_t)1000)
#define AGAIN_CAP_MS  ((int64_t)5 * 60 * 1000)
#define HINT_MAX_MS   ((int64_t)60 * 60 * 1000)

/* ---- sinks that come and go ----------------------------------------------------------- */

static struct alert_queue *queue_named(struct alert_queue *queues, size_t count, struct slice name)
{
	for (size_t i = 0; i < count; i++)
		if (slice_eq(slice_of(queues[i].name), name))
			return &queues[i];
	return NULL;
}

void alert_book_use(struct alert_book *b, const struct alert_policy *policy, mono_ms now)
{
	struct alert_queue old[ALERT_SINKS_MAX];
	size_t old_count = b->queue_count;

	must(policy->sink_count <= ALERT_SINKS_MAX);
	memcpy(old, b->queues, sizeof old);
	memset(b->queues, 0, sizeof b->queues);
	b->policy = *policy;
	b->queue_count = policy->sink_count;
	for (size_t i = 0; i < policy->sink_count; i++) {
		struct alert_queue *q = &b->queues[i], *was;

		was = queue_named(old, old_count, policy->sinks[i].name);
		if (was) {
			*q = *was;
			was->notes = NULL;
			q->under_way = 0;
			q->next_at = 0;       /* what was wrong with it may have been mended */
		}
		alert_copy(q->name, sizeof q->name - 1, policy->sinks[i].name);
		q->policy = &policy->sinks[i];
		if (!q->repeat_at)
			q->repeat_at = q->policy->kind == ALERT_ALERTMANAGER
				? mono_after(now, ALERT_MANAGER_REPEAT_MS) : MONO_NEVER;
	}
	for (size_t i = 0; i < old_count; i++)
		free(old[i].notes);
	b->version++;
}

/* ---- notes ----------------------------------------------------------------------------- */

static void drop(struct alert_queue *q, size_t at)
{
	q->count--;
	memmove(&q->notes[at], &q->notes[at + 1], (q->count - at) * sizeof *q->notes);
}

void alert_queue_put(struct alert_queue *q, const struct alert_note *note)
{
	if (q->count == ALERT_QUEUE_MAX && q->under_way < q->count) {
		drop(q, q->under_way);
		q->dropped++;
	}
	if (q->count == q->room) {
		q->room = q->room ? q->room * 2 : 8;
		q->notes = realloc(q->notes, q->room * sizeof *q->notes);
		must(q->notes != NULL);
	}
	q->notes[q->count++] = *note;
}

/* An alert's older note that has not left yet makes room for the newer. */
static void put_newest(struct alert_queue *q, const struct alert_note *note)
{
	for (size_t i = q->under_way; i < q->count; i++)
		if (q->notes[i].kind == note->kind && strcmp(q->notes[i].subject, note->subject) == 0) {
			drop(q, i);
			break;
		}
	alert_queue_put(q, note);
}

void alert_enqueue_all(struct alert_book *b, const struct alert *a, bool repeated, int64_t wall_ms)
{
	struct alert_note note;

	alert_note_of(a, repeated, wall_ms, &note);
	if (b->on_told && !repeated)
		b->on_told(b->owner, &note);
	for (size_t i = 0; i < b->queue_count; i++) {
		const struct alert_sink_policy *p = b->queues[i].policy;

		if (alert_kind_row(a->kind)->severity > p->least)
			continue;
		if (repeated && p->kind == ALERT_ALERTMANAGER)
			continue;             /* it has a rhythm of its own */
		put_newest(&b->queues[i], &note);
		b->version++;
	}
}

/* Alertmanager takes for over what is not said again. */
static void repeat_all(struct alert_book *b, struct alert_queue *q, int64_t wall_ms)
{
	LIST_EACH(&b->alerts, link, after) {
		const struct alert *a = CONTAINER_OF(link, struct alert, link);
		struct alert_note note;

		if (a->state != ALERT_FIRING && a->state != ALERT_ENDING)
			continue;
		if (alert_kind_row(a->kind)->severity > q->policy->least)
			continue;
		alert_note_of(a, true, wall_ms, &note);
		note.firing = true;           /* one that is ending is not told to be over yet */
		note.until_wall_ms = 0;
		put_newest(q, &note);
	}
}

void alert_queues_tick(struct alert_book *b, mono_ms now, int64_t wall_ms)
{
	for (size_t i = 0; i < b->queue_count; i++) {
		struct alert_queue *q = &b->queues[i];

		if (now >= q->repeat_at) {
			q->repeat_at = mono_after(now, ALERT_MANAGER_REPEAT_MS);
			repeat_all(b, q, wall_ms);
		}
		while (q->under_way < q->count &&
		       wall_ms - q->notes[q->under_way].noted_wall_ms > ALERT_KEEP_MS) {
			drop(q, q->under_way);
			q->dropped++;
			b->version++;
		}
	}
}

mono_ms alert_queues_wake_at(const struct alert_book *b)
{
	mono_ms at = MONO_NEVER;

	for (size_t i = 0; i < b->queue_count; i++) {
		const struct alert_queue *q = &b->queues[i];

		at = mono_earlier(at, q->repeat_at);
		if (q->count && !q->under_way)
			at = mono_earlier(at, q->next_at);
	}
	return at;
}

/* ---- sending ------------------------------------------------------------------------------ */

size_t alert_book_take(struct alert_book *b, size_t sink, mono_ms now, int64_t wall_ms,
		       const struct alert_note **notes)
{
	struct alert_queue *q = &b->queues[sink];
	size_t most = q->policy->kind == ALERT_PAGERDUTY ? 1 : ALERT_BATCH_MAX;

	must(sink < b->queue_count);
	(void)wall_ms;
	if (q->under_way || q->count == 0 || now < q->next_at)
		return 0;
	q->under_way = q->count < most ? q->count : most;
	*notes = q->notes;
	return q->under_way;
}

/* Doubles, with jitter over its upper half. */
static int64_t pause_ms(unsigned failed_in_row, uint64_t random)
{
	int64_t ms = AGAIN_BASE_MS;

	for (unsigned i = 1; i < failed_in_row && ms < AGAIN_CAP_MS; i++)
		ms *= 2;
	if (ms > AGAIN_CAP_MS)
		ms = AGAIN_CAP_MS;
	return ms / 2 + (int64_t)(random % (uint64_t)(ms / 2 + 1));
}

void alert_book_sent(struct alert_book *b, size_t sink, enum alert_result result, int64_t hint_ms,
		     mono_ms now, uint64_t random)
{
	struct alert_queue *q = &b->queues[sink];
	size_t count = q->under_way;

	must(sink < b->queue_count);
	must(count > 0);
	q->under_way = 0;
	if (result == ALERT_AGAIN) {
		int64_t pause = pause_ms(++q->failed_in_row, random);

		if (hint_ms > pause)
			pause = hint_ms < HINT_MAX_MS ? hint_ms : HINT_MAX_MS;
		q->failed++;
		q->next_at = mono_after(now, pause);
		return;
	}
	q->count -= count;
	memmove(q->notes, q->notes + count, q->count * sizeof *q->notes);
	q->next_at = 0;
	b->version++;
	if (result == ALERT_TAKEN) {
		q->sent++;
		q->failed_in_row = 0;
	} else {
		q->failed++;
		q->failed_in_row++;
		q->dropped += count;
	}
}

void alert_book_sink(const struct alert_book *b, size_t sink, struct alert_sink_view *out)
{
	const struct alert_queue *q = &b->queues[sink];

	must(sink < b->queue_count);
	*out = (struct alert_sink_view){
		.queued = (unsigned)q->count,
		.failed_in_row = q->failed_in_row,
		.next_at = q->next_at,
		.sent = q->sent,
		.failed = q->failed,
		.dropped = q->dropped,
	};
}
