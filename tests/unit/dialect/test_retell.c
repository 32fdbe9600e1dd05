#include "help.h"

#include "base/check.h"
#include "wire/json.h"
#include "wire/sse.h"

#define HEAD "\"id\":\"1\",\"created\":7,\"model\":\"m\","
#define CHUNK_HEAD "data: {" HEAD "\"object\":\"chat.completion.chunk\",\"choices\":[{"
#define CHUNK_END "}]}\n\n"

/* ---- E34: an answer as a stream ---------------------------------------------------- */

static const struct { const char *path; bool usage; const char *body, *stream, *says; } streams[] = {
	{ CHAT, false, "{" HEAD "\"object\":\"chat.completion\",\"choices\":[{\"index\":0,\"message\":{\"role\":"
	  "\"assistant\",\"content\":\"Hi\"},\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":{\"x\":1}}",
	  CHUNK_HEAD "\"logprobs\":null,\"index\":0,\"delta\":{\"content\":\"Hi\",\"role\":\"assistant\"},"
	  "\"finish_reason\":null" CHUNK_END
	  CHUNK_HEAD "\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"" CHUNK_END
	  "data: [DONE]\n\n", "text" },
	{ CHAT, true, "{\n  \"choices\": [\n {\"message\": {\n\"content\": \"a\\nb\"}, \"finish_reason\": \"length\"}\n"
	  "],\n \"usage\": {\n\"prompt_tokens\": 1}\n}",
	  "data: {\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\\nb\","
	  "\"role\":\"assistant\"},\"finish_reason\":null}]}\n\n"
	  "data: {\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":"
	  "\"length\"}]}\n\n"
	  "data: {\"object\":\"chat.completion.chunk\",\"choices\":[],\"usage\":{ \"prompt_tokens\": 1}}\n\n"
	  "data: [DONE]\n\n", "usage where it was asked for, and no line break inside an event" },
	{ CHAT, false, "{\"choices\":[{\"message\":{\"content\":null,\"tool_calls\":[{\"id\":\"a\"},{\"id\":\"b\"}]},"
	  "\"finish_reason\":\"tool_calls\"}]}",
	  "data: {\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"content\":null,"
	  "\"tool_calls\":[{\"id\":\"a\",\"index\":0},{\"id\":\"b\",\"index\":1}],\"role\":\"assistant\"},"
	  "\"finish_reason\":null}]}\n\n"
	  "data: {\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":"
	  "\"tool_calls\"}]}\n\ndata: [DONE]\n\n", "E25: tool calls get their index" },
	{ COMPLETIONS, false, "{\"id\":\"1\",\"choices\":[{\"text\":\"Hi\",\"index\":0,\"finish_reason\":\"stop\"}]}",
	  "data: {\"id\":\"1\",\"object\":\"text_completion\",\"choices\":[{\"text\":\"Hi\",\"index\":0,"
	  "\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n", "a completion" },
	{ EMBEDDINGS, false, "{\"data\":[]}", NULL, "embeddings have no stream" },
	{ CHAT, false, "{\"id\":", NULL, "no JSON" },
	{ RESPONSES, false, "{\"status\":\"queued\"}", NULL, "a response without an end" },
};

static void answers_are_retold_as_streams(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(streams); i++) {
		struct arena *arena = arena_create(0);
		struct request_facts facts = { .asks_usage = streams[i].usage };
		struct buf out = BUF_INIT(65536);
		bool told = dialect_openai.answer_to_stream(arena, endpoint_at("POST", streams[i].path),
			&facts, slice_of(streams[i].body), &out);

		row_holds(told == !!streams[i].stream, streams[i].says);
		if (told && !is_text(buf_slice(&out), streams[i].stream))
			fail_msg("%s: %.*s", streams[i].says, SLICE_ARG(buf_slice(&out)));
		row_holds(told || buf_len(&out) == 0, streams[i].says);
		buf_free(&out);
		arena_free(arena);
	}
}

/* Judges a stream that was written here; gives how many events it had. */
static unsigned judge(const struct endpoint *e, struct slice text, struct stream_facts *so_far)
{
	struct arena *arena = arena_create(0);
	struct event_facts out;
	struct sse_event ev;
	struct sse p;

	*so_far = (struct stream_facts){ .events = 0 };
	sse_init(&p, 1 << 20);
	while (sse_feed(&p, &text, &ev) == SSE_EVENT) {
		dialect_openai.judge_event(arena, e, ev.type, ev.data, so_far, &out);
		assert_false(out.is & (EVENT_BROKEN | EVENT_ERROR));
	}
	sse_free(&p);
	arena_free(arena);
	return so_far->events;
}

