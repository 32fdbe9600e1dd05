/* The state of the process as one JSON document, for the dashboard and for who
 * asks for a part of it. */
#include "daemon/admin.h"

#include "admit/budgets.h"
#include "base/check.h"
#include "cache/cache.h"
#include "daemon/doc.h"
#include "exchange/quotas.h"
#include "daemon/drills.h"
#include "daemon/limits.h"
#include "exchange/lobby.h"
#include "observe/pulse.h"
#include "route/target.h"

#include <string.h>

/* ---- targets ------------------------------------------------------------------------- */

static void put_fault(struct doc *d, const char *name, enum fault f)
{
	doc_word(d, name, f == FAULT_NONE ? "" : fault_row(f)->name);
}

static void put_health(const struct target_view *v, mono_ms now, struct doc *d)
{
	bool waits = v->next_at != MONO_NEVER;

	doc_word(d, "state", v->state);
	doc_word(d, "use", target_use_name(v->use));
	put_fault(d, "why", v->why);
	doc_word(d, "why_text", v->why == FAULT_NONE ? "" : fault_row(v->why)->text);
	doc_known(d, "since_ms", v->since > 0, now - v->since);
	doc_known(d, "next_try_in_ms", waits, v->next_at > now ? v->next_at - now : 0);
	doc_word(d, "machine", v->machine);
	doc_word(d, "credential", v->credential);
	doc_word(d, "model_there", v->model);
	doc_word(d, "hold", target_hold_name(v->hold));
	doc_known(d, "hold_left_ms", v->hold != HOLD_NONE && v->hold_until != MONO_NEVER,
		  v->hold_until - now);
	put_fault(d, "drill", v->drill);
}

static void put_speed(const struct target_view *v, struct doc *d)
{
	doc_known(d, "first_token_ms", v->first_token_ms > 0, (int64_t)v->first_token_ms);
	doc_known(d, "first_token_p95_ms", v->first_token_p95_ms >= 0, v->first_token_p95_ms);
	if (v->tokens_per_s > 0)
		doc_real(d, "tokens_per_s", v->tokens_per_s);
	else
		doc_null(d, "tokens_per_s");
	doc_known(d, "rate_requests_left", v->requests_left >= 0, (int64_t)v->requests_left);
	doc_known(d, "rate_tokens_left", v->tokens_left >= 0, (int64_t)v->tokens_left);
}

void admin_put_target(const struct admin_state *s, const struct model_policy *m,
		      const struct target_policy *t, mono_ms now, struct doc *d)
{
	struct metrics_target n = metrics_target_sum(s->metrics, t->name);
	unsigned limit = place_limit(t->state, t->backend, now);
	struct pulse_lane lane = pulse_lane(s->pulse, m->name, t->name);
	struct target_view v;

	target_view(t->state, m, now, &v);
	doc_open(d, NULL);
	doc_text(d, "name", t->name);
	doc_text(d, "backend", t->backend->name);
	doc_text(d, "url", t->origin->authority);
	doc_number(d, "priority", t->priority);
	doc_number(d, "weight", t->weight);
	put_health(&v, now, d);
	put_speed(&v, d);
	doc_known(d, "limit", limit > 0, limit);
	doc_number(d, "in_flight", v.in_flight);
	doc_number(d, "attempts", (int64_t)n.attempts);
	doc_number(d, "good", (int64_t)n.good);
	doc_number(d, "blamed", (int64_t)n.blamed);
	doc_number(d, "lane_tries", (int64_t)lane.tries);
	doc_number(d, "lane_faults", (int64_t)lane.faults);
	put_fault(d, "last_fault", n.last_fault_wall_ms ? n.last_fault : FAULT_NONE);
	doc_known(d, "last_fault_ms", n.last_fault_wall_ms > 0, n.last_fault_wall_ms);
	doc_number(d, "opened_total", (int64_t)v.opened_total);
	doc_close(d);
}

