/* outside.c: what active probes and other machines tell of a target. They only ever hasten what
 * requests would have found out: a request's word is the last. */
#include "route/state.h"

#include "base/check.h"

#define BAD_IN_ROW 3
#define RUMOUR_SPAN_MAX_MS 3600000

bool target_probe_due(struct target *t, mono_ms now, int64_t every_ms)
{
	bool due;

	lock_take(&t->lock);
	due = now >= t->probe_at && (t->heard_at == 0 || now - t->heard_at >= every_ms);
	if (due)
		t->probe_at = mono_after(now, every_ms);
	lock_give(&t->lock);
	return due;
}

/* Counts; gives how many bad ones there are in a row, 0 after a good one, or
 * UINT_MAX where a request has told of the target since. */
static unsigned count(struct target *t, mono_ms began_at, bool good, bool bad)
{
	unsigned in_row;

	lock_take(&t->lock);
	if (good)
		t->probes_bad = 0;
	else if (bad)
		t->probes_bad++;
	in_row = t->heard_at > began_at ? UINT32_MAX : t->probes_bad;
	lock_give(&t->lock);
	return in_row;
}

/* While looks fail no request needs to be the trial; but one that is under way
 * has the last word. */
static bool may_open(const struct breaker *b, mono_ms now)
{
	enum breaker_state state = breaker_state_at(b, now);

	return state == BREAKER_CLOSED || (state == BREAKER_HALF_OPEN && b->running == 0);
}

static unsigned hint(struct lock *lock, struct breaker *b, const struct breaker_policy *policy,
		     mono_ms now, uint64_t random, bool alive, unsigned opened)
{
	unsigned news = 0;
	bool closed;

	lock_take(lock);
	closed = b->state == BREAKER_CLOSED;
	if (alive) {
		breaker_hint_alive(b, now);
	} else if (policy->open_ms > 0 && may_open(b, now)) {
		breaker_hint_dead(b, policy, now, random);
		news = closed ? opened : 0;
	}
	lock_give(lock);
	return news;
}

unsigned target_probe_seen(struct target *t, const struct model_policy *model, mono_ms now,
			   uint64_t random, mono_ms began_at, enum fault fault)
{
	struct breaker_policy machine = route_machine_policy(&model->breaker);
	bool good = fault == FAULT_NONE, bad = fault_row(fault)->blame == BLAME_TARGET;
	unsigned in_row = count(t, began_at, good, bad), news;

	if (in_row == UINT32_MAX)
		return 0;
	if (good) {
		hint(&t->machine->lock, &t->machine->breaker, &machine, now, random, true, 0);
		return hint(&t->lock, &t->own, &model->breaker, now, random, true, 0);
	}
	if (in_row < BAD_IN_ROW || !bad)
		return 0;
	if (fault == FAULT_CONNECT)
		news = hint(&t->machine->lock, &t->machine->breaker, &machine, now, random, false,
			    NEWS_MACHINE_OPENED);
	else
		news = hint(&t->lock, &t->own, &model->breaker, now, random, false, NEWS_OPENED);
	target_count_news(t, news);
	return news;
}

void target_credential_renewed(struct target *t, mono_ms now)
{
	lock_take(&t->credential->lock);
	breaker_hint_alive(&t->credential->breaker, now);
	lock_give(&t->credential->lock);
}

/* ---- what other machines tell ------------------------------------------------------- */

const char *target_rumour_name(enum target_rumour r)
{
	static const char *const names[RUMOUR_COUNT] = { "breaker_open", "machine_open", "paced" };

	return names[r];
}

static void pause_for(struct lock *lock, struct pace *p, mono_ms until)
{
	lock_take(lock);
	if (until > p->until)
		p->until = until;
	lock_give(lock);
}

unsigned target_rumour(struct target *t, const struct target_policy *policy,
		       const struct model_policy *model, mono_ms now, uint64_t random,
		       enum target_rumour what, int64_t span_ms)
{
	struct breaker_policy machine = route_machine_policy(&model->breaker);
	mono_ms until = mono_after(now, span_ms < 0 ? 0 : span_ms < RUMOUR_SPAN_MAX_MS ? span_ms
							: RUMOUR_SPAN_MAX_MS);
	unsigned news = 0;

	switch (what) {
	case RUMOUR_OPEN:
		news = hint(&t->lock, &t->own, &model->breaker, now, random, false, NEWS_OPENED);
		break;
	case RUMOUR_MACHINE_OPEN:
		news = hint(&t->machine->lock, &t->machine->breaker, &machine, now, random, false,
			    NEWS_MACHINE_OPENED);
		break;
	case RUMOUR_PACED:
		if (policy->backend->rate_scope == RATE_SCOPE_KEY)
			pause_for(&t->account->lock, &t->account->pace, until);
		pause_for(&t->lock, &t->pace, until);
		break;
	case RUMOUR_COUNT:
		never("no rumour");
	}
	target_count_news(t, news);
	return news;
}
