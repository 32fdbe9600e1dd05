#include "io/real/loop.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

/* The wall clock is looked at this often; between, it runs with the monotonic one. */
#define WALL_REFRESH_MS 1000
/* More rounds of deferred work in one turn than any sane chain needs. */
#define ROUNDS_MAX 100000

static int64_t clock_us(clockid_t clock)
{
	struct timespec t;

	must(clock_gettime(clock, &t) == 0);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

mono_ms io_real_mono_ms(void)
{
	return clock_us(CLOCK_MONOTONIC) / 1000;
}

int64_t io_real_wall_ms(void)
{
	return clock_us(CLOCK_REALTIME) / 1000;
}

static void clock_read(struct io *io)
{
	io->now_us = clock_us(CLOCK_MONOTONIC);
	io->now = io->now_us / 1000;
	if (io->now - io->wall_read_at >= WALL_REFRESH_MS) {
		io->wall_offset_ms = io_real_wall_ms() - io->now;
		io->wall_read_at = io->now;
	}
}

mono_ms io_now(const struct io *io)
{
	return io->now;
}

int64_t io_turn_us(const struct io *io)
{
	return clock_us(CLOCK_MONOTONIC) - io->now_us;
}

void io_real_on_turn(struct io *io, void (*on_turn)(void *owner, int64_t took_us), void *owner)
{
	io->on_turn = on_turn;
	io->on_turn_owner = owner;
}

int64_t io_wall_ms(const struct io *io)
{
	return io->now + io->wall_offset_ms;
}

uint64_t io_random(struct io *io)
{
	return rng_next(&io->rng);
}

void io_bury(struct io *io, struct io_grave *g)
{
	g->next = NULL;
	*io->graves_end = g;
	io->graves_end = &g->next;
}

void io_defer(struct io *io, struct io_deferred *d)
{
	if (d->queued)
		return;
	d->queued = true;
	d->next = NULL;
	*io->deferred_end = d;
	io->deferred_end = &d->next;
}

static void deferred_run(struct io *io)
{
	struct io_deferred *d = io->deferred, *next;

	io->deferred = NULL;
	io->deferred_end = &io->deferred;
	for (; d; d = next) {
		next = d->next;
		d->queued = false;
		d->run(d, io->now);
	}
}

static void graves_run(struct io *io)
{
	struct io_grave *g;

	while ((g = io->graves)) {
		io->graves = g->next;
		if (!io->graves)
			io->graves_end = &io->graves;
		g->bury(g);
	}
}

/* Deferred work may write, and what a flush tells may defer: until neither is
 * left. Nobody dead may be buried while deferred work could still name it. */
static void turn_end(struct io *io)
{
	unsigned rounds = 0;

	timers_run(io);
	streams_pay_due(io);
	while (io->deferred || !list_empty(&io->dirty)) {
		must(++rounds < ROUNDS_MAX);
		deferred_run(io);
		if (!io->deferred)
			streams_flush_dirty(io);
	}
	graves_run(io);
	timers_arm(io);
	if (io->on_turn)
		io->on_turn(io->on_turn_owner, io_turn_us(io));
}

static void on_prepare(struct ev_loop *loop, ev_prepare *w, int revents)
{
	(void)loop, (void)revents;
	turn_end(w->data);
}

static void on_check(struct ev_loop *loop, ev_check *w, int revents)
{
	(void)loop, (void)revents;
	clock_read(w->data);
}

/* libev aborts when it cannot make its own descriptors; so see first whether
 * there is room for them (epoll, eventfd and one to spare). */
static bool descriptors_left(void)
{
	int fds[3];
	bool ok = true;

	for (size_t i = 0; i < COUNT_OF(fds); i++)
		ok = (fds[i] = eventfd(0, EFD_CLOEXEC)) >= 0 && ok;
	for (size_t i = 0; i < COUNT_OF(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	return ok;
}

static uint64_t kernel_random(void)
{
	uint64_t seed;

	if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != (ssize_t)sizeof seed)
		seed = (uint64_t)io_real_wall_ms() ^ ((uint64_t)getpid() << 40);
	return seed;
}

static void loop_start(struct io *io)
{
	rng_seed(&io->rng, kernel_random());
	io->wall_read_at = -WALL_REFRESH_MS;
	io->alarm_at = MONO_NEVER;
	io->deferred_end = &io->deferred;
	io->graves_end = &io->graves;
	list_init(&io->streams);
	list_init(&io->dirty);
	list_init(&io->due);
	list_init(&io->listeners);
	clock_read(io);
	io->prepare.data = io->check.data = io;
	ev_prepare_init(&io->prepare, on_prepare);
	ev_prepare_start(io->loop, &io->prepare);
	ev_check_init(&io->check, on_check);
	ev_set_priority(&io->check, EV_MAXPRI);       /* the clock first, then events */
	ev_check_start(io->loop, &io->check);
	post_start(io);
}

struct io *io_real_create(char *why, size_t why_size)
{
	struct io *io;

	/* A write to a closed socket is an error code here, never a signal
	 * (OpenSSL's writes take no MSG_NOSIGNAL). */
	signal(SIGPIPE, SIG_IGN);
	if (!descriptors_left()) {
		snprintf(why, why_size, "no descriptors left for an event loop: %s", strerror(errno));
		return NULL;
	}
	io = calloc(1, sizeof *io);
	if (!io || !(io->scratch = malloc(SCRATCH_BYTES))) {
		snprintf(why, why_size, "no memory for an event loop");
		free(io);
		return NULL;
	}
	io->loop = ev_loop_new(EVFLAG_AUTO | EVFLAG_NOENV);
	if (!io->loop) {
		snprintf(why, why_size, "no event loop: %s", strerror(errno));
		free(io->scratch);
		free(io);
		return NULL;
	}
	loop_start(io);
	return io;
}

void io_real_run(struct io *io)
{
	clock_read(io);
	ev_now_update(io->loop);
	if (!io->stopping)
		ev_run(io->loop, 0);
	turn_end(io);
	io->stopping = false;
}

void io_real_stop(struct io *io)
{
	io->stopping = true;
	ev_break(io->loop, EVBREAK_ALL);
}

void io_real_free(struct io *io)
{
	if (!io)
		return;
	background_free(io->background);
	resolver_free(io->resolver);
	listeners_free(io);
	streams_free(io);
	signals_free(io);
	graves_run(io);
	post_stop(io);
	ev_timer_stop(io->loop, &io->alarm);
	ev_check_stop(io->loop, &io->check);
	ev_prepare_stop(io->loop, &io->prepare);
	ev_loop_destroy(io->loop);
	heap_free(&io->timers);
	while (io->spare_count > 0)
		buf_free(&io->spares[--io->spare_count]);
	free(io->scratch);
	free(io);
}