/* ---- models ---------------------------------------------------------------------------- */

static bool serves(const struct target_policy *t, const struct model_policy *m, mono_ms now)
{
	struct target_view v;

	target_view(t->state, m, now, &v);
	return v.use < USE_PACED;
}

static bool any_serves(const struct model_policy *m, mono_ms now)
{
	for (size_t i = 0; i < m->target_count; i++)
		if (serves(&m->targets[i], m, now))
			return true;
	return false;
}

static const char *model_state(const struct model_policy *m, mono_ms now)
{
	size_t well = 0;

	for (size_t i = 0; i < m->target_count; i++)
		well += serves(&m->targets[i], m, now);
	if (well == m->target_count)
		return "well";
	if (well)
		return "weakened";
	for (size_t i = 0; i < m->fallback_count; i++)
		if (any_serves(m->fallbacks[i], now))
			return "degraded";
	return "down";
}

static void put_model(const struct admin_state *s, const struct model_policy *m, mono_ms now,
		      struct doc *d)
{
	struct pulse_model n;

	pulse_model(s->pulse, m->name, &n);
	doc_open(d, NULL);
	doc_text(d, "name", m->name);
	doc_word(d, "state", model_state(m, now));
	doc_real(d, "retries_left", model_retries_left(m, now));
	doc_number(d, "waiting", lobby_room_count(m->room));
	doc_open(d, "ends");
	for (int e = 0; e < PULSE_END_COUNT; e++)
		doc_number(d, pulse_end_name((enum pulse_end)e), (int64_t)n.ends[e]);
	doc_close(d);
	doc_number(d, "input_tokens", (int64_t)n.input_tokens);
	doc_number(d, "output_tokens", (int64_t)n.output_tokens);
	doc_open_list(d, "fallbacks");
	for (size_t i = 0; i < m->fallback_count; i++)
		doc_text(d, NULL, m->fallbacks[i]->name);
	doc_close_list(d);
	doc_open_list(d, "targets");
	for (size_t i = 0; i < m->target_count; i++)
		admin_put_target(s, m, &m->targets[i], now, d);
	doc_close_list(d);
	doc_close(d);
}

void admin_put_models(const struct admin_state *s, mono_ms now, struct doc *d)
{
	doc_open_list(d, "models");
	for (size_t i = 0; i < s->config->model_count; i++)
		put_model(s, &s->config->models[i], now, d);
	doc_close_list(d);
}

/* ---- the process -------------------------------------------------------------------------- */

static void put_config(const struct admin_state *s, struct doc *d)
{
	doc_open(d, "config");
	doc_text(d, "path", s->config->path);
	doc_number(d, "generation", (int64_t)atomic_load(&s->shared->generation));
	doc_number(d, "reload_failures", (int64_t)atomic_load(&s->shared->reload_failures));
	doc_text(d, "refused", buf_slice(&s->refused));
	doc_known(d, "refused_ms", buf_len(&s->refused) > 0, s->refused_wall_ms);
	doc_close(d);
}

static void put_totals(const struct admin_state *s, struct doc *d)
{
	struct metrics_total t = metrics_total(s->metrics);
	struct metrics_pool p = metrics_pool_sum(s->metrics);

	doc_open(d, "total");
	doc_number(d, "exchanges", (int64_t)t.exchanges);
	doc_number(d, "good", (int64_t)t.good);
	doc_number(d, "caller", (int64_t)t.caller);
	doc_number(d, "failed", (int64_t)t.failed);
	doc_number(d, "fallbacks", (int64_t)t.fallbacks);
	doc_number(d, "input_tokens", (int64_t)t.input_tokens);
	doc_number(d, "output_tokens", (int64_t)t.output_tokens);
	doc_number(d, "in_progress", (int64_t)p.exchanges);
	doc_money(d, "cost_usd", (int64_t)t.cost_nano_usd);
	doc_close(d);
}

