#include "exchange/rumours.h"

#include "route/target.h"

#include <stdio.h>

static void hear_of(const struct model_policy *m, const struct log *log, mono_ms now, uint64_t random,
		    enum target_rumour what, struct slice target, int64_t span_ms)
{
	for (size_t i = 0; i < m->target_count; i++) {
		const struct target_policy *t = &m->targets[i];

		if (!slice_eq(t->name, target))
			continue;
		target_rumour(t->state, t, m, now, random, what, span_ms);
		log_line(log, LOG_INFO, "target_rumour", "target=%.*s what=%s span_ms=%lld", SLICE_ARG(target),
			 target_rumour_name(what), (long long)span_ms);
		return;
	}
}

/* "left LIMIT LEFT FULL_IN_MS LIMIT LEFT FULL_IN_MS": of requests, of tokens; -1: not said. */
struct slice rumours_left(char out[static RUMOUR_BYTES], const struct rate_headroom *said)
{
	snprintf(out, RUMOUR_BYTES, "left %lld %lld %lld %lld %lld %lld", (long long)said->requests_limit,
		 (long long)said->requests_left, (long long)said->requests_full_in_ms,
		 (long long)said->tokens_limit, (long long)said->tokens_left, (long long)said->tokens_full_in_ms);
	return slice_of(out);
}

static bool read_left(struct slice what, struct rate_headroom *said)
{
	int64_t *const numbers[] = {
		&said->requests_limit, &said->requests_left, &said->requests_full_in_ms,
		&said->tokens_limit, &said->tokens_left, &said->tokens_full_in_ms,
	};
	struct slice word, rest;

	if (!slice_cut(what, ' ', &word, &what) || !slice_eq(word, S("left")))
		return false;
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		if (!slice_cut(what, ' ', &word, &rest)) {
			word = what;
			rest = SLICE_NONE;
		}
		if (!slice_to_i64(word, numbers[i]) || *numbers[i] < -1 || *numbers[i] > INT64_C(1) << 40)
			return false;
		what = rest;
	}
	return true;
}

static void hear_left(const struct config *c, mono_ms now, struct slice target, const struct rate_headroom *said)
{
	for (size_t i = 0; i < c->model_count; i++)
		for (size_t k = 0; k < c->models[i].target_count; k++)
			if (slice_eq(c->models[i].targets[k].name, target)) {
				target_headroom(&c->models[i].targets[k], now, said);
				return;
			}
}

void rumours_hear(const struct config *c, const struct log *log, mono_ms now, uint64_t random,
		  struct slice what, struct slice target, int64_t span_ms)
{
	struct rate_headroom said;

	if (read_left(what, &said)) {
		log_line(log, LOG_DEBUG, "target_rumour", "target=%.*s what=\"%.*s\"", SLICE_ARG(target),
			 SLICE_ARG(what));
		hear_left(c, now, target, &said);
		return;
	}
	for (int r = 0; r < RUMOUR_COUNT; r++)
		if (slice_eq(what, slice_of(target_rumour_name((enum target_rumour)r))))
			for (size_t i = 0; i < c->model_count; i++)
				hear_of(&c->models[i], log, now, random, (enum target_rumour)r, target, span_ms);
}
