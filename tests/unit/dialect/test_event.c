#include "help.h"

#include "base/check.h"

#define CHUNK(choices) "{\"id\":\"1\",\"object\":\"chat.completion.chunk\",\"choices\":[" choices "]}"
#define DELTA(delta) CHUNK("{\"index\":0,\"delta\":{" delta "},\"finish_reason\":null}")
#define FINISH(reason) CHUNK("{\"index\":0,\"delta\":{},\"finish_reason\":\"" reason "\"}")
#define TEXT DELTA("\"content\":\"Hi\"")
#define ROLE DELTA("\"role\":\"assistant\",\"content\":\"\"")
#define TOOL DELTA("\"tool_calls\":[{\"index\":0,\"id\":\"c\",\"function\":{\"name\":\"f\",\"arguments\":\"\"}}]")

/* ---- single events ---------------------------------------------------------------- */

static const struct {
	const char *path, *type, *data;
	unsigned is;
	enum fault fault;
	const char *says;
} events[] = {
	/* what is content and what is not */
	{ CHAT, "", ROLE, 0, FAULT_NONE, "a role is preamble" },
	{ CHAT, "", DELTA("\"role\":\"assistant\",\"content\":null,\"refusal\":null"), 0, FAULT_NONE,
	  "nulls are preamble" },
	{ CHAT, "", CHUNK(""), 0, FAULT_NONE, "E21: empty choices" },
	{ CHAT, "", "{\"choices\":[],\"prompt_filter_results\":[{}],\"object\":\"\"}", 0, FAULT_NONE,
	  "E21: Azure's first chunk" },
	{ CHAT, "", "{\"choices\":null,\"usage\":null}", 0, FAULT_NONE, "E21: null choices" },
	{ CHAT, "", TEXT, EVENT_CONTENT, FAULT_NONE, "text" },
	{ CHAT, "", " \n" TEXT " ", EVENT_CONTENT, FAULT_NONE, "space around it" },
	{ CHAT, "", DELTA("\"content\":\" \""), EVENT_CONTENT, FAULT_NONE, "a space is text" },
	{ CHAT, "", DELTA("\"content\":[{\"type\":\"text\",\"text\":\"Hi\"}]"), EVENT_CONTENT, FAULT_NONE,
	  "Mistral's list" },
	{ CHAT, "", DELTA("\"reasoning_content\":\"Hm\""), EVENT_CONTENT, FAULT_NONE, "reasoning: DeepSeek" },
	{ CHAT, "", DELTA("\"reasoning\":\"Hm\""), EVENT_CONTENT, FAULT_NONE, "reasoning: Groq, OpenRouter" },
	{ CHAT, "", DELTA("\"refusal\":\"No\""), EVENT_CONTENT, FAULT_NONE, "a refusal" },
	{ CHAT, "", DELTA("\"audio\":{\"data\":\"AA\"}"), EVENT_CONTENT, FAULT_NONE, "audio" },
	{ CHAT, "", TOOL, EVENT_CONTENT, FAULT_NONE, "a tool call" },
	{ CHAT, "", DELTA("\"tool_calls\":[{\"function\":{\"arguments\":\"{\"}}]"), EVENT_CONTENT, FAULT_NONE,
	  "E25: a tool call without an index" },
	{ CHAT, "", DELTA("\"tool_calls\":[]"), 0, FAULT_NONE, "no tool call" },
	{ CHAT, "", DELTA("\"function_call\":{\"name\":\"f\"}"), EVENT_CONTENT, FAULT_NONE, "the old form" },
	{ CHAT, "", CHUNK("{\"delta\":{\"content\":\"Hi\"}}"), EVENT_CONTENT, FAULT_NONE, "no index, no finish" },
	{ CHAT, "", CHUNK("{\"message\":{\"content\":\"Hi\"},\"finish_reason\":\"stop\"}"),
	  EVENT_CONTENT | EVENT_FINISH, FAULT_NONE, "a whole message as the only chunk" },
	{ COMPLETIONS, "", CHUNK("{\"index\":0,\"text\":\"Hi\",\"finish_reason\":null}"), EVENT_CONTENT,
	  FAULT_NONE, "a completion's text" },
	{ COMPLETIONS, "", CHUNK("{\"index\":0,\"text\":\"\",\"finish_reason\":\"length\"}"), EVENT_FINISH,
	  FAULT_NONE, "a completion's end" },
	/* the end */
	{ CHAT, "", FINISH("stop"), EVENT_FINISH, FAULT_NONE, "the end" },
	{ CHAT, "", FINISH("content_filter"), EVENT_FINISH, FAULT_NONE, "filtered is an end" },
	{ CHAT, "", FINISH("eos_token_of_tomorrow"), EVENT_FINISH, FAULT_NONE, "unknown reasons are ends" },
	{ CHAT, "", FINISH(""), 0, FAULT_NONE, "an empty reason is none" },
	{ CHAT, "", CHUNK("{\"index\":0,\"delta\":{\"tool_calls\":[{}]},\"finish_reason\":\"tool_calls\"}"),
	  EVENT_CONTENT | EVENT_FINISH, FAULT_NONE, "E27: a whole call in one chunk" },
	{ CHAT, "", "[DONE]", EVENT_DONE, FAULT_NONE, "[DONE]" },
	{ CHAT, "", " [DONE]\n", EVENT_DONE, FAULT_NONE, "[DONE] with space around it" },
	{ CHAT, "", "{\"choices\":[],\"usage\":{\"prompt_tokens\":1}}", 0, FAULT_NONE, "usage alone" },
	{ CHAT, "", "", 0, FAULT_NONE, "E16: no data" },
	/* errors */
	{ CHAT, "error", "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"x\"}}",
	  EVENT_ERROR, FAULT_OVERLOADED, "E01: Anthropic's words" },
	{ CHAT, "error", "{\"choices\":[]}", EVENT_ERROR, FAULT_SERVER_ERROR, "E01: an error by its name" },
	{ CHAT, "error", "it broke", EVENT_ERROR, FAULT_SERVER_ERROR, "E01: in plain words" },
	{ CHAT, "", "{\"error\":{\"message\":\"x\",\"type\":\"server_error\"}}", EVENT_ERROR, FAULT_SERVER_ERROR,
	  "E03: OpenAI" },
	{ CHAT, "", "{\"error\":{\"message\":\"x\",\"code\":429}}", EVENT_ERROR, FAULT_RATE_LIMITED,
	  "E03: with a status" },
	{ CHAT, "", "{\"error\":{\"message\":\"x\",\"code\":\"429\"}}", EVENT_ERROR, FAULT_RATE_LIMITED,
	  "E03: with a status in quotes" },
	{ CHAT, "", "{\"error\":{\"message\":\"x\",\"code\":\"insufficient_quota\"}}", EVENT_ERROR,
	  FAULT_NO_MONEY, "E03: with a code" },
	{ CHAT, "", "{\"error\":{\"message\":\"This model's maximum context length is 9\",\"code\":400}}",
	  EVENT_ERROR, FAULT_CONTEXT, "E03: too long" },
	{ CHAT, "", "{\"error\":\"boom\"}", EVENT_ERROR, FAULT_SERVER_ERROR, "E03: a string" },
	{ CHAT, "", "{\"object\":\"error\",\"message\":\"x\",\"type\":\"BadRequestError\",\"code\":400}",
	  EVENT_ERROR, FAULT_CALLER, "E04: vLLM" },
	{ CHAT, "", "{\"object\":\"error\",\"message\":\"x\"}", EVENT_ERROR, FAULT_SERVER_ERROR,
	  "E04: vLLM, of its own" },
	{ CHAT, "", "{\"detail\":\"x\"}", EVENT_ERROR, FAULT_SERVER_ERROR, "E04: FastAPI" },
	{ CHAT, "", "[{\"error\":{\"code\":503,\"message\":\"x\"}}]", EVENT_ERROR, FAULT_OVERLOADED,
	  "E04: in an array" },
	{ CHAT, "", "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\"},\"finish_reason\":\"error\"}],"
	  "\"error\":{\"code\":502,\"message\":\"x\"}}", EVENT_ERROR, FAULT_SERVER_ERROR, "E05: OpenRouter" },
	{ CHAT, "", "{\"choices\":[{\"delta\":{\"content\":\"Hi\"},\"error\":{\"code\":429}}]}",
	  EVENT_CONTENT | EVENT_ERROR, FAULT_RATE_LIMITED, "E05: inside the choice" },
	{ CHAT, "", FINISH("error"), EVENT_ERROR, FAULT_SERVER_ERROR, "E05: only the reason tells" },
	{ CHAT, "", FINISH("abort"), EVENT_ERROR, FAULT_SERVER_ERROR, "vLLM gave up" },
	{ CHAT, "", FINISH("insufficient_system_resource"), EVENT_ERROR, FAULT_OVERLOADED, "DeepSeek gave up" },
	{ CHAT, "", "{\"error\":null,\"choices\":[]}", 0, FAULT_NONE, "an error that is null is none" },
	/* broken */
	{ CHAT, "", "{\"choices\":[{\"del", EVENT_BROKEN, FAULT_BAD_ANSWER, "E33: cut" },
	{ CHAT, "", "Internal Server Error", EVENT_BROKEN, FAULT_BAD_ANSWER, "E33: plain text" },
	{ CHAT, "message", "{x}", EVENT_BROKEN, FAULT_BAD_ANSWER, "E33: no JSON" },
	{ CHAT, "", "{\"a\":\"\xc3\"}", EVENT_BROKEN, FAULT_BAD_ANSWER, "E37: a character cut in two" },
	{ CHAT, "", "null", EVENT_BROKEN, FAULT_BAD_ANSWER, "E33: no object" },
	{ CHAT, "", CHUNK("7"), EVENT_BROKEN, FAULT_BAD_ANSWER, "E33: a choice that is a number" },
	{ CHAT, "ping", "now", 0, FAULT_NONE, "E29: an unknown event may hold anything" },
	{ CHAT, "keepalive", "{}", 0, FAULT_NONE, "E29: a ping" },
	{ CHAT, "", "{\"x_new\":{\"choices\":1}}", 0, FAULT_NONE, "E29: unknown members" },
	/* Responses */
	{ RESPONSES, "response.created", "{\"type\":\"response.created\",\"response\":{\"error\":null}}", 0,
	  FAULT_NONE, "created is preamble" },
	{ RESPONSES, "", "{\"type\":\"response.in_progress\",\"response\":{}}", 0, FAULT_NONE, "so is in_progress" },
	{ RESPONSES, "", "{\"type\":\"response.output_item.added\",\"item\":{\"type\":\"message\",\"content\":[]}}",
	  0, FAULT_NONE, "a message that begins is preamble" },
	{ RESPONSES, "", "{\"type\":\"response.output_item.added\",\"item\":{\"type\":\"reasoning\"}}", 0,
	  FAULT_NONE, "so is a reasoning" },
	{ RESPONSES, "", "{\"type\":\"response.output_item.added\",\"item\":{\"type\":\"mcp_list_tools\"}}", 0,
	  FAULT_NONE, "so is the list of a server's tools" },
	{ RESPONSES, "", "{\"type\":\"response.output_item.added\",\"item\":{\"type\":\"function_call\"}}",
	  EVENT_CONTENT, FAULT_NONE, "a call that begins is content" },
	{ RESPONSES, "", "{\"type\":\"response.output_text.delta\",\"delta\":\"Hi\"}", EVENT_CONTENT, FAULT_NONE,
	  "text" },
	{ RESPONSES, "response.output_text.delta", "{\"delta\":\"Hi\"}", EVENT_CONTENT, FAULT_NONE,
	  "the type may stand on the event alone" },
	{ RESPONSES, "", "{\"type\":\"response.output_text.delta\",\"delta\":\"\"}", 0, FAULT_NONE, "no text" },
	{ RESPONSES, "", "{\"type\":\"response.reasoning_summary_text.delta\",\"delta\":\"Hm\"}", EVENT_CONTENT,
	  FAULT_NONE, "reasoning" },
	{ RESPONSES, "", "{\"type\":\"response.function_call_arguments.delta\",\"delta\":\"{\"}", EVENT_CONTENT,
	  FAULT_NONE, "a call's arguments" },
	{ RESPONSES, "", "{\"type\":\"response.output_text.done\",\"text\":\"Hi\"}", EVENT_CONTENT, FAULT_NONE,
	  "servers that send no deltas" },
	{ RESPONSES, "", "{\"type\":\"response.completed\",\"response\":{\"output\":[]}}",
	  EVENT_FINISH | EVENT_DONE, FAULT_NONE, "the end" },
	{ RESPONSES, "", "{\"type\":\"response.completed\",\"response\":{\"output\":[{}]}}",
	  EVENT_CONTENT | EVENT_FINISH | EVENT_DONE, FAULT_NONE, "the end that brings all" },
	{ RESPONSES, "", "{\"type\":\"response.incomplete\",\"response\":{\"incomplete_details\":{\"reason\":"
	  "\"max_output_tokens\"}}}", EVENT_FINISH | EVENT_DONE, FAULT_NONE, "incomplete is a legal end" },
	{ RESPONSES, "", "{\"type\":\"response.failed\",\"response\":{\"error\":{\"code\":\"rate_limit_exceeded\","
	  "\"message\":\"x\"}}}", EVENT_DONE | EVENT_ERROR, FAULT_RATE_LIMITED, "failed" },
	{ RESPONSES, "", "{\"type\":\"response.failed\",\"response\":{}}", EVENT_DONE | EVENT_ERROR,
	  FAULT_SERVER_ERROR, "failed without a word" },
	{ RESPONSES, "error", "{\"type\":\"error\",\"code\":\"server_error\",\"message\":\"x\",\"param\":null}",
	  EVENT_ERROR, FAULT_SERVER_ERROR, "an error as documented" },
	{ RESPONSES, "", "{\"type\":\"error\",\"error\":{\"code\":\"insufficient_quota\",\"message\":\"x\"}}",
	  EVENT_ERROR, FAULT_NO_MONEY, "an error as sent" },
	{ RESPONSES, "", "{\"error\":{\"code\":503,\"message\":\"x\"}}", EVENT_ERROR, FAULT_OVERLOADED,
	  "E03 in a stream of Responses" },
	{ RESPONSES, "", "{\"type\":\"keepalive\",\"sequence_number\":3}", 0, FAULT_NONE, "E29: a ping" },
	{ RESPONSES, "", "{\"type\":\"response.of.tomorrow\"}", 0, FAULT_NONE, "E29: an unknown event" },
	{ RESPONSES, "response.output_text.delta", "{\"delta\":\"H", EVENT_BROKEN, FAULT_BAD_ANSWER, "E33" },
	/* passed */
	{ "/v1/audio/transcriptions", "", "{\"type\":\"transcript.text.delta\",\"delta\":\"x\"}", EVENT_CONTENT,
	  FAULT_NONE, "what is passed counts as content" },
	{ "/v1/images/generations", "", "{\"error\":{\"message\":\"x\",\"code\":\"moderation_blocked\"}}",
	  EVENT_CONTENT | EVENT_ERROR, FAULT_POLICY, "unless it is an error" },
};

