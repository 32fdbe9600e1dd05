#include "dialect/losses.h"

#include "base/check.h"

bool losses_outside(struct slice number, int64_t min_milli, int64_t max_milli)
{
	int64_t milli;

	if (number.len && number.at[0] == '-')
		return min_milli >= 0;
	return slice_to_milli(number, &milli) && (milli < min_milli || milli > max_milli);
}

size_t losses_stops(const struct canon_request *r)
{
	size_t count = 0;

	for (const struct canon_text *t = r->stop; t; t = t->next)
		count++;
	return count;
}

bool losses_foreign_thinking(const struct canon_request *r, struct slice vendor)
{
	for (const struct canon_message *m = r->messages; m; m = m->next)
		for (const struct canon_part *p = m->parts; p; p = p->next)
			if (p->kind == CANON_PART_REASONING &&
			    (!slice_eq(p->vendor, vendor) || (!p->signature.len && !p->encrypted.len)))
				return true;
	return false;
}

bool losses_cache_marks(const struct canon_request *r)
{
	for (const struct canon_tool *t = r->tools; t; t = t->next)
		if (t->cache_here)
			return true;
	for (const struct canon_message *m = r->messages; m; m = m->next)
		for (const struct canon_part *p = m->parts; p; p = p->next)
			if (p->cache_here)
				return true;
	return false;
}

uint64_t losses_beside_thinking(const struct canon_request *r)
{
	uint64_t lost = CANON_HAS(TOP_K);

	if (losses_outside(r->temperature, 1000, 1000))
		lost |= CANON_HAS(TEMPERATURE);
	if (losses_outside(r->top_p, 950, 1000))
		lost |= CANON_HAS(TOP_P);
	return lost;
}
