#include "resilience/outlier.h"

#include "base/check.h"

static bool is_known(const struct outlier_policy *policy, const struct mean *m, mono_ms now)
{
	/* Weights fade while they are counted: a little less than the number is enough. */
	return mean_weight(m, now) >= policy->samples_min * 0.8;
}

static const struct mean *mean_of(const struct outlier_member *m, enum outlier_why by)
{
	return by == OUTLIER_SPEED ? &m->tokens_per_s : &m->first_token_ms;
}

/* The median of all but `self`; false if there is nobody to compare with. */
static bool median_of_others(const struct outlier_policy *policy, mono_ms now,
			     const struct outlier_member *members, size_t count, size_t self,
			     enum outlier_why by, double *median)
{
	double sorted[OUTLIER_MEMBERS_MAX];
	size_t n = 0, at;

	for (size_t i = 0; i < count; i++) {
		const struct mean *m = mean_of(&members[i], by);

		if (i == self || members[i].out || !is_known(policy, m, now))
			continue;
		for (at = n++; at > 0 && sorted[at - 1] > m->value; at--)
			sorted[at] = sorted[at - 1];
		sorted[at] = m->value;
	}
	if (n == 0)
		return false;
	/* Of an even number the one that is kinder to who is judged. */
	*median = by == OUTLIER_SPEED ? sorted[(n - 1) / 2] : sorted[n / 2];
	return true;
}

/* How many times worse than the others; 0: not judged, or fine. */
static double badness(const struct outlier_policy *policy, mono_ms now,
		      const struct outlier_member *members, size_t count, size_t self,
		      enum outlier_why by)
{
	const struct mean *own = mean_of(&members[self], by);
	double median, times;

	if (!is_known(policy, own, now) ||
	    !median_of_others(policy, now, members, count, self, by, &median))
		return 0;
	if (by == OUTLIER_SPEED) {
		times = median / (own->value > 0.01 ? own->value : 0.01);
	} else {
		if (own->value < median + (double)policy->slack_ms)
			return 0;
		times = own->value / (median > 1 ? median : 1);
	}
	return times >= policy->factor ? times : 0;
}

/* May one more go? */
static bool has_room(const struct outlier_policy *policy, const struct outlier_member *members,
		     size_t count)
{
	size_t out = 0;

	for (size_t i = 0; i < count; i++)
		out += members[i].out;
	return out + 1 < count && (out + 1) * 100 <= count * policy->share_percent;
}

size_t outlier_find(const struct outlier_policy *policy, mono_ms now,
		    const struct outlier_member *members, size_t count, enum outlier_why *why)
{
	size_t worst = SIZE_MAX;
	double most = 0;

	must(count <= OUTLIER_MEMBERS_MAX);
	*why = OUTLIER_NONE;
	if (!has_room(policy, members, count))
		return SIZE_MAX;
	for (size_t i = 0; i < count; i++) {
		for (int by = OUTLIER_FIRST_TOKEN; by <= OUTLIER_SPEED && !members[i].out; by++) {
			double times = badness(policy, now, members, count, i, (enum outlier_why)by);

			if (times > most) {
				most = times;
				worst = i;
				*why = (enum outlier_why)by;
			}
		}
	}
	return worst;
}

int64_t outlier_eject_ms(const struct outlier_policy *policy, unsigned times)
{
	int64_t ms = policy->eject_ms;

	for (unsigned i = 0; i < times && ms < policy->eject_max_ms; i++)
		ms = ms > policy->eject_max_ms / 2 ? policy->eject_max_ms : ms * 2;
	return ms < policy->eject_max_ms ? ms : policy->eject_max_ms;
}
