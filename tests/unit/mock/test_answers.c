/* What a healthy mock answers, endpoint by endpoint, as bytes over the door. */
#include "stage.h"

#include "wire/chunked.h"
#include "wire/h1.h"
#include "wire/json.h"
#include "wire/sse.h"

/* The head of what came, and its body without framing. */
struct answer {
	struct h1_head head;
	struct buf body;
};

static void take_answer(struct stage *s, struct answer *a)
{
	struct slice in = buf_slice(&s->got), data;
	struct chunked c = { 0 };
	size_t scanned = 0;

	*a = (struct answer){ .body = BUF_INIT(64u << 20) };
	assert_int_equal(h1_parse_response(in, H1_HEAD_BYTES_MAX, &scanned, false, &a->head), H1_OK);
	in = slice_from(in, a->head.bytes);
	if (a->head.body == H1_BODY_CHUNKED) {
		enum chunked_step step;

		while ((step = chunked_feed(&c, &in, &data)) == CHUNKED_DATA)
			buf_put(&a->body, data);
		assert_int_equal(step, CHUNKED_END);
	} else {
		assert_int_equal(in.len, a->head.content_length);
		buf_put(&a->body, in);
	}
}

/* One whole JSON answer a row: members that must be there, as raw JSON. */
struct row {
	const char *path, *body;
	struct { const char *path, *raw; } has[5];
	const char *sentence;
};

#define ASK(text) "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"" text "\"}]"
#define WX "[{\"type\":\"function\",\"function\":{\"name\":\"wx\",\"parameters\":{\"type\":\"object\"," \
	   "\"properties\":{\"days\":{\"type\":\"integer\",\"minimum\":3,\"maximum\":3}}}}}]"

