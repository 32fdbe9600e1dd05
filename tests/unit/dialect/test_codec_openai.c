/* OpenAI's APIs as codecs: what a request becomes in another of them, and what an
 * answer of one becomes for a client of the other. */
#include "help.h"

#include "dialect/codec.h"
#include "dialect/vectors.h"
#include "dialect/vendor.h"
#include "wire/json.h"

/* ---- requests -------------------------------------------------------------------- */

static const struct {
	const struct codec *from, *to;
	const char *vendor, *body, *becomes, *says;
} requests[] = {
	{ &codec_openai_chat, &codec_openai_chat, "mistral",
	  "{\"model\":\"m\",\"messages\":[{\"role\":\"developer\",\"content\":\"Be brief.\"},{\"role\":\"user\","
	  "\"content\":\"Hi\"}],\"seed\":7,\"max_completion_tokens\":5,\"tools\":[{\"type\":\"function\","
	  "\"function\":{\"name\":\"f\",\"parameters\":{}}}],\"tool_choice\":\"required\"}",
	  "{\"model\":\"up\",\"messages\":[{\"role\":\"system\",\"content\":\"Be brief.\"},{\"role\":\"user\","
	  "\"content\":\"Hi\"}],\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{}}}],"
	  "\"tool_choice\":\"any\",\"random_seed\":7,\"max_tokens\":5}",
	  "a vendor's row says which words it knows" },
	{ &codec_openai_chat, &codec_openai_chat, "openrouter",
	  "{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],\"reasoning_effort\":\"high\"}",
	  "{\"model\":\"up\",\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],\"reasoning\":{\"effort\":\"high\"}}",
	  "OpenRouter's way to ask for thinking" },
	{ &codec_openai_chat, &codec_openai_chat, "deepseek",
	  "{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],\"reasoning_effort\":\"none\"}",
	  "{\"model\":\"up\",\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],\"thinking\":{\"type\":\"disabled\"}}",
	  "DeepSeek's" },
	{ &codec_openai_responses, &codec_openai_chat, "openai.com",
	  "{\"model\":\"m\",\"instructions\":\"Be brief.\",\"input\":[{\"role\":\"user\",\"content\":[{\"type\":"
	  "\"input_text\",\"text\":\"Weather?\"}]},{\"type\":\"function_call\",\"call_id\":\"c1\",\"name\":\"w\","
	  "\"arguments\":\"{}\"},{\"type\":\"function_call\",\"call_id\":\"c2\",\"name\":\"w\",\"arguments\":\"{}\"},"
	  "{\"type\":\"function_call_output\",\"call_id\":\"c1\",\"output\":\"sun\"},{\"type\":\"function_call_output\","
	  "\"call_id\":\"c2\",\"output\":\"rain\"}],\"max_output_tokens\":9}",
	  "{\"model\":\"up\",\"messages\":[{\"role\":\"system\",\"content\":\"Be brief.\"},{\"role\":\"user\","
	  "\"content\":\"Weather?\"},{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"c1\",\"type\":"
	  "\"function\",\"function\":{\"name\":\"w\",\"arguments\":\"{}\"}},{\"id\":\"c2\",\"type\":\"function\","
	  "\"function\":{\"name\":\"w\",\"arguments\":\"{}\"}}]},{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":"
	  "\"sun\"},{\"role\":\"tool\",\"tool_call_id\":\"c2\",\"content\":\"rain\"}],\"max_completion_tokens\":9}",
	  "a round trip of tools, from items to messages" },
	{ &codec_openai_chat, &codec_openai_responses, "openai.com",
	  "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"What is it?\"},{\"type\":"
	  "\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,AAAA\"}}]},{\"role\":\"assistant\",\"tool_calls\":"
	  "[{\"id\":\"c1\",\"type\":\"function\",\"function\":{\"name\":\"w\",\"arguments\":\"{\\\"a\\\":1}\"}}]},"
	  "{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":\"sun\"}],\"response_format\":{\"type\":"
	  "\"json_schema\",\"json_schema\":{\"name\":\"n\",\"strict\":true,\"schema\":{\"type\":\"object\"}}}}",
	  "{\"model\":\"up\",\"input\":[{\"type\":\"message\",\"role\":\"user\",\"content\":[{\"type\":\"input_text\","
	  "\"text\":\"What is it?\"},{\"type\":\"input_image\",\"image_url\":\"data:image/png;base64,AAAA\",\"detail\":"
	  "\"auto\"}]},{\"type\":\"function_call\",\"call_id\":\"c1\",\"name\":\"w\",\"arguments\":\"{\\\"a\\\":1}\"},"
	  "{\"type\":\"function_call_output\",\"call_id\":\"c1\",\"output\":\"sun\"}],\"text\":{\"format\":{\"type\":"
	  "\"json_schema\",\"name\":\"n\",\"schema\":{\"type\":\"object\"},\"strict\":true}},\"store\":false}",
	  "messages become items; nothing is left with the vendor" },
	{ &codec_openai_completions, &codec_openai_chat, "openai.com",
	  "{\"model\":\"m\",\"prompt\":\"Once\",\"max_tokens\":5,\"stop\":\"end\"}",
	  "{\"model\":\"up\",\"messages\":[{\"role\":\"user\",\"content\":\"Once\"}],\"stop\":[\"end\"],"
	  "\"max_completion_tokens\":5}",
	  "an old completion is what a user says" },
	{ &codec_openai_embeddings, &codec_openai_embeddings, "openai.com",
	  "{\"model\":\"m\",\"input\":[\"a\",\"b\"],\"dimensions\":8}",
	  "{\"model\":\"up\",\"input\":[\"a\",\"b\"],\"encoding_format\":\"float\",\"dimensions\":8}",
	  "embeddings" },
};