#define RESPONSE \
	"{\"id\":\"r\",\"object\":\"response\",\"status\":\"completed\",\"output\":[" \
	"{\"id\":\"m\",\"type\":\"message\",\"status\":\"completed\",\"role\":\"assistant\",\"content\":[" \
	"{\"type\":\"output_text\",\"text\":\"Hi\",\"annotations\":[]}]}," \
	"{\"id\":\"f\",\"type\":\"function_call\",\"name\":\"g\",\"arguments\":\"{}\"}]," \
	"\"usage\":{\"input_tokens\":3,\"output_tokens\":2}}"

static void a_response_is_retold_event_by_event(void **state)
{
	struct arena *arena = arena_create(0);
	const struct endpoint *e = endpoint_at("POST", RESPONSES);
	struct request_facts facts = { .endpoint = e };
	struct buf out = BUF_INIT(65536), back = BUF_INIT(65536);
	struct stream_facts so_far;

	(void)state;
	assert_true(dialect_openai.answer_to_stream(arena, e, &facts, S(RESPONSE), &out));
	/* created, in_progress, the message's 6, the call's 4, completed */
	assert_int_equal(judge(e, buf_slice(&out), &so_far), 13);
	assert_int_equal(dialect_openai.judge_end(e, &so_far), FAULT_NONE);
	assert_true(so_far.content_seen);
	assert_int_equal(so_far.usage.input_tokens, 3);
	assert_int_equal(so_far.private[2], 13);          /* numbered without a gap */
	assert_true(slice_find_slice(buf_slice(&out), S("\"arguments\":\"\"")) != SLICE_NOT_FOUND);
	assert_true(dialect_openai.stream_to_answer(arena, e, buf_slice(&out), &back));
	assert_true(slice_eq(json_path(buf_slice(&back), S("output.0.content.0.text")), S("\"Hi\"")));
	assert_true(slice_eq(json_member(buf_slice(&back), S("status")), S("\"completed\"")));
	buf_free(&back);
	buf_free(&out);
	arena_free(arena);
}

/* ---- E35: a stream as an answer -------------------------------------------------------- */

