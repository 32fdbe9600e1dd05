#include "daemon/worker.h"

#include "base/check.h"
#include "daemon/drills.h"
#include "exchange/exchanges.h"
#include "daemon/trace_export.h"
#include "observe/access_log.h"
#include "observe/pulse.h"
#include "resilience/bucket.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PUBLISH_MS 1000               /* how old the pool's numbers may be on an idle worker */
#define DRAIN_LOOK_MS 20
#define ALL_MILLI 100000              /* 100 % in thousandths of a percent */
#define TRACES_PATIENCE_MS 1000       /* for the last spans to be taken */
#define LINE_KEPT_MAX ((size_t)16 * 1024)
/* Of what went well the status page, which shows the last hundred, is told a hundred
 * and twenty a second: to write the line took a tenth of a request's instructions. */
static const struct bucket_policy calm_lines = {
	.reserve = RECENT_COUNT, .most = RECENT_COUNT, .reserve_ms = 50,
};

struct worker {
	struct worker_setup setup;
	struct io *io;
	struct io_thread *thread;
	struct config *config;
	struct log log;
	struct io_socket **sockets;
	struct client_door *door;
	struct upstream_pool *pool;
	struct exchanges *exchanges;
	struct metrics_sheet *sheet;
	struct trace_export *traces;
	struct buf line, story;
	struct bucket calm_lines;
	struct io_timer publish_timer, look;
	struct io_deferred publish_soon;
	bool draining;
	mono_ms traces_until;
	struct io_message drained;
};

/* What the control thread asks for; freed by whom it is delivered to. */
struct order {
	struct io_message message;
	struct worker *worker;
	void (*act)(struct worker *w, struct config *config);
	struct config *config;
};

static void deliver(struct io_message *m)
{
	struct order *o = CONTAINER_OF(m, struct order, message);

	o->act(o->worker, o->config);
	free(o);
}

static void order(struct worker *w, void (*act)(struct worker *w, struct config *config),
		  struct config *config)
{
	struct order *o = calloc(1, sizeof *o);

	must(o != NULL);
	o->message.deliver = deliver;
	o->worker = w;
	o->act = act;
	o->config = config;
	io_post(w->io, &o->message);
}

/* ---- what exchanges leave behind ---------------------------------------------------- */

static void publish(struct worker *w)
{
	const struct upstream_counters *c = upstream_pool_counters(w->pool);
	struct metrics_pool p = {
		.connects = c->connects,
		.connect_faults = c->connect_faults,
		.reuses = c->reuses,
		.stale_replays = c->stale_replays,
		.junk_discards = c->junk_discards,
		.open = c->open,
		.idle = c->idle,
		.exchanges = exchanges_count(w->exchanges),
	};

	metrics_set_pool(w->sheet, &p);
}

/* After an exchange: once a turn, when it has left the list. */
static void on_publish_soon(struct io_deferred *d, mono_ms now)
{
	(void)now;
	publish(CONTAINER_OF(d, struct worker, publish_soon));
}

static void on_publish(struct io_timer *t, mono_ms now)
{
	struct worker *w = CONTAINER_OF(t, struct worker, publish_timer);

	publish(w);
	io_timer_set(w->io, t, mono_after(now, PUBLISH_MS));
}

static void forget_large(struct buf *line)
{
	buf_clear(line);
	if (line->size > LINE_KEPT_MAX)
		buf_free(line);
}

/* The model in whose lane the try is: that asked for, or a fallback of it. */
static struct slice lane_of(const struct model_policy *model, struct slice target)
{
	for (size_t f = 0; f <= model->fallback_count; f++) {
		const struct model_policy *m = f == 0 ? model : model->fallbacks[f - 1];

		for (size_t i = 0; i < m->target_count; i++)
			if (slice_eq(m->targets[i].name, target))
				return m->name;
	}
	return model->name;
}

/* For the dashboard. */
static void pulse(struct worker *w, const struct model_policy *model, const struct exchange_record *r)
{
	if (r->cache != CACHE_USE_REFRESH)
		pulse_count(w->setup.pulse, model ? model->name : SLICE_NONE, r, io_now(w->io));
	for (size_t i = 0; model && i < r->attempt_count; i++) {
		const struct attempt_record *a = &r->attempts[i];

		pulse_try(w->setup.pulse, lane_of(model, a->target), a->target,
			  a->fault != FAULT_NONE && fault_row(a->fault)->blame != BLAME_NOBODY);
	}
}

