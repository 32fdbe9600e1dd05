/* Replies of a store: the same whichever way they are cut, within their bounds. */
#include "base/check.h"
#include "pieces.h"
#include "wire/resp.h"

#define BYTES_MAX 65536

static uint64_t mix(uint64_t sum, const struct resp_value *v)
{
	size_t items = v->type == RESP_MAP ? 2 * v->count : v->count;

	sum = sum * 31 + (uint64_t)v->type + (uint64_t)v->integer + slice_hash(v->text, 7);
	for (size_t i = 0; i < items; i++)
		sum = mix(sum, &v->items[i]);
	return sum * 31 + items;
}

struct seen {
	uint64_t sum;
	size_t count;
	bool broken;
};

static struct seen take(struct slice plan, struct slice all)
{
	struct pieces pieces = pieces_create(plan, all);
	struct seen seen = { 0 };
	struct resp p;
	struct slice piece;

	resp_init(&p, BYTES_MAX);
	while (!seen.broken && pieces_next(&pieces, &piece)) {
		struct slice in = pieces_copy(&pieces, piece);
		enum resp_step step;

		do {
			struct arena *arena = arena_create(0);
			struct resp_value v;

			step = resp_feed(&p, &in, arena, &v);
			must(in.len == 0);
			if (step == RESP_VALUE) {
				seen.sum = mix(seen.sum, &v);
				seen.count++;
			}
			seen.broken = step == RESP_BROKEN;
			arena_free(arena);
		} while (step == RESP_VALUE);
	}
	resp_free(&p);
	pieces_free(&pieces);
	return seen;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice plan, rest;
	struct seen whole, cut;

	if (size > BYTES_MAX / 2)
		return 0;
	pieces_split(data, size, &plan, &rest);
	whole = take(SLICE_NONE, rest);
	cut = take(plan, rest);
	must(whole.count == cut.count);
	must(whole.sum == cut.sum);
	must(whole.broken == cut.broken);
	return 0;
}