static void events_are_what_they_are(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(events); i++) {
		struct arena *arena = arena_create(0);
		struct stream_facts so_far = { .events = 0 };
		struct event_facts out;

		dialect_openai.judge_event(arena, endpoint_at("POST", events[i].path),
			slice_of(events[i].type), slice_of(events[i].data), &so_far, &out);
		if (out.is != events[i].is || out.fault != events[i].fault)
			fail_msg("%s: %u %s", events[i].says, out.is, fault_row(out.fault)->name);
		arena_free(arena);
	}
}

/* ---- whole streams ------------------------------------------------------------------- */

#define EVENTS_MAX 8
#define ADDS_DONE "data: [DONE]\n\n"

static const struct {
	const char *path;
	const char *data[EVENTS_MAX];
	enum fault end;
	const char *adds;            /* what write_end writes; NULL: not asked */
	const char *says;
} streams[] = {
	{ CHAT, { ROLE, TEXT, FINISH("stop"), "[DONE]" }, FAULT_NONE, "", "a whole stream" },
	{ CHAT, { ROLE, TEXT }, FAULT_CUT, NULL, "E11: neither reason nor [DONE]" },
	{ CHAT, { ROLE }, FAULT_BAD_ANSWER, NULL, "E11: and no content either" },
	{ CHAT, { NULL }, FAULT_BAD_ANSWER, NULL, "an empty stream" },
	{ CHAT, { ROLE, TEXT, FINISH("stop") }, FAULT_NONE, ADDS_DONE, "E12: reason, no [DONE]" },
	{ CHAT, { ROLE, TEXT, "[DONE]" }, FAULT_NONE, "", "E13: [DONE], no reason" },
	{ CHAT, { ROLE, "[DONE]" }, FAULT_BAD_ANSWER, NULL, "E13: but there must be something" },
	{ CHAT, { ROLE, FINISH("length") }, FAULT_NONE, ADDS_DONE, "S25: empty for a reason" },
	{ CHAT, { TEXT, FINISH("stop"), "[DONE]", TEXT, "{x" }, FAULT_NONE, "", "E15: what follows is nothing" },
	{ CHAT, { TEXT, "{\"error\":{\"message\":\"x\"}}", "[DONE]" }, FAULT_CUT, NULL,
	  "E04: an error stays one though [DONE] follows" },
	{ CHAT, { "{\"error\":{\"message\":\"x\"}}" }, FAULT_BAD_ANSWER, NULL, "E01: an error at once" },
	{ CHAT, { TEXT, "{x", FINISH("stop"), "[DONE]" }, FAULT_CUT, NULL, "E33: tokens may be lost" },
	{ CHAT, { TEXT, FINISH("stop"), FINISH("stop") }, FAULT_NONE, ADDS_DONE, "E24: the reason twice" },
	{ CHAT, { CHUNK("{\"index\":0,\"delta\":{\"content\":\"a\"}},{\"index\":1,\"delta\":{\"content\":\"b\"}}"),
	  FINISH("stop") }, FAULT_CUT, NULL, "of two choices one is not complete" },
	{ CHAT, { CHUNK("{\"index\":0,\"delta\":{\"content\":\"a\"}},{\"index\":1,\"delta\":{\"content\":\"b\"}}"),
	  FINISH("stop"), CHUNK("{\"index\":1,\"delta\":{},\"finish_reason\":\"stop\"}") }, FAULT_NONE, ADDS_DONE,
	  "both are" },
	{ CHAT, { TEXT, FINISH("stop"), CHUNK("{\"index\":1,\"delta\":{\"content\":\"b\"}}") }, FAULT_CUT, NULL,
	  "a choice that began later" },
	{ COMPLETIONS, { CHUNK("{\"text\":\"a\",\"finish_reason\":\"stop\"}") }, FAULT_NONE, ADDS_DONE,
	  "a completion" },
	{ RESPONSES, { "{\"type\":\"response.output_text.delta\",\"delta\":\"Hi\"}",
	  "{\"type\":\"response.completed\",\"response\":{}}" }, FAULT_NONE, "", "a response" },
	{ RESPONSES, { "{\"type\":\"response.output_text.delta\",\"delta\":\"Hi\"}" }, FAULT_CUT, NULL,
	  "E11: a response without its end" },
	{ RESPONSES, { "{\"type\":\"response.output_text.delta\",\"delta\":\"Hi\"}", "[DONE]" }, FAULT_CUT, NULL,
	  "[DONE] is no end of a response" },
	{ RESPONSES, { "{\"type\":\"response.failed\",\"response\":{}}" }, FAULT_BAD_ANSWER, NULL, "failed" },
	{ "/v1/audio/speech", { "{\"type\":\"speech.audio.delta\"}" }, FAULT_NONE, "",
	  "what is passed ends where its framing does" },
};

