/* entry.h: one kept answer: whole, as its client's dialect writes it, with what
 * must be known to give it again. Immutable once it is made; counted, so that
 * it can be read while a store drops it. */
#ifndef BACKSTAY_CACHE_ENTRY_H
#define BACKSTAY_CACHE_ENTRY_H

#include "base/list.h"
#include "base/lock.h"
#include "base/mono.h"
#include "cache/key.h"

#define CACHE_TAGS_MAX  8
#define CACHE_TAG_BYTES 64
#define CACHE_SKETCH    64            /* numbers in a sketch; see near.h */

/* What an answer is made of. Slices are borrowed until cache_entry_create() has
 * copied them. */
struct cache_facts {
	struct slice dialect;         /* the client's, whose form the body has */
	struct slice path;            /* of the endpoint */
	struct slice model;           /* asked for: the config's name, and what a pattern's star stood for */
	struct slice served_model, target;    /* who gave it */
	struct slice tags;            /* separated by commas, without spaces */
	struct slice finish_reason;
	struct slice body;
	bool usage_known;
	int64_t input_tokens, output_tokens, cached_tokens, reasoning_tokens;
	int64_t kept_ms;              /* of no use when it is older */
	uint64_t context;             /* near matches: what must be equal; 0: not for near matches */
	uint32_t sketch[CACHE_SKETCH];
};

struct cache_entry {
	struct refcount refs;
	struct cache_key key;
	struct cache_facts facts;     /* slices of the entry's own memory */
	mono_ms born;                 /* when the answer was whole: its age is now - born. May be
				       * negative, since it may be older than the machine's clock */
	size_t size;                  /* bytes of memory, all told */
	/* The memory store's, under its lock: */
	struct cache_entry *chain;
	struct link queue, near;
	uint8_t hits;                 /* since it was looked at last, at most 3 */
	bool in_main;
};

/* A new entry of age `age_ms` with one reference. NULL: there is no memory. */
struct cache_entry *cache_entry_create(const struct cache_key *key, const struct cache_facts *facts,
				       mono_ms now, int64_t age_ms);
/* One reference more, one less; NULL is fine for the second. Any thread. */
struct cache_entry *cache_entry_take(struct cache_entry *e);
void cache_entry_give(struct cache_entry *e);
/* Age in ms, at least 0. */
int64_t cache_entry_age_ms(const struct cache_entry *e, mono_ms now);
/* Does it carry this tag? */
bool cache_entry_has_tag(const struct cache_entry *e, struct slice tag);

#endif
