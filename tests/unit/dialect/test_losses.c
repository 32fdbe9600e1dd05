/* What of a request an API cannot be told: a row is a client's chat, a target, what
 * keeps it out of the plan, what is only named, and how the rest is put into words. */
#include "help.h"

#include "base/check.h"
#include "dialect/codec.h"
#include "dialect/vendor.h"

#define OUT_BYTES_MAX ((size_t)1024 * 1024)

static const struct {
	const char *what;
	const struct codec *codec;
	const char *dialect, *vendor, *model;
	const char *members;                  /* of the chat, beside its message */
	const char *lacks, *softly;
	const char *holds, *holds_not;        /* of what is written all the same; NULL: nothing looked for */
} rows[] = {
	{ "a temperature within the scale", &codec_anthropic_messages, "anthropic", "anthropic", "claude-haiku-4-5",
	  "\"temperature\":0.7", "", "", "\"temperature\":0.7", NULL },
	{ "a temperature beyond Claude's scale", &codec_anthropic_messages, "anthropic", "anthropic",
	  "claude-haiku-4-5", "\"temperature\":1.3", "temperature", "", "\"temperature\":1", "1.3" },
	{ "a temperature that goes without saying, and thinking", &codec_anthropic_messages, "anthropic",
	  "anthropic", "claude-haiku-4-5", "\"temperature\":1,\"reasoning_effort\":\"low\"", "", "",
	  "\"budget_tokens\":2048", "\"temperature\"" },
	{ "a temperature beside thinking", &codec_anthropic_messages, "anthropic", "anthropic", "claude-haiku-4-5",
	  "\"temperature\":0.2,\"reasoning_effort\":\"low\"", "temperature", "", "\"thinking\"", "\"temperature\"" },
	{ "a narrow top_p and a top_k beside thinking", &codec_anthropic_messages, "anthropic", "anthropic",
	  "claude-haiku-4-5", "\"top_p\":0.5,\"top_k\":7,\"reasoning_effort\":\"low\"", "top_p, top_k", "",
	  "\"thinking\"", "\"top_" },
	{ "a wide top_p beside thinking", &codec_anthropic_messages, "anthropic", "anthropic", "claude-haiku-4-5",
	  "\"top_p\":0.97,\"reasoning_effort\":\"low\"", "", "", "\"top_p\":0.97", NULL },
	{ "the same to one that thinks as it likes", &codec_anthropic_messages, "anthropic", "anthropic",
	  "claude-sonnet-4-6", "\"temperature\":0.2,\"reasoning_effort\":\"low\"", "temperature", "",
	  "\"adaptive\"", "\"temperature\"" },
	{ "a tool that must be called, and thinking", &codec_anthropic_messages, "anthropic", "anthropic",
	  "claude-haiku-4-5", "\"tool_choice\":\"required\",\"reasoning_effort\":\"low\"", "reasoning_effort", "",
	  "\"any\"", "\"thinking\"" },
	{ "the same where the effort has a word", &codec_anthropic_messages, "anthropic", "anthropic",
	  "claude-sonnet-4-6", "\"tool_choice\":\"required\",\"reasoning_effort\":\"low\"", "", "",
	  "\"effort\":\"low\"", "\"thinking\"" },
	{ "no room to think in", &codec_anthropic_messages, "anthropic", "anthropic", "claude-haiku-4-5",
	  "\"max_tokens\":500,\"reasoning_effort\":\"low\"", "", "reasoning_effort", "\"max_tokens\":500", "\"thinking\"" },
	{ "a name for the cache, and a tier of OpenAI's", &codec_anthropic_messages, "anthropic", "anthropic",
	  "claude-haiku-4-5", "\"prompt_cache_key\":\"k\",\"service_tier\":\"flex\"", "", "cache_hint, service_tier",
	  NULL, "\"k\"" },
	{ "JSON of any shape from Claude", &codec_anthropic_messages, "anthropic", "anthropic", "claude-sonnet-4-6",
	  "\"response_format\":{\"type\":\"json_object\"}", "", "", "\"tool_choice\":{\"type\":\"any\"}", NULL },
	{ "the same where no tool may be called", &codec_anthropic_messages, "anthropic", "anthropic", "claude-sonnet-4-6",
	  "\"response_format\":{\"type\":\"json_object\"},\"tool_choice\":\"none\"", "", "",
	  "\"tool_choice\":{\"type\":\"tool\",\"name\":\"answer_in_json\"}", NULL },
	{ "the same where a tool must be called", &codec_anthropic_messages, "anthropic", "anthropic", "claude-sonnet-4-6",
	  "\"response_format\":{\"type\":\"json_object\"},\"tool_choice\":\"required\"", "", "",
	  "\"tool_choice\":{\"type\":\"any\"}", "answer_in_json" },
	{ "the same from one that is to think", &codec_anthropic_messages, "anthropic", "anthropic", "claude-sonnet-4-6",
	  "\"response_format\":{\"type\":\"json_object\"},\"reasoning_effort\":\"low\"", "json_mode", "",
	  "\"adaptive\"", "answer_in_json" },
	{ "sampling for one of OpenAI's that reasons", &codec_openai_chat, "openai", "openai.com", "o3-mini",
	  "\"temperature\":0.2,\"top_p\":0.5,\"presence_penalty\":1,\"logprobs\":true,\"stop\":\"x\"",
	  "temperature, top_p, penalties, stop, logprobs", "", "\"o3-mini\"", "\"temperature\"" },
	{ "what goes without saying", &codec_openai_chat, "openai", "openai.com", "gpt-5-mini",
	  "\"temperature\":1,\"top_p\":1.0,\"presence_penalty\":0", "", "", "\"gpt-5-mini\"", NULL },
	{ "a later one that does not reason", &codec_openai_responses, "openai", "openai.com", "gpt-5.2",
	  "\"temperature\":0.2", "", "", "\"temperature\":0.2", NULL },
	{ "and does", &codec_openai_responses, "openai", "openai.com", "gpt-5.2",
	  "\"temperature\":0.2,\"reasoning_effort\":\"low\"", "temperature", "", "\"low\"", "\"temperature\"" },
	{ "one that chats", &codec_openai_chat, "openai", "openai.com", "gpt-5-chat-latest",
	  "\"temperature\":0.2", "", "", "\"temperature\":0.2", NULL },
	{ "one's own server, whatever its model is called", &codec_openai_chat, "openai", "openai", "o3",
	  "\"temperature\":0.2", "", "", "\"temperature\":0.2", NULL },
	{ "what a schema is for", &codec_anthropic_messages, "anthropic", "anthropic", "claude-sonnet-4-6",
	  "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"a\",\"description\":\"d\",\"schema\":{\"type\":\"object\"}}}",
	  "", "json_schema", "\"json_schema\"", "\"d\"" },
	{ "what Converse takes", &codec_bedrock_converse, "bedrock", "bedrock", "amazon.nova-pro-v1:0",
	  "\"temperature\":0.7,\"top_p\":0.9,\"top_k\":7", "", "", "\"topK\":7", NULL },
	{ "a temperature beyond Converse's scale", &codec_bedrock_converse, "bedrock", "bedrock",
	  "amazon.nova-pro-v1:0", "\"temperature\":2", "temperature", "", "\"temperature\":1", NULL },
	{ "Nova, thinking hard", &codec_bedrock_converse, "bedrock", "bedrock", "amazon.nova-2-lite-v1:0",
	  "\"temperature\":0.7,\"top_p\":0.9,\"reasoning_effort\":\"high\"", "temperature, top_p", "",
	  "\"maxReasoningEffort\":\"high\"", "\"temperature\"" },
	{ "Nova, thinking a little", &codec_bedrock_converse, "bedrock", "bedrock", "amazon.nova-2-lite-v1:0",
	  "\"temperature\":0.7,\"reasoning_effort\":\"low\"", "", "", "\"temperature\":0.7", NULL },
	{ "Claude at AWS, thinking", &codec_bedrock_converse, "bedrock", "bedrock",
	  "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "\"temperature\":0.7,\"top_k\":7,\"reasoning_effort\":\"low\"",
	  "temperature, top_k", "", "\"budget_tokens\":2048", "\"temperature\"" },
	{ "Claude at AWS, forced to call", &codec_bedrock_converse, "bedrock", "bedrock",
	  "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "\"tool_choice\":\"required\",\"reasoning_effort\":\"low\"",
	  "reasoning_effort", "", "\"any\"", "\"thinking\"" },
	{ "a Claude at AWS that samples as it likes", &codec_bedrock_converse, "bedrock", "bedrock",
	  "us.anthropic.claude-opus-4-7-v1:0", "\"temperature\":0.7", "temperature", "", NULL, "\"temperature\"" },
	{ "notes that AWS takes", &codec_bedrock_converse, "bedrock", "bedrock", "amazon.nova-pro-v1:0",
	  "\"metadata\":{\"team\":\"blue\"}", "", "", "\"team\":\"blue\"", NULL },
	{ "notes that AWS does not take", &codec_bedrock_converse, "bedrock", "bedrock", "amazon.nova-pro-v1:0",
	  "\"metadata\":{\"team\":\"bl\\u00fce!\"}", "", "metadata", NULL, "team" },
	{ "as many stop words as Gemini takes", &codec_gemini_generate, "gemini", "gemini", "gemini-3-flash",
	  "\"stop\":[\"1\",\"2\",\"3\",\"4\",\"5\"]", "", "", "\"5\"", NULL },
	{ "more stop words than Gemini takes", &codec_gemini_generate, "gemini", "gemini", "gemini-3-flash",
	  "\"stop\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\"]", "stop", "", "\"5\"", "\"6\"" },
	{ "a Gemini that cannot but think", &codec_gemini_generate, "gemini", "gemini", "gemini-2.5-pro",
	  "\"reasoning_effort\":\"none\"", "", "reasoning_effort", "\"thinkingBudget\":128", NULL },
	{ "a Gemini that does not think", &codec_gemini_generate, "gemini", "gemini", "gemini-2.0-flash",
	  "\"reasoning_effort\":\"low\"", "reasoning_effort", "", NULL, "thinkingConfig" },
	{ "more answers than Gemini gives", &codec_gemini_generate, "gemini", "gemini", "gemini-3-flash",
	  "\"n\":9", "n", "", "\"candidateCount\":8", NULL },
	{ "probabilities of other tokens, from Cohere", &codec_cohere_chat, "cohere", "cohere", "command-a",
	  "\"logprobs\":true,\"top_logprobs\":3", "logprobs", "", "\"logprobs\":true", NULL },
	{ "a penalty below Cohere's", &codec_cohere_chat, "cohere", "cohere", "command-a",
	  "\"presence_penalty\":-0.5", "penalties", "", "\"presence_penalty\":0", NULL },
	{ "all of the tokens, from Cohere", &codec_cohere_chat, "cohere", "cohere", "command-a",
	  "\"top_p\":1", "", "top_p", "\"p\":0.99", NULL },
	{ "more stop words than OpenAI takes", &codec_openai_chat, "openai", "openai.com", "gpt",
	  "\"stop\":[\"1\",\"2\",\"3\",\"4\",\"5\"]", "stop", "", "\"4\"", "\"5\"" },
	{ "the same to a server of one's own", &codec_openai_chat, "openai", "openai", "gpt",
	  "\"stop\":[\"1\",\"2\",\"3\",\"4\",\"5\"]", "", "", "\"5\"", NULL },
};

