#include "resilience/latency.h"

#include "base/check.h"

#define PEAK_FADES_MS 10000.0         /* half its weight is gone after this */
#define MEAN_FADES_MS 30000.0
#define BUCKETS_FADE_MS (10 * 60 * 1000)
#define BUCKET_FULL 60000

/* What is left of something after a time: 1 at once, a half after `half_ms`. */
static double left_after(int64_t ms, double half_ms)
{
	return half_ms / (half_ms + (double)ms);
}

/* ---- a mean ------------------------------------------------------------------ */

double mean_weight(const struct mean *m, mono_ms now)
{
	return m->weight > 0 ? m->weight * left_after(now - m->at, MEAN_FADES_MS) : 0;
}

void mean_add(struct mean *m, mono_ms now, double sample)
{
	double before = mean_weight(m, now);

	/* Beyond some weight a new sample must still be felt. */
	if (before > 30)
		before = 30;
	m->value = (m->value * before + sample) / (before + 1);
	m->weight = before + 1;
	m->at = now;
}

/* ---- the percentile ------------------------------------------------------------- */

/* Four buckets an octave: 0, 1, 2, 3, 4, 5, 6, 7, 8-9, 10-11, 12-13, 14-15, 16-19 ... */
static unsigned bucket_of(int64_t ms)
{
	unsigned octave = 0, n;

	if (ms < 4)
		return (unsigned)ms;
	while (ms >= 8) {
		ms >>= 1;
		octave++;
	}
	n = 4 * octave + (unsigned)ms;
	return n < LATENCY_BUCKETS ? n : LATENCY_BUCKETS - 1;
}

/* The largest time that falls into a bucket. */
static int64_t bucket_top(unsigned n)
{
	unsigned octave;

	if (n < 8)
		return (int64_t)n;
	octave = n / 4 - 1;
	return ((int64_t)(n - 4 * octave + 1) << octave) - 1;
}

static void fade(struct latency *l, mono_ms now)
{
	if (l->counted == 0)
		l->faded_at = now;
	if (now - l->faded_at < BUCKETS_FADE_MS && l->counted < BUCKET_FULL)
		return;
	l->faded_at = now;
	l->counted = 0;
	for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
		l->buckets[i] = (uint16_t)(l->buckets[i] / 2);
		l->counted += l->buckets[i];
	}
}

int64_t latency_p95_ms(const struct latency *l, mono_ms now)
{
	uint64_t seen = 0, wanted = ((uint64_t)l->counted * 95 + 99) / 100;

	if (l->counted < LATENCY_P95_MIN || now - l->faded_at > 3 * BUCKETS_FADE_MS)
		return -1;
	for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
		seen += l->buckets[i];
		if (seen >= wanted)
			return bucket_top(i);
	}
	never("the buckets hold fewer samples than counted");
}

/* ---- all of it --------------------------------------------------------------------- */

double latency_peak_ms(const struct latency *l, mono_ms now)
{
	return l->peak > 0 ? l->peak * left_after(now - l->peak_at, PEAK_FADES_MS) : 0;
}

void latency_add(struct latency *l, mono_ms now, int64_t took_ms, bool whole)
{
	double sample = (double)took_ms, faded = latency_peak_ms(l, now), left;

	must(took_ms >= 0);
	if (sample >= faded) {
		l->peak = sample;
	} else {
		/* Down slowly: by the time since the last sample, but at least a little. */
		left = left_after(now - l->peak_at, PEAK_FADES_MS);
		if (left > 0.9)
			left = 0.9;
		l->peak = l->peak * left + sample * (1 - left);
	}
	l->peak_at = now;
	mean_add(&l->recent, now, sample);
	if (!whole)
		return;
	fade(l, now);
	l->buckets[bucket_of(took_ms)]++;
	l->counted++;
}

void latency_forget_recent(struct latency *l)
{
	l->recent = (struct mean){ 0 };
}
