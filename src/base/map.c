/* Open addressing with linear probing. A removal moves later entries of the
 * same run back into the gap, so there are no tombstones to sweep. */
#include "base/map.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

#define MAP_SIZE_FIRST 8

struct map_entry {
	uint64_t hash;
	struct slice key;        /* our copy */
	void *value;             /* NULL: the place is free */
};

struct map {
	struct map_entry *entries;
	size_t count, size;      /* size: 0 or a power of two */
	uint64_t seed;
};

struct map *map_create(uint64_t seed)
{
	struct map *m = calloc(1, sizeof *m);

	must(m != NULL);
	m->seed = seed;
	return m;
}

void map_free(struct map *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->size; i++)
		free((char *)(uintptr_t)m->entries[i].key.at);
	free(m->entries);
	free(m);
}

/* Where `key` is, or the free place where it belongs. The table is never full. */
static struct map_entry *find(const struct map *m, struct slice key, uint64_t hash)
{
	size_t mask = m->size - 1;

	for (size_t i = (size_t)hash & mask;; i = (i + 1) & mask) {
		struct map_entry *e = &m->entries[i];

		if (!e->value || (e->hash == hash && slice_eq(e->key, key)))
			return e;
	}
}

static void grow(struct map *m)
{
	struct map_entry *old = m->entries;
	size_t old_size = m->size;

	m->size = old_size ? old_size * 2 : MAP_SIZE_FIRST;
	m->entries = calloc(m->size, sizeof *m->entries);
	must(m->entries != NULL);
	for (size_t i = 0; i < old_size; i++)
		if (old[i].value)
			*find(m, old[i].key, old[i].hash) = old[i];
	free(old);
}

void *map_set(struct map *m, struct slice key, void *value)
{
	uint64_t hash = slice_hash(key, m->seed);
	struct map_entry *e;
	void *before;

	must(value != NULL);
	if (m->count + 1 > m->size / 4 * 3)
		grow(m);
	e = find(m, key, hash);
	before = e->value;
	if (!before) {
		*e = (struct map_entry){ .hash = hash, .key = { slice_to_cstring(key), key.len } };
		m->count++;
	}
	e->value = value;
	return before;
}

void *map_get(const struct map *m, struct slice key)
{
	return m->count ? find(m, key, slice_hash(key, m->seed))->value : NULL;
}

void *map_remove(struct map *m, struct slice key)
{
	size_t mask = m->size - 1;
	struct map_entry *e;
	size_t gap;
	void *value;

	if (m->count == 0)
		return NULL;
	e = find(m, key, slice_hash(key, m->seed));
	value = e->value;
	if (!value)
		return NULL;
	free((char *)(uintptr_t)e->key.at);
	gap = (size_t)(e - m->entries);
	for (size_t i = (gap + 1) & mask; m->entries[i].value; i = (i + 1) & mask) {
		size_t home = (size_t)m->entries[i].hash & mask;

		/* It may move back only if the gap is not before its home. */
		if (((i - home) & mask) < ((i - gap) & mask))
			continue;
		m->entries[gap] = m->entries[i];
		gap = i;
	}
	m->entries[gap] = (struct map_entry){ 0 };
	m->count--;
	return value;
}

size_t map_count(const struct map *m)
{
	return m->count;
}

bool map_next(const struct map *m, size_t *cursor, struct slice *key, void **value)
{
	while (*cursor < m->size) {
		const struct map_entry *e = &m->entries[(*cursor)++];

		if (e->value) {
			*key = e->key;
			*value = e->value;
			return true;
		}
	}
	return false;
}