static const struct { const char *path, *stream, *body, *says; } answers[] = {
	{ CHAT, "data: {" HEAD "\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"role\":"
	  "\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n"
	  ": keep-alive\n\n"
	  CHUNK_HEAD "\"index\":0,\"delta\":{\"content\":\"a\\ud83d\"},\"finish_reason\":null" CHUNK_END
	  CHUNK_HEAD "\"index\":0,\"delta\":{\"content\":\"\\ude00b\"},\"finish_reason\":null" CHUNK_END
	  CHUNK_HEAD "\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"" CHUNK_END
	  "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1}}\n\ndata: [DONE]\n\n",
	  "{" HEAD "\"object\":\"chat.completion\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\","
	  "\"content\":\"a\\ud83d\\ude00b\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":1}}",
	  "text, with a character cut in two" },
	{ CHAT, "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"c\",\"type\":\"function\","
	  "\"function\":{\"name\":\"f\",\"arguments\":\"\"}}]}}]}\n\n"
	  "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":1,\"id\":\"d\",\"function\":{\"name\":\"g\","
	  "\"arguments\":\"{}\"}}]}}]}\n\n"
	  "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{\\\"a\\\"\"}}]}}]}\n\n"
	  "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\":1}\"}}]},"
	  "\"finish_reason\":\"tool_calls\"}]}\n\n",
	  "{\"object\":\"chat.completion\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\","
	  "\"tool_calls\":[{\"id\":\"c\",\"type\":\"function\",\"function\":{\"name\":\"f\","
	  "\"arguments\":\"{\\\"a\\\":1}\"}},{\"id\":\"d\",\"function\":{\"name\":\"g\","
	  "\"arguments\":\"{}\"}}],\"content\":null},\"finish_reason\":\"tool_calls\"}]}", "two tool calls" },
	{ CHAT, "data: {\"choices\":[{\"index\":1,\"delta\":{\"content\":\"b\"}},{\"index\":0,\"delta\":{\"content\":"
	  "\"a\"}}]}\n\ndata: [DONE]\n\n",
	  "{\"object\":\"chat.completion\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":"
	  "\"a\"},\"finish_reason\":\"stop\"},{\"index\":1,\"message\":{\"role\":\"assistant\",\"content\":\"b\"},"
	  "\"finish_reason\":\"stop\"}]}", "two choices; E13: no reason given" },
	{ COMPLETIONS, "data: {\"choices\":[{\"text\":\"a\",\"index\":0}]}\n\ndata: {\"choices\":[{\"text\":\"b\","
	  "\"index\":0,\"finish_reason\":\"length\"}]}\n\n",
	  "{\"object\":\"text_completion\",\"choices\":[{\"index\":0,\"text\":\"ab\",\"finish_reason\":\"length\"}]}",
	  "a completion" },
	{ CHAT, "data: {\"choices\":[{\"delta\":{\"content\":\"a\",\"annotations\":[1]},\"logprobs\":{\"content\":[{}],"
	  "\"refusal\":null}}]}\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"b\",\"annotations\":[]},\"logprobs\":"
	  "{\"content\":[{\"x\":1},2]}}]}\n\ndata: {\"choices\":[{\"delta\":{\"annotations\":[2]},"
	  "\"finish_reason\":\"stop\"}]}\n\n",
	  "{\"object\":\"chat.completion\",\"choices\":[{\"index\":0,\"logprobs\":{\"content\":[{},{\"x\":1},2],"
	  "\"refusal\":null},\"message\":{\"role\":\"assistant\",\"content\":\"ab\",\"annotations\":[1,2]},"
	  "\"finish_reason\":\"stop\"}]}", "lists grow" },
	{ CHAT, "data: {\"choices\":[{\"del\n\n", NULL, "E33: broken" },
	{ CHAT, "data: [DONE]\n\n", NULL, "nothing" },
	{ EMBEDDINGS, "data: {}\n\n", NULL, "no such stream" },
	{ RESPONSES, "data: {\"type\":\"response.output_text.delta\"}\n\n", NULL, "a response without its end" },
	{ RESPONSES, "data: {\"type\":\"response.output_item.done\",\"item\":{\"a\":1}}\n\n"
	  "data: {\"type\":\"response.completed\",\"response\":{\"id\":\"r\",\"output\":[{\"a\":2}]}}\n\n",
	  "{\"id\":\"r\",\"output\":[{\"a\":2}]}", "a response's end is the whole of it" },
	{ RESPONSES, "data: {\"type\":\"response.output_item.done\",\"item\":{\"a\":1}}\n\n"
	  "data: {\"type\":\"response.output_item.done\",\"item\":{\"b\":2}}\n\n"
	  "data: {\"type\":\"response.completed\",\"response\":{\"output\":[],\"id\":\"r\"}}\n\n",
	  "{\"id\":\"r\",\"output\":[{\"a\":1},{\"b\":2}]}", "an end without output: the items before it" },
	{ RESPONSES, "data: {\"type\":\"response.output_text.delta\",\"delta\":\"a\"}\n\n"
	  "data: {\"type\":\"response.completed\",\"response\":{\"status\":\"completed\",\"output\":[]}}\n\n",
	  NULL, "neither output nor items: what was said cannot be told whole" },
};

static void streams_are_retold_as_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(answers); i++) {
		struct arena *arena = arena_create(0);
		struct buf out = BUF_INIT(65536);
		bool told = dialect_openai.stream_to_answer(arena, endpoint_at("POST", answers[i].path),
			slice_of(answers[i].stream), &out);

		row_holds(told == !!answers[i].body, answers[i].says);
		if (told && !is_text(buf_slice(&out), answers[i].body))
			fail_msg("%s: %.*s", answers[i].says, SLICE_ARG(buf_slice(&out)));
		row_holds(!told || json_validate(buf_slice(&out), NULL) == JSON_OK, answers[i].says);
		row_holds(told || buf_len(&out) == 0, answers[i].says);
		buf_free(&out);
		arena_free(arena);
	}
}

static void what_does_not_fit_leaves_nothing(void **state)
{
	struct arena *arena = arena_create(0);
	const struct endpoint *e = endpoint_at("POST", RESPONSES);
	struct request_facts facts = { .endpoint = e };

	(void)state;
	for (size_t max = 4; max < 2000; max += 7) {
		struct buf out = BUF_INIT(max);

		buf_puts(&out, "abcd");
		if (!dialect_openai.answer_to_stream(arena, e, &facts, S(RESPONSE), &out))
			assert_true(is_text(buf_slice(&out), "abcd"));
		buf_free(&out);
	}
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_are_retold_as_streams),
		cmocka_unit_test(a_response_is_retold_event_by_event),
		cmocka_unit_test(streams_are_retold_as_answers),
		cmocka_unit_test(what_does_not_fit_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
