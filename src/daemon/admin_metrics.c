/* /metrics: what observe/ has counted, and the numbers that others hold: the
 * process, the models' queues and budgets, the targets. */
#include "daemon/admin.h"

#include "admit/budgets.h"
#include "base/check.h"
#include "base/map.h"
#include "cache/cache.h"
#include "cache/flight.h"
#include "exchange/quotas.h"
#include "daemon/alerts.h"
#include "daemon/limits.h"
#include "exchange/lobby.h"
#include "route/target.h"

/* A target once, though several models may share it; `model` is the first. */
struct place {
	const struct model_policy *model;
	const struct target_policy *target;
	struct target_view view;
};

struct source {
	const struct admin_state *s;
	mono_ms now;
	int64_t wall_ms;
	struct place *places;         /* arena */
	size_t place_count;
	struct cache_stats cache;
	struct store_stats stores[CACHE_STORES_MAX];
	size_t store_count;
	struct flight_counts flights;
	struct admin_cluster_counts cluster;
};

/* ---- the process ------------------------------------------------------------------ */

static double read_clients(const struct client_counters *n, size_t cell)
{
	switch (cell) {
	case AT_PROCESS_CLIENTS:        return (double)atomic_load(&n->connections);
	case AT_PROCESS_ACCEPTED:       return (double)atomic_load(&n->accepted);
	case AT_PROCESS_REFUSED_FULL:   return (double)atomic_load(&n->refused_full);
	case AT_PROCESS_BAD_REQUESTS:   return (double)atomic_load(&n->bad_requests);
	case AT_PROCESS_BODY_BYTES:     return (double)atomic_load(&n->body_bytes);
	case AT_PROCESS_REFUSED_MEMORY: return (double)atomic_load(&n->refused_memory);
	default: never("a number of clients that nobody reads");
	}
}

static double read_cluster(const struct source *src, size_t cell)
{
	/* Its words stand in the order of the states. */
	_Static_assert((int)WORDS_OF_NODE == (int)CACHE_NODE_STATE_COUNT, "a state of nodes has no word");
	switch (cell) {
	case AT_PROCESS_NODES_ALONE:   return src->cluster.alone;
	case AT_PROCESS_NODES_CONFIGS: return src->cluster.configs;
	default: return src->cluster.nodes[cell - AT_PROCESS_NODES];
	}
}

static double read_cache(const struct source *src, size_t cell)
{
	const struct cache_stats *c = &src->cache;

	switch (cell) {
	case AT_PROCESS_CACHE_ENTRIES:   return (double)c->memory.entries;
	case AT_PROCESS_CACHE_BYTES:     return (double)c->memory.bytes;
	case AT_PROCESS_CACHE_MAX:       return (double)c->memory.bytes_max;
	case AT_PROCESS_CACHE_EVICTIONS: return (double)c->memory.evictions;
	case AT_PROCESS_CACHE_TOO_LARGE: return (double)c->memory.too_large;
	case AT_PROCESS_CACHE_PURGES:    return (double)c->purges;
	case AT_PROCESS_CACHE_PURGED:    return (double)c->purged;
	case AT_PROCESS_CACHE_KEPT_OUT:  return (double)c->kept_out;
	case AT_PROCESS_LEASES:          return (double)c->leases;
	case AT_PROCESS_LEASE_WAITS:     return (double)c->waits;
	case AT_PROCESS_LEASE_ANSWERED:  return (double)c->waits_answered;
	case AT_PROCESS_LIMITS_ALONE:    return quotas_stats(src->s->quotas).alone;
	case AT_PROCESS_LIMIT_REQUESTS:  return (double)quotas_stats(src->s->quotas).refused_requests;
	case AT_PROCESS_LIMIT_TOKENS:    return (double)quotas_stats(src->s->quotas).refused_tokens;
	case AT_PROCESS_FLIGHTS:         return (double)src->flights.flights;
	case AT_PROCESS_FOLLOWERS:       return (double)src->flights.followers;
	default: return read_clients(src->s->clients, cell);
	}
}