static void streams_are_complete_when_their_dialect_says_so(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(streams); i++) {
		struct arena *arena = arena_create(0);
		const struct endpoint *e = endpoint_at("POST", streams[i].path);
		struct stream_facts so_far = { .events = 0 };
		struct buf out = BUF_INIT(256);
		struct event_facts facts;
		enum fault end;

		for (size_t j = 0; j < EVENTS_MAX && streams[i].data[j]; j++)
			dialect_openai.judge_event(arena, e, SLICE_NONE, slice_of(streams[i].data[j]),
						   &so_far, &facts);
		end = dialect_openai.judge_end(e, &so_far);
		if (end != streams[i].end)
			fail_msg("%s: %s", streams[i].says, fault_row(end)->name);
		dialect_openai.write_end(e, &so_far, &out);
		if (streams[i].adds)
			row_holds(is_text(buf_slice(&out), streams[i].adds), streams[i].says);
		buf_free(&out);
		arena_free(arena);
	}
}

/* ---- details -------------------------------------------------------------------------- */

static const struct { const char *path, *data; struct usage usage; const char *says; } usages[] = {
	{ CHAT, "{\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":4,\"prompt_tokens_details\":"
	  "{\"cached_tokens\":3},\"completion_tokens_details\":{\"reasoning_tokens\":2}}}", COUNTED(true, 9, 4, 3, 2),
	  "E23: in a chunk of its own" },
	{ CHAT, "{\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":9,"
	  "\"completion_tokens\":4,\"prompt_cache_hit_tokens\":8}}", COUNTED(true, 9, 4, 8, 0),
	  "E23: with the reason (DeepSeek)" },
	{ CHAT, "{\"choices\":[],\"x_groq\":{\"id\":\"r\",\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":4}}}",
	  COUNTED(true, 9, 4, 0, 0), "Groq" },
	{ CHAT, "{\"choices\":[{\"delta\":{},\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":4,"
	  "\"cached_tokens\":1}}]}", COUNTED(true, 9, 4, 1, 0), "Moonshot" },
	{ CHAT, "{\"choices\":[],\"usage\":null}", COUNTED(false, 0, 0, 0, 0), "E22: null" },
	{ RESPONSES, "{\"type\":\"response.completed\",\"response\":{\"usage\":{\"input_tokens\":9,"
	  "\"output_tokens\":4,\"output_tokens_details\":{\"reasoning_tokens\":4}}}}", COUNTED(true, 9, 4, 0, 4),
	  "Responses" },
};

