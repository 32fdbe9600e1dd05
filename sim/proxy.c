/* proxy.c: puts the rooms together the way the daemon does, on simulated loops. */
#include "sim/proxy.h"

#include "admit/budgets.h"
#include "conn/client_conn.h"
#include "conn/upstream.h"
#include "cache/cache.h"
#include "cache/flight.h"
#include "config/config.h"
#include "exchange/exchange.h"
#include "exchange/exchanges.h"
#include "exchange/lobby.h"
#include "exchange/quotas.h"
#include "exchange/rumours.h"
#include "observe/metrics.h"
#include "route/target.h"

#include <stdlib.h>

#define WORKERS_MAX 8

struct worker {
	struct sim_proxy *proxy;
	struct io *io;
	struct metrics_sheet *sheet;
	struct upstream_pool *pool;
	struct exchanges *exchanges;
	struct client_door *door;
};

struct sim_proxy {
	struct sim *sim;
	const struct log *log;
	struct config *config;
	struct target_registry *targets;
	struct lobby *lobby;
	struct budgets *budgets;
	struct config *first;         /* whose stores are used */
	struct cache *cache;
	struct flights *flights;
	struct quotas *quotas;
	struct client_counters counters;
	struct metrics *metrics;
	void (*on_record)(void *owner, const struct exchange_record *r);
	void *owner;
	struct io_socket *socket;
	struct worker workers[WORKERS_MAX];
	unsigned worker_count;
	uint64_t generation;
	mono_ms started_at;
	bool draining;
};

static const char *no_env(void *owner, const char *name)
{
	(void)owner;
	(void)name;
	return NULL;
}

static bool no_file(void *owner, const char *path, struct buf *out, struct buf *why)
{
	(void)owner;
	(void)out;
	buf_putf(why, "there are no files in the simulator (%s)", path);
	return false;
}

static const struct config_source no_source = { .env = no_env, .read_file = no_file };

static struct config *read_config(struct sim_proxy *p, struct slice file, struct slice text,
				  struct buf *errors)
{
	struct config *c = config_parse(file, text, &no_source, errors);

	if (!c)
		return NULL;
	c->generation = ++p->generation;
	target_registry_bind(p->targets, c->arena, c->models, c->model_count);
	for (size_t i = 0; i < c->model_count; i++) {
		metrics_know_model(p->metrics, c->models[i].name);
		for (size_t k = 0; k < c->models[i].target_count; k++)
			metrics_know_target(p->metrics, c->models[i].targets[k].name);
	}
	lobby_bind(p->lobby, c->models, c->model_count);
	budgets_bind(p->budgets, c->budgets.budgets, c->budgets.count);
	return c;
}

static void on_record(void *owner, const struct exchange_record *r)
{
	struct worker *w = owner;
	struct slice star;
	const struct model_policy *model = config_model(w->proxy->config, r->asked_model, &star);

	metrics_count(w->sheet, model ? model->name : SLICE_NONE, r);
	if (w->proxy->on_record)
		w->proxy->on_record(w->proxy->owner, r);
}

static void worker_start(struct sim_proxy *p, struct worker *w)
{
	struct exchanges_setup setup;
	char name[32];

	snprintf(name, sizeof name, "proxy%u", (unsigned)(w - p->workers) + 1);
	w->proxy = p;
	w->io = sim_io_create(p->sim, name);
	w->sheet = metrics_sheet_create(p->metrics);
	w->pool = upstream_pool_create(w->io, p->log);
	setup = (struct exchanges_setup){ .io = w->io, .pool = w->pool, .config = p->config, .lobby = p->lobby,
					  .cache = p->cache, .flights = p->flights, .quotas = p->quotas,
					  .sheet = w->sheet, .log = p->log, .on_record = on_record, .owner = w };
	w->exchanges = exchanges_create(&setup);
	w->door = client_door_create(w->io, &p->config->limits, &p->counters, p->log,
				     &exchanges_door_events, w->exchanges);
	client_door_listen(w->door, p->socket, p->config->listen_tls);
}

