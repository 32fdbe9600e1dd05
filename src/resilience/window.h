/* window.h: how many went well and how many badly within the last while. Pure:
 * time is an argument, in monotonic ms, and must not go backwards. */
#ifndef BACKSTAY_RESILIENCE_WINDOW_H
#define BACKSTAY_RESILIENCE_WINDOW_H

#include "base/mono.h"

#include <stdbool.h>

#define WINDOW_SLOTS 10

/* Zeroed is empty. The window slides in steps of a tenth of its length. */
struct window {
	struct window_slot {
		int64_t number;       /* which tenth since the beginning of time */
		uint32_t good, bad;
	} slots[WINDOW_SLOTS];
};

/* Counts one. `length_ms` is at least WINDOW_SLOTS and the same in all calls
 * (another length forgets what was counted). */
void window_add(struct window *w, mono_ms now, int64_t length_ms, bool good);
/* What was counted in the window that ends now. */
void window_sum(const struct window *w, mono_ms now, int64_t length_ms, uint32_t *good,
		uint32_t *bad);
/* Empties it. */
void window_clear(struct window *w);

#endif
