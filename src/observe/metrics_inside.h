/* metrics_inside.h: between metrics.c (counting), metrics_sum.c (reading) and
 * metrics_text.c (Prometheus' text). Nobody else includes it. */
#ifndef BACKSTAY_OBSERVE_METRICS_INSIDE_H
#define BACKSTAY_OBSERVE_METRICS_INSIDE_H

#include "base/arena.h"
#include "base/lock.h"
#include "base/map.h"
#include "observe/metrics.h"

#include <stdatomic.h>

/* C has no typedef-free way to spell this short. */
#define metrics_number _Atomic(uint64_t)

/* What is counted of one model, target or combination: the cells of its scope. */
struct metrics_block {
	metrics_number last_fault, last_fault_wall_ms;        /* targets only */
	metrics_number cells[];
};

#define metrics_block_slot _Atomic(struct metrics_block *)

#define METRICS_LABELLED 3            /* scopes with blocks of their own: MODEL, TARGET, SPEND */

struct metrics_sheet {
	struct metrics *metrics;
	struct map *met[METRICS_LABELLED];    /* name -> place in the labels' names */
	metrics_block_slot *blocks[METRICS_LABELLED];         /* by id */
	metrics_number worker[AT_WORKER_CELLS];
};

/* Names by id; 0 is "other". Under the metrics' lock, but names[0 .. count - 1]
 * never change once they are there. Several labels are joined by NUL bytes,
 * which are in no name. */
struct metrics_labels {
	struct arena *arena;
	struct map *ids;
	struct slice *names;
	size_t count, max;
	bool open;                    /* who is met becomes known, as long as there is room */
};

struct metrics {
	struct lock lock;
	struct arena *arena;
	struct metrics_labels labels[METRICS_LABELLED];
	struct metrics_sheet *sheets[METRICS_SHEETS_MAX];
	atomic_size_t sheet_count;
};

/* Index of a labelled scope's labels and blocks. */
size_t metrics_labelled(enum metric_scope s);
/* A number as it stands now. */
uint64_t metrics_get(const metrics_number *n);
/* The id of a name; 0 for one that is not known. Any thread. */
size_t metrics_find(struct metrics *m, enum metric_scope s, struct slice name);
/* Names known so far, "other" included. Any thread. */
size_t metrics_label_count(struct metrics *m, enum metric_scope s);
/* The sum over all sheets of a cell; `id` is meaningless for SCOPE_WORKER. */
uint64_t metrics_sum(struct metrics *m, enum metric_scope s, size_t id, size_t cell);

#endif
