/* pulse.h: how exchanges of the last minutes ended, in short buckets, and by model
 * since the start: what a person wants to see at a glance. /metrics is for
 * machines, and has more. */
#ifndef BACKSTAY_OBSERVE_PULSE_H
#define BACKSTAY_OBSERVE_PULSE_H

#include "base/mono.h"
#include "observe/record.h"

#define PULSE_BUCKET_MS 2000
#define PULSE_BUCKETS   150           /* five minutes */
#define PULSE_MODELS_MAX 1024

/* How an exchange ended, from best to worst; each is counted once. */
#define PULSE_ENDS(X)                                                              \
	X(GOOD,     "good")           /* by the first try */                       \
	X(CACHED,   "cached")         /* by a kept answer, or another's */         \
	X(RESCUED,  "rescued")        /* after a retry, a hedge, or resumed */     \
	X(DEGRADED, "degraded")       /* a fallback, a stale or last answer */     \
	X(CALLER,   "caller")         /* as its caller caused or wished */         \
	X(FAILED,   "failed")
#define AS_ENUM(id, name) PULSE_##id,
enum pulse_end { PULSE_ENDS(AS_ENUM) PULSE_END_COUNT };
#undef AS_ENUM
/* "good", "cached" ... */
const char *pulse_end_name(enum pulse_end e);
/* Did anything go wrong on its way, whether its client noticed or not? */
bool pulse_had_trouble(const struct exchange_record *r);
/* How this one ended. */
enum pulse_end pulse_end_of(const struct exchange_record *r);

struct pulse;

/* Empty. The caller ends it with pulse_free(); NULL is fine. */
struct pulse *pulse_create(void);
void pulse_free(struct pulse *p);
/* Counts an exchange of a model of the config (empty: of none). Any thread. */
void pulse_count(struct pulse *p, struct slice model, const struct exchange_record *r, mono_ms now);

/* counts[i] is of the bucket that began (PULSE_BUCKETS - 1 - i) buckets before
 * the present one. Any thread, as below. */
struct pulse_view {
	uint32_t counts[PULSE_BUCKETS][PULSE_END_COUNT];
};
void pulse_look(struct pulse *p, mono_ms now, struct pulse_view *out);
/* Since the start, of one model; all zero for one that is not known. */
struct pulse_model {
	uint64_t ends[PULSE_END_COUNT];
	uint64_t input_tokens, output_tokens;
};
void pulse_model(struct pulse *p, struct slice model, struct pulse_model *out);

/* Counts a try that requests for `model` made on `target`, and whether it failed by
 * the target's fault: a target may serve several models. Any thread; as many
 * pairs are known as there can be labels, further ones are not counted. */
#define PULSE_LANES_MAX 8192
struct pulse_lane {
	uint64_t tries, faults;
};
void pulse_try(struct pulse *p, struct slice model, struct slice target, bool fault);
/* Since the start; zeroes for a pair that is not known. */
struct pulse_lane pulse_lane(struct pulse *p, struct slice model, struct slice target);

#endif
