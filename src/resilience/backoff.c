#include "resilience/backoff.h"

#include "base/check.h"

int64_t backoff_full_jitter_ms(int64_t base_ms, int64_t cap_ms, unsigned tries, uint64_t random)
{
	int64_t ceiling = base_ms;

	must(base_ms > 0);
	must(cap_ms > 0);
	for (unsigned i = 0; i < tries && ceiling < cap_ms; i++)
		ceiling = ceiling > cap_ms / 2 ? cap_ms : ceiling * 2;
	if (ceiling > cap_ms)
		ceiling = cap_ms;
	return (int64_t)(random % ((uint64_t)ceiling + 1));
}
