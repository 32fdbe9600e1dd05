/* pieces.h: fuzz input = a plan of cuts, a newline, and what is to be parsed.
 *
 * The plan is text, so that seeds can be written by hand: each character is the
 * length of a piece, 'a' for 1 to 'z' for 26 bytes (any other byte: its value
 * modulo 64, and 1 more); the last one goes on for ever; no plan: all in one
 * piece. Every piece ends right before a forbidden page, and what the parser
 * was shown before is overwritten. */
#ifndef BACKSTAY_TESTS_PIECES_H
#define BACKSTAY_TESTS_PIECES_H

#include "tests/exact.h"

#define PIECES_INPUT_MAX (1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct pieces {
	struct slice plan, all;
	size_t at, step;
	bool begun;
	struct exact exact;
};

static inline struct pieces pieces_create(struct slice plan, struct slice all)
{
	return (struct pieces){ .plan = plan, .all = all, .exact = exact_create(all.len) };
}

static inline void pieces_free(struct pieces *p)
{
	exact_free(&p->exact);
}

/* Splits fuzz input at its first newline. Without one there is no plan. */
static inline void pieces_split(const uint8_t *data, size_t size, struct slice *plan,
				struct slice *rest)
{
	struct slice in = { (const char *)data, size };

	*plan = SLICE_NONE;
	*rest = in;
	slice_cut(in, '\n', plan, rest);
}

static inline size_t pieces_length(char c)
{
	return c >= 'a' && c <= 'z' ? (size_t)(c - 'a') + 1 : ((unsigned char)c % 64) + 1u;
}

/* The next piece, where it lies in the input. At least one, which may be empty. */
static inline bool pieces_next(struct pieces *p, struct slice *piece)
{
	size_t left = p->all.len - p->at, len = left;

	if (left == 0 && p->begun)
		return false;
	p->begun = true;
	if (p->plan.len > 0) {
		len = pieces_length(p->plan.at[p->step]);
		if (p->step + 1 < p->plan.len)
			p->step++;
	}
	if (len > left)
		len = left;
	*piece = slice_sub(p->all, p->at, p->at + len);
	p->at += len;
	return true;
}

/* A copy at the forbidden page; good until the next one. */
static inline struct slice pieces_copy(struct pieces *p, struct slice s)
{
	return exact_copy(&p->exact, s);
}

#endif
