/* /status: the same for the status page, as JSON. */
#include "daemon/admin.h"

#include "base/check.h"
#include "daemon/limits.h"
#include "route/target.h"
#include "wire/json.h"

#include <string.h>

static bool put_text(struct buf *out, const char *name, struct slice value)
{
	return buf_printf(out, "\"%s\":", name) && json_try_write_string(out, value);
}

static bool put_target(const struct admin_state *s, const struct model_policy *m,
		       const struct target_policy *t, mono_ms now, struct buf *out)
{
	struct metrics_target n = metrics_target_sum(s->metrics, t->name);
	struct target_view v;

	target_view(t->state, m, now, &v);
	return buf_append(out, S("{")) && put_text(out, "name", t->name) &&
	       buf_append(out, S(",")) && put_text(out, "url", t->origin->authority) &&
	       buf_printf(out, ",\"priority\":%u,\"weight\":%u,\"in_flight\":%u,\"attempts\":%llu,"
			  "\"good\":%llu,\"blamed\":%llu,", t->priority, t->weight,
			  v.in_flight, (unsigned long long)n.attempts,
			  (unsigned long long)n.good, (unsigned long long)n.blamed) &&
	       put_text(out, "state", slice_of(v.state)) && buf_append(out, S(",")) &&
	       put_text(out, "last_fault", n.last_fault_wall_ms
				? slice_of(fault_row(n.last_fault)->name) : SLICE_NONE) &&
	       buf_printf(out, ",\"last_fault_ms\":%lld}", (long long)n.last_fault_wall_ms);
}

static bool put_model(const struct admin_state *s, const struct model_policy *m, mono_ms now,
		      struct buf *out)
{
	bool ok = buf_append(out, S("{")) && put_text(out, "name", m->name) &&
		  buf_append(out, S(",\"targets\":["));

	for (size_t i = 0; i < m->target_count && ok; i++)
		ok = (i == 0 || buf_append(out, S(","))) && put_target(s, m, &m->targets[i], now, out);
	ok = ok && buf_append(out, S("],\"fallbacks\":["));
	for (size_t i = 0; i < m->fallback_count && ok; i++)
		ok = (i == 0 || buf_append(out, S(","))) &&
		     json_try_write_string(out, m->fallbacks[i]->name);
	return ok && buf_append(out, S("]}"));
}

static bool put_models(const struct admin_state *s, mono_ms now, struct buf *out)
{
	bool ok = buf_append(out, S("\"models\":["));

	for (size_t i = 0; i < s->config->model_count && ok; i++)
		ok = (i == 0 || buf_append(out, S(","))) &&
		     put_model(s, &s->config->models[i], now, out);
	return ok && buf_append(out, S("]"));
}

static bool put_mocks(const struct admin_state *s, struct buf *out)
{
	const struct config *c = s->first_config;
	bool ok = buf_append(out, S("\"mocks\":["));
	char text[IO_ADDR_TEXT_MAX];

	for (size_t i = 0; i < c->mock_count && i < SHARED_MOCKS_MAX && ok; i++) {
		const struct shared_mock *m = &s->shared->mocks[i];

		io_addr_text(&c->mocks[i].listen, text);
		ok = (i == 0 || buf_append(out, S(","))) && buf_append(out, S("{")) &&
		     put_text(out, "name", c->mocks[i].name) && buf_append(out, S(",")) &&
		     put_text(out, "address", slice_of(text)) &&
		     buf_printf(out, ",\"pid\":%d,\"starts\":%u}", atomic_load(&m->pid),
				atomic_load(&m->starts));
	}
	return ok && buf_append(out, S("]"));
}

static bool put_process(const struct admin_state *s, mono_ms now, struct buf *out)
{
	const struct shared *sh = s->shared;

	return put_text(out, "version", S(BACKSTAY_VERSION)) && buf_append(out, S(",")) &&
	       put_text(out, "state", s->draining ? S("draining") : S("ready")) &&
	       buf_printf(out, ",\"uptime_ms\":%lld,\"workers\":%u,\"serving_starts\":%u,"
			  "\"client_connections\":%llu,\"resident_bytes\":%llu,\"open_fds\":%llu,",
			  (long long)(now - s->started_at), s->workers,
			  atomic_load(&sh->serving_starts),
			  (unsigned long long)atomic_load(&s->clients->connections),
			  (unsigned long long)limits_resident_bytes(),
			  (unsigned long long)limits_open_descriptors());
}

static bool put_config(const struct admin_state *s, struct buf *out)
{
	return buf_append(out, S("\"config\":{")) && put_text(out, "path", s->config->path) &&
	       buf_printf(out, ",\"generation\":%llu,\"reload_failures\":%llu,",
			  (unsigned long long)atomic_load(&s->shared->generation),
			  (unsigned long long)atomic_load(&s->shared->reload_failures)) &&
	       put_text(out, "refused", buf_slice(&s->refused)) &&
	       buf_printf(out, ",\"refused_ms\":%lld},", (long long)s->refused_wall_ms);
}

static bool put_total(const struct admin_state *s, struct buf *out)
{
	struct metrics_total t = metrics_total(s->metrics);
	struct metrics_pool p = metrics_pool_sum(s->metrics);

	return buf_printf(out, "\"total\":{\"exchanges\":%llu,\"good\":%llu,\"caller\":%llu,"
			  "\"failed\":%llu,\"fallbacks\":%llu,\"input_tokens\":%llu,"
			  "\"output_tokens\":%llu,\"in_progress\":%llu},",
			  (unsigned long long)t.exchanges, (unsigned long long)t.good,
			  (unsigned long long)t.caller, (unsigned long long)t.failed,
			  (unsigned long long)t.fallbacks, (unsigned long long)t.input_tokens,
			  (unsigned long long)t.output_tokens, (unsigned long long)p.exchanges);
}

bool admin_write_status(const struct admin_state *s, mono_ms now, struct buf *out)
{
	if (!buf_append(out, S("{")) || !put_process(s, now, out) || !put_config(s, out) ||
	    !put_total(s, out) || !put_models(s, now, out) || !buf_append(out, S(",")) ||
	    !put_mocks(s, out) || !buf_append(out, S(",\"recent\":[")))
		return false;
	recent_write(s->recent, out);
	return buf_append(out, S("]}\n"));
}