/* Of what went well the config may want a share only. */
static bool wants_line(struct worker *w, const struct exchange_record *r)
{
	int64_t share = w->config->access_sample_milli;

	if (share >= ALL_MILLI || w->setup.access == ACCESS_OFF || !record_is_calm(r))
		return true;
	return (int64_t)(io_random(w->io) % ALL_MILLI) < share;
}

/* All trouble, and as much as can be shown of what went well. */
static bool is_for_page(struct worker *w, const struct exchange_record *r)
{
	return pulse_had_trouble(r) || bucket_take(&w->calm_lines, &calm_lines, io_now(w->io));
}

static void show(struct worker *w, const struct exchange_record *r)
{
	recent_add(w->setup.recent, buf_slice(&w->line));
	if (pulse_had_trouble(r))
		recent_add(w->setup.troubles, buf_slice(&w->line));
}

static void on_record(void *owner, const struct exchange_record *r)
{
	struct worker *w = owner;
	bool shown = is_for_page(w, r), logged = wants_line(w, r);
	struct slice star;
	const struct model_policy *model = config_model(w->config, r->asked_model, &star);

	metrics_count(w->sheet, model ? model->name : SLICE_NONE, r);
	trace_export_add(w->traces, r);
	pulse(w, model, r);
	drills_record(w->setup.drills, r);
	io_defer(w->io, &w->publish_soon);
	if (shown || (logged && w->setup.access == ACCESS_JSON))
		access_log_json(r, &w->line);
	if (shown)
		show(w, r);
	if (!logged) {
		metrics_add(w->sheet, AT_WORKER_LINES_LEFT_OUT, 1);
	} else if (w->setup.access == ACCESS_JSON) {
		io_lines_write(w->setup.access_lines, buf_slice(&w->line));
	} else if (w->setup.access != ACCESS_OFF) {
		access_log_terminal(r, w->setup.access == ACCESS_TERMINAL_COLOUR, &w->story);
		io_lines_write(w->setup.access_lines, buf_slice(&w->story));
		forget_large(&w->story);
	}
	forget_large(&w->line);
}

static void on_look_done(void *owner, struct slice target, enum fault fault)
{
	struct worker *w = owner;

	metrics_count_look(w->sheet, target, fault == FAULT_NONE ? LOOKED_GOOD
			 : fault_row(fault)->blame == BLAME_TARGET ? LOOKED_BAD : LOOKED_UNCLEAR);
}

static void on_turn(void *owner, int64_t took_us)
{
	struct worker *w = owner;

	metrics_observe(w->sheet, AT_WORKER_TURN, SCALE_SHORT, took_us);
}

/* ---- orders ---------------------------------------------------------------------------- */

static void use_config(struct worker *w, struct config *config)
{
	struct config *old = w->config;

	w->config = config;
	w->log.level = config->log_level;
	exchanges_set_config(w->exchanges, config);
	trace_export_set_config(w->traces, config);
	client_door_set_limits(w->door, &config->limits);
	client_door_set_tls(w->door, config->listen_tls);
	/* Connections to backends that have left, or whose TLS setup has changed. */
	upstream_pool_flush(w->pool);
	config_give(old);
}

static void close_sockets(struct worker *w)
{
	for (size_t i = 0; i < w->setup.socket_count; i++)
		io_socket_close(w->sockets[i]);
	w->setup.socket_count = 0;
}

static void tell_drained(struct io_message *m)
{
	struct worker *w = CONTAINER_OF(m, struct worker, drained);

	w->setup.on_drained(w->setup.owner, w);
}

static void on_look(struct io_timer *t, mono_ms now)
{
	struct worker *w = CONTAINER_OF(t, struct worker, look);

	if (exchanges_count(w->exchanges) || client_door_count(w->door)) {
		w->traces_until = mono_after(now, TRACES_PATIENCE_MS);
		io_timer_set(w->io, t, mono_after(now, DRAIN_LOOK_MS));
		return;
	}
	/* The last spans; not for longer than a moment. */
	if (!trace_export_idle(w->traces) && now < w->traces_until) {
		trace_export_flush(w->traces);
		io_timer_set(w->io, t, mono_after(now, DRAIN_LOOK_MS));
		return;
	}
	upstream_pool_flush(w->pool);
	w->drained.deliver = tell_drained;
	io_post(w->setup.control, &w->drained);
}

