/* hold.c: the operator's word about a target, and drills: for a while, and then
 * everything is as it was. */
#include "route/state.h"

#include "base/check.h"

static const char *const hold_names[] = {
	[HOLD_NONE] = "", [HOLD_DRAINED] = "drained", [HOLD_OPEN] = "open", [HOLD_CLOSED] = "closed",
};

const char *target_hold_name(enum target_hold hold)
{
	return hold_names[hold];
}

void target_hold(struct target *t, enum target_hold hold, mono_ms now, mono_ms until)
{
	struct target_registry *r = t->host->registry;

	lock_take(&t->lock);
	t->hold = hold;
	t->held_at = now;
	t->hold_until = until;
	atomic_store(&t->is_held, hold != HOLD_NONE);
	lock_give(&t->lock);
	/* Whoever waits for it may ask again. */
	if (hold != HOLD_DRAINED && r->on_free)
		r->on_free(r->owner, t->host->places);
}

enum target_hold hold_of(const struct target *t, mono_ms now)
{
	return now < t->hold_until ? t->hold : HOLD_NONE;
}

enum target_hold hold_at(struct target *t, mono_ms now)
{
	enum target_hold hold;

	/* Nearly always nobody has said anything. */
	if (!atomic_load(&t->is_held))
		return HOLD_NONE;
	lock_take(&t->lock);
	hold = hold_of(t, now);
	lock_give(&t->lock);
	return hold;
}

void target_drill(struct target *t, enum fault fault, unsigned percent, mono_ms until)
{
	must(percent <= 100);
	lock_take(&t->lock);
	t->drill_fault = fault;
	t->drill_percent = percent;
	t->drill_until = until;
	lock_give(&t->lock);
}

enum fault drill_of(const struct target *t, mono_ms now, uint64_t random)
{
	if (t->drill_fault == FAULT_NONE || now >= t->drill_until)
		return FAULT_NONE;
	return random % 100 < t->drill_percent ? t->drill_fault : FAULT_NONE;
}
