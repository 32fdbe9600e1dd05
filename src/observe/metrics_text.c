/* Prometheus' text format 0.0.4. Series that were never counted are left out,
 * except where their absence could be mistaken for a zero that is known. */
#include "observe/metrics_inside.h"

#include <string.h>

struct writer {
	struct metrics *m;
	struct buf *out;
	bool ok;
};

/* ---- words --------------------------------------------------------------------------- */

static bool put_label(struct buf *out, const char *label, struct slice value)
{
	bool ok = buf_printf(out, "%s=\"", label);

	for (size_t i = 0; i < value.len && ok; i++) {
		char c = value.at[i];

		if (c == '\\' || c == '"')
			ok = buf_printf(out, "\\%c", c);
		else if (c == '\n')
			ok = buf_append(out, S("\\n"));
		else
			ok = buf_append(out, slice_sub(value, i, i + 1));
	}
	return ok && buf_append(out, S("\""));
}

bool metrics_write_head(struct buf *out, const char *name, const char *type, const char *help)
{
	return buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

bool metrics_write_sample(struct buf *out, const char *name, const char *label, struct slice value,
			  double number)
{
	if (!buf_append(out, slice_of(name)))
		return false;
	if (label && !(buf_append(out, S("{")) && put_label(out, label, value) &&
		       buf_append(out, S("}"))))
		return false;
	return buf_printf(out, number == (double)(int64_t)number ? " %.0f\n" : " %.15g\n", number);
}

static void head(struct writer *w, const char *name, const char *type, const char *help)
{
	w->ok = w->ok && metrics_write_head(w->out, name, type, help);
}

/* One sample with up to three labels; NULL ends them. */
static void sample(struct writer *w, const char *name, const char *const labels[3],
		   const struct slice values[3], uint64_t number)
{
	w->ok = w->ok && buf_append(w->out, slice_of(name));
	for (size_t i = 0; i < 3 && labels[i]; i++) {
		w->ok = w->ok && buf_append(w->out, i ? S(",") : S("{"));
		w->ok = w->ok && put_label(w->out, labels[i], values[i]);
	}
	w->ok = w->ok && buf_printf(w->out, "} %llu\n", (unsigned long long)number);
}

/* ---- sums over sheets ------------------------------------------------------------------- */

static size_t labels_count(struct metrics *m, const struct metrics_labels *l)
{
	size_t count;

	lock_take(&m->lock);
	count = l->count;
	lock_give(&m->lock);
	return count;
}

/* The number at `offset` of every sheet's block for the model or target. */
static uint64_t model_sum(struct metrics *m, size_t id, size_t offset)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < atomic_load(&m->sheet_count); i++) {
		const char *b = (const char *)atomic_load_explicit(&m->sheets[i]->models[id],
								   memory_order_acquire);

		if (b)
			sum += metrics_get((const metrics_number *)(const void *)(b + offset));
	}
	return sum;
}

static uint64_t target_sum(struct metrics *m, size_t id, size_t offset)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < atomic_load(&m->sheet_count); i++) {
		const char *b = (const char *)atomic_load_explicit(&m->sheets[i]->targets[id],
								   memory_order_acquire);

		if (b)
			sum += metrics_get((const metrics_number *)(const void *)(b + offset));
	}
	return sum;
}

/* ---- families ------------------------------------------------------------------------------ */

static void write_requests(struct writer *w, size_t models)
{
	static const char *const labels[3] = { "model", "status", "fault" };
	static const struct slice classes[METRICS_CLASSES] = {
		S_INIT("other"), S_INIT("1xx"), S_INIT("2xx"), S_INIT("3xx"), S_INIT("4xx"), S_INIT("5xx"),
	};

	head(w, "backstay_requests_total", "counter",
	     "Requests that have ended, by model asked for, class of the status sent and fault.");
	for (size_t id = 0; id < models; id++)
		for (size_t class = 0; class < METRICS_CLASSES; class++)
			for (size_t f = 0; f < FAULT_COUNT; f++) {
				size_t at = offsetof(struct metrics_model_block, requests) +
					    (class * FAULT_COUNT + f) * sizeof(metrics_number);
				uint64_t count = model_sum(w->m, id, at);
				struct slice values[3] = { w->m->models.names[id], classes[class],
					slice_of(fault_row((enum fault)f)->name) };

				if (count || (id && class == 2 && f == FAULT_NONE))
					sample(w, "backstay_requests_total", labels, values, count);
			}
}

static void write_model_counter(struct writer *w, size_t models, const char *name,
				const char *help, size_t offset)
{
	static const char *const labels[3] = { "model", NULL, NULL };

	head(w, name, "counter", help);
	for (size_t id = 0; id < models; id++) {
		uint64_t count = model_sum(w->m, id, offset);
		struct slice values[3] = { w->m->models.names[id], SLICE_NONE, SLICE_NONE };

		if (count || id)
			sample(w, name, labels, values, count);
	}
}

