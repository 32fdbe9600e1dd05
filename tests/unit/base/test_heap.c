#include "base/check.h"
#include "base/heap.h"
#include "base/rng.h"

#include "cm.h"

enum { A, B, C, D, NODES };
enum act { SET, REMOVE, MIN, TAKE };
#define NONE NODES

struct row {
	enum act act;
	unsigned node;            /* for MIN and TAKE: which one it has to be */
	mono_ms key;
	const char *says;
};

static const struct row story[] = {
	{ MIN,    NONE, 0, "an empty heap has no first" },
	{ SET,    A, 30, "" },
	{ SET,    B, 10, "" },
	{ SET,    C, 20, "" },
	{ MIN,    B, 0,  "the smallest key is first" },
	{ SET,    B, 40, "setting a node that is in moves it" },
	{ MIN,    C, 0,  "so another is first" },
	{ REMOVE, C, 0,  "" },
	{ MIN,    A, 0,  "a removed node is gone" },
	{ REMOVE, C, 0,  "removing it again does nothing" },
	{ SET,    C, 30, "" },
	{ SET,    D, 30, "" },
	{ MIN,    A, 0,  "of equal keys the first to come is first" },
	{ SET,    A, 30, "set again, with the same key" },
	{ TAKE,   C, 0,  "it now counts as the last of its key" },
	{ TAKE,   D, 0,  "" },
	{ TAKE,   A, 0,  "" },
	{ TAKE,   B, 0,  "" },
	{ MIN,    NONE, 0, "all are out" },
	{ SET,    B, MONO_NEVER, "" },
	{ SET,    A, -5, "" },
	{ TAKE,   A, 0,  "keys may be negative" },
	{ TAKE,   B, 0,  "never is the last key" },
};

static void rows(void **state)
{
	struct heap_node nodes[NODES] = { { 0 } };
	struct heap h = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(story); i++) {
		const struct row *r = &story[i];
		struct heap_node *n = r->node == NONE ? NULL : &nodes[r->node];

		switch (r->act) {
		case SET:    heap_set(&h, n, r->key); break;
		case REMOVE: heap_remove(&h, n); break;
		case MIN:    row_holds(heap_min(&h) == n, r->says); break;
		case TAKE:
			row_holds(heap_min(&h) == n, r->says);
			heap_remove(&h, n);
			row_holds(n->at == 0, r->says);
			break;
		}
	}
	assert_int_equal(h.count, 0);
	heap_free(&h);
}

/* Against the simplest thing that could work: look at all of them. */
static struct heap_node *slow_min(struct heap_node *nodes, size_t count)
{
	struct heap_node *min = NULL;

	for (size_t i = 0; i < count; i++) {
		struct heap_node *n = &nodes[i];

		if (n->at && (!min || n->key < min->key
			      || (n->key == min->key && n->order < min->order)))
			min = n;
	}
	return min;
}

static void agrees_with_a_search(void **state)
{
	struct heap_node nodes[100] = { { 0 } };
	struct heap h = { 0 };
	struct rng r;

	(void)state;
	rng_seed(&r, 5);
	for (int i = 0; i < 20000; i++) {
		struct heap_node *n = &nodes[rng_below(&r, COUNT_OF(nodes))];

		if (rng_one_in(&r, 3))
			heap_remove(&h, n);
		else
			heap_set(&h, n, (mono_ms)rng_below(&r, 50));
		assert_ptr_equal(heap_min(&h), slow_min(nodes, COUNT_OF(nodes)));
	}
	heap_free(&h);
	assert_null(heap_min(&h));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows),
		cmocka_unit_test(agrees_with_a_search),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