static void put_pulse(const struct admin_state *s, mono_ms now, struct doc *d)
{
	struct pulse_view v;

	pulse_look(s->pulse, now, &v);
	doc_open(d, "pulse");
	doc_number(d, "bucket_ms", PULSE_BUCKET_MS);
	for (int e = 0; e < PULSE_END_COUNT; e++) {
		doc_open_list(d, pulse_end_name((enum pulse_end)e));
		for (size_t i = 0; i < PULSE_BUCKETS; i++)
			doc_number(d, NULL, v.counts[i][e]);
		doc_close_list(d);
	}
	doc_close(d);
}

static void put_mocks(const struct admin_state *s, struct doc *d)
{
	const struct config *c = s->first_config;
	char text[IO_ADDR_TEXT_MAX];

	doc_open_list(d, "mocks");
	for (size_t i = 0; i < c->mock_count && i < SHARED_MOCKS_MAX; i++) {
		doc_open(d, NULL);
		doc_text(d, "name", c->mocks[i].name);
		doc_word(d, "address", io_addr_text(&c->mocks[i].listen, text));
		doc_number(d, "pid", atomic_load(&s->shared->mocks[i].pid));
		doc_number(d, "starts", atomic_load(&s->shared->mocks[i].starts));
		doc_close(d);
	}
	doc_close_list(d);
}

static void put_cache(const struct admin_state *s, struct doc *d)
{
	struct cache_stats c = { 0 };
	struct store_stats stores[CACHE_STORES_MAX];
	size_t count = s->cache ? cache_store_stats(s->cache, stores) : 0;

	if (s->cache)
		c = cache_stats(s->cache);
	doc_open(d, "cache");
	doc_number(d, "entries", (int64_t)c.memory.entries);
	doc_number(d, "bytes", (int64_t)c.memory.bytes);
	doc_number(d, "bytes_max", (int64_t)c.memory.bytes_max);
	doc_open_list(d, "stores");
	for (size_t i = 0; i < count; i++) {
		doc_open(d, NULL);
		doc_word(d, "name", stores[i].name);
		doc_bool(d, "works", stores[i].works);
		doc_word(d, "trouble", stores[i].trouble);
		doc_close(d);
	}
	doc_close_list(d);
	doc_close(d);
}

/* Do this machine's client limits count with those of others? */
static void put_limits(const struct admin_state *s, struct doc *d)
{
	const struct quota_stats q = quotas_stats(s->quotas);

	doc_open(d, "limits");
	doc_word(d, "counted", q.alone ? "alone" : q.shared ? "together" : "here");
	doc_number(d, "refused_requests", (int64_t)q.refused_requests);
	doc_number(d, "refused_tokens", (int64_t)q.refused_tokens);
	doc_close(d);
}

static void put_alerts(const struct admin_state *s, struct doc *d)
{
	struct buf json = BUF_INIT(ALERT_STATE_MAX);

	doc_raw(d, "alerts", alerts_write_json(s->alerts, &json) ? buf_slice(&json) : SLICE_NONE);
	buf_free(&json);
}

void admin_put_queue(const struct admin_state *s, struct doc *d)
{
	unsigned waiting = 0;

	doc_open(d, "queue");
	doc_open_list(d, "models");
	for (size_t i = 0; i < s->config->model_count; i++) {
		const struct model_policy *m = &s->config->models[i];

		waiting += lobby_room_count(m->room);
		doc_open(d, NULL);
		doc_text(d, "name", m->name);
		doc_number(d, "waiting", lobby_room_count(m->room));
		doc_number(d, "length", m->queue.length);
		doc_number(d, "wait_ms", m->queue.wait_ms);
		doc_close(d);
	}
	doc_close_list(d);
	doc_number(d, "waiting", waiting);
	doc_close(d);
}

/* ---- budgets ---------------------------------------------------------------------------- */

