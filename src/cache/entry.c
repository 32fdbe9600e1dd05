#include "cache/entry.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

#define SLICES 8
#define MALLOC_OVERHEAD 16

static void slices_of(struct cache_facts *f, struct slice *out[static SLICES])
{
	struct slice *all[SLICES] = { &f->dialect, &f->path, &f->model, &f->served_model, &f->target,
				      &f->tags, &f->finish_reason, &f->body };

	memcpy(out, all, sizeof all);
}

struct cache_entry *cache_entry_create(const struct cache_key *key, const struct cache_facts *facts,
				       mono_ms now, int64_t age_ms)
{
	struct cache_facts copy = *facts;
	struct slice *slices[SLICES];
	size_t bytes = 0;
	struct cache_entry *e;
	char *at;

	slices_of(&copy, slices);
	for (size_t i = 0; i < SLICES; i++)
		bytes += slices[i]->len;
	e = calloc(1, sizeof *e + bytes);
	if (!e)
		return NULL;
	at = (char *)(e + 1);
	for (size_t i = 0; i < SLICES; i++) {
		if (slices[i]->len)
			memcpy(at, slices[i]->at, slices[i]->len);
		slices[i]->at = at;
		at += slices[i]->len;
	}
	refcount_init(&e->refs);
	e->key = *key;
	e->facts = copy;
	e->born = now - age_ms;
	e->size = sizeof *e + bytes + MALLOC_OVERHEAD;
	return e;
}

struct cache_entry *cache_entry_take(struct cache_entry *e)
{
	refcount_take(&e->refs);
	return e;
}

void cache_entry_give(struct cache_entry *e)
{
	if (e && refcount_give(&e->refs))
		free(e);
}

int64_t cache_entry_age_ms(const struct cache_entry *e, mono_ms now)
{
	return now > e->born ? now - e->born : 0;
}

bool cache_entry_has_tag(const struct cache_entry *e, struct slice tag)
{
	struct slice rest = e->facts.tags, one;

	while (slice_next_in_list(&rest, &one))
		if (slice_eq(one, tag))
			return true;
	return false;
}