static const struct row rows[] = {
	{ "/v1/chat/completions", ASK("echo: h\\u00e9llo") "}",
	  { { "object", "\"chat.completion\"" }, { "model", "\"m\"" },
	    { "choices.0.message.content", "\"h\xc3\xa9llo\"" }, { "choices.0.finish_reason", "\"stop\"" } },
	  "a prompt can ask for an echo" },
	{ "/v1/chat/completions", ASK("hi") ",\"max_tokens\":3}",
	  { { "choices.0.finish_reason", "\"length\"" }, { "usage.completion_tokens", "3" } },
	  "max_tokens cuts the answer" },
	{ "/v1/chat/completions", ASK("echo: one two three") ",\"stop\":[\"x\",\" two\"]}",
	  { { "choices.0.message.content", "\"one\"" }, { "choices.0.finish_reason", "\"stop\"" } },
	  "a stop sequence ends it before itself" },
	{ "/v1/chat/completions", ASK("hi") ",\"n\":2}",
	  { { "choices.1.index", "1" }, { "usage.completion_tokens", "16" } }, "n choices" },
	{ "/v1/chat/completions", ASK("hi") ",\"tools\":" WX ",\"tool_choice\":\"required\"}",
	  { { "choices.0.message.tool_calls.0.function.name", "\"wx\"" },
	    { "choices.0.message.tool_calls.0.function.arguments", "\"{\\\"days\\\":3}\"" },
	    { "choices.0.message.content", "null" }, { "choices.0.finish_reason", "\"tool_calls\"" } },
	  "a required tool is called, arguments by its schema" },
	{ "/v1/chat/completions", ASK("hi") ",\"tools\":" WX "}",
	  { { "choices.0.finish_reason", "\"stop\"" } }, "a tool nobody asks for is not called" },
	{ "/v1/chat/completions", ASK("use wx please") ",\"tools\":" WX "}",
	  { { "choices.0.finish_reason", "\"tool_calls\"" } }, "naming the tool asks for it" },
	{ "/v1/chat/completions", ASK("hi") ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":"
	  "{\"name\":\"x\",\"schema\":{\"$ref\":\"#/$defs/a\",\"$defs\":{\"a\":{\"type\":\"array\",\"minItems\":2,"
	  "\"items\":{\"enum\":[\"k\"]}}}}}}}",
	  { { "choices.0.message.content", "\"[\\\"k\\\",\\\"k\\\"]\"" } }, "JSON schema, with $ref and enum" },
	{ "/v1/chat/completions", "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\","
	  "\"text\":\"echo: seen\"},{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:,x\"}}]}]}",
	  { { "choices.0.message.content", "\"seen\"" } }, "images are accepted" },
	{ "/v1/completions", "{\"model\":\"m\",\"prompt\":\"echo: yes\"}",
	  { { "object", "\"text_completion\"" }, { "choices.0.text", "\"yes\"" } }, "completions" },
	{ "/v1/responses", "{\"model\":\"m\",\"input\":\"echo: yes\"}",
	  { { "object", "\"response\"" }, { "status", "\"completed\"" },
	    { "output.0.content.0.text", "\"yes\"" }, { "usage.output_tokens", "1" } }, "responses" },
	{ "/v1/responses", "{\"model\":\"m\",\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_text\","
	  "\"text\":\"echo: a b\"}]}],\"max_output_tokens\":1}",
	  { { "status", "\"incomplete\"" }, { "incomplete_details.reason", "\"max_output_tokens\"" },
	    { "output.0.content.0.text", "\"a\"" } }, "responses cut by max_output_tokens" },
	{ "/v1/responses", "{\"model\":\"m\",\"input\":\"x\",\"tool_choice\":\"required\",\"tools\":[{\"type\":"
	  "\"function\",\"name\":\"wx\"}]}",
	  { { "output.0.type", "\"function_call\"" }, { "output.0.name", "\"wx\"" },
	    { "output.0.arguments", "\"{}\"" } }, "responses call functions" },
	{ "/v1/embeddings", "{\"model\":\"m\",\"input\":[\"a\",\"b\"],\"dimensions\":1}",
	  { { "data.1.index", "1" }, { "object", "\"list\"" } }, "an embedding for each input" },
	{ "/v1/embeddings", "{\"model\":\"m\",\"input\":[1,2,3],\"dimensions\":1,\"encoding_format\":\"base64\"}",
	  { { "data.0.object", "\"embedding\"" } }, "token numbers are one input" },
	{ "/v1/moderations", "{\"input\":\"x\"}", { { "results.0.flagged", "false" } }, "moderations" },
	{ "/v1/rerank", "{\"model\":\"m\",\"query\":\"q\",\"documents\":[\"a\",\"b\"]}",
	  { { "results.1.index", "1" }, { "results.0.relevance_score", "1.0000" } }, "rerank" },
	{ "/v1/images/generations", "{\"model\":\"m\",\"prompt\":\"x\",\"n\":2}",
	  { { "size", "\"1024x1024\"" } }, "images" },
	{ "/v1/batches", "{\"input_file_id\":\"f\"}", { { "object", "\"batch\"" } }, "batches" },
	{ "/v1/nonsense", "{}", { { "error.code", "\"unknown_url\"" } }, "unknown paths" },
	{ "/v1/chat/completions", "{", { { "error.type", "\"invalid_request_error\"" } }, "broken JSON" },
	{ "/v1/chat/completions", "{\"messages\":[]}", { { "error.code", "null" } }, "no model" },
	{ "/v1/chat/completions", "{\"model\":\"m\"}", { { "choices.0.index", "0" } }, "no messages at all" },
};

static void whole_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct stage s;
		struct answer a;

		stage_open(&s, NULL);
		stage_ask(&s, "", rows[i].path, rows[i].body, 2000);
		take_answer(&s, &a);
		row_holds(json_validate(buf_slice(&a.body), NULL) == JSON_OK, rows[i].sentence);
		for (size_t k = 0; k < COUNT_OF(rows[i].has) && rows[i].has[k].path; k++) {
			struct slice is = json_path(buf_slice(&a.body), slice_of(rows[i].has[k].path));

			if (!slice_eq(is, slice_of(rows[i].has[k].raw)))
				fail_msg("%s: %s is %.*s", rows[i].sentence, rows[i].has[k].path, SLICE_ARG(is));
		}
		row_holds(h1_get(&a.head, S("x-mock-name")).len == 4, rows[i].sentence);
		row_holds(h1_get(&a.head, S("x-request-id")).len > 10, rows[i].sentence);
		buf_free(&a.body);
		stage_shut(&s);
	}
}

/* The text that the deltas of a stream make, and its other facts. */
struct told {
	struct buf text;
	unsigned events, roles, finishes, usages, dones;
	struct arena *arena;
};

