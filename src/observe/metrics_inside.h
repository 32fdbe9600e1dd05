/* metrics_inside.h: between metrics.c (counting) and metrics_text.c (Prometheus'
 * text). Nobody else includes it. */
#ifndef BACKSTAY_OBSERVE_METRICS_INSIDE_H
#define BACKSTAY_OBSERVE_METRICS_INSIDE_H

#include "base/arena.h"
#include "base/lock.h"
#include "base/map.h"
#include "observe/metrics.h"

#include <stdatomic.h>

#define METRICS_BOUNDS  14
#define METRICS_CLASSES 6             /* status / 100; 0: none of them */
#define METRICS_TOKENS  4             /* input, output, cached, reasoning */

extern const int64_t metrics_bounds_ms[METRICS_BOUNDS];

/* C has no typedef-free way to spell this short. */
#define metrics_number _Atomic(uint64_t)

struct metrics_histogram {
	metrics_number buckets[METRICS_BOUNDS + 1];   /* each counts its own; +Inf is last */
	metrics_number sum_ms;
};

struct metrics_model_block {
	metrics_number requests[METRICS_CLASSES][FAULT_COUNT];
	metrics_number fallbacks, retried, resumes, resumed_whole, hedges, hedges_won;
	metrics_number cache[CACHE_USE_COUNT], kept, last_resorts;
	metrics_number tokens[METRICS_TOKENS], saved[METRICS_TOKENS];
	metrics_number shed[PRIORITY_COUNT][SHED_COUNT];
	struct metrics_histogram duration, first_token, queued;
};

struct metrics_target_block {
	metrics_number attempts[FAULT_COUNT];
	metrics_number last_fault, last_fault_wall_ms;
	struct metrics_histogram first_token;
};

struct metrics_sheet {
	struct metrics *metrics;
	struct map *models_met, *targets_met;         /* name -> place in the labels' names */
	metrics_number connects, connect_faults, reuses, stale_replays, junk_discards;
	metrics_number open, idle, exchanges;
	_Atomic(struct metrics_model_block *) models[METRICS_MODELS_MAX];
	_Atomic(struct metrics_target_block *) targets[METRICS_TARGETS_MAX];
};

/* Names by id; 0 is "other". Under the metrics' lock, but names[0 .. count - 1]
 * never change once they are there. */
struct metrics_labels {
	struct arena *arena;
	struct map *ids;
	struct slice *names;
	size_t count, max;
};

struct metrics {
	struct lock lock;
	struct arena *arena;
	struct metrics_labels models, targets;
	struct metrics_sheet *sheets[METRICS_SHEETS_MAX];
	atomic_size_t sheet_count;
};

/* A number as it stands now. */
uint64_t metrics_get(const metrics_number *n);

#endif
