/* loop.c: one simulated process: its time, timers, graves, jobs and messages. */
#include "sim/inside.h"

#include <stdlib.h>
#include <string.h>

/* What a piece of background work takes: between these, by chance. */
#define JOB_US_MIN 100
#define JOB_US_SPREAD 3000
/* How long a message to another loop takes. */
#define POST_US_SPREAD 50

struct job {
	struct link link;
	struct sim_event event;
	struct io_job *job;
};

static void deliver(struct sim_event *e);

struct io *sim_io_create(struct sim *sim, const char *name)
{
	struct io *io = calloc(1, sizeof *io);

	must(io != NULL);
	must(sim->next_io < 250);
	io->sim = sim;
	snprintf(io->name, sizeof io->name, "%s", name);
	io->number = ++sim->next_io;
	rng_seed(&io->rng, sim->seed ^ slice_hash(slice_of(name), io->number));
	io->deferred_end = &io->deferred;
	io->graves_end = &io->graves;
	io->messages_end = &io->messages;
	io->post.io = io;
	io->post.run = deliver;
	list_init(&io->flush);
	list_init(&io->lookups);
	list_init(&io->jobs);
	list_append(&sim->ios, &io->link);
	return io;
}

const char *sim_io_name(const struct io *io)
{
	return io->name;
}

struct io_addr sim_io_addr(const struct io *io)
{
	return (struct io_addr){ .family = IO_IPV4, .bytes = { 10, 77, 0, (uint8_t)io->number } };
}

struct sim *sim_io_world(const struct io *io)
{
	return io->sim;
}

void sim_io_set_streams_max(struct io *io, unsigned streams_max)
{
	io->streams_max = streams_max;
}

/* ---- time and chance ------------------------------------------------------- */

mono_ms io_now(const struct io *io)
{
	return sim_now(io->sim);
}

int64_t io_turn_us(const struct io *io)
{
	(void)io;
	return 0;
}

int64_t io_wall_ms(const struct io *io)
{
	return SIM_START_WALL_MS + io->sim->now_us / 1000 + io->sim->wall_jump_ms;
}

uint64_t io_random(struct io *io)
{
	return rng_next(&io->rng);
}

void io_timer_set(struct io *io, struct io_timer *t, mono_ms at)
{
	must(t->fire != NULL);
	if (at == MONO_NEVER)
		heap_remove(&io->timers, &t->node);
	else
		heap_set(&io->timers, &t->node, at);
}

void io_timer_clear(struct io *io, struct io_timer *t)
{
	heap_remove(&io->timers, &t->node);
}

/* ---- the end of a turn ----------------------------------------------------- */

void io_bury(struct io *io, struct io_grave *g)
{
	must(g->bury != NULL);
	g->next = NULL;
	*io->graves_end = g;
	io->graves_end = &g->next;
}

void io_defer(struct io *io, struct io_deferred *d)
{
	must(d->run != NULL);
	if (d->queued)
		return;
	d->queued = true;
	d->next = NULL;
	*io->deferred_end = d;
	io->deferred_end = &d->next;
}

bool sim_turn_open(const struct io *io)
{
	return io->deferred || io->graves || !list_empty(&io->flush);
}

static void run_deferred(struct io *io)
{
	for (struct io_deferred *d; (d = io->deferred);) {
		io->deferred = d->next;
		if (!io->deferred)
			io->deferred_end = &io->deferred;
		d->queued = false;
		d->next = NULL;
		if (++io->sim->steps_here > 1000000)
			never("deferred work that defers itself for ever");
		d->run(d, sim_now(io->sim));
	}
}

static void flush(struct io *io)
{
	while (!list_empty(&io->flush)) {
		struct io_stream *e = CONTAINER_OF(list_first(&io->flush), struct io_stream,
						   flush_link);

		list_remove(&io->flush, &e->flush_link);
		end_send(e);
		e->backed_up = buf_len(&e->out) > 0;
	}
}

static void bury(struct io *io)
{
	struct io_grave *g = io->graves;

	io->graves = NULL;
	io->graves_end = &io->graves;
	while (g) {
		struct io_grave *next = g->next;

		g->bury(g);
		g = next;
	}
}

void sim_turn_end(struct io *io)
{
	run_deferred(io);
	flush(io);
	bury(io);
}

/* ---- other threads ----------------------------------------------------------- */

static void job_run(struct sim_event *e)
{
	struct job *j = CONTAINER_OF(e, struct job, event);
	struct io_job *job = j->job;

	list_remove(&e->io->jobs, &j->link);
	sim_trace(e->io->sim, e->io->name, "background work done");
	free(j);
	job->work(job);
	job->done(job);
}

