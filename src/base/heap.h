/* heap.h: intrusive binary min-heap of times; what timers are kept in. */
#ifndef BACKSTAY_BASE_HEAP_H
#define BACKSTAY_BASE_HEAP_H

#include "base/mono.h"

#include <stdbool.h>
#include <stddef.h>

struct heap_node {
	size_t at;               /* place in the heap + 1; 0: in no heap */
	mono_ms key;
	uint64_t order;          /* ties: set by the heap, first come first out */
};

struct heap {
	struct heap_node **nodes;
	size_t count, size;
	uint64_t next_order;
};

/* Frees the table (not the nodes). A zeroed heap is a valid empty one. */
void heap_free(struct heap *h);
/* Puts `n` in with `key`, or moves it if it is in already (then it counts as
 * the last of its key). */
void heap_set(struct heap *h, struct heap_node *n, mono_ms key);
/* Takes `n` out; nothing happens if it is in no heap. */
void heap_remove(struct heap *h, struct heap_node *n);
/* The node with the smallest key, first come first; NULL if empty. */
struct heap_node *heap_min(const struct heap *h);

#endif
