/* Waiting for a place. */
#include "exchange/queue.h"

#include "base/check.h"
#include "exchange/conductor.h"

/* Places may come free without anybody giving one back: a breaker lets through
 * again, a limit grows. So whoever is first asks from time to time. */
#define ASK_AGAIN_MS 500

/* Of an exchange that waits, or has waited: most never do. */
struct queue_place {
	struct exchange *x;
	struct lobby_guest guest;     /* in its model's waiting room */
	struct io_timer limit;
};

static struct io *io_of(const struct exchange *x)
{
	return x->all->setup.io;
}

/* As far as its own thread knows: it may have been shed since, and will be told. */
static bool waits(const struct exchange *x)
{
	return x->queued_at != MONO_NEVER;
}

/* ---- giving up ------------------------------------------------------------------ */

static void give_up(struct exchange *x, enum shed why, mono_ms now)
{
	x->shed = why;
	x->retry_after_ms = lobby_retry_ms(x->model->room, now, io_random(io_of(x)));
	log_line(x->all->setup.log, LOG_INFO, "shed",
		 "id=%.*s model=%.*s reason=%s priority=%s waited_ms=%lld retry_after_ms=%lld",
		 SLICE_ARG(x->id), SLICE_ARG(x->model->name), shed_name(why),
		 priority_name(x->priority), (long long)x->queued_ms,
		 (long long)x->retry_after_ms);
	exchange_give_up(x, true, now);
}

void queue_error(struct exchange *x, struct error_answer *e)
{
	static const char *const sentences[] = {
		[SHED_NOT] = "",
		[SHED_FULL] = ", and as many requests as may are waiting for them already",
		[SHED_TOO_LATE] = ", and it would be too late for this request when its turn came",
		[SHED_FOR_OTHER] = ", and this request had to leave the queue for one that matters more",
		[SHED_WAITED] = ", and none became free while this request waited",
	};

	e->fault = FAULT_SHED;
	e->retry_after_ms = x->shed ? x->retry_after_ms : -1;
	if (x->place && x->place->guest.waiter.greedy) {
		e->status = 429;
		e->type = S("rate_limit_error");
		e->code = S("rate_limit_exceeded");
		e->message = arena_printf(x->arena, "This client key has more requests waiting for the model '%.*s' "
					  "than its share, while others wait too; send fewer at once, or try "
					  "again later.", SLICE_ARG(x->facts.model));
		return;
	}
	e->message = arena_printf(x->arena, "All targets of the model '%.*s' have as many requests as they "
				  "can take%s; try again later.", SLICE_ARG(x->facts.model),
				  sentences[x->shed]);
}

/* ---- waiting ----------------------------------------------------------------------- */

static int64_t wait_left_ms(const struct exchange *x)
{
	int64_t left = x->model->queue.wait_ms - x->queued_ms;

	return left > 0 ? left : 0;
}

static void set_timer(struct exchange *x, mono_ms now)
{
	mono_ms end = mono_after(x->queued_at, wait_left_ms(x));

	io_timer_set(io_of(x), &x->place->limit, mono_earlier(end, mono_after(now, ASK_AGAIN_MS)));
}

/* Out of the room; the time spent there counts. */
static void leave(struct exchange *x, bool served, mono_ms now)
{
	if (x->queued_at == MONO_NEVER)
		return;
	x->queued_ms += now - x->queued_at;
	x->queued_at = MONO_NEVER;
	io_timer_clear(io_of(x), &x->place->limit);
	lobby_leave(&x->place->guest, served);
}

static void on_timer(struct io_timer *timer, mono_ms now)
{
	struct exchange *x = CONTAINER_OF(timer, struct queue_place, limit)->x;

	if (now - x->queued_at >= wait_left_ms(x)) {
		leave(x, false, now);
		give_up(x, SHED_WAITED, now);
		return;
	}
	set_timer(x, now);
	lobby_ask(x->model->room);
}

static void on_called(struct lobby_guest *g, bool shed)
{
	struct exchange *x = CONTAINER_OF(g, struct queue_place, guest)->x;
	mono_ms now = io_now(io_of(x));

	if (!shed) {
		exchange_try(x, now);
		return;
	}
	leave(x, false, now);
	give_up(x, SHED_FOR_OTHER, now);
}

