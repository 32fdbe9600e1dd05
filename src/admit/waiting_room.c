#include "admit/waiting_room.h"

#include "base/check.h"

#define HOLD_SHARE 16                 /* one end moves the average by a 16th of the difference */
#define LOST_SHARE 64
#define LOST_MANY (65536 / 8)          /* one in eight */
#define RETRY_MIN_MS 1000
#define RETRY_MAX_MS 60000

void waiting_room_init(struct waiting_room *r)
{
	*r = (struct waiting_room){ 0 };
	list_init(&r->waiters);
}

static struct waiter *waiter_of(struct link *link)
{
	return CONTAINER_OF(link, struct waiter, link);
}

/* ---- what runs ---------------------------------------------------------------- */

void waiting_room_began(struct waiting_room *r, mono_ms started_at)
{
	r->running++;
	r->started_sum += started_at;
}

void waiting_room_ended(struct waiting_room *r, mono_ms started_at, mono_ms now)
{
	int64_t hold = now - started_at;

	must(r->running > 0);
	must(hold >= 0);
	r->running--;
	r->started_sum -= started_at;
	r->hold_ms = r->any_ended ? r->hold_ms + (hold - r->hold_ms) / HOLD_SHARE : hold;
	r->any_ended = true;
	r->gap_us = r->gap_us ? r->gap_us + ((now - r->ended_at) * 1000 - r->gap_us) / HOLD_SHARE
			      : (now - r->ended_at) * 1000;
	r->ended_at = now;
}

void waiting_room_forget(struct waiting_room *r, mono_ms now)
{
	r->any_ended = false;
	r->gap_us = 0;
	r->ended_at = r->forgot_at = now;
}

static int64_t age_ms(const struct waiting_room *r, mono_ms now)
{
	mono_ms from = r->running ? r->started_sum / r->running : now;

	return now - (from > r->forgot_at ? from : r->forgot_at);
}

int64_t waiting_room_hold_ms(const struct waiting_room *r, mono_ms now)
{
	int64_t known = r->any_ended ? r->hold_ms : 0;
	int64_t age = age_ms(r, now);

	return age > known ? age : known;
}

int64_t waiting_room_wait_ms(const struct waiting_room *r, size_t ahead, mono_ms now)
{
	int64_t turns = (int64_t)ahead + 1, by_hold, by_gap, gap_us;

	if (!r->running)
		return 0;
	by_hold = turns * waiting_room_hold_ms(r, now) / r->running;
	if (!r->any_ended)
		return by_hold;
	/* Some may hang while others are quick: then places come free as they have been. */
	gap_us = (now - r->ended_at) * 1000 > r->gap_us ? (now - r->ended_at) * 1000 : r->gap_us;
	by_gap = turns * gap_us / 1000;
	return by_gap < by_hold ? by_gap : by_hold;
}

int64_t waiting_room_retry_ms(const struct waiting_room *r, mono_ms now, uint64_t random)
{
	int64_t ms = waiting_room_wait_ms(r, r->waiters.count, now);

	ms += (int64_t)(random % (uint64_t)(ms / 2 + 1));
	return ms < RETRY_MIN_MS ? RETRY_MIN_MS : ms > RETRY_MAX_MS ? RETRY_MAX_MS : ms;
}

void waiting_room_kept(struct waiting_room *r)
{
	r->lost -= r->lost / LOST_SHARE;
}

void waiting_room_lost(struct waiting_room *r, int64_t age_ms)
{
	r->lost += (65536 - r->lost) / LOST_SHARE;
	r->patience_ms = r->patience_ms ? r->patience_ms + (age_ms - r->patience_ms) / HOLD_SHARE
					: age_ms;
}

/* ---- the order ------------------------------------------------------------------- */

/* Inside one class and one key. */
static bool is_due_before(const struct waiter *a, const struct waiter *b)
{
	return a->deadline != b->deadline ? a->deadline < b->deadline : a->order < b->order;
}

static bool is_before(const struct waiter *a, const struct waiter *b)
{
	if (a->priority != b->priority)
		return a->priority < b->priority;
	if (a->turn != b->turn)
		return a->turn < b->turn;
	return is_due_before(a, b);
}

static bool is_same_line(const struct waiter *a, const struct waiter *b)
{
	return a->priority == b->priority && a->key == b->key;
}

/* The turn of one more request of w's key: behind those that it has waiting. */
static uint64_t next_turn(const struct waiting_room *r, const struct waiter *w)
{
	uint64_t turn = r->turn[w->priority];

	LIST_EACH(&r->waiters, link, after) {
		const struct waiter *other = waiter_of(link);

		if (is_same_line(other, w) && other->turn >= turn)
			turn = other->turn + 1;
	}
	return turn;
}

/* How many would be served before `w`, which is in no room. Of its own key
 * those that are due earlier; of every other key as many turns as these and its
 * own take. */
