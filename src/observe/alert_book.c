/* The alerts: what is made of events. */
#include "observe/alert_inside.h"

#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A flapping alert must be over for so many times `calm_ms`. */
#define FLAP_CALMS 10

/* ---- finding --------------------------------------------------------------------- */

void alert_copy(char *to, size_t max, struct slice text)
{
	size_t len = text.len <= max ? text.len : max;

	while (text.len > max && len > 0 && ((unsigned char)text.at[len] & 0xc0) == 0x80)
		len--;
	if (len)
		memcpy(to, text.at, len);
	to[len] = '\0';
}

static struct slice key_of(enum alert_kind kind, const char *subject, char room[static ALERT_KEY_MAX])
{
	int len = snprintf(room, ALERT_KEY_MAX, "%d %s", (int)kind, subject);

	return (struct slice){ room, (size_t)len };
}

struct alert *alert_find(struct alert_book *b, enum alert_kind kind, struct slice subject, bool make)
{
	char room[ALERT_KEY_MAX], cut[ALERT_SUBJECT_MAX + 1];
	struct alert *a;
	struct slice key;

	alert_copy(cut, ALERT_SUBJECT_MAX, subject);
	key = key_of(kind, cut, room);
	a = map_get(b->by_key, key);
	if (a || !make)
		return a;
	if (b->alerts.count >= ALERT_BOOK_MAX) {
		b->lost++;
		return NULL;
	}
	a = calloc(1, sizeof *a);
	must(a != NULL);
	a->kind = kind;
	memcpy(a->subject, cut, sizeof a->subject);
	a->ends_at = MONO_NEVER;
	a->repeat_at = MONO_NEVER;
	list_append(&b->alerts, &a->link);
	map_set(b->by_key, key, a);
	return a;
}

static void forget(struct alert_book *b, struct alert *a)
{
	char room[ALERT_KEY_MAX];

	map_remove(b->by_key, key_of(a->kind, a->subject, room));
	list_remove(&b->alerts, &a->link);
	free(a);
}

struct alert_book *alert_book_create(void)
{
	struct alert_book *b = calloc(1, sizeof *b);

	must(b != NULL);
	list_init(&b->alerts);
	b->by_key = map_create(0);
	b->group_at = MONO_NEVER;
	return b;
}

void alert_book_free(struct alert_book *b)
{
	if (!b)
		return;
	LIST_EACH(&b->alerts, link, after)
		forget(b, CONTAINER_OF(link, struct alert, link));
	for (size_t i = 0; i < b->queue_count; i++)
		free(b->queues[i].notes);
	map_free(b->by_key);
	free(b);
}

void alert_book_watch(struct alert_book *b, void (*on_told)(void *owner, const struct alert_note *n),
		      void *owner)
{
	b->on_told = on_told;
	b->owner = owner;
}

/* ---- events ------------------------------------------------------------------------- */

static bool is_on(const struct alert *a)
{
	return a->state == ALERT_PENDING || a->state == ALERT_FIRING;
}

/* Remembers a beginning; is it one too many? */
static bool flaps(struct alert *a, mono_ms now)
{
	memmove(&a->starts[1], &a->starts[0], sizeof a->starts - sizeof a->starts[0]);
	a->starts[0] = now;
	return a->starts[ALERT_FLAPS - 1] && now - a->starts[ALERT_FLAPS - 1] <= ALERT_FLAP_WINDOW_MS;
}

static void begin(struct alert_book *b, struct alert *a, mono_ms now, int64_t wall_ms)
{
	int64_t lasts_ms = alert_kind_row(a->kind)->lasts_ms;

	if (flaps(a, now))
		a->flapping = true;
	a->on_at = now;
	a->ends_at = lasts_ms ? mono_after(now, lasts_ms) : MONO_NEVER;
	if (a->state == ALERT_ENDING) {
		a->state = ALERT_FIRING;      /* it was never away */
		a->until_wall_ms = 0;
		b->version++;
		return;
	}
	a->state = ALERT_PENDING;
	a->since_wall_ms = wall_ms;
	a->until_wall_ms = 0;
	/* What begins while others wait is told with them. What has come and gone before
	 * has lasted long enough, taken together. */
	if (a->flapping)
		b->group_at = now;
	else if (b->group_at == MONO_NEVER)
		b->group_at = mono_after(now, b->policy.wait_ms);
}

static void end(struct alert_book *b, struct alert *a, mono_ms now, int64_t wall_ms)
{
	a->off_at = now;
	a->ends_at = MONO_NEVER;
	if (a->state == ALERT_FIRING) {
		a->state = ALERT_ENDING;
		a->until_wall_ms = wall_ms;
		b->version++;
	} else {
		a->state = ALERT_QUIET;
	}
}

void alert_book_event(struct alert_book *b, const struct alert_event *e, mono_ms now,
		      int64_t wall_ms)
{
	struct alert *a = alert_find(b, e->kind, e->subject, e->on);

	if (!a)
		return;
	a->seen = true;
	if (e->on && e->text.len)
		alert_copy(a->text, ALERT_TEXT_MAX, e->text);
	if (e->on && !is_on(a))
		begin(b, a, now, wall_ms);
	else if (e->on && a->ends_at != MONO_NEVER)
		a->ends_at = mono_after(now, alert_kind_row(a->kind)->lasts_ms);
	else if (!e->on && is_on(a))
		end(b, a, now, wall_ms);
}