static struct slice rewritten(struct arena *arena, size_t i, uint64_t *features)
{
	struct request_facts facts = { .model = S("m"), .choices = 1, .max_tokens = -1 };
	struct codec_target target = {
		.model = S("up"), .vendor = vendor_named(S("openai"), slice_of(requests[i].vendor)),
	};
	struct buf out = BUF_INIT(1024 * 1024);
	struct canon_request *r;
	struct slice why = SLICE_NONE, copy;

	assert_non_null(target.vendor);
	if (requests[i].from->read_request(arena, slice_of(requests[i].body), &facts, &r, &why) != FAULT_NONE)
		fail_msg("%s: %.*s", requests[i].says, SLICE_ARG(why));
	*features = r->features;
	assert_true(requests[i].to->write_request(arena, r, &target, &out));
	copy = arena_copy(arena, buf_slice(&out));
	buf_free(&out);
	return copy;
}

static void requests_are_written_anew(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(requests); i++) {
		struct arena *arena = arena_create(0);
		uint64_t features;
		struct slice got = rewritten(arena, i, &features);

		if (!slice_eq(got, slice_of(requests[i].becomes)))
			fail_msg("%s:\n%.*s\ninstead of\n%s", requests[i].says, SLICE_ARG(got),
				 requests[i].becomes);
		arena_free(arena);
	}
}

/* What is read, written and read again says the same. */
static void requests_survive_their_own_codec(void **state)
{
	static const struct codec *const both[] = { &codec_openai_chat, &codec_openai_responses };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(requests); i++) {
		struct codec_target target = { .model = S("m"), .vendor = vendor_named(S("openai"), S("openai.com")) };
		struct request_facts facts = { .model = S("m"), .choices = 1, .max_tokens = -1 };
		struct arena *arena = arena_create(0);
		struct buf once = BUF_INIT(1024 * 1024), twice = BUF_INIT(1024 * 1024);
		struct canon_request *r;
		struct slice why;

		for (size_t j = 0; j < COUNT_OF(both); j++) {
			if (requests[i].from->task != CANON_CHAT)
				continue;
			buf_clear(&once);
			buf_clear(&twice);
			assert_int_equal(requests[i].from->read_request(arena, slice_of(requests[i].body),
									&facts, &r, &why), FAULT_NONE);
			assert_true(both[j]->write_request(arena, r, &target, &once));
			assert_int_equal(both[j]->read_request(arena, buf_slice(&once), &facts, &r, &why),
					 FAULT_NONE);
			assert_true(both[j]->write_request(arena, r, &target, &twice));
			if (!slice_eq(buf_slice(&once), buf_slice(&twice)))
				fail_msg("%s: %.*s became %.*s", requests[i].says, SLICE_ARG(buf_slice(&once)),
					 SLICE_ARG(buf_slice(&twice)));
		}
		buf_free(&once);
		buf_free(&twice);
		arena_free(arena);
	}
}