static void usage_is_taken_from_any_chunk(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(usages); i++) {
		struct arena *arena = arena_create(0);
		struct stream_facts so_far = { .events = 0 };
		struct event_facts out;

		dialect_openai.judge_event(arena, endpoint_at("POST", usages[i].path), SLICE_NONE,
					   slice_of(usages[i].data), &so_far, &out);
		row_holds(memcmp(&so_far.usage.input_tokens, &usages[i].usage.input_tokens,
				 4 * sizeof(int64_t)) == 0, usages[i].says);
		row_holds(so_far.usage.known == usages[i].usage.known, usages[i].says);
		arena_free(arena);
	}
}

static void the_stream_s_facts_grow(void **state)
{
	struct arena *arena = arena_create(0);
	const struct endpoint *e = endpoint_at("POST", CHAT);
	struct stream_facts so_far = { .events = 0 };
	struct event_facts out;

	(void)state;
	dialect_openai.judge_event(arena, e, SLICE_NONE, S(ROLE), &so_far, &out);
	assert_int_equal(so_far.events, 1);
	assert_false(so_far.content_seen);
	dialect_openai.judge_event(arena, e, SLICE_NONE, S(TOOL), &so_far, &out);
	assert_true(so_far.content_seen);
	assert_true(so_far.tool_call_open);
	assert_int_equal(out.tokens, 1);
	assert_int_equal(out.retry_after_ms, -1);
	dialect_openai.judge_event(arena, e, SLICE_NONE, S(FINISH("tool_calls")), &so_far, &out);
	assert_false(so_far.tool_call_open);
	assert_true(so_far.finish_seen);
	assert_true(slice_eq(out.finish_reason, S("tool_calls")));
	dialect_openai.judge_event(arena, e, SLICE_NONE, S("[DONE]"), &so_far, &out);
	assert_true(so_far.done_seen);
	assert_false(so_far.error_seen);
	assert_int_equal(so_far.events, 4);
	arena_free(arena);
}

