#include "base/mono.h"

#include "base/check.h"

mono_ms mono_after(mono_ms at, int64_t delay_ms)
{
	mono_ms sum;

	must(delay_ms >= 0);
	if (at == MONO_NEVER || __builtin_add_overflow(at, delay_ms, &sum))
		return MONO_NEVER;
	/* The latest possible sum and MONO_NEVER are the same number, so a delay
	 * of MONO_NEVER from a start before zero has to be told apart. */
	return delay_ms == MONO_NEVER ? MONO_NEVER : sum;
}