int64_t admin_wall_ms(const struct admin_state *s, mono_ms now)
{
	return s->io ? io_wall_ms(s->io) : s->started_wall_ms + (now - s->started_at);
}

static void put_limit(struct doc *d, const char *name, int64_t nano)
{
	if (nano)
		doc_money(d, name, nano);
	else
		doc_null(d, name);
}

void admin_put_budgets(const struct admin_state *s, mono_ms now, struct doc *d)
{
	const struct budgets_policy *all = &s->config->budgets;

	doc_open_list(d, "budgets");
	for (size_t i = 0; i < all->count; i++) {
		const struct budget_policy *b = &all->budgets[i];
		struct budget_view v;

		budget_look(b, admin_wall_ms(s, now), &v);
		doc_open(d, NULL);
		doc_text(d, "name", b->name);
		doc_word(d, "per", budget_period_name(b->per));
		doc_word(d, "then", budget_then_name(b->then));
		doc_word(d, "state", v.used_milli >= BUDGET_WHOLE ? "spent"
				   : v.used_milli > 0 && v.used_milli >= b->near_milli ? "near" : "well");
		doc_number(d, "used_percent", v.used_milli / 1000);
		doc_money(d, "cost_usd", v.cost_nano_usd);
		put_limit(d, "cost_limit_usd", b->cost_nano_usd);
		doc_number(d, "tokens", v.tokens);
		doc_known(d, "tokens_limit", b->tokens > 0, b->tokens);
		doc_number(d, "ends_ms", v.ends_wall_ms);
		doc_number(d, "refused", (int64_t)v.refused);
		doc_number(d, "moved", (int64_t)v.moved);
		doc_close(d);
	}
	doc_close_list(d);
}

static void put_process(const struct admin_state *s, mono_ms now, struct doc *d)
{
	doc_word(d, "version", BACKSTAY_VERSION);
	doc_word(d, "state", s->draining ? "draining" : "ready");
	doc_number(d, "uptime_ms", now - s->started_at);
	doc_number(d, "started_ms", s->started_wall_ms);
	doc_number(d, "workers", s->workers);
	doc_number(d, "serving_starts", atomic_load(&s->shared->serving_starts));
	doc_number(d, "client_connections", (int64_t)atomic_load(&s->clients->connections));
	doc_number(d, "resident_bytes", (int64_t)limits_resident_bytes());
	doc_number(d, "open_fds", (int64_t)limits_open_descriptors());
	doc_bool(d, "has_key", s->config->admin.has_key);
}

static void put_all(const struct admin_state *s, mono_ms now, struct doc *d)
{
	put_process(s, now, d);
	put_config(s, d);
	put_totals(s, d);
	put_pulse(s, now, d);
	admin_put_models(s, now, d);
	admin_put_queue(s, d);
	admin_put_budgets(s, now, d);
	put_cache(s, d);
	put_limits(s, d);
	put_alerts(s, d);
	drills_write(s->drills, "drills", d);
	admin_put_cluster(s, now, d);
	put_mocks(s, d);
}

bool admin_write_state(const struct admin_state *s, mono_ms now, struct buf *out)
{
	struct doc d = DOC(out);

	doc_open(&d, NULL);
	put_all(s, now, &d);
	doc_close(&d);
	return doc_good(&d);
}

bool admin_write_status(const struct admin_state *s, mono_ms now, struct buf *out)
{
	struct doc d = DOC(out);

	doc_open(&d, NULL);
	put_all(s, now, &d);
	doc_open_list(&d, "recent");
	if (doc_good(&d))
		recent_write(s->recent, out);
	doc_close_list(&d);
	doc_close(&d);
	return doc_good(&d);
}

bool admin_write_targets(const struct admin_state *s, mono_ms now, struct buf *out)
{
	struct doc d = DOC(out);

	doc_open(&d, NULL);
	admin_put_models(s, now, &d);
	doc_close(&d);
	return doc_good(&d);
}
