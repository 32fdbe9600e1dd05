/* rumours.h: what other machines tell of targets, through the shared store. */
#ifndef BACKSTAY_EXCHANGE_RUMOURS_H
#define BACKSTAY_EXCHANGE_RUMOURS_H

#include "config/config.h"

/* Takes it in for every target of that name; targets are bound. Any thread. */
void rumours_hear(const struct config *c, const struct log *log, mono_ms now, uint64_t random,
		  struct slice what, struct slice target, int64_t span_ms);

/* What an upstream said is left of its rate limits, as news; in `out`. */
#define RUMOUR_BYTES 160
struct rate_headroom;
struct slice rumours_left(char out[static RUMOUR_BYTES], const struct rate_headroom *said);

#endif