/* What kept answers had to do with requests. */
static void write_cache(struct writer *w, size_t models)
{
	static const char *const labels[3] = { "model", "use", NULL };

	head(w, "backstay_cache_total", "counter",
	     "Requests of models that keep answers: none was there (miss), one was given instead of "
	     "asking (hit) or since nothing else was left (stale, near), the answer of an identical "
	     "request was shared (joined), or a new one was fetched to be kept (refresh).");
	for (size_t id = 0; id < models; id++)
		for (size_t use = CACHE_USE_NO + 1; use < CACHE_USE_COUNT; use++) {
			size_t at = offsetof(struct metrics_model_block, cache) +
				    use * sizeof(metrics_number);
			uint64_t count = model_sum(w->m, id, at);
			struct slice values[3] = { w->m->models.names[id],
				slice_of(cache_use_name((enum cache_use)use)), SLICE_NONE };

			if (count)
				sample(w, "backstay_cache_total", labels, values, count);
		}
	write_model_counter(w, models, "backstay_cache_kept_total", "Answers that were kept.",
			    offsetof(struct metrics_model_block, kept));
	write_model_counter(w, models, "backstay_last_resorts_total",
			    "Requests answered by the model of the last resort or its message.",
			    offsetof(struct metrics_model_block, last_resorts));
}

static void write_token_family(struct writer *w, size_t models, const char *name, const char *help,
			       size_t offset)
{
	static const char *const labels[3] = { "model", "kind", NULL };
	static const struct slice kinds[METRICS_TOKENS] = {
		S_INIT("input"), S_INIT("output"), S_INIT("cached"), S_INIT("reasoning"),
	};

	head(w, name, "counter", help);
	for (size_t id = 0; id < models; id++)
		for (size_t kind = 0; kind < METRICS_TOKENS; kind++) {
			size_t at = offset + kind * sizeof(metrics_number);
			uint64_t count = model_sum(w->m, id, at);
			struct slice values[3] = { w->m->models.names[id], kinds[kind], SLICE_NONE };

			if (count || (id && kind < 2))
				sample(w, name, labels, values, count);
		}
}

static void write_tokens(struct writer *w, size_t models)
{
	write_token_family(w, models, "backstay_tokens_total",
			   "Tokens as backends told them; cached is a part of input, reasoning of output.",
			   offsetof(struct metrics_model_block, tokens));
	write_token_family(w, models, "backstay_saved_tokens_total",
			   "Tokens of answers that were given again: they were not computed anew.",
			   offsetof(struct metrics_model_block, saved));
}

static void write_shed(struct writer *w, size_t models)
{
	static const char *const labels[3] = { "model", "priority", "reason" };

	head(w, "backstay_shed_total", "counter",
	     "Requests that got no place on any target, by class and reason.");
	for (size_t id = 0; id < models; id++)
		for (size_t p = 0; p < PRIORITY_COUNT; p++)
			for (size_t s = SHED_NOT + 1; s < SHED_COUNT; s++) {
				size_t at = offsetof(struct metrics_model_block, shed) +
					    (p * SHED_COUNT + s) * sizeof(metrics_number);
				uint64_t count = model_sum(w->m, id, at);
				struct slice values[3] = { w->m->models.names[id],
					slice_of(priority_name((enum priority)p)),
					slice_of(shed_name((enum shed)s)) };

				if (count)
					sample(w, "backstay_shed_total", labels, values, count);
			}
}

static void write_attempts(struct writer *w, size_t targets)
{
	static const char *const labels[3] = { "target", "fault", NULL };

	head(w, "backstay_attempts_total", "counter",
	     "Tries on targets that have ended, by fault (none: it served the answer).");
	for (size_t id = 0; id < targets; id++)
		for (size_t f = 0; f < FAULT_COUNT; f++) {
			size_t at = offsetof(struct metrics_target_block, attempts) +
				    f * sizeof(metrics_number);
			uint64_t count = target_sum(w->m, id, at);
			struct slice values[3] = { w->m->targets.names[id],
				slice_of(fault_row((enum fault)f)->name), SLICE_NONE };

			if (count || (id && f == FAULT_NONE))
				sample(w, "backstay_attempts_total", labels, values, count);
		}
}

/* One histogram; `sum_of` reads a number of its block. Not told where nothing
 * was observed. */
static void write_histogram(struct writer *w, const char *name, const char *label,
			    struct slice value,
			    uint64_t (*sum_of)(struct metrics *m, size_t id, size_t offset),
			    size_t id, size_t offset)
{
	uint64_t count = 0, sum_ms;

	for (size_t i = 0; i <= METRICS_BOUNDS; i++)
		count += sum_of(w->m, id, offset + i * sizeof(metrics_number));
	if (!count)
		return;
	count = 0;
	for (size_t i = 0; i <= METRICS_BOUNDS && w->ok; i++) {
		count += sum_of(w->m, id, offset + i * sizeof(metrics_number));
		w->ok = buf_printf(w->out, "%s_bucket{", name) && put_label(w->out, label, value);
		if (i < METRICS_BOUNDS)
			w->ok = w->ok && buf_printf(w->out, ",le=\"%g\"} %llu\n",
						    (double)metrics_bounds_ms[i] / 1000,
						    (unsigned long long)count);
		else
			w->ok = w->ok && buf_printf(w->out, ",le=\"+Inf\"} %llu\n",
						    (unsigned long long)count);
	}
	sum_ms = sum_of(w->m, id, offset + offsetof(struct metrics_histogram, sum_ms));
	w->ok = w->ok && buf_printf(w->out, "%s_sum{", name) && put_label(w->out, label, value) &&
		buf_printf(w->out, "} %llu.%03llu\n%s_count{", (unsigned long long)sum_ms / 1000,
			   (unsigned long long)sum_ms % 1000, name) &&
		put_label(w->out, label, value) &&
		buf_printf(w->out, "} %llu\n", (unsigned long long)count);
}

