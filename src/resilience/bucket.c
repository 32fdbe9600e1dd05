#include "resilience/bucket.h"

#include "base/check.h"

/* The reserve trickles in. */
static int64_t level_at(const struct bucket *b, const struct bucket_policy *policy, mono_ms now)
{
	int64_t reserve = policy->reserve * BUCKET_TOKEN, most = policy->most * BUCKET_TOKEN;
	int64_t level = b->level, since;

	must(policy->reserve_ms > 0);
	must(policy->most >= policy->reserve);
	if (!b->begun)
		return reserve;
	since = now - b->filled_at;
	if (level < reserve) {
		int64_t full_after = policy->reserve * policy->reserve_ms;

		level += since >= full_after ? reserve : since * BUCKET_TOKEN / policy->reserve_ms;
		if (level > reserve)
			level = reserve;
	}
	return level < most ? level : most;
}

static void put(struct bucket *b, const struct bucket_policy *policy, mono_ms now, int64_t amount)
{
	int64_t level = level_at(b, policy, now) + amount, most = policy->most * BUCKET_TOKEN;

	b->level = level < most ? level : most;
	b->filled_at = now;
	b->begun = true;
}

void bucket_feed(struct bucket *b, const struct bucket_policy *policy, mono_ms now)
{
	put(b, policy, now, policy->share_milli);
}

bool bucket_take(struct bucket *b, const struct bucket_policy *policy, mono_ms now)
{
	if (level_at(b, policy, now) < BUCKET_TOKEN)
		return false;
	put(b, policy, now, -BUCKET_TOKEN);
	return true;
}

void bucket_give(struct bucket *b, const struct bucket_policy *policy, mono_ms now)
{
	put(b, policy, now, BUCKET_TOKEN);
}

double bucket_level(const struct bucket *b, const struct bucket_policy *policy, mono_ms now)
{
	return (double)level_at(b, policy, now) / (double)BUCKET_TOKEN;
}
