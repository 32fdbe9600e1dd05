/* world.c: the clock, the heap of future events, and the trace. */
#include "sim/inside.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_AT_ONE_TIME_MAX 1000000

struct script {
	struct link link;
	struct sim_event event;
	struct sim *sim;
	void (*run)(void *arg);
	void *arg;
};

struct sim *sim_create(uint64_t seed)
{
	struct sim *sim = calloc(1, sizeof *sim);

	must(sim != NULL);
	sim->seed = seed;
	rng_seed(&sim->rng, seed);
	sim->turn_max = 1;
	sim->next_port = 40000;
	sim->trace_hash = seed;
	sim->tail = calloc(SIM_TRACE_KEPT, sizeof *sim->tail);
	must(sim->tail != NULL);
	list_init(&sim->ios);
	list_init(&sim->conns);
	list_init(&sim->dead);
	list_init(&sim->listeners);
	list_init(&sim->names);
	list_init(&sim->routes);
	list_init(&sim->scripts);
	sim->link_default = (struct sim_link){ .latency_us = 500, .window = 128 * 1024 };
	sim_host_add(sim, "localhost", "127.0.0.1");
	return sim;
}

static void script_drop(struct sim *sim, struct script *s)
{
	sim_event_clear(sim, &s->event);
	list_remove(&sim->scripts, &s->link);
	free(s);
}

static void free_dead(struct sim *sim)
{
	LIST_EACH(&sim->dead, n, after) {
		list_remove(&sim->dead, n);
		conn_free(CONTAINER_OF(n, struct sim_conn, link));
	}
}

void sim_free(struct sim *sim)
{
	if (!sim)
		return;
	LIST_EACH(&sim->listeners, n, after)
		io_listener_close(CONTAINER_OF(n, struct io_listener, link));
	free_dead(sim);
	LIST_EACH(&sim->conns, n, after) {
		list_remove(&sim->conns, n);
		conn_free(CONTAINER_OF(n, struct sim_conn, link));
	}
	LIST_EACH(&sim->scripts, n, after)
		script_drop(sim, CONTAINER_OF(n, struct script, link));
	LIST_EACH(&sim->ios, n, after)
		sim_io_free(CONTAINER_OF(n, struct io, link));
	LIST_EACH(&sim->names, n, after)
		free(CONTAINER_OF(n, struct sim_name, link));
	LIST_EACH(&sim->routes, n, after)
		free(CONTAINER_OF(n, struct sim_route, link));
	heap_free(&sim->events);
	free(sim->tail);
	free(sim);
}

void sim_set_turn_max(struct sim *sim, unsigned events_max)
{
	must(events_max >= 1);
	sim->turn_max = events_max;
}

/* ---- time ------------------------------------------------------------------ */

mono_ms sim_now(const struct sim *sim)
{
	return SIM_START_MS + sim->now_us / 1000;
}

int64_t sim_now_us(const struct sim *sim)
{
	return sim->now_us;
}

uint64_t sim_steps(const struct sim *sim)
{
	return sim->steps;
}

void sim_wall_jump(struct sim *sim, int64_t by_ms)
{
	sim->wall_jump_ms += by_ms;
	sim_trace(sim, NULL, "wall clock jumps by %lld ms", (long long)by_ms);
}

uint64_t sim_chance(struct sim *sim, uint64_t below)
{
	return rng_below(&sim->rng, below);
}

void sim_event_set(struct sim *sim, struct sim_event *e, int64_t at_us)
{
	heap_set(&sim->events, &e->node, at_us > sim->now_us ? at_us : sim->now_us);
}

void sim_event_clear(struct sim *sim, struct sim_event *e)
{
	heap_remove(&sim->events, &e->node);
}

int64_t sim_latency_us(struct sim *sim, int64_t latency_us, int64_t jitter_us)
{
	if (jitter_us > 0)
		latency_us += (int64_t)rng_below(&sim->rng, (uint64_t)jitter_us + 1);
	return latency_us;
}

/* What happens next: an event or a timer of *io. Events go first at one time. */
struct next {
	int64_t at_us;
	struct sim_event *event;
	struct io_timer *timer;
	struct io *io;
};

static int64_t timer_at_us(mono_ms at)
{
	if (at > INT64_MAX / 2000)
		return INT64_MAX;
	return at <= SIM_START_MS ? 0 : (at - SIM_START_MS) * 1000;
}

static bool find_next(const struct sim *sim, struct next *next)
{
	struct heap_node *n = heap_min(&sim->events);

	*next = (struct next){ .at_us = INT64_MAX };
	if (n) {
		next->event = CONTAINER_OF(n, struct sim_event, node);
		next->at_us = n->key;
		next->io = next->event->io;
	}
	LIST_EACH(&sim->ios, l, after) {
		struct io *io = CONTAINER_OF(l, struct io, link);
		struct heap_node *t = heap_min(&io->timers);

		if (!t || timer_at_us(t->key) >= next->at_us)
			continue;
		*next = (struct next){ timer_at_us(t->key), NULL,
				       CONTAINER_OF(t, struct io_timer, node), io };
	}
	if (next->at_us != INT64_MAX && next->at_us < sim->now_us)
		next->at_us = sim->now_us;
	return next->at_us != INT64_MAX;
}