static void drain(struct worker *w, struct config *config)
{
	(void)config;
	if (w->draining)
		return;
	w->draining = true;
	w->traces_until = mono_after(io_now(w->io), TRACES_PATIENCE_MS);
	client_door_drain(w->door);
	close_sockets(w);
	io_timer_set(w->io, &w->look, io_now(w->io));
}

static void end_all(struct worker *w, struct config *config)
{
	(void)config;
	exchanges_end_all(w->exchanges);
}

static void stop(struct worker *w, struct config *config)
{
	(void)config;
	client_door_free(w->door);
	w->door = NULL;
	io_timer_clear(w->io, &w->publish_timer);
	io_timer_clear(w->io, &w->look);
	io_real_stop(w->io);
}

/* ---- life ----------------------------------------------------------------------------------- */

static void run(void *arg)
{
	struct worker *w = arg;

	io_real_run(w->io);
}

static void log_sink(void *owner, enum log_level level, struct slice line)
{
	struct worker *w = owner;

	(void)level;
	io_lines_write(w->setup.log_lines, line);
}

static int64_t log_wall_ms(void *owner)
{
	struct worker *w = owner;

	return io_wall_ms(w->io);
}

static void furnish(struct worker *w)
{
	struct exchanges_setup e;

	w->config = config_take(w->setup.config);
	w->log = (struct log){ .sink = log_sink, .wall_ms = log_wall_ms, .owner = w,
			       .level = w->config->log_level };
	w->line = BUF_INIT(ACCESS_LINE_MAX);
	w->story = BUF_INIT(ACCESS_LINE_MAX);
	w->sheet = metrics_sheet_create(w->setup.metrics);
	w->pool = upstream_pool_create(w->io, &w->log);
	w->traces = trace_export_create(w->io, &w->log, w->sheet, w->config);
	e = (struct exchanges_setup){ .io = w->io, .pool = w->pool, .config = w->config, .lobby = w->setup.lobby,
				      .cache = w->setup.cache, .flights = w->setup.flights,
				      .quotas = w->setup.quotas, .sheet = w->sheet,
				      .log = &w->log, .on_record = on_record, .on_look = on_look_done, .owner = w };
	w->exchanges = exchanges_create(&e);
	w->door = client_door_create(w->io, &w->config->limits, w->setup.counters, &w->log,
				     &exchanges_door_events, w->exchanges);
	w->sockets = calloc(w->setup.socket_count + 1, sizeof *w->sockets);
	must(w->sockets != NULL);
	for (size_t i = 0; i < w->setup.socket_count; i++) {
		w->sockets[i] = w->setup.sockets[i];
		w->setup.sockets[i] = NULL;
		client_door_listen(w->door, w->sockets[i], w->config->listen_tls);
	}
	w->look.fire = on_look;
	io_real_on_turn(w->io, on_turn, w);
	w->publish_soon.run = on_publish_soon;
	w->publish_timer.fire = on_publish;
	io_timer_set(w->io, &w->publish_timer, io_now(w->io));
}

static void strip(struct worker *w)
{
	exchanges_free(w->exchanges);
	upstream_pool_free(w->pool);
	trace_export_free(w->traces);
	close_sockets(w);
	free(w->sockets);
	io_real_free(w->io);
	buf_free(&w->line);
	buf_free(&w->story);
	config_give(w->config);
	free(w);
}

struct worker *worker_start(const struct worker_setup *setup, char *why, size_t why_size)
{
	struct worker *w = calloc(1, sizeof *w);

	must(w != NULL);
	w->setup = *setup;
	w->io = io_real_create(why, why_size);
	if (!w->io) {
		free(w);
		return NULL;
	}
	furnish(w);
	w->thread = io_thread_start(run, w);
	if (!w->thread) {
		snprintf(why, why_size, "the machine gives no thread for a worker");
		client_door_free(w->door);
		strip(w);
		return NULL;
	}
	return w;
}

void worker_set_config(struct worker *w, struct config *config)
{
	order(w, use_config, config_take(config));
}

void worker_drain(struct worker *w)
{
	order(w, drain, NULL);
}

void worker_end_all(struct worker *w)
{
	order(w, end_all, NULL);
}

void worker_stop(struct worker *w)
{
	if (!w)
		return;
	order(w, stop, NULL);
	io_thread_join(w->thread);
	strip(w);
}