static void an_error_s_words_and_hint_are_kept(void **state)
{
	struct arena *arena = arena_create(0);
	struct stream_facts so_far = { .events = 0 };
	struct event_facts out;

	(void)state;
	dialect_openai.judge_event(arena, endpoint_at("POST", CHAT), SLICE_NONE,
		S("{\"error\":{\"message\":\"Please try again in 2s.\",\"type\":\"tokens\",\"param\":null,"
		  "\"code\":\"rate_limit_exceeded\"}}"), &so_far, &out);
	assert_int_equal(out.fault, FAULT_RATE_LIMITED);
	assert_true(is_text(out.message, "Please try again in 2s."));
	assert_true(is_text(out.type, "tokens"));
	assert_true(is_text(out.code, "rate_limit_exceeded"));
	assert_int_equal(out.retry_after_ms, 2000);
	assert_true(so_far.error_seen);
	arena_free(arena);
}

/* Cut at every place a chunk is broken, never half understood. */
static void cut_chunks_are_broken(void **state)
{
	static const char whole[] = TEXT;
	struct arena *arena = arena_create(0);

	(void)state;
	for (size_t len = 1; len < sizeof whole - 1; len++) {
		struct stream_facts so_far = { .events = 0 };
		struct event_facts out;

		dialect_openai.judge_event(arena, endpoint_at("POST", CHAT), SLICE_NONE,
					   (struct slice){ whole, len }, &so_far, &out);
		assert_int_equal(out.is, EVENT_BROKEN);
	}
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_are_what_they_are),
		cmocka_unit_test(streams_are_complete_when_their_dialect_says_so),
		cmocka_unit_test(usage_is_taken_from_any_chunk),
		cmocka_unit_test(the_stream_s_facts_grow),
		cmocka_unit_test(an_error_s_words_and_hint_are_kept),
		cmocka_unit_test(cut_chunks_are_broken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
