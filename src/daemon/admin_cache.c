/* Kept answers on the admin port. */
#include "daemon/admin.h"

#include "base/check.h"
#include "cache/cache.h"
#include "cache/flight.h"

bool admin_write_cache_metrics(const struct admin_state *s, struct buf *out)
{
	const struct cache_stats c = cache_stats(s->cache);
	const struct flight_counts f = flights_count(s->flights);
	const struct { const char *name, *type, *help; uint64_t number; } rows[] = {
		{ "backstay_cache_memory_entries", "gauge", "Answers kept in memory, now.", c.memory.entries },
		{ "backstay_cache_memory_bytes", "gauge", "Bytes they take, now.", c.memory.bytes },
		{ "backstay_cache_memory_max_bytes", "gauge", "Bytes they may take.", c.memory.bytes_max },
		{ "backstay_cache_memory_evictions_total", "counter",
		  "Answers dropped from memory to make room.", c.memory.evictions },
		{ "backstay_cache_too_large_total", "counter", "Answers that were too large for memory.",
		  c.memory.too_large },
		{ "backstay_cache_purges_total", "counter", "Orders to drop kept answers.", c.purges },
		{ "backstay_cache_purged_total", "counter", "Answers dropped by order.", c.purged },
		{ "backstay_cache_kept_out_total", "counter",
		  "Answers not kept since an order to drop came while they were made.", c.kept_out },
		{ "backstay_cache_flights", "gauge", "Answers under way that may be shared, now.",
		  f.flights },
		{ "backstay_cache_followers", "gauge", "Requests that share one of them, now.",
		  f.followers },
	};
	bool ok = true;

	for (size_t i = 0; i < COUNT_OF(rows) && ok; i++)
		ok = metrics_write_head(out, rows[i].name, rows[i].type, rows[i].help) &&
		     metrics_write_sample(out, rows[i].name, NULL, SLICE_NONE, (double)rows[i].number);
	return ok;
}