static int64_t earlier(int64_t a, const struct io_tls *tls)
{
	int64_t b = tls ? io_tls_expires(tls) : 0;

	return b && (!a || b < a) ? b : a;
}

/* Of all own certificates. */
static int64_t first_end(const struct config *c)
{
	int64_t at = earlier(0, c->listen_tls);

	for (size_t i = 0; i < c->backend_count; i++)
		for (size_t j = 0; j < c->backends[i].origin_count; j++)
			at = earlier(at, c->backends[i].origins[j].tls_setup);
	return at;
}

static bool read_process(const struct source *src, size_t cell, double *out)
{
	const struct admin_state *s = src->s;
	const struct shared *sh = s->shared;

	switch (cell) {
	case AT_PROCESS_BUILD:           *out = 1; break;
	case AT_PROCESS_GENERATION:      *out = (double)atomic_load(&sh->generation); break;
	case AT_PROCESS_RELOAD_FAILURES: *out = (double)atomic_load(&sh->reload_failures); break;
	case AT_PROCESS_STALE:           *out = buf_len(&s->refused) ? 1 : 0; break;
	case AT_PROCESS_STARTS:          *out = (double)atomic_load(&sh->serving_starts); break;
	case AT_PROCESS_LOG_DROPPED:     *out = (double)io_lines_dropped(s->log_lines); break;
	case AT_PROCESS_ACCESS_DROPPED:
		*out = s->access_lines ? (double)io_lines_dropped(s->access_lines) : 0;
		break;
	case AT_PROCESS_CERTIFICATE:     *out = (double)first_end(s->config); break;
	case AT_PROCESS_WORKERS:         *out = s->workers; break;
	case AT_PROCESS_FDS:             *out = (double)limits_open_descriptors(); break;
	case AT_PROCESS_FDS_MAX:         *out = (double)limits_descriptors(); break;
	case AT_PROCESS_MEMORY:          *out = (double)limits_resident_bytes(); break;
	case AT_PROCESS_CPU:             *out = (double)limits_cpu_us() / 1e6; break;
	case AT_PROCESS_STARTED:         *out = (double)s->started_wall_ms / 1000; break;
	default:
		*out = cell >= AT_PROCESS_ALERTS && cell <= AT_PROCESS_ALERTS_LOST ? alerts_read(s->alerts, cell)
		     : cell >= AT_PROCESS_NODES && cell <= AT_PROCESS_NODES_CONFIGS ? read_cluster(src, cell)
		     : read_cache(src, cell);
		break;
	}
	return true;
}

/* ---- models ---------------------------------------------------------------------------- */

static unsigned usable_targets(const struct model_policy *m, mono_ms now)
{
	struct target_look look;
	unsigned count = 0;

	for (size_t i = 0; i < m->target_count; i++) {
		target_look(m->targets[i].state, m, now, 0, &look);
		count += look.use < USE_PACED;
	}
	return count;
}

static bool read_room(const struct source *src, size_t i, size_t cell, double *out)
{
	const struct model_policy *m = &src->s->config->models[i];

	switch (cell) {
	case AT_ROOM_WAITING:         *out = lobby_room_count(m->room); break;
	case AT_ROOM_QUEUE_MAX:       *out = m->queue.length; break;
	case AT_ROOM_TARGETS:         *out = (double)m->target_count; break;
	case AT_ROOM_USABLE:          *out = usable_targets(m, src->now); break;
	case AT_ROOM_RETRIES_LEFT:    *out = model_retries_left(m, src->now); break;
	case AT_ROOM_RETRIES_REFUSED: *out = (double)model_retries_refused(m); break;
	default: never("a number of a model that nobody reads");
	}
	return true;
}

/* ---- targets ------------------------------------------------------------------------------ */