static struct io *open_turn(const struct sim *sim)
{
	LIST_EACH(&sim->ios, l, after) {
		struct io *io = CONTAINER_OF(l, struct io, link);

		if (sim_turn_open(io))
			return io;
	}
	return NULL;
}

static void move_clock(struct sim *sim, int64_t to_us)
{
	if (to_us > sim->now_us) {
		sim->now_us = to_us;
		sim->steps_here = 0;
	}
}

static void run_next(struct sim *sim, const struct next *next)
{
	if (next->timer) {
		heap_remove(&next->io->timers, &next->timer->node);
		sim_trace(sim, next->io->name, "timer");
		next->timer->fire(next->timer, sim_now(sim));
		return;
	}
	heap_remove(&sim->events, &next->event->node);
	next->event->run(next->event);
}

bool sim_step(struct sim *sim)
{
	struct next next;
	struct io *io = open_turn(sim);
	unsigned events = 1;

	sim->steps++;
	if (++sim->steps_here > STEPS_AT_ONE_TIME_MAX) {
		sim_trace_tail(sim, stderr, 40);
		never("the simulated world goes round in circles without time passing");
	}
	if (io) {
		sim_turn_end(io);
		free_dead(sim);
		return true;
	}
	if (!find_next(sim, &next))
		return false;
	move_clock(sim, next.at_us);
	io = next.io;
	run_next(sim, &next);
	while (io && events < sim->turn_max && find_next(sim, &next) && next.io == io &&
	       next.at_us <= sim->now_us && !rng_one_in(&sim->rng, 3)) {
		run_next(sim, &next);
		events++;
	}
	if (io)
		sim_turn_end(io);
	free_dead(sim);
	return true;
}

void sim_run_until(struct sim *sim, mono_ms at)
{
	int64_t at_us = timer_at_us(at);
	struct next next;

	while (open_turn(sim) || (find_next(sim, &next) && next.at_us <= at_us))
		sim_step(sim);
	move_clock(sim, at_us);
}

void sim_run_for(struct sim *sim, int64_t span_ms)
{
	sim_run_until(sim, sim_now(sim) + span_ms);
}

bool sim_settle(struct sim *sim, int64_t span_ms)
{
	int64_t end_us = sim->now_us + span_ms * 1000;
	struct next next;

	while (open_turn(sim) || (find_next(sim, &next) && next.at_us <= end_us))
		sim_step(sim);
	return sim_idle(sim);
}

bool sim_idle(const struct sim *sim)
{
	struct next next;

	return !open_turn(sim) && !find_next(sim, &next);
}

mono_ms sim_next_at(const struct sim *sim)
{
	struct next next;

	if (open_turn(sim))
		return sim_now(sim);
	if (!find_next(sim, &next))
		return MONO_NEVER;
	return SIM_START_MS + next.at_us / 1000;
}

static void script_run(struct sim_event *e)
{
	struct script *s = CONTAINER_OF(e, struct script, event);
	void (*run)(void *arg) = s->run;
	void *arg = s->arg;

	script_drop(s->sim, s);
	run(arg);
}

void sim_script(struct sim *sim, mono_ms at, void (*run)(void *arg), void *arg)
{
	struct script *s = calloc(1, sizeof *s);

	must(s != NULL);
	s->sim = sim;
	s->run = run;
	s->arg = arg;
	s->event.run = script_run;
	list_append(&sim->scripts, &s->link);
	sim_event_set(sim, &s->event, timer_at_us(at));
}

/* ---- the trace ----------------------------------------------------------------- */

void sim_trace(struct sim *sim, const char *who, const char *format, ...)
{
	char *line = sim->tail[sim->trace_count % SIM_TRACE_KEPT];
	va_list args;
	int len;

	len = snprintf(line, SIM_LINE_MAX, "%10.3f %-8s ", (double)sim->now_us / 1000.0,
		       who ? who : "-");
	must(len > 0 && len < SIM_LINE_MAX);
	va_start(args, format);
	vsnprintf(line + len, (size_t)(SIM_LINE_MAX - len), format, args);
	va_end(args);
	sim->trace_count++;
	sim->trace_hash = slice_hash(slice_of(line), sim->trace_hash);
	if (sim->trace_file)
		fprintf(sim->trace_file, "%s\n", line);
}

uint64_t sim_trace_hash(const struct sim *sim)
{
	return sim->trace_hash;
}

uint64_t sim_trace_count(const struct sim *sim)
{
	return sim->trace_count;
}

void sim_trace_to(struct sim *sim, FILE *file)
{
	sim->trace_file = file;
}

void sim_trace_tail(const struct sim *sim, FILE *file, unsigned lines)
{
	uint64_t kept = sim->trace_count < SIM_TRACE_KEPT ? sim->trace_count : SIM_TRACE_KEPT;
	uint64_t from = sim->trace_count - (lines < kept ? lines : kept);

	for (uint64_t i = from; i < sim->trace_count; i++)
		fprintf(file, "%s\n", sim->tail[i % SIM_TRACE_KEPT]);
}