static void write_histograms(struct writer *w, size_t models, size_t targets)
{
	head(w, "backstay_request_duration_seconds", "histogram",
	     "From a request's arrival to the end of its answer.");
	for (size_t id = 0; id < models; id++)
		write_histogram(w, "backstay_request_duration_seconds", "model",
				w->m->models.names[id], model_sum, id,
				offsetof(struct metrics_model_block, duration));
	head(w, "backstay_time_to_first_token_seconds", "histogram",
	     "From a request's arrival to the first content sent to the client.");
	for (size_t id = 0; id < models; id++)
		write_histogram(w, "backstay_time_to_first_token_seconds", "model",
				w->m->models.names[id], model_sum, id,
				offsetof(struct metrics_model_block, first_token));
	head(w, "backstay_queue_wait_seconds", "histogram",
	     "Time spent waiting for a place, of requests that had to.");
	for (size_t id = 0; id < models; id++)
		write_histogram(w, "backstay_queue_wait_seconds", "model", w->m->models.names[id],
				model_sum, id, offsetof(struct metrics_model_block, queued));
	head(w, "backstay_attempt_first_token_seconds", "histogram",
	     "From the start of a try to its first content.");
	for (size_t id = 0; id < targets; id++)
		write_histogram(w, "backstay_attempt_first_token_seconds", "target",
				w->m->targets.names[id], target_sum, id,
				offsetof(struct metrics_target_block, first_token));
}

static void write_pool(struct writer *w)
{
	struct metrics_pool p = metrics_pool_sum(w->m);
	const struct { const char *name, *type, *help; uint64_t number; } rows[] = {
		{ "backstay_upstream_connects_total", "counter",
		  "Connections to backends that were made.", p.connects },
		{ "backstay_upstream_connect_faults_total", "counter",
		  "Connections to backends that could not be made.", p.connect_faults },
		{ "backstay_upstream_reuses_total", "counter",
		  "Calls that went out on a pooled connection.", p.reuses },
		{ "backstay_upstream_stale_replays_total", "counter",
		  "Calls repeated unseen since the pooled connection had been closed.",
		  p.stale_replays },
		{ "backstay_upstream_junk_discards_total", "counter",
		  "Pooled connections closed since the backend spoke out of turn.", p.junk_discards },
		{ "backstay_upstream_connections", "gauge", "Connections to backends, now.", p.open },
		{ "backstay_upstream_idle_connections", "gauge",
		  "Of these, waiting in a pool.", p.idle },
		{ "backstay_requests_in_progress", "gauge",
		  "Requests that have begun and not ended.", p.exchanges },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		head(w, rows[i].name, rows[i].type, rows[i].help);
		w->ok = w->ok && metrics_write_sample(w->out, rows[i].name, NULL, SLICE_NONE,
						      (double)rows[i].number);
	}
}

/* What befell streams and slow attempts. */
static void write_rescues(struct writer *w, size_t models)
{
	static const struct { const char *name, *help; size_t offset; } rows[] = {
		{ "backstay_resumes_total", "Times that a broken stream went on with another attempt.",
		  offsetof(struct metrics_model_block, resumes) },
		{ "backstay_resumed_whole_total", "Streams that broke, went on and came to their end.",
		  offsetof(struct metrics_model_block, resumed_whole) },
		{ "backstay_hedges_total",
		  "Requests for which a second attempt was begun while the first kept silent.",
		  offsetof(struct metrics_model_block, hedges) },
		{ "backstay_hedges_won_total", "Of these, those that the second attempt served.",
		  offsetof(struct metrics_model_block, hedges_won) },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++)
		write_model_counter(w, models, rows[i].name, rows[i].help, rows[i].offset);
}

bool metrics_write(struct metrics *m, struct buf *out)
{
	struct writer w = { .m = m, .out = out, .ok = true };
	size_t models = labels_count(m, &m->models), targets = labels_count(m, &m->targets);

	write_requests(&w, models);
	write_model_counter(&w, models, "backstay_retried_requests_total",
			    "Requests that needed more than one try.",
			    offsetof(struct metrics_model_block, retried));
	write_model_counter(&w, models, "backstay_fallbacks_total",
			    "Requests answered by a fallback model.",
			    offsetof(struct metrics_model_block, fallbacks));
	write_rescues(&w, models);
	write_cache(&w, models);
	write_tokens(&w, models);
	write_shed(&w, models);
	write_attempts(&w, targets);
	write_histograms(&w, models, targets);
	write_pool(&w);
	return w.ok;
}