/* Rows with a label of their own. */
static bool read_place_words(const struct target_view *v, size_t cell, double *out)
{
	static const enum fault off[WORDS_OF_OFF] = { FAULT_CREDENTIAL, FAULT_NO_MONEY, FAULT_MODEL_GONE };
	size_t at;

	if (cell >= AT_PLACE_BREAKERS && cell <= AT_PLACE_BREAKERS_LAST) {
		*out = v->breakers[cell - AT_PLACE_BREAKERS];
	} else if (cell >= AT_PLACE_OFF && cell <= AT_PLACE_OFF_LAST) {
		*out = v->off_why == off[cell - AT_PLACE_OFF] ? 1 : 0;
	} else if (cell >= AT_PLACE_TURNED && cell <= AT_PLACE_TURNED_LAST) {
		at = cell - AT_PLACE_TURNED;
		*out = (double)v->turned[at / WORDS_OF_STATE][at % WORDS_OF_STATE];
	} else if (cell >= AT_PLACE_LEFT && cell <= AT_PLACE_LEFT_LAST) {
		*out = cell == AT_PLACE_LEFT ? v->requests_left : v->tokens_left;
		return *out >= 0;
	} else {
		never("a number of a target that nobody reads");
	}
	return true;
}

static int64_t peer_end(const struct origin *o)
{
	return o->tls_setup ? io_tls_peer_expires(o->tls_setup, o->host) : 0;
}

static bool read_place(const struct source *src, size_t i, size_t cell, double *out)
{
	const struct place *p = &src->places[i];
	const struct target_view *v = &p->view;

	switch (cell) {
	case AT_PLACE_IN_FLIGHT: *out = v->in_flight; return true;
	case AT_PLACE_USE:       *out = v->use; return true;
	case AT_PLACE_OPENED:    *out = (double)v->opened_total; return true;
	case AT_PLACE_EJECTED:   *out = (double)v->ejected_total; return true;
	case AT_PLACE_PACED:     *out = (double)v->paced_total; return true;
	case AT_PLACE_OFF_TIMES: *out = (double)v->off_total; return true;
	case AT_PLACE_CERTIFICATE:
		*out = (double)peer_end(p->target->origin);
		return *out > 0;
	case AT_PLACE_LIMIT:
		*out = place_limit(p->target->state, p->target->backend, src->now);
		return *out > 0;
	default:
		return read_place_words(v, cell, out);
	}
}

static void find_places(struct source *src, struct arena *arena)
{
	const struct config *c = src->s->config;
	struct map *met = map_create(0);
	size_t max = 0;
	char mark;

	for (size_t i = 0; i < c->model_count; i++)
		max += c->models[i].target_count;
	src->places = arena_array(arena, struct place, max);
	for (size_t i = 0; i < c->model_count; i++)
		for (size_t j = 0; j < c->models[i].target_count; j++) {
			const struct target_policy *t = &c->models[i].targets[j];
			struct place *p = &src->places[src->place_count];

			if (map_set(met, t->name, &mark))
				continue;
			*p = (struct place){ .model = &c->models[i], .target = t };
			target_view(t->state, p->model, src->now, &p->view);
			src->place_count++;
		}
	map_free(met);
}

/* ---- stores of kept answers -------------------------------------------------------------------- */

static bool read_store(const struct store_stats *s, size_t cell, double *out)
{
	switch (cell) {
	case AT_STORE_UP:       *out = s->works ? 1 : 0; break;
	case AT_STORE_GETS:     *out = (double)s->gets; break;
	case AT_STORE_FOUND:    *out = (double)s->found; break;
	case AT_STORE_PUTS:     *out = (double)s->puts; break;
	case AT_STORE_FAILURES: *out = (double)s->failures; break;
	case AT_STORE_TIMEOUTS: *out = (double)s->timeouts; break;
	case AT_STORE_SKIPPED:  *out = (double)s->skipped; break;
	case AT_STORE_DROPPED:  *out = (double)s->dropped; break;
	case AT_STORE_ENTRIES:  *out = (double)s->entries; return s->entries > 0;
	case AT_STORE_BYTES:    *out = (double)s->bytes; return s->bytes > 0;
	default: never("a number of a store that nobody reads");
	}
	return true;
}