void io_background(struct io *io, struct io_job *job)
{
	struct job *j = calloc(1, sizeof *j);
	int64_t takes = JOB_US_MIN + (int64_t)rng_below(&io->sim->rng, JOB_US_SPREAD);

	must(j != NULL);
	must(job->work != NULL);
	must(job->done != NULL);
	job->io = io;
	j->job = job;
	j->event.io = io;
	j->event.run = job_run;
	list_append(&io->jobs, &j->link);
	sim_event_set(io->sim, &j->event, io->sim->now_us + takes);
}

static void plan_delivery(struct io *io)
{
	int64_t takes = (int64_t)rng_below(&io->sim->rng, POST_US_SPREAD);

	sim_event_set(io->sim, &io->post, io->sim->now_us + takes);
}

static void deliver(struct sim_event *e)
{
	struct io *io = e->io;
	struct io_message *m = io->messages;

	must(m != NULL);
	io->messages = m->next;
	if (!io->messages)
		io->messages_end = &io->messages;
	else
		plan_delivery(io);
	sim_trace(io->sim, io->name, "message");
	m->deliver(m);
}

void io_post(struct io *io, struct io_message *m)
{
	must(m->deliver != NULL);
	m->next = NULL;
	if (!io->messages)
		plan_delivery(io);
	*io->messages_end = m;
	io->messages_end = &m->next;
}

/* ---- what exists ----------------------------------------------------------------- */

void sim_io_free(struct io *io)
{
	LIST_EACH(&io->jobs, n, after) {
		struct job *j = CONTAINER_OF(n, struct job, link);

		sim_event_clear(io->sim, &j->event);
		list_remove(&io->jobs, n);
		free(j);
	}
	while (!list_empty(&io->lookups))
		io_resolve_cancel(io, sim_lookup_of(list_first(&io->lookups)));
	sim_event_clear(io->sim, &io->post);
	list_remove(&io->sim->ios, &io->link);
	heap_free(&io->timers);
	free(io);
}

static void count_end(struct sim_counts *c, const struct io_stream *e, const struct half *in)
{
	if (e->state == END_LINGER)
		c->lingering++;
	if (e->state < END_CONNECTING || e->state > END_BROKEN)
		return;
	c->streams++;
	c->bytes_queued += buf_len(&e->out);
	c->bytes_unread += buf_len(&in->arrived);
}

static void count_loop(struct sim_counts *c, const struct io *io)
{
	c->timers += (unsigned)io->timers.count;
	c->jobs += (unsigned)io->jobs.count;
	c->lookups += (unsigned)io->lookups.count;
	for (const struct io_deferred *d = io->deferred; d; d = d->next)
		c->deferred++;
	for (const struct io_grave *g = io->graves; g; g = g->next)
		c->graves++;
	for (const struct io_message *m = io->messages; m; m = m->next)
		c->messages++;
}

struct sim_counts sim_count(const struct sim *sim, const struct io *io)
{
	struct sim_counts c = { 0 };

	LIST_EACH(&sim->ios, n, after) {
		const struct io *each = CONTAINER_OF(n, struct io, link);

		if (!io || io == each)
			count_loop(&c, each);
	}
	LIST_EACH(&sim->listeners, n, after) {
		if (!io || io == CONTAINER_OF(n, struct io_listener, link)->io)
			c.listeners++;
	}
	LIST_EACH(&sim->conns, n, after) {
		const struct sim_conn *conn = CONTAINER_OF(n, struct sim_conn, link);

		for (unsigned i = 0; i < 2; i++) {
			if (!io || io == conn->ends[i].io)
				count_end(&c, &conn->ends[i], &conn->halves[i]);
		}
	}
	return c;
}

bool sim_counts_clean(const struct sim_counts *c)
{
	return !c->streams && !c->listeners && !c->timers && !c->deferred && !c->graves &&
	       !c->jobs && !c->messages && !c->lookups && !c->bytes_queued;
}

const char *sim_counts_text(const struct sim_counts *c, char *out, size_t out_size)
{
	const struct { const char *name; size_t count; } rows[] = {
		{ "streams", c->streams }, { "lingering", c->lingering },
		{ "listeners", c->listeners }, { "timers", c->timers },
		{ "deferred", c->deferred }, { "graves", c->graves }, { "jobs", c->jobs },
		{ "messages", c->messages }, { "lookups", c->lookups },
		{ "bytes queued", c->bytes_queued }, { "bytes unread", c->bytes_unread },
	};
	size_t len = 0;

	must(out_size > 0);
	out[0] = '\0';
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		if (!rows[i].count || len >= out_size)
			continue;
		len += (size_t)snprintf(out + len, out_size - len, "%s%s %zu", len ? ", " : "",
					rows[i].name, rows[i].count);
	}
	if (!len)
		snprintf(out, out_size, "nothing");
	return out;
}

size_t sim_queued_max(const struct sim *sim)
{
	return sim->queued_max;
}

size_t sim_io_queued_max(const struct io *io)
{
	return io->queued_max;
}
