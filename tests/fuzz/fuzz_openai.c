/* What OpenAI's codecs read where the other side speaks another language. The first
 * character says what the rest is:
 *
 *	c  what a backend says in chat completions: a stream ("TYPE DATA" a line), an
 *	   answer, an error
 *	r  the same in Responses
 *	q  a client's request to Responses: read, and written for every other API
 *	e  a request for embeddings, likewise */
#include "tests/fuzz/codec.h"

static void write_for(struct canon_request *r, const struct codec *codec, const char *dialect, const char *model)
{
	struct arena *arena = arena_create(0);
	struct codec_target target = { .model = slice_of(model), .stream = true,
				       .vendor = vendor_find(slice_of(dialect), S("localhost"), S("")) };
	struct buf out = BUF_INIT(CODEC_BYTES_MAX);
	uint64_t softly = 0;

	if (codec->lacks)
		codec->lacks(r, &target, &softly);
	if (codec->write_request(arena, r, &target, &out))
		must(json_validate(buf_slice(&out), NULL) == JSON_OK);
	else
		must(buf_len(&out) == 0);
	buf_free(&out);
	arena_free(arena);
}

static void read_request(const struct codec *codec, struct slice body)
{
	const struct request_facts facts = { .model = S("m"), .choices = 1, .max_tokens = -1 };
	struct exact exact = exact_create(body.len);
	struct arena *arena = arena_create(0);
	struct canon_request *r = NULL;
	struct slice why = SLICE_NONE;

	if (codec->read_request(arena, exact_copy(&exact, body), &facts, &r, &why) != FAULT_NONE) {
		must(why.len > 0);
	} else if (codec->task == CANON_EMBED) {
		write_for(r, &codec_openai_embeddings, "openai", "m");
		write_for(r, &codec_gemini_embed, "gemini", "gemini-embedding-001");
		write_for(r, &codec_cohere_embed, "cohere", "embed-v4.0");
		write_for(r, &codec_bedrock_embed, "bedrock", "amazon.titan-embed-text-v2:0");
		write_for(r, &codec_bedrock_embed, "bedrock", "cohere.embed-v4:0");
	} else {
		write_for(r, &codec_openai_chat, "openai", "m");
		write_for(r, &codec_openai_responses, "openai", "m");
		write_for(r, &codec_anthropic_messages, "anthropic", "claude-haiku-4-5");
		write_for(r, &codec_gemini_generate, "gemini", "gemini-2.5-pro");
		write_for(r, &codec_bedrock_converse, "bedrock", "amazon.nova-pro-v1:0");
		write_for(r, &codec_cohere_chat, "cohere", "command-a");
	}
	arena_free(arena);
	exact_free(&exact);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = { (const char *)data, size }, rest;

	if (size == 0)
		return 0;
	rest = slice_from(in, 1);
	switch (in.at[0]) {
	case 'c':
		codec_fuzz_stream(&codec_openai_chat, rest);
		codec_fuzz_answer(&dialect_openai, &codec_openai_chat, rest);
		break;
	case 'r':
		codec_fuzz_stream(&codec_openai_responses, rest);
		codec_fuzz_answer(&dialect_openai, &codec_openai_responses, rest);
		break;
	case 'q':
		read_request(&codec_openai_responses, rest);
		break;
	case 'e':
		read_request(&codec_openai_embeddings, rest);
		break;
	default:
		break;
	}
	return 0;
}
