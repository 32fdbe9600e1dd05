#include "base/heap.h"

#include "base/check.h"

#include <stdlib.h>

#define HEAP_SIZE_FIRST 16

void heap_free(struct heap *h)
{
	free(h->nodes);
	*h = (struct heap){ 0 };
}

static bool comes_before(const struct heap_node *a, const struct heap_node *b)
{
	return a->key != b->key ? a->key < b->key : a->order < b->order;
}

static void place(struct heap *h, struct heap_node *n, size_t index)
{
	h->nodes[index] = n;
	n->at = index + 1;
}

/* Moves the node towards the top until its parent comes before it. */
static void sift_up(struct heap *h, size_t index)
{
	struct heap_node *n = h->nodes[index];

	while (index > 0) {
		size_t parent = (index - 1) / 2;

		if (comes_before(h->nodes[parent], n))
			break;
		place(h, h->nodes[parent], index);
		index = parent;
	}
	place(h, n, index);
}

/* Moves the node away from the top until both its children come after it. */
static void sift_down(struct heap *h, size_t index)
{
	struct heap_node *n = h->nodes[index];
	size_t child;

	while ((child = 2 * index + 1) < h->count) {
		if (child + 1 < h->count && comes_before(h->nodes[child + 1], h->nodes[child]))
			child++;
		if (comes_before(n, h->nodes[child]))
			break;
		place(h, h->nodes[child], index);
		index = child;
	}
	place(h, n, index);
}

static void settle(struct heap *h, size_t index)
{
	struct heap_node *n = h->nodes[index];

	sift_up(h, index);
	sift_down(h, n->at - 1);
}

static void grow(struct heap *h)
{
	size_t size = h->size ? h->size * 2 : HEAP_SIZE_FIRST;
	struct heap_node **nodes = reallocarray(h->nodes, size, sizeof *nodes);

	must(nodes != NULL);
	h->nodes = nodes;
	h->size = size;
}

void heap_set(struct heap *h, struct heap_node *n, mono_ms key)
{
	n->key = key;
	n->order = h->next_order++;
	if (n->at == 0) {
		if (h->count == h->size)
			grow(h);
		place(h, n, h->count++);
	}
	must(n->at <= h->count);
	must(h->nodes[n->at - 1] == n);
	settle(h, n->at - 1);
}

void heap_remove(struct heap *h, struct heap_node *n)
{
	struct heap_node *last;
	size_t index;

	if (n->at == 0)
		return;
	must(n->at <= h->count);
	must(h->nodes[n->at - 1] == n);
	index = n->at - 1;
	n->at = 0;
	last = h->nodes[--h->count];
	if (last == n)
		return;
	place(h, last, index);
	settle(h, index);
}

struct heap_node *heap_min(const struct heap *h)
{
	return h->count ? h->nodes[0] : NULL;
}
