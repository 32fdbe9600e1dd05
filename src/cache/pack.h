/* pack.h: an answer as bytes, for stores outside of memory: compressed (zstd,
 * level 1), with a checksum over all of it and its key, so that nothing that was
 * cut, mixed up or written over is ever taken for an answer. */
#ifndef BACKSTAY_CACHE_PACK_H
#define BACKSTAY_CACHE_PACK_H

#include "base/buf.h"
#include "cache/entry.h"

/* Appends `e`. False: above the buf's maximum, or there is no memory. */
MUST_USE bool cache_pack(const struct cache_entry *e, struct buf *out);
/* The answer in `packed`, if it is whole and of that key: of age `age_ms` at `now`,
 * with one reference. What would be larger than `bytes_max` unpacked is none.
 * NULL: it is not that. */
struct cache_entry *cache_unpack(struct slice packed, const struct cache_key *key, size_t bytes_max,
				 mono_ms now, int64_t age_ms);

#endif
