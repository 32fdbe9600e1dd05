/* metrics.h: what a process counts, and Prometheus' text of it. What there is to
 * count stands in metrics_table.h.
 *
 * Each worker writes a sheet of its own, so that counting costs a few plain
 * adds; whoever reads sums over the sheets. Labels come from the config only
 * (models, targets, key groups), never from requests, and are bounded. They are
 * kept over reloads: a counter never goes back, also not where its target has
 * left. */
#ifndef BACKSTAY_OBSERVE_METRICS_H
#define BACKSTAY_OBSERVE_METRICS_H

#include "base/buf.h"
#include "observe/metrics_table.h"
#include "observe/record.h"

/* Further ones are counted as "other". */
#define METRICS_MODELS_MAX  1024
#define METRICS_TARGETS_MAX 4096
#define METRICS_SPENDS_MAX  8192      /* combinations of model, target and key group */

struct metrics;
struct metrics_sheet;

/* One for a process. The caller ends it with metrics_free(). */
struct metrics *metrics_create(void);
/* Frees it and all its sheets; NULL is fine. */
void metrics_free(struct metrics *m);
/* Makes a model's or a target's name a label. What is known already is left
 * alone. One thread, also while others count. */
void metrics_know_model(struct metrics *m, struct slice name);
void metrics_know_target(struct metrics *m, struct slice name);

/* A sheet for one worker; the metrics own it. One thread at a time makes them;
 * METRICS_SHEETS_MAX at most (must). */
#define METRICS_SHEETS_MAX 1024
struct metrics_sheet *metrics_sheet_create(struct metrics *m);
/* Counts an exchange that has ended. `model` is the config's name for what was
 * asked; a name that is no label counts as "other". The sheet's thread only, as
 * all that follow. */
void metrics_count(struct metrics_sheet *s, struct slice model, const struct exchange_record *r);
/* Counts what a look from outside has shown; `result` is a word of DIM_LOOKED. */
/* Words of DIM_SPANS. */
enum metric_spans { SPANS_EXPORTED, SPANS_REJECTED, SPANS_DROPPED };
enum metric_looked { LOOKED_GOOD, LOOKED_BAD, LOOKED_UNCLEAR };
void metrics_count_look(struct metrics_sheet *s, struct slice target, enum metric_looked result);
/* Where the gaps between the pieces of a model's streams are counted on this sheet,
 * as they come: asked for once a stream. Lives as long as the sheet. */
struct metrics_block;
struct metrics_block *metrics_gaps_of(struct metrics_sheet *s, struct slice model);
void metrics_note_gap(struct metrics_block *gaps, int64_t ms);
/* A cell of the rows that have no labels of their own (AT_WORKER_...): adds to a
 * counter, sets one that is counted elsewhere or a gauge, notes a time. */
void metrics_add(struct metrics_sheet *s, size_t cell, uint64_t more);
void metrics_set(struct metrics_sheet *s, size_t cell, uint64_t value);
void metrics_observe(struct metrics_sheet *s, size_t cell, enum metric_scale scale, int64_t us);

/* What a worker's connection pool and list of exchanges hold; numbers since its
 * start, or now for those marked so. */
struct metrics_pool {
	uint64_t connects, connect_faults, reuses, stale_replays, junk_discards;
	uint64_t open, idle;          /* now */
	uint64_t exchanges;           /* now */
};
/* Replaces the sheet's numbers. The sheet's thread only. */
void metrics_set_pool(struct metrics_sheet *s, const struct metrics_pool *pool);
/* The sum over all sheets. Any thread. */
struct metrics_pool metrics_pool_sum(struct metrics *m);

/* What is known of a target, summed. */
struct metrics_target {
	uint64_t attempts, good;      /* ended so far; those without a fault */
	uint64_t blamed;              /* those whose fault blames the target or its credential */
	enum fault last_fault;        /* FAULT_NONE: there was none yet */
	int64_t last_fault_wall_ms;   /* Unix time; 0: never */
};
/* Zeroes for a name that is no label. Any thread. */
struct metrics_target metrics_target_sum(struct metrics *m, struct slice name);
/* Exchanges ended so far, and those of them that ended well or as the client
 * wished or caused; of all tries the tokens and what they cost. Any thread. */
struct metrics_total {
	uint64_t exchanges, good, caller, failed, fallbacks;
	uint64_t input_tokens, output_tokens;
	uint64_t cost_nano_usd;
};
struct metrics_total metrics_total(struct metrics *m);

/* ---- telling ------------------------------------------------------------------- */

enum metrics_format {
	METRICS_PROMETHEUS,           /* text format 0.0.4 */
	METRICS_OPENMETRICS,          /* 1.0.0 */
};
/* What an Accept header asks for: OpenMetrics where it is named there with a
 * quality not below that of text/plain. */
enum metrics_format metrics_format_for(struct slice accept);
/* The media type to answer with; static. */
struct slice metrics_media_type(enum metrics_format f);

/* Where the numbers of the rows come from that nobody counts: those of the scopes
 * behind SCOPES_COUNTED. */
struct metrics_now {
	void *owner;
	/* How many models (SCOPE_ROOM), targets (SCOPE_PLACE), sinks, stores, budgets there are; 1 for
	 * SCOPE_PROCESS. */
	size_t (*count)(void *owner, enum metric_scope s);
	struct slice (*label)(void *owner, enum metric_scope s, size_t i);
	/* The number of a cell (AT_ROOM_..., AT_PLACE_..., AT_SINK_..., AT_PROCESS_...). False:
	 * there is none. */
	bool (*read)(void *owner, enum metric_scope s, size_t i, size_t cell, double *out);
};

/* Appends everything. `now` NULL: only what is counted. False if the buf's
 * maximum was reached. Any thread. */
MUST_USE bool metrics_write(struct metrics *m, enum metrics_format format,
			    const struct metrics_now *now, struct buf *out);
/* The reference of all families, as Markdown; docs/metrics.md holds it. */
void metrics_write_reference(struct buf *out);

#endif