/* ---- budgets ------------------------------------------------------------------------------ */

static bool read_budget(const struct source *src, const struct budget_policy *b, size_t cell, double *out)
{
	struct budget_view v;

	budget_look(b, src->wall_ms, &v);
	switch (cell) {
	case AT_BUDGET_COST:       *out = (double)v.cost_nano_usd / 1e9; break;
	case AT_BUDGET_TOKENS:     *out = (double)v.tokens; break;
	case AT_BUDGET_COST_MAX:   *out = (double)b->cost_nano_usd / 1e9; break;
	case AT_BUDGET_TOKENS_MAX: *out = (double)b->tokens; break;
	case AT_BUDGET_USED:       *out = (double)v.used_milli / BUDGET_WHOLE; break;
	case AT_BUDGET_ENDS:       *out = (double)v.ends_wall_ms / 1000; break;
	case AT_BUDGET_REFUSED:    *out = (double)v.refused; break;
	case AT_BUDGET_MOVED:      *out = (double)v.moved; break;
	default: never("a number of a budget that nobody reads");
	}
	return true;
}

/* ---- all of it -------------------------------------------------------------------------------- */

static size_t count(void *owner, enum metric_scope scope)
{
	const struct source *src = owner;

	return scope == SCOPE_ROOM ? src->s->config->model_count
	     : scope == SCOPE_PLACE ? src->place_count
	     : scope == SCOPE_STORE ? src->store_count
	     : scope == SCOPE_BUDGET ? src->s->config->budgets.count
	     : scope == SCOPE_SINK ? alerts_sinks(src->s->alerts) : 1;
}

static struct slice label(void *owner, enum metric_scope scope, size_t i)
{
	const struct source *src = owner;

	return scope == SCOPE_ROOM ? src->s->config->models[i].name
	     : scope == SCOPE_PLACE ? src->places[i].target->name
	     : scope == SCOPE_STORE ? slice_of(src->stores[i].name)
	     : scope == SCOPE_BUDGET ? src->s->config->budgets.budgets[i].name
	     : scope == SCOPE_SINK ? alerts_sink_name(src->s->alerts, i) : SLICE_NONE;
}

static bool read_cell(void *owner, enum metric_scope scope, size_t i, size_t cell, double *out)
{
	const struct source *src = owner;

	if (scope == SCOPE_SINK) {
		*out = alerts_read_sink(src->s->alerts, i, cell);
		return true;
	}
	if (scope == SCOPE_STORE)
		return read_store(&src->stores[i], cell, out);
	if (scope == SCOPE_BUDGET)
		return read_budget(src, &src->s->config->budgets.budgets[i], cell, out);
	return scope == SCOPE_ROOM ? read_room(src, i, cell, out)
	     : scope == SCOPE_PLACE ? read_place(src, i, cell, out) : read_process(src, cell, out);
}

bool admin_write_metrics(const struct admin_state *s, enum metrics_format format, mono_ms now,
			 struct buf *out)
{
	struct arena *arena = arena_create(0);
	struct source src = { .s = s, .now = now, .wall_ms = admin_wall_ms(s, now), .cache = cache_stats(s->cache),
			      .flights = flights_count(s->flights) };
	const struct metrics_now held = { &src, count, label, read_cell };
	bool ok;

	find_places(&src, arena);
	admin_count_cluster(s, now, &src.cluster);
	src.store_count = cache_store_stats(s->cache, src.stores);
	ok = metrics_write(s->metrics, format, &held, out);
	arena_free(arena);
	return ok;
}
