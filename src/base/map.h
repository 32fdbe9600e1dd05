/* map.h: hash map from slices to pointers. Not thread-safe. */
#ifndef BACKSTAY_BASE_MAP_H
#define BACKSTAY_BASE_MAP_H

#include "base/slice.h"

struct map;

/* An empty map. `seed` makes collisions unguessable where keys come from
 * outside. The caller ends it with map_free(). */
struct map *map_create(uint64_t seed);
/* Frees the map and its copies of keys, not the values; NULL is fine. */
void map_free(struct map *m);
/* Sets key to value (not NULL); the key is copied. Gives the value that was
 * there before, or NULL. */
void *map_set(struct map *m, struct slice key, void *value);
/* The value, or NULL. */
void *map_get(const struct map *m, struct slice key);
/* Removes and gives the value, or NULL. */
void *map_remove(struct map *m, struct slice key);
size_t map_count(const struct map *m);
/* Walks all entries in no particular order: start with *cursor = 0; false at
 * the end. The map must not change meanwhile. */
bool map_next(const struct map *m, size_t *cursor, struct slice *key, void **value);

#endif