static void take_event(struct told *t, struct slice data)
{
	struct slice piece;

	t->events++;
	if (slice_eq(data, S("[DONE]"))) {
		t->dones++;
		return;
	}
	assert_int_equal(t->dones, 0);
	assert_int_equal(json_validate(data, NULL), JSON_OK);
	piece = json_path(data, S("choices.0.delta.content"));
	if (!piece.len)
		piece = json_path(data, S("choices.0.text"));
	if (!piece.len && json_string_eq(json_member(data, S("type")), S("response.output_text.delta")))
		piece = json_member(data, S("delta"));
	if (piece.len)
		buf_put(&t->text, json_string(t->arena, piece));
	t->roles += json_path(data, S("choices.0.delta.role")).len > 0;
	t->finishes += json_path(data, S("choices.0.finish_reason")).len > 4;
	t->usages += json_path(data, S("usage.total_tokens")).len > 0;
}

static void take_stream(struct stage *s, struct told *t)
{
	struct answer a;
	struct sse sse;
	struct sse_event ev;
	struct slice in;

	take_answer(s, &a);
	*t = (struct told){ .text = BUF_INIT(1 << 24), .arena = arena_create(0) };
	sse_init(&sse, 1 << 24);
	in = buf_slice(&a.body);
	while (sse_feed(&sse, &in, &ev) == SSE_EVENT)
		if (ev.has_data)
			take_event(t, ev.data);
	assert_int_equal(sse_rest(&sse).len, 0);
	sse_free(&sse);
	buf_free(&a.body);
}

static void told_free(struct told *t)
{
	buf_free(&t->text);
	arena_free(t->arena);
}

static void a_chat_stream_has_the_right_shape(void **state)
{
	struct stage s;
	struct told t;

	(void)state;
	stage_open(&s, NULL);
	stage_ask(&s, "", "/v1/chat/completions", "{\"model\":\"m\",\"stream\":true,\"stream_options\":"
		  "{\"include_usage\":true},\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}", 2000);
	take_stream(&s, &t);
	assert_int_equal(t.roles, 1);
	assert_int_equal(t.finishes, 1);
	assert_int_equal(t.usages, 1);
	assert_int_equal(t.dones, 1);
	assert_int_equal(t.events, 1 + 8 + 1 + 1 + 1);
	told_free(&t);
	stage_shut(&s);
}

/* Odd but legal styles: a reader of the standard sees the same words. */
static const char *const styles[] = {
	"", "crlf", "cr", "multi-data", "no-space", "bom", "blank-lines", "split-utf8", "drip 7 1ms",
	"comments 2ms ttft 20ms", "trailers", "1xx 3", "crlf multi-data split-utf8 bom", "role-early",
	"empty-choices-first", "unknown-events", "unknown after 3", "usage every", "dup-role", "reasoning 3",
	"stall after 3 for 300ms", "ttft 100ms", "stay-open gap 0", "extra-bytes",
};

static void styles_do_not_change_the_words(void **state)
{
	static const struct { const char *path, *body; } asks[] = {
		{ "/v1/chat/completions", STAGE_STREAM },
		{ "/v1/completions", "{\"model\":\"m\",\"stream\":true,\"prompt\":\"hi\"}" },
		{ "/v1/responses", "{\"model\":\"m\",\"stream\":true,\"input\":\"hi\"}" },
	};

	(void)state;
	for (size_t k = 0; k < COUNT_OF(asks); k++) {
		struct buf right = BUF_INIT(1 << 20);

		for (size_t i = 0; i < COUNT_OF(styles); i++) {
			struct stage s;
			struct told t;
			bool open = slice_starts(slice_of(styles[i]), S("stay-open"));

			stage_open(&s, NULL);
			stage_ask(&s, styles[i], asks[k].path, asks[k].body, 20000);
			if (slice_starts(slice_of(styles[i]), S("1xx")))
				buf_consume(&s.got, slice_find_slice(buf_slice(&s.got), S("HTTP/1.1 200")));
			if (open)
				buf_put(&s.got, S("0\r\n\r\n"));
			take_stream(&s, &t);
			if (!i)
				buf_put(&right, buf_slice(&t.text));
			row_holds(buf_len(&t.text) > 20, styles[i]);
			row_holds(slice_eq(buf_slice(&t.text), buf_slice(&right)), styles[i]);
			row_holds(open || mock_stats(s.mock).all.finished == 1, styles[i]);
			told_free(&t);
			stage_shut(&s);
		}
		buf_free(&right);
	}
}

