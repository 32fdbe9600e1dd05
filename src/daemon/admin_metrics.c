/* /metrics: what observe/ has counted, and what the process itself knows. */
#include "daemon/admin.h"

#include "base/check.h"
#include "daemon/limits.h"
#include "exchange/lobby.h"

static bool one(struct buf *out, const char *name, const char *type, const char *help, double number)
{
	return metrics_write_head(out, name, type, help) &&
	       metrics_write_sample(out, name, NULL, SLICE_NONE, number);
}

static bool write_queues(const struct config *c, struct buf *out)
{
	static const char name[] = "backstay_queue_length";
	bool ok = metrics_write_head(out, name, "gauge", "Requests that wait for a place, now.");

	for (size_t i = 0; i < c->model_count && ok; i++)
		ok = metrics_write_sample(out, name, "model", c->models[i].name,
					  lobby_room_count(c->models[i].room));
	return ok;
}

static bool write_clients(const struct client_counters *n, struct buf *out)
{
	return one(out, "backstay_client_connections", "gauge", "Client connections open now.",
		   (double)atomic_load(&n->connections)) &&
	       one(out, "backstay_client_connections_accepted_total", "counter",
		   "Client connections accepted.", (double)atomic_load(&n->accepted)) &&
	       one(out, "backstay_client_connections_refused_total", "counter",
		   "Client connections turned away since limits.connections was reached.",
		   (double)atomic_load(&n->refused_full)) &&
	       one(out, "backstay_client_bad_requests_total", "counter",
		   "Requests that were no proper HTTP, or passed a limit.",
		   (double)atomic_load(&n->bad_requests)) &&
	       one(out, "backstay_request_body_bytes", "gauge",
		   "Bytes of request bodies held, now.", (double)atomic_load(&n->body_bytes)) &&
	       one(out, "backstay_memory_refused_total", "counter",
		   "Requests turned away since limits.memory was reached.",
		   (double)atomic_load(&n->refused_memory));
}

static bool write_process(const struct admin_state *s, struct buf *out)
{
	const struct shared *sh = s->shared;

	return one(out, "backstay_config_generation", "gauge",
		   "Counts the configs used since the start.",
		   (double)atomic_load(&sh->generation)) &&
	       one(out, "backstay_config_reload_failures_total", "counter",
		   "Config files that were refused; the old config went on.",
		   (double)atomic_load(&sh->reload_failures)) &&
	       one(out, "backstay_config_stale", "gauge",
		   "1 while the config's file is one that was refused.", buf_len(&s->refused) ? 1 : 0) &&
	       one(out, "backstay_serving_starts_total", "counter",
		   "Starts of the serving process; above 1: it died and was started again.",
		   (double)atomic_load(&sh->serving_starts)) &&
	       one(out, "backstay_log_lines_dropped_total", "counter",
		   "Lines of the operator's log lost since nobody took them.",
		   (double)io_lines_dropped(s->log_lines)) &&
	       one(out, "backstay_access_lines_dropped_total", "counter",
		   "Lines of the access log lost since nobody took them.",
		   s->access_lines ? (double)io_lines_dropped(s->access_lines) : 0) &&
	       one(out, "backstay_workers", "gauge", "Worker threads.", s->workers) &&
	       one(out, "process_open_fds", "gauge", "Open descriptors.",
		   (double)limits_open_descriptors()) &&
	       one(out, "process_resident_memory_bytes", "gauge", "Resident memory.",
		   (double)limits_resident_bytes()) &&
	       one(out, "process_start_time_seconds", "gauge", "Unix time of the start.",
		   (double)s->started_wall_ms / 1000);
}

bool admin_write_metrics(const struct admin_state *s, mono_ms now, struct buf *out)
{
	return metrics_write_head(out, "backstay_build_info", "gauge", "The version, as a label.") &&
	       metrics_write_sample(out, "backstay_build_info", "version", S(BACKSTAY_VERSION), 1) &&
	       metrics_write(s->metrics, out) && admin_write_target_metrics(s->config, now, out) &&
	       write_queues(s->config, out) && admin_write_cache_metrics(s, out) &&
	       alerts_write_metrics(s->alerts, out) &&
	       write_clients(s->clients, out) && write_process(s, out);
}