static void on_news(void *owner, struct slice what, struct slice about, int64_t span_ms)
{
	struct sim_proxy *p = owner;

	rumours_hear(p->config, p->log, sim_now(p->sim), 1, what, about, span_ms);
}

/* As the daemon tells of itself, but for its name. */
static void describe(void *owner, struct cache_node *out)
{
	const struct sim_proxy *p = owner;

	snprintf(out->name, sizeof out->name, "node%u", p->config->listen[0].port - 8079u);
	io_addr_text(&p->config->listen[0], out->listen);
	out->generation = (int64_t)p->config->generation;
	out->workers = p->worker_count;
	out->in_flight = (int64_t)sim_proxy_exchanges(p);
	out->uptime_ms = sim_now(p->sim) - p->started_at;
	out->draining = p->draining;
}

/* Where stores live that take their time, if there are any: as on the control
 * thread of the daemon. */
static struct io *home_of(struct sim_proxy *p)
{
	const struct cache_store_policy *c = &p->config->cache;

	return c->disk_path.len || c->shared.address_count ? sim_io_create(p->sim, "back") : NULL;
}

struct sim_proxy *sim_proxy_create(struct sim *sim, unsigned workers, struct slice file,
				   struct slice config, const struct log *log,
				   void (*told)(void *owner, const struct exchange_record *r),
				   void *owner, struct buf *errors)
{
	struct sim_proxy *p = calloc(1, sizeof *p);

	must(p != NULL);
	must(workers >= 1);
	must(workers <= WORKERS_MAX);
	p->sim = sim;
	p->log = log;
	p->on_record = told;
	p->owner = owner;
	p->metrics = metrics_create();
	p->targets = target_registry_create();
	p->lobby = lobby_create();
	p->budgets = budgets_create();
	target_registry_watch(p->targets, lobby_on_free, p->lobby);
	p->config = read_config(p, file, config, errors);
	if (!p->config) {
		sim_proxy_free(p);
		return NULL;
	}
	must(p->config->listen_count > 0);
	p->first = config_take(p->config);
	p->cache = cache_create(&p->first->cache, 1, home_of(p), log);
	cache_hear(p->cache, on_news, p);
	cache_meet(p->cache, describe, p);
	p->started_at = sim_now(sim);
	p->flights = flights_create(1);
	p->quotas = quotas_create(p->cache, log);
	p->socket = io_socket_open(&p->config->listen[0], NULL, 0);
	p->worker_count = workers;
	for (unsigned i = 0; i < workers; i++)
		worker_start(p, &p->workers[i]);
	return p;
}

bool sim_proxy_reload(struct sim_proxy *p, struct slice file, struct slice config,
		      struct buf *errors)
{
	struct config *next = read_config(p, file, config, errors);

	if (!next)
		return false;
	for (unsigned i = 0; i < p->worker_count; i++) {
		exchanges_set_config(p->workers[i].exchanges, next);
		client_door_set_limits(p->workers[i].door, &next->limits);
	}
	config_give(p->config);
	p->config = next;
	return true;
}

struct io_addr sim_proxy_addr(const struct sim_proxy *p)
{
	return io_socket_addr(p->socket);
}

void sim_proxy_drain(struct sim_proxy *p)
{
	p->draining = true;
	for (unsigned i = 0; i < p->worker_count; i++)
		client_door_drain(p->workers[i].door);
}

void sim_proxy_end_all(struct sim_proxy *p)
{
	for (unsigned i = 0; i < p->worker_count; i++)
		exchanges_end_all(p->workers[i].exchanges);
}

size_t sim_proxy_exchanges(const struct sim_proxy *p)
{
	size_t count = 0;

	for (unsigned i = 0; i < p->worker_count; i++)
		count += exchanges_count(p->workers[i].exchanges);
	return count;
}

size_t sim_proxy_refreshing(const struct sim_proxy *p)
{
	size_t count = 0;

	for (unsigned i = 0; i < p->worker_count; i++)
		count += exchanges_refreshing(p->workers[i].exchanges);
	return count;
}

unsigned sim_proxy_in_flight(const struct sim_proxy *p)
{
	return target_registry_in_flight(p->targets);
}

