#include "observe/record.h"

#include "base/check.h"

const char *degraded_name(enum degraded d)
{
	switch (d) {
	case DEGRADED_NO:       return "";
	case DEGRADED_FALLBACK: return "fallback";
	case DEGRADED_RESUMED:  return "resumed";
	case DEGRADED_STALE:    return "stale";
	case DEGRADED_NEAR:     return "near";
	case DEGRADED_LAST_RESORT: return "last-resort";
	case DEGRADED_COUNT:    break;
	}
	never("a degradation without a name");
}

const char *cache_use_name(enum cache_use u)
{
	static const char *const names[CACHE_USE_COUNT] = { "", "miss", "hit", "stale", "near", "joined",
							    "refresh" };

	return names[u];
}

static const char *const tier_names[CACHE_TIER_COUNT] = { "none", "memory", "disk", "shared" };

const char *cache_tier_name(enum cache_tier t)
{
	return tier_names[t];
}

enum cache_tier cache_tier_of(const char *name)
{
	for (size_t i = 1; name && i < CACHE_TIER_COUNT; i++)
		if (slice_eq(slice_of(name), slice_of(tier_names[i])))
			return (enum cache_tier)i;
	return CACHE_TIER_NONE;
}

bool cache_use_gives(enum cache_use u)
{
	return u == CACHE_USE_HIT || u == CACHE_USE_STALE || u == CACHE_USE_NEAR || u == CACHE_USE_JOINED;
}

static bool is_trouble(enum fault f)
{
	return f != FAULT_NONE && f != FAULT_CALLER && f != FAULT_CLIENT_GONE && f != FAULT_CONTEXT &&
	       f != FAULT_POLICY && f != FAULT_OUTRUN;
}

bool record_is_calm(const struct exchange_record *r)
{
	if (is_trouble(r->fault) || r->degraded != DEGRADED_NO)
		return false;
	for (size_t i = 0; i < r->attempt_count; i++)
		if (is_trouble(r->attempts[i].fault))
			return false;
	return true;
}
