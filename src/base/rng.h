/* rng.h: a seeded generator (xoshiro256**). The same seed gives the same
 * numbers on every machine. Not for secrets. */
#ifndef BACKSTAY_BASE_RNG_H
#define BACKSTAY_BASE_RNG_H

#include <stdbool.h>
#include <stdint.h>

struct rng {
	uint64_t s[4];
};

/* Any seed is fine, 0 too. */
void rng_seed(struct rng *r, uint64_t seed);
uint64_t rng_next(struct rng *r);
/* Even over 0 .. below-1; below must not be 0. */
uint64_t rng_below(struct rng *r, uint64_t below);
/* Even over [0, 1). */
double rng_unit(struct rng *r);
/* True once in `of` times on average. */
bool rng_one_in(struct rng *r, uint64_t of);

#endif
