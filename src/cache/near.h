/* near.h: how alike are two questions? A question's text is cut into overlapping
 * pieces of five characters; a sketch keeps, for each of CACHE_SKETCH ways of
 * hashing, the least hash of all pieces (MinHash, Broder 1997). The share of equal
 * numbers in two sketches tells the share of pieces that both texts have. Pure. */
#ifndef BACKSTAY_CACHE_NEAR_H
#define BACKSTAY_CACHE_NEAR_H

#include "cache/entry.h"

/* The sketch of a text. Case (of ASCII) and spacing do not matter. */
void near_sketch(struct slice text, uint32_t out[static CACHE_SKETCH]);
/* 0 .. 1. */
double near_similarity(const uint32_t a[static CACHE_SKETCH], const uint32_t b[static CACHE_SKETCH]);

#endif