static void tokens_come_at_their_times(void **state)
{
	struct stage s;

	(void)state;
	stage_open(&s, NULL);
	stage_ask(&s, "ttft 500ms gap 100ms tokens 4", "/v1/chat/completions", STAGE_STREAM, 499);
	assert_int_equal(stage_count(&s, "data: "), 0);
	assert_true(stage_saw(&s, "HTTP/1.1 200"));
	sim_run_for(s.sim, 10);
	assert_int_equal(stage_count(&s, "data: "), 2);
	sim_run_for(s.sim, 100);
	assert_int_equal(stage_count(&s, "data: "), 3);
	sim_run_for(s.sim, 1000);
	assert_true(stage_saw(&s, "[DONE]"));
	stage_shut(&s);
}

static void mocks_with_one_seed_say_the_same(void **state)
{
	struct mock_options a = { .seed = 3, .name = S("a") }, b = { .seed = 3, .name = S("b") };
	struct stage s[2];
	struct told t[2];

	(void)state;
	stage_open(&s[0], &a);
	stage_open(&s[1], &b);
	for (int i = 0; i < 2; i++) {
		stage_ask(&s[i], "", "/v1/chat/completions", STAGE_STREAM, 1000);
		take_stream(&s[i], &t[i]);
	}
	assert_true(slice_eq(buf_slice(&t[0].text), buf_slice(&t[1].text)));
	for (int i = 0; i < 2; i++) {
		told_free(&t[i]);
		stage_shut(&s[i]);
	}
}

static void an_assistant_message_at_the_end_is_continued(void **state)
{
	struct buf body = BUF_INIT(1 << 16), whole = BUF_INIT(1 << 16);
	struct stage s;
	struct told t;
	size_t half;

	(void)state;
	stage_open(&s, NULL);
	stage_ask(&s, "", "/v1/chat/completions", STAGE_STREAM, 1000);
	take_stream(&s, &t);
	buf_put(&whole, buf_slice(&t.text));
	told_free(&t);
	half = slice_find(buf_slice(&whole), ' ') + 3;
	buf_puts(&body, "{\"model\":\"m\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"hi\"},"
		 "{\"role\":\"assistant\",\"content\":");
	json_write_string(&body, slice_sub(buf_slice(&whole), 0, half));
	buf_puts(&body, "}]}");
	buf_put(&body, (struct slice){ "", 1 });
	stage_connect(&s);
	stage_ask(&s, "", "/v1/chat/completions", buf_slice(&body).at, 1000);
	take_stream(&s, &t);
	assert_true(slice_eq(buf_slice(&t.text), slice_from(buf_slice(&whole), half)));
	told_free(&t);
	buf_free(&body);
	buf_free(&whole);
	stage_shut(&s);
}

static void requests_may_come_in_any_way(void **state)
{
	struct stage s;

	(void)state;
	stage_open(&s, NULL);
	for (int i = 0; i < 3; i++)             /* pipelined */
		stage_post(&s, "/v1/chat/completions", "", STAGE_CHAT);
	sim_run_for(s.sim, 1000);
	assert_int_equal(stage_count(&s, "HTTP/1.1 200"), 3);
	buf_clear(&s.got);
	stage_send(&s, S("POST /v1/embeddings HTTP/1.1\r\nhost: m\r\ntransfer-encoding: chunked\r\n\r\n"
			 "12\r\n{\"model\":\"m\",\"inpu\r\n"));
	sim_run_for(s.sim, 10);
	stage_send(&s, S("7\r\nt\":\"x\"}\r\n0\r\n\r\n"));
	sim_run_for(s.sim, 100);
	assert_true(stage_saw(&s, "\"embedding\""));
	buf_clear(&s.got);
	stage_send(&s, S("POST /v1/embeddings HTTP/1.1\r\nhost: m\r\nexpect: 100-continue\r\ncontent-length: 25\r\n\r\n"));
	sim_run_for(s.sim, 10);
	assert_true(stage_saw(&s, "HTTP/1.1 100 Continue\r\n\r\n"));
	stage_send(&s, S("{\"model\":\"m\",\"input\":\"x\"}"));
	sim_run_for(s.sim, 100);
	assert_true(stage_saw(&s, "\"embedding\""));
	buf_clear(&s.got);
	stage_send(&s, S("GET /v1/models/some-model HTTP/1.1\r\nhost: m\r\n\r\nGET /health HTTP/1.1\r\nhost: m\r\n\r\n"));
	sim_run_for(s.sim, 100);
	assert_true(stage_saw(&s, "\"some-model\""));
	assert_true(stage_saw(&s, "\"status\":\"ok\""));
	stage_send(&s, S("nonsense\r\n\r\n"));
	sim_run_for(s.sim, 100);
	assert_true(stage_saw(&s, "HTTP/1.1 400"));
	assert_int_equal(s.end, STAGE_FIN);
	assert_int_equal(mock_stats(s.mock).all.finished, 7);
	assert_int_equal(mock_stats(s.mock).bad_requests, 1);
	stage_shut(&s);
}

