/* backoff.h: how long to pause before asking again. Pure. */
#ifndef BACKSTAY_RESILIENCE_BACKOFF_H
#define BACKSTAY_RESILIENCE_BACKOFF_H

#include <stdint.h>

/* Full jitter: even over 0 .. min(cap_ms, base_ms * 2^tries), where `random` is
 * 64 random bits. base_ms and cap_ms are positive; `tries` counts from 0. The
 * spread is what keeps many clients from coming back together. */
int64_t backoff_full_jitter_ms(int64_t base_ms, int64_t cap_ms, unsigned tries, uint64_t random);

#endif