static struct slice names(struct arena *arena, uint64_t features)
{
	return canon_feature_names(arena, features);
}

static void test_rows(void **state)
{
	const struct request_facts facts = { .model = S("m"), .choices = 1, .max_tokens = -1 };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct arena *arena = arena_create(0);
		struct slice body = arena_printf(arena, "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":"
			"\"hello\"}],\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":"
			"{\"type\":\"object\"}}}],%s}", rows[i].members), why = SLICE_NONE, text;
		struct codec_target target = { .model = slice_of(rows[i].model) };
		struct buf out = BUF_INIT(OUT_BYTES_MAX);
		struct canon_request *r = NULL;
		uint64_t softly = 0, lacks;

		target.vendor = vendor_named(slice_of(rows[i].dialect), slice_of(rows[i].vendor));
		assert_non_null(target.vendor);
		assert_int_equal(codec_openai_chat.read_request(arena, body, &facts, &r, &why), FAULT_NONE);
		lacks = rows[i].codec->lacks(r, &target, &softly);
		text = arena_printf(arena, "%s: %.*s / %.*s", rows[i].what,
				    SLICE_ARG(names(arena, r->features & lacks)),
				    SLICE_ARG(names(arena, r->features & softly & ~lacks)));
		assert_string_equal(arena_cstring(arena, text),
				    arena_printf(arena, "%s: %s / %s%c", rows[i].what, rows[i].lacks,
						 rows[i].softly, '\0').at);
		r->features &= ~lacks;
		assert_true(rows[i].codec->write_request(arena, r, &target, &out));
		if (rows[i].holds && slice_find_slice(buf_slice(&out), slice_of(rows[i].holds)) == SLICE_NOT_FOUND)
			fail_msg("%s: %.*s", rows[i].what, SLICE_ARG(buf_slice(&out)));
		if (rows[i].holds_not &&
		    slice_find_slice(buf_slice(&out), slice_of(rows[i].holds_not)) != SLICE_NOT_FOUND)
			fail_msg("%s: %.*s", rows[i].what, SLICE_ARG(buf_slice(&out)));
		buf_free(&out);
		arena_free(arena);
	}
}

