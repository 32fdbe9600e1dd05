#include "cache/vectors.h"

#include "base/check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct vector {
	struct link link;
	uint64_t context;
	struct cache_key key;
	size_t count;
	int8_t numbers[];             /* in 127ths of the largest */
};

struct vectors {
	struct lock lock;
	struct list all;              /* the oldest first */
	size_t bytes, bytes_max;
};

struct vectors *vectors_create(size_t bytes)
{
	struct vectors *v = calloc(1, sizeof *v);

	must(v != NULL);
	lock_init(&v->lock);
	list_init(&v->all);
	v->bytes_max = bytes;
	return v;
}

static void drop(struct vectors *v, struct vector *one)
{
	list_remove(&v->all, &one->link);
	v->bytes -= sizeof *one + one->count;
	free(one);
}

void vectors_free(struct vectors *v)
{
	struct link *first;

	if (!v)
		return;
	while ((first = list_first(&v->all)))
		drop(v, CONTAINER_OF(first, struct vector, link));
	lock_destroy(&v->lock);
	free(v);
}

/* NULL: it points nowhere, or there is no memory. */
static struct vector *made_of(const float *numbers, size_t count)
{
	struct vector *one;
	double most = 0;

	for (size_t i = 0; i < count; i++)
		most = fabs((double)numbers[i]) > most ? fabs((double)numbers[i]) : most;
	if (!(most > 0) || most > 1e30)
		return NULL;
	one = calloc(1, sizeof *one + count);
	if (!one)
		return NULL;
	one->count = count;
	for (size_t i = 0; i < count; i++)
		one->numbers[i] = (int8_t)lround((double)numbers[i] / most * 127);
	return one;
}

void vectors_put(struct vectors *v, uint64_t context, const struct cache_key *key, const float *numbers,
		 size_t count)
{
	struct vector *one;
	struct link *first;

	must(count <= VECTOR_MAX);
	one = made_of(numbers, count);
	if (!one)
		return;
	one->context = context;
	one->key = *key;
	lock_take(&v->lock);
	LIST_EACH(&v->all, l, after)
		if (cache_key_eq(&CONTAINER_OF(l, struct vector, link)->key, key))
			drop(v, CONTAINER_OF(l, struct vector, link));
	list_append(&v->all, &one->link);
	v->bytes += sizeof *one + count;
	while (v->bytes > v->bytes_max && (first = list_first(&v->all)))
		drop(v, CONTAINER_OF(first, struct vector, link));
	lock_give(&v->lock);
}

/* Sums fit: 8192 products of at most 127 * 127. */
static double cosine(const struct vector *a, const struct vector *b)
{
	int32_t both = 0, of_a = 0, of_b = 0;

	for (size_t i = 0; i < a->count; i++) {
		both += a->numbers[i] * b->numbers[i];
		of_a += a->numbers[i] * a->numbers[i];
		of_b += b->numbers[i] * b->numbers[i];
	}
	return of_a && of_b ? (double)both / sqrt((double)of_a * (double)of_b) : 0;
}

struct cache_entry *vectors_find(struct vectors *v, uint64_t context, const float *numbers, size_t count,
				 double least, struct cache_entry *(*take)(void *owner, const struct cache_key *key),
				 void *owner, double *similarity)
{
	struct cache_entry *best = NULL;
	struct vector *asked = count <= VECTOR_MAX ? made_of(numbers, count) : NULL;

	if (!asked)
		return NULL;
	lock_take(&v->lock);
	LIST_EACH(&v->all, l, after) {
		const struct vector *one = CONTAINER_OF(l, struct vector, link);
		struct cache_entry *e;
		double like;

		if (one->context != context || one->count != count)
			continue;
		like = cosine(one, asked);
		if (like < least || (best && like <= *similarity))
			continue;
		e = take(owner, &one->key);
		if (!e)
			continue;
		cache_entry_give(best);
		best = e;
		*similarity = like > 1 ? 1 : like;
	}
	lock_give(&v->lock);
	free(asked);
	return best;
}

size_t vectors_count(struct vectors *v)
{
	size_t count;

	lock_take(&v->lock);
	count = v->all.count;
	lock_give(&v->lock);
	return count;
}
