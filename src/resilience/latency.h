/* latency.h: how long a target has been taking: a peak-sensitive moving mean
 * for choosing, a mean with a count for comparing, a 95th percentile for limits
 * and hedging. Pure, fixed size. Times in monotonic ms, not going backwards. */
#ifndef BACKSTAY_RESILIENCE_LATENCY_H
#define BACKSTAY_RESILIENCE_LATENCY_H

#include "base/mono.h"

#include <stdbool.h>

#define LATENCY_BUCKETS 96            /* four an octave: 1 ms .. beyond 4 h */

/* A mean in which older samples weigh less. Zeroed is empty. */
struct mean {
	double value, weight;         /* weight: of all samples, faded */
	mono_ms at;
};

/* Zeroed knows nothing. */
struct latency {
	double peak;                  /* jumps up to a slow sample, comes down over seconds */
	mono_ms peak_at;
	struct mean recent;
	uint16_t buckets[LATENCY_BUCKETS];
	unsigned counted;             /* samples in the buckets */
	mono_ms faded_at;             /* the buckets were last halved */
};

/* A thing that took `took_ms` (>= 0). `whole` false: it was given up after that
 * time, so it would have taken longer: counts for the means, not for the
 * percentile (which would otherwise learn from its own limit). */
void latency_add(struct latency *l, mono_ms now, int64_t took_ms, bool whole);
/* The peak-sensitive mean, in ms, fading while nothing comes, so that what was
 * slow is tried again some day; 0: nothing known. */
double latency_peak_ms(const struct latency *l, mono_ms now);
/* 95 of 100 took at most about this (within a fifth); -1: fewer than
 * LATENCY_P95_MIN samples in the last half hour or so. */
#define LATENCY_P95_MIN 20
int64_t latency_p95_ms(const struct latency *l, mono_ms now);
/* Forgets the recent mean: what is compared begins anew. */
void latency_forget_recent(struct latency *l);

/* One sample. */
void mean_add(struct mean *m, mono_ms now, double sample);
/* How many recent samples the mean stands for, about. */
double mean_weight(const struct mean *m, mono_ms now);

#endif
