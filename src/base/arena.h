/* arena.h: memory that is given back all at once (one per exchange, one per
 * config snapshot). Not thread-safe. */
#ifndef BACKSTAY_BASE_ARENA_H
#define BACKSTAY_BASE_ARENA_H

#include "base/check.h"
#include "base/slice.h"

struct arena;

/* A new arena that takes memory from malloc in blocks of at least
 * `block_size` bytes (0: 2048). No block is taken before the first use.
 * The caller owns it and ends it with arena_free(). */
struct arena *arena_create(size_t block_size);
/* The same, but that its first block holds at least `first` bytes: for owners that
 * know what they need, and hold it for long. */
struct arena *arena_create_for(size_t first, size_t block_size);
/* Frees all of it; NULL is fine. */
void arena_free(struct arena *arena);
/* Zeroed, aligned for any type; size 0 gives a valid pointer. Aborts when the
 * machine has no memory: what comes from outside in bulk belongs in a buf with
 * a maximum, never here. */
void *arena_alloc(struct arena *arena, size_t size);
#define arena_new(arena, type) ((type *)arena_alloc((arena), sizeof(type)))
#define arena_array(arena, type, count) \
	((type *)arena_alloc_array((arena), sizeof(type), (count)))
/* Overflow-checked count * size. */
void *arena_alloc_array(struct arena *arena, size_t size, size_t count);
/* A copy of the bytes, with a NUL behind them that is not counted. As all text, not
 * aligned. */
struct slice arena_copy(struct arena *arena, struct slice s);
/* The same as a C string. */
char *arena_cstring(struct arena *arena, struct slice s);
/* The parts one behind the other, NUL behind them not counted. */
struct slice arena_join(struct arena *arena, const struct slice *parts, size_t count);
/* Formatted text, NUL behind it not counted. */
struct slice arena_printf(struct arena *arena, const char *format, ...) PRINTF_LIKE(2, 3);
/* Bytes taken from malloc so far. */
size_t arena_size(const struct arena *arena);

#endif
