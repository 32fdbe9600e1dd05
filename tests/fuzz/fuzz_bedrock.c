/* Bedrock: its streams, answers and errors, and what is written for it. */
#include "tests/fuzz/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const models[] = { "us.anthropic.claude-sonnet-4-6-v1:0", "anthropic.claude-sonnet-4-5-20250929-v1:0", "amazon.nova-pro-v1:0", "x", NULL };
	struct slice in = { (const char *)data, size };

	codec_fuzz_stream(&codec_bedrock_converse, in);
	codec_fuzz_answer(&dialect_bedrock, &codec_bedrock_converse, in);
	codec_fuzz_answer(&dialect_bedrock, &codec_bedrock_embed, in);
	codec_fuzz_request(&codec_bedrock_converse, in, models);
	return 0;
}
