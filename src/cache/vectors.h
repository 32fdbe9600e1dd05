/* vectors.h: how alike are two questions by what they mean? An embeddings model has
 * made a vector of each; this keeps the vectors of kept answers' questions, bounded in
 * bytes (the oldest goes first), and finds those that point the same way. */
#ifndef BACKSTAY_CACHE_VECTORS_H
#define BACKSTAY_CACHE_VECTORS_H

#include "cache/entry.h"

/* More numbers than any model's vector has. */
#define VECTOR_MAX 8192

struct vectors;

/* Holds at most `bytes`. The caller ends it with vectors_free(); everything else may
 * be called on any thread. */
struct vectors *vectors_create(size_t bytes);
void vectors_free(struct vectors *v);
/* Keeps the vector of the question that has that key. Numbers are kept as bytes,
 * which costs a similarity less than a hundredth. `count` is at most VECTOR_MAX. */
void vectors_put(struct vectors *v, uint64_t context, const struct cache_key *key, const float *numbers,
		 size_t count);
/* Of those with that context whose cosine with `numbers` is at least `least` the
 * likest for which take(owner, key) gives an answer: that answer. NULL: none. */
struct cache_entry *vectors_find(struct vectors *v, uint64_t context, const float *numbers, size_t count,
				 double least, struct cache_entry *(*take)(void *owner, const struct cache_key *key),
				 void *owner, double *similarity);
/* How many there are. */
size_t vectors_count(struct vectors *v);

#endif
