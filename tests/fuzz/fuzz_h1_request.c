/* Request heads: plan of cuts, newline, head. */
#include "tests/fuzz/fuzz_h1.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* The default limit, and one that short heads reach. */
	static const size_t limits[] = { H1_HEAD_BYTES_MAX, 64 };
	struct slice plan, in;

	pieces_split(data, size, &plan, &in);
	for (size_t i = 0; i < COUNT_OF(limits); i++)
		h1_fuzz(plan, in, &(struct h1_ways){ .bytes_max = limits[i] });
	return 0;
}