static size_t ahead_of(const struct waiting_room *r, const struct waiter *w)
{
	uint64_t own_turn = r->turn[w->priority];
	size_t ahead = 0;

	LIST_EACH(&r->waiters, link, after) {
		const struct waiter *other = waiter_of(link);

		if (is_same_line(other, w) && other->deadline <= w->deadline) {
			ahead++;
			own_turn++;
		}
	}
	LIST_EACH(&r->waiters, link, after) {
		const struct waiter *other = waiter_of(link);

		if (other->priority < w->priority ||
		    (other->priority == w->priority && other->key != w->key && other->turn <= own_turn))
			ahead++;
	}
	return ahead;
}

bool waiting_room_is_behind(const struct waiting_room *r, const struct waiter *w, uint64_t places)
{
	bool any = false;

	LIST_EACH(&r->waiters, link, after) {
		if (waiter_of(link)->priority <= w->priority) {
			places &= ~waiter_of(link)->places;
			any = true;
		}
	}
	return any && !places;
}

/* ---- coming and going --------------------------------------------------------------- */

bool waiter_waits(const struct waiter *w)
{
	return link_on_list(&w->link);
}

/* Who leaves for `w` when the room is full: of the lowest class whoever's turn
 * is furthest off, which is the newest of the key that has most waiting. NULL:
 * nobody there matters less than `w` itself. */
static struct waiter *least(const struct waiting_room *r, const struct waiter *w)
{
	struct waiter *least = NULL;

	LIST_EACH(&r->waiters, link, after) {
		struct waiter *other = waiter_of(link);

		if (other->called)
			continue;
		if (!least || other->priority > least->priority ||
		    (other->priority == least->priority && other->turn >= least->turn))
			least = other;
	}
	if (!least || least->priority < w->priority)
		return NULL;
	/* Inside a class a key makes room only for one that has less. */
	if (least->priority == w->priority && least->turn <= next_turn(r, w))
		return NULL;
	return least;
}

static bool is_too_late(const struct waiting_room *r, const struct waiter *w, mono_ms now)
{
	int64_t wait = waiting_room_wait_ms(r, ahead_of(r, w), now);
	int64_t all = wait + wait / 4 + waiting_room_hold_ms(r, now);

	if (wait > w->wait_max_ms || w->deadline <= now)
		return true;
	if (r->lost > LOST_MANY && all > r->patience_ms)
		return true;
	return w->deadline != MONO_NEVER && all > w->deadline - now;
}

/* Does w's key have more than half of the room, while others wait too? */
static bool fills_the_room(const struct waiting_room *r, const struct waiter *w)
{
	size_t own = 0;

	LIST_EACH(&r->waiters, link, after)
		own += waiter_of(link)->key == w->key;
	return own < r->waiters.count && own * 2 > r->waiters.count;
}

enum room_verdict waiting_room_enter(struct waiting_room *r, struct waiter *w, unsigned length,
				     mono_ms now, struct waiter **shed)
{
	must(!waiter_waits(w));
	must(length <= ROOM_LENGTH_MAX);
	*shed = NULL;
	w->greedy = false;
	if (length == 0)
		return ROOM_FULL;
	if (is_too_late(r, w, now))
		return ROOM_TOO_LATE;
	if (r->waiters.count >= length) {
		*shed = least(r, w);
		if (!*shed) {
			w->greedy = fills_the_room(r, w);
			return ROOM_FULL;
		}
		(*shed)->greedy = (*shed)->priority == w->priority;
		waiting_room_leave(r, *shed, false);
	}
	w->since = now;
	w->turn = next_turn(r, w);
	w->order = r->next_order++;
	w->called = false;
	list_append(&r->waiters, &w->link);
	return ROOM_WAIT;
}

struct waiter *waiting_room_call(struct waiting_room *r, uint64_t places)
{
	struct waiter *first = NULL, *best;
	uint64_t turn;

	LIST_EACH(&r->waiters, link, after) {
		struct waiter *w = waiter_of(link);

		if (!w->called && (w->places & places) && (!first || is_before(w, first)))
			first = w;
	}
	if (!first)
		return NULL;
	/* It is the turn of first's key: whoever of it is due first takes it. */
	best = first;
	LIST_EACH(&r->waiters, link, after) {
		struct waiter *w = waiter_of(link);

		if (!w->called && (w->places & places) && is_same_line(w, first) &&
		    is_due_before(w, best))
			best = w;
	}
	turn = best->turn;
	best->turn = first->turn;
	first->turn = turn;
	best->called = true;
	return best;
}

void waiting_room_wait_on(struct waiting_room *r, struct waiter *w, uint64_t places)
{
	(void)r;
	must(waiter_waits(w));
	w->called = false;
	w->places = places;
}

void waiting_room_leave(struct waiting_room *r, struct waiter *w, bool served)
{
	list_remove(&r->waiters, &w->link);
	if (served && w->turn > r->turn[w->priority])
		r->turn[w->priority] = w->turn;
}
