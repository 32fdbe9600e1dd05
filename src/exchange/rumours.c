#include "exchange/rumours.h"

#include "route/target.h"

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

void rumours_hear(const struct config *c, const struct log *log, mono_ms now, uint64_t random,
		  struct slice what, struct slice target, int64_t span_ms)
{
	for (int r = 0; r < RUMOUR_COUNT; r++)
		if (slice_eq(what, slice_of(target_rumour_name((enum target_rumour)r))))
			for (size_t i = 0; i < c->model_count; i++)
				hear_of(&c->models[i], log, now, random, (enum target_rumour)r, target, span_ms);
}
