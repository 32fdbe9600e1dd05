#include "cache/near.h"

#include "base/rng.h"

#define PIECE 5

/* Multipliers and addends of the ways of hashing; the same on every machine,
 * since sketches travel. */
struct ways {
	uint64_t times[CACHE_SKETCH], plus[CACHE_SKETCH];
};

static void ways_of(struct ways *w)
{
	struct rng rng;

	rng_seed(&rng, 0x6e656172);
	for (size_t i = 0; i < CACHE_SKETCH; i++) {
		w->times[i] = rng_next(&rng) | 1;
		w->plus[i] = rng_next(&rng);
	}
}

static void take_piece(const struct ways *w, const char *piece, uint32_t out[static CACHE_SKETCH])
{
	uint64_t hash = slice_hash((struct slice){ piece, PIECE }, 1);

	for (size_t i = 0; i < CACHE_SKETCH; i++) {
		uint32_t h = (uint32_t)((hash * w->times[i] + w->plus[i]) >> 32);

		if (h < out[i])
			out[i] = h;
	}
}

/* The next byte that counts: small letters, one space for many. */
static bool next_byte(struct slice text, size_t *at, char *last, char *out)
{
	for (; *at < text.len; (*at)++) {
		char c = text.at[*at];

		if (c == '\t' || c == '\n' || c == '\r')
			c = ' ';
		if (c == ' ' && *last == ' ')
			continue;
		*last = c;
		*out = c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
		(*at)++;
		return true;
	}
	return false;
}

void near_sketch(struct slice text, uint32_t out[static CACHE_SKETCH])
{
	char piece[PIECE] = "     ", last = ' ', c;
	struct ways w;
	size_t at = 0;

	ways_of(&w);
	for (size_t i = 0; i < CACHE_SKETCH; i++)
		out[i] = UINT32_MAX;
	while (next_byte(text, &at, &last, &c)) {
		for (size_t i = 0; i + 1 < PIECE; i++)
			piece[i] = piece[i + 1];
		piece[PIECE - 1] = c;
		take_piece(&w, piece, out);
	}
}

double near_similarity(const uint32_t a[static CACHE_SKETCH], const uint32_t b[static CACHE_SKETCH])
{
	unsigned same = 0;

	for (size_t i = 0; i < CACHE_SKETCH; i++)
		same += a[i] == b[i];
	return (double)same / CACHE_SKETCH;
}
