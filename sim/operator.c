/* What an operator does to targets while the proxy runs: holds and drills. */
#include "sim/scenario_inside.h"

#include "base/check.h"

static const struct { const char *word; enum target_hold hold; } holds[] = {
	{ "drained", HOLD_DRAINED }, { "open", HOLD_OPEN }, { "closed", HOLD_CLOSED }, { "free", HOLD_NONE },
};

/* The target's name, and what follows; NULL after a complaint. */
static struct target *target_named(struct scenario *sc, struct words *w)
{
	struct slice name = SLICE_NONE;
	struct target *t;

	words_next(w, &name);
	t = sc->proxy ? sim_proxy_target(sc->proxy, name) : NULL;
	if (!t)
		scenario_fail(sc, w->line, "there is no target %.*s", SLICE_ARG(name));
	return t;
}

static mono_ms until(struct scenario *sc, struct words *w)
{
	int64_t ms = 0;

	if (!words_take(w, "for") || !words_time(w, &ms))
		return MONO_NEVER;
	return mono_after(sim_now(sc->sim), ms);
}

void scenario_hold(struct scenario *sc, struct words *w)
{
	struct target *t = target_named(sc, w);

	for (size_t i = 0; t && i < COUNT_OF(holds); i++)
		if (words_take(w, holds[i].word)) {
			target_hold(t, holds[i].hold, sim_now(sc->sim), until(sc, w));
			return;
		}
	if (t)
		scenario_fail(sc, w->line, "a target is drained, open, closed or free");
}

void scenario_drill(struct scenario *sc, struct words *w)
{
	struct target *t = target_named(sc, w);
	struct slice word = SLICE_NONE;
	uint64_t percent = 100;
	int fault = 0;

	words_next(w, &word);
	while (fault < FAULT_COUNT && !slice_eq(word, slice_of(fault_row((enum fault)fault)->name)))
		fault++;
	if (fault == FAULT_COUNT)
		scenario_fail(sc, w->line, "there is no fault %.*s", SLICE_ARG(word));
	if (words_take(w, "percent"))
		words_number(w, &percent);
	if (t && fault < FAULT_COUNT)
		target_drill(t, (enum fault)fault, (unsigned)percent, until(sc, w));
}
