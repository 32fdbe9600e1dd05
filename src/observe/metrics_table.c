#include "observe/metrics_table.h"

#include "base/check.h"

/* TOLD is spelled by the table's words, so that ALL is not a name of the world. */
#define AS_ROW(s, id, kind_, name_, a_, b_, scale_, told_, help_)                               \
	{ .scope = SCOPE_##s, .kind = METRIC_##kind_, .scale = SCALE_##scale_, .a = DIM_##a_,  \
	  .b = DIM_##b_, .at = AT_##s##_##id, .told = TOLD_##told_, .name = S_INIT(name_), .help = (help_) },
#define WORKER_ROW(...)  AS_ROW(WORKER, __VA_ARGS__)
#define MODEL_ROW(...)   AS_ROW(MODEL, __VA_ARGS__)
#define TARGET_ROW(...)  AS_ROW(TARGET, __VA_ARGS__)
#define SPEND_ROW(...)   AS_ROW(SPEND, __VA_ARGS__)
#define PROCESS_ROW(...) AS_ROW(PROCESS, __VA_ARGS__)
#define ROOM_ROW(...)    AS_ROW(ROOM, __VA_ARGS__)
#define PLACE_ROW(...)   AS_ROW(PLACE, __VA_ARGS__)
#define SINK_ROW(...)    AS_ROW(SINK, __VA_ARGS__)
#define STORE_ROW(...)   AS_ROW(STORE, __VA_ARGS__)
#define BUDGET_ROW(...)  AS_ROW(BUDGET, __VA_ARGS__)

const struct metric_row metric_rows[] = {
	METRICS_OF_WORKER(WORKER_ROW)
	METRICS_OF_MODEL(MODEL_ROW)
	METRICS_OF_TARGET(TARGET_ROW)
	METRICS_OF_SPEND(SPEND_ROW)
	METRICS_OF_PROCESS(PROCESS_ROW)
	METRICS_OF_ROOM(ROOM_ROW)
	METRICS_OF_PLACE(PLACE_ROW)
	METRICS_OF_SINK(SINK_ROW)
	METRICS_OF_STORE(STORE_ROW)
	METRICS_OF_BUDGET(BUDGET_ROW)
};
const size_t metric_row_count = COUNT_OF(metric_rows);

/* ---- further labels ------------------------------------------------------------- */

static const struct { const char *label; size_t words; } dims[] = {
#define AS_ROW_OF_DIM(id, label_, words_) { (label_), (words_) },
	METRIC_DIMS(AS_ROW_OF_DIM)
};

const char *metric_dim_label(enum metric_dim d)
{
	return dims[d].label;
}

size_t metric_dim_words(enum metric_dim d)
{
	return dims[d].words;
}

static const char *const status_words[METRICS_CLASSES] = { "other", "1xx", "2xx", "3xx", "4xx", "5xx" };
static const char *const token_words[] = { "input", "output", "cached", "reasoning" };
static const char *const way_words[RESUMED_WAYS] = {
	"replay", "prefill", "continue_final_message", "prefix", "instruct", "other",
};
static const char *const resumed_words[] = { "went_on", "failed" };
static const char *const hedged_words[] = { "won", "lost" };
static const char *const looked_words[] = { "good", "bad", "unclear" };
static const char *const breaker_words[] = { "own", "machine", "credential", "model" };
static const char *const state_words[] = { "open", "back" };
static const char *const off_words[] = { "credential", "no_money", "model_gone" };
static const char *const span_words[] = { "exported", "rejected", "dropped" };
static const char *const node_words[] = { "ready", "draining", "unknown", "gone" };
static const char *const left_words[] = { "requests", "tokens" };

struct slice metric_dim_word(enum metric_dim d, size_t i)
{
	must(i < metric_dim_words(d));
	switch (d) {
	case DIM_STATUS:   return slice_of(status_words[i]);
	case DIM_FAULT:    return slice_of(fault_row((enum fault)i)->name);
	case DIM_TOKEN:    return slice_of(token_words[i]);
	case DIM_PRIORITY: return slice_of(priority_name((enum priority)i));
	case DIM_SHED:     return slice_of(shed_name((enum shed)i));
	case DIM_DEGRADED: return slice_of(degraded_name((enum degraded)i));
	case DIM_WAY:      return slice_of(way_words[i]);
	case DIM_RESUMED:  return slice_of(resumed_words[i]);
	case DIM_HEDGED:   return slice_of(hedged_words[i]);
	case DIM_LOOKED:   return slice_of(looked_words[i]);
	case DIM_BREAKER:  return slice_of(breaker_words[i]);
	case DIM_STATE:    return slice_of(state_words[i]);
	case DIM_OFF:      return slice_of(off_words[i]);
	case DIM_LEFT:     return slice_of(left_words[i]);
	case DIM_SPANS:    return slice_of(span_words[i]);
	case DIM_CACHE:    return slice_of(cache_use_name((enum cache_use)i));
	case DIM_TIER:     return slice_of(cache_tier_name((enum cache_tier)i));
	case DIM_ALERT:    return slice_of(alert_kind_row((enum alert_kind)i)->name);
	case DIM_NODE:     return slice_of(node_words[i]);
	case DIM_VERSION:  return S(BACKSTAY_VERSION);
	case DIM_NONE: case DIM_COUNT:
		break;
	}
	return SLICE_NONE;
}

size_t metric_way(struct slice name)
{
	size_t i = 0;

	while (i < RESUMED_WAYS - 1 && !slice_eq(name, slice_of(way_words[i])))
		i++;
	return i;
}

/* ---- scopes ------------------------------------------------------------------------ */

const char *const *metric_scope_labels(enum metric_scope s)
{
	static const char *const none[METRIC_SCOPE_LABELS] = { NULL };
	static const char *const model[METRIC_SCOPE_LABELS] = { "model" };
	static const char *const target[METRIC_SCOPE_LABELS] = { "target" };
	static const char *const sink[METRIC_SCOPE_LABELS] = { "sink" };
	static const char *const store[METRIC_SCOPE_LABELS] = { "store" };
	static const char *const budget[METRIC_SCOPE_LABELS] = { "budget" };
	static const char *const spend[METRIC_SCOPE_LABELS] = { "model", "target", "key" };

	switch (s) {
	case SCOPE_MODEL: case SCOPE_ROOM:
		return model;
	case SCOPE_TARGET: case SCOPE_PLACE:
		return target;
	case SCOPE_SINK:
		return sink;
	case SCOPE_STORE:
		return store;
	case SCOPE_BUDGET:
		return budget;
	case SCOPE_SPEND:
		return spend;
	case SCOPE_WORKER: case SCOPE_PROCESS: case SCOPE_COUNT:
		break;
	}
	return none;
}

size_t metric_scope_cells(enum metric_scope s)
{
	static const size_t cells[SCOPE_COUNT] = {
#define AS_CELLS(scope, rows) [SCOPE_##scope] = AT_##scope##_CELLS,
		METRIC_SCOPES(AS_CELLS)
	};

	return cells[s];
}

/* ---- bounds ---------------------------------------------------------------------------- */

/* Answers and waits; what a person notices. */
static const int64_t bounds_long[METRICS_BOUNDS] = {
	10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000, 20000000,
	30000000, 60000000, 120000000, 300000000,
};
/* Between two tokens: from the fastest hardware to a stall. */
static const int64_t bounds_gap[METRICS_BOUNDS] = {
	1000, 2500, 5000, 10000, 15000, 25000, 50000, 75000, 100000, 150000, 250000, 500000, 1000000,
	2500000, 10000000,
};
/* Our own work. */
static const int64_t bounds_short[METRICS_BOUNDS] = {
	10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 1000000,
};

const int64_t *metric_bounds_us(enum metric_scale s)
{
	return s == SCALE_GAP ? bounds_gap : s == SCALE_SHORT ? bounds_short : bounds_long;
}