void alert_book_round(struct alert_book *b, unsigned kinds, mono_ms now)
{
	LIST_EACH(&b->alerts, link, after) {
		struct alert *a = CONTAINER_OF(link, struct alert, link);

		if (!(kinds & (1u << a->kind)))
			continue;
		/* Its Unix time is that of the tick that tells of it. */
		if (!a->seen && is_on(a))
			end(b, a, now, 0);
		a->seen = false;
	}
}

/* ---- time ------------------------------------------------------------------------------ */

static int64_t calm_ms(const struct alert_book *b, const struct alert *a)
{
	return a->flapping ? b->policy.calm_ms * FLAP_CALMS : b->policy.calm_ms;
}

/* When the first of the pending ones has lasted long enough. */
static mono_ms first_ripe_at(const struct alert_book *b)
{
	mono_ms at = MONO_NEVER;

	LIST_EACH(&b->alerts, link, after) {
		const struct alert *a = CONTAINER_OF(link, struct alert, link);

		if (a->state == ALERT_PENDING)
			at = mono_earlier(at, a->flapping ? a->on_at
						: mono_after(a->on_at, b->policy.wait_ms));
	}
	return at;
}

static void tell_pending(struct alert_book *b, mono_ms now, int64_t wall_ms)
{
	/* Who opened the group may have been nothing. */
	b->group_at = first_ripe_at(b);
	if (now < b->group_at)
		return;
	b->group_at = MONO_NEVER;
	LIST_EACH(&b->alerts, link, after) {
		struct alert *a = CONTAINER_OF(link, struct alert, link);

		if (a->state != ALERT_PENDING)
			continue;
		a->state = ALERT_FIRING;
		a->repeat_at = b->policy.repeat_ms ? mono_after(now, b->policy.repeat_ms) : MONO_NEVER;
		b->version++;
		alert_enqueue_all(b, a, false, wall_ms);
	}
}

static void tick(struct alert_book *b, struct alert *a, mono_ms now, int64_t wall_ms)
{
	if (is_on(a) && now >= a->ends_at)
		end(b, a, now, wall_ms);
	if (a->state == ALERT_ENDING && a->until_wall_ms == 0)
		a->until_wall_ms = wall_ms;
	if (a->state == ALERT_ENDING && now - a->off_at >= calm_ms(b, a)) {
		a->state = ALERT_QUIET;
		b->version++;
		alert_enqueue_all(b, a, false, wall_ms);
		a->flapping = false;
	}
	if (a->state == ALERT_FIRING && now >= a->repeat_at) {
		a->repeat_at = b->policy.repeat_ms ? mono_after(now, b->policy.repeat_ms) : MONO_NEVER;
		alert_enqueue_all(b, a, true, wall_ms);
	}
	if (a->state == ALERT_QUIET && now - a->starts[0] > ALERT_FLAP_WINDOW_MS)
		forget(b, a);
}

void alert_book_tick(struct alert_book *b, mono_ms now, int64_t wall_ms)
{
	if (now >= b->group_at)
		tell_pending(b, now, wall_ms);
	LIST_EACH(&b->alerts, link, after)
		tick(b, CONTAINER_OF(link, struct alert, link), now, wall_ms);
	alert_queues_tick(b, now, wall_ms);
}

static mono_ms alert_wake_at(const struct alert_book *b, const struct alert *a)
{
	switch (a->state) {
	case ALERT_QUIET:
		return mono_after(a->starts[0], ALERT_FLAP_WINDOW_MS + 1);
	case ALERT_PENDING:
		return a->ends_at;            /* the group's time is the book's */
	case ALERT_FIRING:
		return mono_earlier(a->ends_at, a->repeat_at);
	case ALERT_ENDING:
		return mono_after(a->off_at, calm_ms(b, a));
	}
	return MONO_NEVER;
}

mono_ms alert_book_wake_at(const struct alert_book *b)
{
	mono_ms at = mono_earlier(b->group_at, alert_queues_wake_at(b));

	LIST_EACH(&b->alerts, link, after)
		at = mono_earlier(at, alert_wake_at(b, CONTAINER_OF(link, struct alert, link)));
	return at;
}

/* ---- looking --------------------------------------------------------------------------- */

void alert_note_of(const struct alert *a, bool repeated, int64_t wall_ms, struct alert_note *out)
{
	*out = (struct alert_note){
		.kind = a->kind,
		.firing = is_on(a),
		.flapping = a->flapping,
		.repeated = repeated,
		.since_wall_ms = a->since_wall_ms,
		.until_wall_ms = is_on(a) ? 0 : a->until_wall_ms,
		.noted_wall_ms = wall_ms,
	};
	memcpy(out->subject, a->subject, sizeof out->subject);
	memcpy(out->text, a->text, sizeof out->text);
}

bool alert_book_next(const struct alert_book *b, size_t *cursor, struct alert_note *out)
{
	size_t at = 0;

	LIST_EACH(&b->alerts, link, after) {
		const struct alert *a = CONTAINER_OF(link, struct alert, link);

		if (a->state == ALERT_QUIET || at++ < *cursor)
			continue;
		alert_note_of(a, false, 0, out);
		*cursor = at;
		return true;
	}
	return false;
}

unsigned alert_book_firing(const struct alert_book *b, enum alert_kind kind)
{
	unsigned count = 0;

	LIST_EACH(&b->alerts, link, after) {
		const struct alert *a = CONTAINER_OF(link, struct alert, link);

		count += a->kind == kind && a->state == ALERT_FIRING;
	}
	return count;
}

uint64_t alert_book_lost(const struct alert_book *b)
{
	return b->lost;
}

uint64_t alert_book_version(const struct alert_book *b)
{
	return b->version;
}
