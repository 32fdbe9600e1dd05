/* /admin/targets: how each target is doing, why, since when, and when it is
 * tried next, as JSON. /metrics has the same as numbers. */
#include "daemon/admin.h"

#include "base/check.h"
#include "exchange/lobby.h"
#include "route/target.h"
#include "wire/json.h"

/* ---- JSON ------------------------------------------------------------------------ */

static bool put_text(struct buf *out, const char *name, struct slice value)
{
	return buf_printf(out, "\"%s\":", name) && json_try_write_string(out, value);
}

/* Milliseconds, or null where there are none. */
static bool put_ms(struct buf *out, const char *name, bool known, int64_t ms)
{
	return known ? buf_printf(out, "\"%s\":%lld,", name, (long long)ms)
		     : buf_printf(out, "\"%s\":null,", name);
}

static bool put_number(struct buf *out, const char *name, bool known, double number)
{
	return known ? buf_printf(out, "\"%s\":%.1f,", name, number)
		     : buf_printf(out, "\"%s\":null,", name);
}

static bool put_health(const struct target_view *v, mono_ms now, struct buf *out)
{
	bool waits = v->next_at != MONO_NEVER;

	return put_text(out, "state", slice_of(v->state)) &&
	       buf_append(out, S(",")) &&
	       put_text(out, "use", slice_of(target_use_name(v->use))) &&
	       buf_append(out, S(",")) &&
	       put_text(out, "why", v->why == FAULT_NONE ? SLICE_NONE : slice_of(fault_row(v->why)->name)) &&
	       buf_append(out, S(",")) &&
	       put_ms(out, "since_ms", v->since > 0, now - v->since) &&
	       put_ms(out, "next_try_in_ms", waits, v->next_at > now ? v->next_at - now : 0) &&
	       put_text(out, "machine", slice_of(v->machine)) && buf_append(out, S(",")) &&
	       put_text(out, "credential", slice_of(v->credential)) && buf_append(out, S(",")) &&
	       put_text(out, "model_there", slice_of(v->model)) && buf_append(out, S(","));
}

static bool put_speed(const struct target_view *v, struct buf *out)
{
	return put_number(out, "first_token_ms", v->first_token_ms > 0, v->first_token_ms) &&
	       put_ms(out, "first_token_p95_ms", v->first_token_p95_ms >= 0, v->first_token_p95_ms) &&
	       put_number(out, "tokens_per_s", v->tokens_per_s > 0, v->tokens_per_s) &&
	       put_number(out, "rate_requests_left", v->requests_left >= 0, v->requests_left) &&
	       put_number(out, "rate_tokens_left", v->tokens_left >= 0, v->tokens_left);
}

static bool put_target(const struct model_policy *m, const struct target_policy *t, mono_ms now,
		       struct buf *out)
{
	unsigned limit = place_limit(t->state, t->backend, now);
	struct target_view v;

	target_view(t->state, m, now, &v);
	return buf_append(out, S("{")) && put_text(out, "name", t->name) && buf_append(out, S(",")) &&
	       put_text(out, "backend", t->backend->name) && buf_append(out, S(",")) &&
	       put_text(out, "url", t->origin->authority) &&
	       buf_printf(out, ",\"priority\":%u,\"weight\":%u,", t->priority, t->weight) &&
	       put_health(&v, now, out) && put_speed(&v, out) &&
	       put_ms(out, "limit", limit > 0, limit) &&
	       buf_printf(out, "\"in_flight\":%u,\"opened_total\":%llu,\"ejected_total\":%llu,"
			  "\"paced_total\":%llu,\"off_total\":%llu}", v.in_flight,
			  (unsigned long long)v.opened_total, (unsigned long long)v.ejected_total,
			  (unsigned long long)v.paced_total, (unsigned long long)v.off_total);
}

static bool put_model(const struct model_policy *m, mono_ms now, struct buf *out)
{
	bool ok = buf_append(out, S("{")) && put_text(out, "name", m->name) &&
		  buf_printf(out, ",\"retries_left\":%.1f,\"waiting\":%u,\"targets\":[",
			     model_retries_left(m, now), lobby_room_count(m->room));

	for (size_t i = 0; i < m->target_count && ok; i++)
		ok = (i == 0 || buf_append(out, S(","))) && put_target(m, &m->targets[i], now, out);
	return ok && buf_append(out, S("]}"));
}

bool admin_write_targets(const struct admin_state *s, mono_ms now, struct buf *out)
{
	bool ok = buf_append(out, S("{\"models\":["));

	for (size_t i = 0; i < s->config->model_count && ok; i++)
		ok = (i == 0 || buf_append(out, S(","))) && put_model(&s->config->models[i], now, out);
	return ok && buf_append(out, S("]}\n"));
}