unsigned sim_proxy_waiting(const struct sim_proxy *p)
{
	return lobby_waiting(p->lobby);
}

uint64_t sim_proxy_body_bytes(const struct sim_proxy *p)
{
	return atomic_load(&p->counters.body_bytes);
}

uint64_t sim_proxy_busy_connections(const struct sim_proxy *p)
{
	uint64_t count = 0;

	for (unsigned i = 0; i < p->worker_count; i++) {
		const struct upstream_counters *c = upstream_pool_counters(p->workers[i].pool);

		uint64_t busy = c->open - c->idle, looks = exchanges_looks(p->workers[i].exchanges);

		count += busy > looks ? busy - looks : 0;
	}
	return count;
}

uint64_t sim_proxy_idle_connections(const struct sim_proxy *p)
{
	uint64_t most = 0;

	for (unsigned i = 0; i < p->worker_count; i++) {
		const struct upstream_counters *c = upstream_pool_counters(p->workers[i].pool);

		if (c->idle > most)
			most = c->idle;
	}
	return most;
}

size_t sim_proxy_queued_max(const struct sim_proxy *p)
{
	size_t most = 0;

	for (unsigned i = 0; i < p->worker_count; i++) {
		if (sim_io_queued_max(p->workers[i].io) > most)
			most = sim_io_queued_max(p->workers[i].io);
	}
	return most;
}

static void widen_model(const struct model_policy *m, struct sim_proxy_limits *limits)
{
	unsigned more = m->last_resort && m->last_resort->model.len ? LAST_RESORT_ATTEMPTS : 0;

	if (m->hedge.on)
		limits->hedges = true;
	if (m->retry.max_attempts + more > limits->max_attempts)
		limits->max_attempts = m->retry.max_attempts + more;
	if (m->timeouts.total_ms > limits->total_ms)
		limits->total_ms = m->timeouts.total_ms;
}

void sim_proxy_widen(const struct sim_proxy *p, struct sim_proxy_limits *limits)
{
	size_t idle = 0;

	for (size_t i = 0; i < p->config->model_count; i++) {
		const struct model_policy *m = &p->config->models[i];

		widen_model(m, limits);
		for (size_t k = 0; k < m->target_count; k++)
			idle += m->targets[k].origin->idle_max;
	}
	/* Origins that left a config keep their idle connections until they age. */
	limits->idle_connections += idle;
}

struct target *sim_proxy_target(const struct sim_proxy *p, struct slice name)
{
	for (size_t m = 0; m < p->config->model_count; m++)
		for (size_t i = 0; i < p->config->models[m].target_count; i++)
			if (slice_eq(p->config->models[m].targets[i].name, name))
				return p->config->models[m].targets[i].state;
	return NULL;
}

bool sim_proxy_metrics(const struct sim_proxy *p, struct buf *out)
{
	return metrics_write(p->metrics, METRICS_PROMETHEUS, NULL, out);
}

struct cache *sim_proxy_cache(const struct sim_proxy *p)
{
	return p->cache;
}

static void on_left(void *owner)
{
	(void)owner;                    /* there is nothing that waits for it */
}

void sim_proxy_leave(struct sim_proxy *p)
{
	cache_leave(p->cache, on_left, p);
}

void sim_proxy_free(struct sim_proxy *p)
{
	if (!p)
		return;
	for (unsigned i = 0; i < p->worker_count; i++)
		client_door_free(p->workers[i].door);
	/* What the doors broke is buried at the end of a turn. */
	if (p->worker_count)
		sim_run_for(p->sim, 1);
	for (unsigned i = 0; i < p->worker_count; i++) {
		exchanges_free(p->workers[i].exchanges);
		upstream_pool_free(p->workers[i].pool);
	}
	if (p->socket)
		io_socket_close(p->socket);
	cache_close(p->cache);
	if (p->worker_count)
		sim_run_for(p->sim, 1);
	config_give(p->config);
	target_registry_free(p->targets);
	lobby_free(p->lobby);
	budgets_free(p->budgets);
	cache_free(p->cache);
	config_give(p->first);
	flights_free(p->flights);
	quotas_free(p->quotas);
	metrics_free(p->metrics);
	free(p);
}
