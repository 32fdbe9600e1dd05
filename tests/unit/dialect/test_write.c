#include "help.h"

#include "base/check.h"
#include "wire/json.h"

static const struct {
	struct error_answer e;
	const char *text, *says;
} bodies[] = {
	{ { .fault = FAULT_SHED }, "{\"error\":{\"message\":\"the proxy has no room for this request at the "
	  "moment\",\"type\":\"server_error\",\"param\":null,\"code\":\"overloaded\"}}", "all from the fault" },
	{ { .fault = FAULT_CALLER, .message = S_INIT("you must provide a model"), .param = S_INIT("model") },
	  "{\"error\":{\"message\":\"you must provide a model\",\"type\":\"invalid_request_error\",\"param\":"
	  "\"model\",\"code\":\"invalid_request\"}}", "a sentence and a member to blame" },
	{ { .fault = FAULT_CALLER, .message = S_INIT("m"), .type = S_INIT("t"), .code = S_INIT(""),
	    .param = S_INIT("") }, "{\"error\":{\"message\":\"m\",\"type\":\"t\",\"param\":null,\"code\":null}}",
	  "the upstream's words, its nulls included" },
	{ { .fault = FAULT_SERVER_ERROR, .type = S_INIT(""), .code = S_INIT("") }, "{\"error\":{\"message\":"
	  "\"the backend answered with an error of its own\",\"type\":\"server_error\",\"param\":null,"
	  "\"code\":\"upstream_error\"}}", "copies of nothing are nothing" },
	{ { .fault = FAULT_CALLER, .message = S_INIT("a \"b\"\n\xff"), .type = S_INIT("t\\"),
	    .code = S_INIT("c") }, "{\"error\":{\"message\":\"a \\\"b\\\"\\n\xef\xbf\xbd\",\"type\":\"t\\\\\","
	  "\"param\":null,\"code\":\"c\"}}", "S24: always valid JSON in valid UTF-8" },
};

static void errors_are_written_in_openai_s_shape(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(bodies); i++) {
		struct buf out = BUF_INIT(4096);

		dialect_openai.write_error(&bodies[i].e, &out);
		row_holds(is_text(buf_slice(&out), bodies[i].text), bodies[i].says);
		row_holds(json_validate(buf_slice(&out), NULL) == JSON_OK, bodies[i].says);
		buf_free(&out);
	}
}

static void chat_streams_end_with_a_chunk_that_raises(void **state)
{
	static const char *const paths[] = { CHAT, COMPLETIONS, "/v1/audio/transcriptions" };
	const struct error_answer e = { .fault = FAULT_CUT, .message = S_INIT("m") };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(paths); i++) {
		struct buf out = BUF_INIT(4096);

		dialect_openai.write_error_event(endpoint_at("POST", paths[i]), &e, &out);
		row_holds(is_text(buf_slice(&out), "data: {\"error\":{\"message\":\"m\",\"type\":\"server_error\","
				  "\"param\":null,\"code\":\"stream_cut\"}}\n\n"), paths[i]);
		buf_free(&out);
	}
}

/* The number continues where the stream broke off. */
static void responses_end_with_a_numbered_error(void **state)
{
	struct arena *arena = arena_create(0);
	const struct endpoint *endpoint = endpoint_at("POST", RESPONSES);
	struct stream_facts so_far = { .events = 0 };
	struct error_answer e = { .fault = FAULT_STALL, .message = S_INIT("m"), .so_far = &so_far };
	struct buf out = BUF_INIT(4096);
	struct event_facts facts;

	(void)state;
	dialect_openai.judge_event(arena, endpoint, SLICE_NONE,
		S("{\"type\":\"response.output_text.delta\",\"delta\":\"x\",\"sequence_number\":41}"), &so_far,
		&facts);
	dialect_openai.write_error_event(endpoint, &e, &out);
	assert_true(is_text(buf_slice(&out), "event: error\ndata: {\"type\":\"error\",\"code\":"
		"\"stream_stalled\",\"message\":\"m\",\"param\":null,\"sequence_number\":42,\"error\":"
		"{\"message\":\"m\",\"type\":\"server_error\",\"param\":null,\"code\":\"stream_stalled\"}}\n\n"));
	buf_clear(&out);
	e.so_far = NULL;
	dialect_openai.write_error_event(endpoint, &e, &out);
	assert_true(slice_find_slice(buf_slice(&out), S("\"sequence_number\":0,")) != SLICE_NOT_FOUND);
	buf_free(&out);
	arena_free(arena);
}

/* Our own error events are errors to ourselves: Backstay may stand behind Backstay. */
static void what_is_written_is_understood(void **state)
{
	static const char *const paths[] = { CHAT, RESPONSES };
	const struct error_answer e = { .fault = FAULT_SHED };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(paths); i++) {
		struct arena *arena = arena_create(0);
		const struct endpoint *endpoint = endpoint_at("POST", paths[i]);
		struct stream_facts so_far = { .events = 0 };
		struct buf out = BUF_INIT(4096);
		struct event_facts facts;
		struct slice data;

		dialect_openai.write_error_event(endpoint, &e, &out);
		data = buf_slice(&out);
		data = slice_from(data, slice_find_slice(data, S("data: ")) + 6);
		dialect_openai.judge_event(arena, endpoint, SLICE_NONE, data, &so_far, &facts);
		row_holds(facts.is == EVENT_ERROR, paths[i]);
		row_holds(facts.fault == FAULT_OVERLOADED, paths[i]);
		buf_free(&out);
		arena_free(arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(errors_are_written_in_openai_s_shape),
		cmocka_unit_test(chat_streams_end_with_a_chunk_that_raises),
		cmocka_unit_test(responses_end_with_a_numbered_error),
		cmocka_unit_test(what_is_written_is_understood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