/* ---- what a request needs ------------------------------------------------------------ */

static const struct { const struct codec *from; const char *body; uint64_t features; const char *says; } needs[] = {
	{ &codec_openai_chat, "{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],\"presence_penalty\":0,"
	  "\"frequency_penalty\":0.0,\"logit_bias\":{},\"tool_choice\":\"none\",\"n\":1,\"parallel_tool_calls\":true}", 0,
	  "defaults that frameworks spell out are nothing" },
	{ &codec_openai_chat, "{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],\"frobnicate\":1}",
	  CANON_HAS(UNKNOWN), "what nobody knows is noted" },
	{ &codec_openai_chat, "{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"},{\"role\":\"assistant\","
	  "\"content\":\"Once\"}]}", CANON_HAS(PREFILL), "the answer's beginning" },
	{ &codec_openai_chat, "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":"
	  "{\"url\":\"http://x/y.png\"}}]}]}", CANON_HAS(IMAGE_URL), "a picture by URL" },
	{ &codec_openai_responses, "{\"input\":\"Hi\",\"previous_response_id\":\"resp_1\"}", CANON_HAS(STATE),
	  "what one vendor keeps" },
	{ &codec_openai_responses, "{\"input\":\"Hi\",\"tools\":[{\"type\":\"web_search\"}]}",
	  CANON_HAS(HOSTED_TOOLS), "what one vendor does" },
	{ &codec_openai_completions, "{\"prompt\":\"Hi\",\"echo\":true}", CANON_HAS(ECHO), "echo" },
	{ &codec_openai_completions, "{\"prompt\":[\"a\",\"b\"]}", CANON_HAS(UNKNOWN), "several prompts" },
};

static void requests_tell_what_they_need(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(needs); i++) {
		struct request_facts facts = { .model = S("m"), .choices = 1, .max_tokens = -1 };
		struct arena *arena = arena_create(0);
		struct canon_request *r;
		struct slice why;

		row_holds(needs[i].from->read_request(arena, slice_of(needs[i].body), &facts, &r, &why) ==
			  FAULT_NONE, needs[i].says);
		if (r->features != needs[i].features)
			fail_msg("%s: %.*s", needs[i].says,
				 SLICE_ARG(canon_feature_names(arena, r->features)));
		arena_free(arena);
	}
}

static const struct { const struct codec *from; const char *body, *why; } refused[] = {
	{ &codec_openai_chat, "{\"messages\":[]}", "\"messages\" must hold at least one message" },
	{ &codec_openai_chat, "{\"messages\":[{\"role\":\"poet\"}]}",
	  "a message's \"role\" must be system, developer, user, assistant or tool" },
	{ &codec_openai_chat, "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"temperature\":\"hot\"}",
	  "\"temperature\" must be a number" },
	{ &codec_openai_responses, "{\"input\":\"a\",\"tool_choice\":{\"type\":\"function\"}}",
	  "\"tool_choice\" must be auto, none, required or name a function" },
	{ &codec_openai_responses, "{\"input\":7}", "\"input\" must be a string or a list of items" },
	{ &codec_openai_embeddings, "{\"input\":[]}", "\"input\" must be a string or a list of strings" },
};

static void bad_requests_are_told_why(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(refused); i++) {
		struct request_facts facts = { .model = S("m"), .choices = 1, .max_tokens = -1 };
		struct arena *arena = arena_create(0);
		struct canon_request *r;
		struct slice why = SLICE_NONE;

		row_holds(refused[i].from->read_request(arena, slice_of(refused[i].body), &facts, &r, &why) ==
			  FAULT_CALLER, refused[i].why);
		if (!is_text(why, refused[i].why))
			fail_msg("%s: %.*s", refused[i].why, SLICE_ARG(why));
		arena_free(arena);
	}
}

/* ---- streams -------------------------------------------------------------------------------- */

