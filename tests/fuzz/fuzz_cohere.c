/* Cohere: its streams, answers and errors, and what is written for it. */
#include "tests/fuzz/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const models[] = { "command-a", NULL };
	struct slice in = { (const char *)data, size };

	codec_fuzz_stream(&codec_cohere_chat, in);
	codec_fuzz_answer(&dialect_cohere, &codec_cohere_chat, in);
	codec_fuzz_answer(&dialect_cohere, &codec_cohere_embed, in);
	codec_fuzz_request(&codec_cohere_chat, in, models);
	return 0;
}
