#include "base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_SIZE_DEFAULT 2048
#define PRINTF_STACK 256

/* Under AddressSanitizer each allocation is a block of its own, of the exact
 * size, so that a step past its end is seen. */
#if defined(__SANITIZE_ADDRESS__)
#define BLOCK_FOR_EACH 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define BLOCK_FOR_EACH 1
#endif
#endif
#ifndef BLOCK_FOR_EACH
#define BLOCK_FOR_EACH 0
#endif

struct block {
	struct block *next;
	alignas(max_align_t) char bytes[];
};

struct arena {
	struct block *blocks;
	char *at;                /* the free rest of the current block */
	size_t left;
	size_t first_size;       /* bytes inside a block, its head not counted; of the first one */
	size_t block_size;       /* ... and of others */
	size_t taken;
};

static size_t inside(size_t block_size)
{
	return block_size > 2 * sizeof(struct block) ? block_size - sizeof(struct block) : sizeof(struct block);
}

struct arena *arena_create(size_t block_size)
{
	return arena_create_for(block_size, block_size);
}

struct arena *arena_create_for(size_t first, size_t block_size)
{
	struct arena *a = calloc(1, sizeof *a);

	must(a != NULL);
	if (block_size == 0)
		block_size = BLOCK_SIZE_DEFAULT;
	a->block_size = inside(block_size);
	a->first_size = inside(first ? first : BLOCK_SIZE_DEFAULT);
	a->taken = sizeof *a;
	return a;
}

void arena_free(struct arena *arena)
{
	struct block *b = arena ? arena->blocks : NULL;

	while (b) {
		struct block *next = b->next;

		free(b);
		b = next;
	}
	free(arena);
}

static struct block *block_take(struct arena *a, size_t size)
{
	struct block *b;

	must(size <= SIZE_MAX - sizeof *b);
	b = malloc(sizeof *b + size);
	must(b != NULL);
	b->next = a->blocks;
	a->blocks = b;
	a->taken += sizeof *b + size;
	return b;
}

/* Room for `size` bytes in the current block, or a new one that becomes it; else a
 * block of its own for a big thing, so that the rest of the current one still serves
 * small ones: then that is returned, else NULL. */
static char *make_room(struct arena *a, size_t size)
{
	size_t next = a->blocks ? a->block_size : a->first_size;

	if (BLOCK_FOR_EACH)
		return block_take(a, size)->bytes;
	if (size <= a->left)
		return NULL;
	if (size > next || (a->blocks && size > next / 4))
		return block_take(a, size)->bytes;
	a->at = block_take(a, next)->bytes;
	a->left = next;
	return NULL;
}

/* Bytes that are not zeroed: from the front of the block. */
static char *take(struct arena *a, size_t size)
{
	size_t align = alignof(max_align_t);
	size_t rounded;
	char *p;

	if (size == 0)
		size = 1;
	must(size <= SIZE_MAX - align);
	rounded = (size + align - 1) / align * align;
	p = make_room(a, BLOCK_FOR_EACH ? size : rounded);
	if (p)
		return p;
	p = a->at;
	a->at += rounded;
	a->left -= rounded;
	return p;
}

/* The same for text, which needs no alignment: from the back of the block. */
static char *take_text(struct arena *a, size_t size)
{
	char *p = make_room(a, size);

	if (p)
		return p;
	a->left -= size;
	return a->at + a->left;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	return memset(take(arena, size), 0, size);
}

void *arena_alloc_array(struct arena *arena, size_t size, size_t count)
{
	size_t all;

	must(!__builtin_mul_overflow(size, count, &all));
	return arena_alloc(arena, all);
}

char *arena_cstring(struct arena *arena, struct slice s)
{
	char *p;

	must(s.len < SIZE_MAX);
	p = take_text(arena, s.len + 1);
	if (s.len)
		memcpy(p, s.at, s.len);
	p[s.len] = '\0';
	return p;
}

struct slice arena_copy(struct arena *arena, struct slice s)
{
	return (struct slice){ arena_cstring(arena, s), s.len };
}

struct slice arena_join(struct arena *arena, const struct slice *parts, size_t count)
{
	size_t len = 0;
	char *all, *at;

	for (size_t i = 0; i < count; i++)
		must(!__builtin_add_overflow(len, parts[i].len, &len));
	must(len < SIZE_MAX);
	all = at = take_text(arena, len + 1);
	for (size_t i = 0; i < count; i++) {
		if (parts[i].len > 0)
			memcpy(at, parts[i].at, parts[i].len);
		at += parts[i].len;
	}
	*at = '\0';
	return (struct slice){ all, len };
}

/* What fits on the stack is formatted once and copied. */
struct slice arena_printf(struct arena *arena, const char *format, ...)
{
	char small[PRINTF_STACK];
	va_list args;
	size_t size;
	int len;
	char *p;

	va_start(args, format);
	len = vsnprintf(small, sizeof small, format, args);
	va_end(args);
	must(len >= 0);
	size = (size_t)len + 1;
	p = take_text(arena, size);
	if (size <= sizeof small) {
		memcpy(p, small, size);
	} else {
		va_start(args, format);
		vsnprintf(p, size, format, args);
		va_end(args);
	}
	return (struct slice){ p, size - 1 };
}

size_t arena_size(const struct arena *arena)
{
	return arena->taken;
}
