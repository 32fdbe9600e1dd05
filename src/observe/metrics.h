/* metrics.h: what a process counts, and Prometheus' text of it.
 *
 * Each worker writes a sheet of its own, so that counting costs a few plain
 * adds; whoever reads sums over the sheets. Labels come from the config only
 * (models, targets), never from requests, and are bounded. They are kept over
 * reloads: a counter never goes back, also not where its target has left. */
#ifndef BACKSTAY_OBSERVE_METRICS_H
#define BACKSTAY_OBSERVE_METRICS_H

#include "base/buf.h"
#include "observe/record.h"

#define METRICS_MODELS_MAX  1024      /* further ones are counted as "other" */
#define METRICS_TARGETS_MAX 4096

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
 * asked; a name that is no label counts as "other". The sheet's thread only. */
void metrics_count(struct metrics_sheet *s, struct slice model, const struct exchange_record *r);

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
 * wished or caused. Any thread. */
struct metrics_total {
	uint64_t exchanges, good, caller, failed, fallbacks;
	uint64_t input_tokens, output_tokens;
};
struct metrics_total metrics_total(struct metrics *m);

/* Appends all counters and histograms in Prometheus' text format 0.0.4. False
 * if the buf's maximum was reached. Any thread. */
MUST_USE bool metrics_write(struct metrics *m, struct buf *out);

/* ---- for numbers that others hold --------------------------------------------------- */

/* Appends the HELP and TYPE lines; `type` is "counter" or "gauge". */
MUST_USE bool metrics_write_head(struct buf *out, const char *name, const char *type,
				 const char *help);
/* Appends one sample; `label` NULL: none. The label's value is escaped. */
MUST_USE bool metrics_write_sample(struct buf *out, const char *name, const char *label,
				   struct slice value, double number);

#endif
