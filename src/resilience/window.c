#include "resilience/window.h"

#include "base/check.h"

static int64_t number_of(mono_ms now, int64_t length_ms)
{
	must(now >= 0);
	must(length_ms >= WINDOW_SLOTS);
	/* From 1: a zeroed slot is no slot. */
	return 1 + now / (length_ms / WINDOW_SLOTS);
}

void window_add(struct window *w, mono_ms now, int64_t length_ms, bool good)
{
	int64_t number = number_of(now, length_ms);
	struct window_slot *s = &w->slots[number % WINDOW_SLOTS];

	if (s->number != number)
		*s = (struct window_slot){ .number = number };
	if (good)
		s->good++;
	else
		s->bad++;
}

void window_sum(const struct window *w, mono_ms now, int64_t length_ms, uint32_t *good,
		uint32_t *bad)
{
	int64_t number = number_of(now, length_ms);

	*good = *bad = 0;
	for (unsigned i = 0; i < WINDOW_SLOTS; i++) {
		const struct window_slot *s = &w->slots[i];

		if (s->number > number || s->number <= number - WINDOW_SLOTS)
			continue;
		*good += s->good;
		*bad += s->bad;
	}
}

void window_clear(struct window *w)
{
	*w = (struct window){ 0 };
}