static void keys_and_models_are_checked(void **state)
{
	struct mock_options o = { .key = S("secret"), .models = { S("m") }, .model_count = 1 };
	struct stage s;

	(void)state;
	stage_open(&s, &o);
	stage_ask(&s, "", "/v1/chat/completions", STAGE_CHAT, 100);
	assert_true(stage_saw(&s, "HTTP/1.1 401"));
	stage_post(&s, "/v1/chat/completions", "authorization: Bearer secret\r\n", STAGE_CHAT);
	sim_run_for(s.sim, 100);
	assert_true(stage_saw(&s, "HTTP/1.1 200"));
	stage_post(&s, "/v1/chat/completions", "api-key: secret\r\n", "{\"model\":\"other\",\"messages\":[]}");
	sim_run_for(s.sim, 100);
	assert_true(stage_saw(&s, "HTTP/1.1 404"));
	stage_shut(&s);
}

static void the_control_endpoint_works(void **state)
{
	struct mock_options o = { .record = true };
	struct stage s;

	(void)state;
	stage_open(&s, &o);
	stage_post(&s, "/mock/behaviour", "", "status 503 then ok");
	stage_post(&s, "/mock/behaviour?next", "", "status 502");
	stage_post(&s, "/mock/behaviour", "", "explode");
	for (int i = 0; i < 3; i++)
		stage_post(&s, "/v1/chat/completions", "x-test: yes\r\n", STAGE_CHAT);
	stage_send(&s, S("GET /mock/stats HTTP/1.1\r\nhost: m\r\n\r\nGET /mock/last HTTP/1.1\r\nhost: m\r\n\r\n"));
	sim_run_for(s.sim, 100);
	assert_true(stage_saw(&s, "bad_behaviour"));
	assert_int_equal(stage_count(&s, "HTTP/1.1 502"), 1);
	assert_int_equal(stage_count(&s, "HTTP/1.1 503"), 1);
	assert_int_equal(stage_count(&s, "HTTP/1.1 200"), 5);
	assert_true(stage_saw(&s, "\"faulty\":2"));
	assert_true(stage_saw(&s, "x-test: yes\n"));
	stage_shut(&s);
}

static void clients_that_leave_are_counted(void **state)
{
	struct stage s;

	(void)state;
	stage_open(&s, NULL);
	stage_ask(&s, "gap 1s", "/v1/chat/completions", STAGE_STREAM, 1500);
	assert_int_equal(mock_stats(s.mock).all.in_flight, 1);
	stage_close(&s);
	sim_run_for(s.sim, 100);
	assert_int_equal(mock_stats(s.mock).all.in_flight, 0);
	assert_int_equal(mock_stats(s.mock).all.cancelled, 1);
	assert_int_equal(mock_stats(s.mock).connections_open, 0);
	stage_shut(&s);
}

static void a_slow_reader_does_not_fill_memory(void **state)
{
	struct stage s;

	(void)state;
	stage_open(&s, NULL);
	sim_run_for(s.sim, 10);
	io_read_pause(s.stream, true);
	stage_ask(&s, "big-body 100m", "/v1/chat/completions", STAGE_CHAT, 1000);
	assert_true(sim_queued_max(s.sim) < 1 << 20);
	io_read_pause(s.stream, false);
	sim_run_for(s.sim, 60000);
	assert_true(buf_len(&s.got) > 100u << 20);
	assert_int_equal(mock_stats(s.mock).all.finished, 1);
	stage_shut(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_answers),
		cmocka_unit_test(a_chat_stream_has_the_right_shape),
		cmocka_unit_test(styles_do_not_change_the_words),
		cmocka_unit_test(tokens_come_at_their_times),
		cmocka_unit_test(mocks_with_one_seed_say_the_same),
		cmocka_unit_test(an_assistant_message_at_the_end_is_continued),
		cmocka_unit_test(requests_may_come_in_any_way),
		cmocka_unit_test(keys_and_models_are_checked),
		cmocka_unit_test(the_control_endpoint_works),
		cmocka_unit_test(clients_that_leave_are_counted),
		cmocka_unit_test(a_slow_reader_does_not_fill_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
