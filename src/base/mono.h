/* mono.h: time as the daemon knows it.
 *
 * A mono_ms is a monotonic time in milliseconds from an arbitrary start. It is
 * handed down as an argument; only src/io/real and sim/ ever make one. It is
 * the one scalar typedef of the code base. */
#ifndef BACKSTAY_BASE_MONO_H
#define BACKSTAY_BASE_MONO_H

#include <stdint.h>

typedef int64_t mono_ms;

#define MONO_NEVER INT64_MAX

/* `at + delay_ms`, or MONO_NEVER where either is MONO_NEVER or the sum would
 * overflow. delay_ms must not be negative. */
mono_ms mono_after(mono_ms at, int64_t delay_ms);

/* The earlier of two times. */
static inline mono_ms mono_earlier(mono_ms a, mono_ms b)
{
	return a < b ? a : b;
}

#endif