static const struct { const char *events[6]; const char *finish; int calls; const char *says; } streams[] = {
	{ { "{\"choices\":[{\"delta\":{\"tool_calls\":[{\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"{\"}}]}}]}",
	    "{\"choices\":[{\"delta\":{\"tool_calls\":[{\"id\":\"b\",\"function\":{\"name\":\"g\",\"arguments\":\"{}\"}}]}}]}",
	    "{\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}", "[DONE]" }, "tool_calls", 2,
	  "E25, E26: calls without index, and a reason that denies them" },
	{ { "{\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\"}}]}}]}",
	    "{\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"b\",\"function\":{\"name\":\"g\"}}]}}]}",
	    "{\"choices\":[{\"delta\":{},\"finish_reason\":\"tool_calls\"}]}", "[DONE]" }, "tool_calls", 2,
	  "E25: one index for two ids" },
	{ { "{\"choices\":[{\"delta\":{\"content\":\"a\"}}]}", "[DONE]" }, "stop", 0, "E13: done without a reason" },
	{ { "{\"choices\":[{\"delta\":{\"content\":\"a\"}}]}", "{\"choices\":[{\"delta\":{},\"finish_reason\":\"length\"}]}",
	    "{\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}", "[DONE]" }, "length", 0,
	  "E24: the first of two reasons holds" },
	{ { "{\"choices\":[],\"prompt_filter_results\":[]}", "{\"choices\":[{\"delta\":{\"content\":[{\"type\":\"thinking\","
	    "\"thinking\":[{\"type\":\"text\",\"text\":\"hm\"}]},{\"type\":\"text\",\"text\":\"a\"}]},\"finish_reason\":\"stop\"}]}" },
	  "stop", 0, "E21 and Mistral's parts; E12: no [DONE]" },
};

static void deviant_streams_are_read_as_what_they_mean(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(streams); i++) {
		struct arena *arena = arena_create(0);
		struct codec_reader r = { .codec = &codec_openai_chat, .arena = arena };
		struct canon_events list = canon_events_in(arena);
		struct event_facts facts;
		int calls = 0;

		for (size_t j = 0; j < 6 && streams[i].events[j]; j++)
			r.codec->read_event(&r, arena, SLICE_NONE, slice_of(streams[i].events[j]), &list);
		row_holds(r.codec->read_end(&r, arena, &list) == FAULT_NONE, streams[i].says);
		canon_facts(&list, &facts);
		row_holds(is_text(facts.finish_reason, streams[i].finish), streams[i].says);
		row_holds((facts.is & EVENT_DONE) && !(facts.is & EVENT_ERROR), streams[i].says);
		for (size_t j = 0; j < list.count; j++)
			calls += list.at[j].kind == CANON_EVENT_CALL;
		assert_int_equal(calls, streams[i].calls);
		arena_free(arena);
	}
}

/* ---- vectors ------------------------------------------------------------------------------------ */

static const struct { const char *raw; bool base64; const char *becomes; } vectors[] = {
	{ "[1,-0.5,0.25]", true, "\"AACAPwAAAL8AAIA+\"" },
	{ "\"AACAPwAAAL8AAIA+\"", false, "[1,-0.5,0.25]" },
	{ "[1]", true, "\"AACAPw==\"" },
	{ "\"AACAPw==\"", false, "[1]" },
	{ "[1,2]", false, "[1,2]" },
	{ "\"!\"", false, "[]" },
	{ "[]", true, "\"\"" },
};

static void vectors_come_in_both_forms(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(vectors); i++) {
		struct buf out = BUF_INIT(1024);
		struct json_make m = json_make_start(&out);

		make_vector(&m, NULL, slice_of(vectors[i].raw), vectors[i].base64);
		row_holds(json_make_finish(&m), vectors[i].raw);
		row_holds(is_text(buf_slice(&out), vectors[i].becomes), vectors[i].raw);
		buf_free(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_are_written_anew),
		cmocka_unit_test(requests_survive_their_own_codec),
		cmocka_unit_test(requests_tell_what_they_need),
		cmocka_unit_test(bad_requests_are_told_why),
		cmocka_unit_test(deviant_streams_are_read_as_what_they_mean),
		cmocka_unit_test(vectors_come_in_both_forms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
