/* losses.h: what an API can say, but not in any request: numbers beyond its
 * limits, members that do not go together. Shared by the codecs' lacks(). Not for
 * other rooms. */
#ifndef BACKSTAY_DIALECT_LOSSES_H
#define BACKSTAY_DIALECT_LOSSES_H

#include "dialect/canon.h"

/* Is a number given (raw), and below or above the limits (thousandths)? */
bool losses_outside(struct slice number, int64_t min_milli, int64_t max_milli);
/* How many stop words. */
size_t losses_stops(const struct canon_request *r);
/* Was thinking sent back that is not that dialect's own, or that lacks its proof? */
bool losses_foreign_thinking(const struct canon_request *r, struct slice vendor);
/* Is a place in the prompt marked as worth keeping up to there? */
bool losses_cache_marks(const struct canon_request *r);
/* What Claude refuses while it thinks: a temperature but 1, top_p below 0.95, any
 * top_k (platform.claude.com, "Extended thinking": feature compatibility). */
uint64_t losses_beside_thinking(const struct canon_request *r);

#endif