/* That a tool failed is said beside its result by some, and named where it cannot be. */
static void test_a_tool_that_failed(void **state)
{
	static const struct { const struct codec *codec; bool tells; } apis[] = {
		{ &codec_anthropic_messages, true }, { &codec_bedrock_converse, true },
		{ &codec_gemini_generate, true }, { &codec_openai_chat, false },
		{ &codec_openai_responses, false }, { &codec_cohere_chat, false },
	};
	const struct request_facts facts = { .model = S("m"), .choices = 1, .max_tokens = -1 };
	struct arena *arena = arena_create(0);
	struct slice why = SLICE_NONE;
	struct canon_request *r = NULL;

	(void)state;
	assert_int_equal(codec_anthropic_messages.read_request(arena, S(
		"{\"model\":\"m\",\"max_tokens\":9,\"messages\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":"
		"\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"f\",\"input\":{}}]},"
		"{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"t\",\"content\":\"no\","
		"\"is_error\":true}]}]}"), &facts, &r, &why), FAULT_NONE);
	assert_true(r->features & CANON_HAS(TOOL_ERRORS));
	assert_true(canon_hints() & CANON_HAS(TOOL_ERRORS));
	for (size_t i = 0; i < COUNT_OF(apis); i++)
		assert_int_equal((apis[i].codec->carries & CANON_HAS(TOOL_ERRORS)) != 0, apis[i].tells);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_a_tool_that_failed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