static int64_t shorter(int64_t a_ms, int64_t b_ms)
{
	return !a_ms || (b_ms && b_ms < a_ms) ? b_ms : a_ms;
}

void queue_init(struct exchange *x, const struct h1_head *head)
{
	x->queued_at = x->runs_since = MONO_NEVER;
	x->priority = admit_priority(x->who, h1_get(head, S("x-backstay-priority")));
	x->client_timeout_ms = admit_timeout_ms(h1_get(head, S("x-request-timeout")));
	/* How long SDKs wait for the first byte (Python's and JavaScript's way to say
	 * it): no limit for an answer, but whoever got none by then is gone. */
	x->patience_ms = shorter(admit_timeout_ms(h1_get(head, S("x-stainless-read-timeout"))),
				 admit_timeout_ms(h1_get(head, S("x-stainless-timeout"))));
}

static void begin_guest(const struct exchange *x, struct lobby_guest *g)
{
	g->on_called = on_called;
	g->waiter.priority = x->priority;
	g->waiter.key = slice_hash(x->who ? x->who->name : SLICE_NONE, 0);
}

bool queue_is_behind(struct exchange *x)
{
	struct lobby_guest g = { .room = NULL };

	if (!x->model->room || !x->model->queue.length)
		return false;
	begin_guest(x, &g);
	return lobby_is_behind(x->model->room, &g, plan_places(x->plan));
}

static struct queue_place *take_place(struct exchange *x)
{
	struct queue_place *place = x->place ? x->place : arena_new(x->arena, struct queue_place);

	if (!x->place) {
		place->x = x;
		place->limit.fire = on_timer;
		begin_guest(x, &place->guest);
	}
	x->place = place;
	return place;
}

static void stop_running(struct exchange *x, mono_ms now)
{
	if (x->runs_since == MONO_NEVER)
		return;
	lobby_ended(x->model->room, x->runs_since, now);
	x->runs_since = MONO_NEVER;
}

void queue_wait(struct exchange *x, uint64_t places, mono_ms now)
{
	enum room_verdict verdict;
	struct lobby_guest *g;

	if (waits(x)) {
		lobby_wait_on(&x->place->guest, places);
		return;
	}
	if (!x->model->room || !x->model->queue.length) {
		exchange_give_up(x, true, now);
		return;
	}
	stop_running(x, now);
	g = &take_place(x)->guest;
	/* Half an answer is lost work: it goes on before others begin. */
	if (exchange_committed(x))
		g->waiter.priority = PRIORITY_HIGH;
	g->waiter.deadline = x->deadline_at;
	if (x->patience_ms)
		g->waiter.deadline = mono_earlier(x->deadline_at,
						  mono_after(x->started_at, x->patience_ms));
	g->waiter.wait_max_ms = wait_left_ms(x);
	verdict = lobby_enter(x->all->desk, x->model->room, g, x->model->queue.length, now);
	if (verdict != ROOM_WAIT) {
		give_up(x, verdict == ROOM_FULL ? SHED_FULL : SHED_TOO_LATE, now);
		return;
	}
	log_line(x->all->setup.log, LOG_DEBUG, "queued", "id=%.*s model=%.*s priority=%s",
		 SLICE_ARG(x->id), SLICE_ARG(x->model->name), priority_name(x->priority));
	x->queued_at = now;
	exchange_queued(x);
	set_timer(x, now);
}

void queue_run(struct exchange *x, bool served, mono_ms now)
{
	leave(x, served, now);
	if (!served || !x->model->room || x->runs_since != MONO_NEVER)
		return;
	x->runs_since = now;
	lobby_began(x->model->room, now);
}

void queue_end(struct exchange *x, mono_ms now)
{
	leave(x, false, now);
	stop_running(x, now);
	if (!x->model || !x->model->room)
		return;
	if (x->committed_at != MONO_NEVER)
		lobby_answered(x->model->room, -1);
	else if (x->fault == FAULT_CLIENT_GONE)
		lobby_answered(x->model->room, now - x->started_at);
}
