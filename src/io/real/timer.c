/* Timers: a heap of our own and one libev timer for the earliest. Moving a
 * timer costs a few heap steps and no system call; the libev timer is only
 * touched when the earliest comes nearer, and otherwise wakes once too early. */
#include "io/real/loop.h"

void io_timer_set(struct io *io, struct io_timer *t, mono_ms at)
{
	must(t->fire != NULL);
	if (at == MONO_NEVER)
		heap_remove(&io->timers, &t->node);
	else        /* the past is now: it may not jump the queue of those already due */
		heap_set(&io->timers, &t->node, at > io->now ? at : io->now);
}

void io_timer_clear(struct io *io, struct io_timer *t)
{
	heap_remove(&io->timers, &t->node);
}

/* What is set while these fire waits for the next turn, so that a timer that
 * sets itself to "now" cannot hold the loop. */
void timers_run(struct io *io)
{
	uint64_t born_before = io->timers.next_order;
	struct heap_node *n;

	while ((n = heap_min(&io->timers)) && n->key <= io->now && n->order < born_before) {
		struct io_timer *t = CONTAINER_OF(n, struct io_timer, node);

		heap_remove(&io->timers, n);
		t->fire(t, io->now);
	}
}

static void on_alarm(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct io *io = w->data;

	(void)loop, (void)revents;
	io->alarm_at = MONO_NEVER;
}

void timers_arm(struct io *io)
{
	struct heap_node *n = heap_min(&io->timers);
	mono_ms at = n ? n->key : MONO_NEVER;
	double after;

	if (!list_empty(&io->due))
		at = io->now;
	if (at >= io->alarm_at)
		return;
	after = at <= io->now ? 0.0 : (double)(at - io->now) / 1000.0;
	ev_timer_stop(io->loop, &io->alarm);
	ev_timer_init(&io->alarm, on_alarm, after, 0.0);
	io->alarm.data = io;
	ev_timer_start(io->loop, &io->alarm);
	io->alarm_at = at;
}
