#include "cache/wishes.h"

void cache_wishes_init(struct cache_wishes *w)
{
	*w = (struct cache_wishes){ .max_age_ms = INT64_MAX, .stale_if_error_ms = -1 };
}

/* "60" in ms; 0 where it is no number of seconds. */
static int64_t span_ms(struct slice value)
{
	uint64_t seconds = 0;

	if (value.len >= 2 && value.at[0] == '"' && value.at[value.len - 1] == '"')
		value = slice_sub(value, 1, value.len - 1);
	if (!slice_to_u64(value, &seconds))
		return 0;
	return seconds > INT64_MAX / 1000 ? INT64_MAX : (int64_t)seconds * 1000;
}

static void read_one(struct cache_wishes *w, struct slice name, bool has_value, struct slice value)
{
	if (slice_eq_nocase(name, S("no-store")))
		w->no_store = true;
	else if (slice_eq_nocase(name, S("no-cache")))
		w->no_cache = true;
	else if (slice_eq_nocase(name, S("only-if-cached")))
		w->only_if_cached = true;
	else if (slice_eq_nocase(name, S("max-age")))
		w->max_age_ms = span_ms(value);
	else if (slice_eq_nocase(name, S("max-stale")))
		w->max_stale_ms = has_value ? span_ms(value) : INT64_MAX;
	else if (slice_eq_nocase(name, S("stale-if-error")))
		w->stale_if_error_ms = span_ms(value);
}

void cache_wishes_read(struct cache_wishes *w, struct slice value)
{
	struct slice one;

	while (slice_next_in_list(&value, &one)) {
		struct slice name = one, rest = SLICE_NONE;
		bool has_value = slice_cut(one, '=', &name, &rest);

		read_one(w, slice_trim(name), has_value, slice_trim(rest));
	}
}

static int64_t fresh_ms(const struct cache_policy *p, const struct cache_wishes *w)
{
	return p->fresh_ms < w->max_age_ms ? p->fresh_ms : w->max_age_ms;
}

/* Sums of spans that may be "any". */
static int64_t plus(int64_t a, int64_t b)
{
	return a > INT64_MAX - b ? INT64_MAX : a + b;
}

bool cache_may_hit(const struct cache_policy *p, const struct cache_wishes *w)
{
	if (w->no_store || w->no_cache)
		return false;
	return fresh_ms(p, w) > 0 || (w->max_stale_ms > 0 && p->stale_ms > 0);
}

enum cache_verdict cache_verdict(const struct cache_policy *p, const struct cache_wishes *w,
				 int64_t age_ms)
{
	int64_t fresh = fresh_ms(p, w);

	if (!cache_may_hit(p, w))
		return CACHE_MISS;
	if (age_ms < fresh)
		return CACHE_GIVE;
	/* A client that says how old an answer may be means it. */
	if (p->fresh_ms > 0 && w->max_age_ms == INT64_MAX && age_ms < plus(p->fresh_ms, p->refresh_ms))
		return CACHE_GIVE_REFRESH;
	if (age_ms < p->stale_ms && age_ms < plus(fresh, w->max_stale_ms))
		return CACHE_GIVE_STALE;
	return CACHE_MISS;
}

bool cache_may_rescue(const struct cache_policy *p, const struct cache_wishes *w, int64_t age_ms)
{
	if (w->no_store || age_ms >= p->stale_ms)
		return false;
	if (w->stale_if_error_ms >= 0)
		return age_ms < plus(fresh_ms(p, w), w->stale_if_error_ms);
	/* Without a word about trouble, "no-cache" means always. */
	return !w->no_cache;
}
