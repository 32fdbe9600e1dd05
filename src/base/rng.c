/* xoshiro256** by Blackman and Vigna (https://prng.di.unimi.it), state filled
 * with splitmix64 as its authors advise. */
#include "base/rng.h"

#include "base/check.h"

static uint64_t rotate_left(uint64_t x, unsigned by)
{
	return (x << by) | (x >> (64 - by));
}

void rng_seed(struct rng *r, uint64_t seed)
{
	for (unsigned i = 0; i < COUNT_OF(r->s); i++) {
		uint64_t z;

		seed += UINT64_C(0x9e3779b97f4a7c15);
		z = seed;
		z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
		z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
		r->s[i] = z ^ (z >> 31);
	}
}

uint64_t rng_next(struct rng *r)
{
	uint64_t *s = r->s;
	uint64_t result = rotate_left(s[1] * 5, 7) * 9;
	uint64_t shifted = s[1] << 17;

	must((s[0] | s[1] | s[2] | s[3]) != 0);         /* never seeded */
	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= shifted;
	s[3] = rotate_left(s[3], 45);
	return result;
}

uint64_t rng_below(struct rng *r, uint64_t below)
{
	uint64_t uneven, x;

	must(below > 0);
	/* 2^64 mod below: as many low numbers have to go for the rest to be even. */
	uneven = (UINT64_MAX - below + 1) % below;
	do
		x = rng_next(r);
	while (x < uneven);
	return x % below;
}

double rng_unit(struct rng *r)
{
	return (double)(rng_next(r) >> 11) * 0x1p-53;
}

bool rng_one_in(struct rng *r, uint64_t of)
{
	return rng_below(r, of) == 0;
}
