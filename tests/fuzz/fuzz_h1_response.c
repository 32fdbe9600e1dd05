/* Response heads: plan of cuts, newline, head. */
#include "tests/fuzz/fuzz_h1.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct h1_ways ways[] = {
		{ .is_response = true, .bytes_max = H1_HEAD_BYTES_MAX },
		{ .is_response = true, .bytes_max = H1_HEAD_BYTES_MAX, .to_head = true },
		{ .is_response = true, .bytes_max = 64 },
	};
	struct slice plan, in;

	pieces_split(data, size, &plan, &in);
	for (size_t i = 0; i < COUNT_OF(ways); i++)
		h1_fuzz(plan, in, &ways[i]);
	return 0;
}
