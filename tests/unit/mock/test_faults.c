/* What each behaviour puts on the wire. */
#include "stage.h"

#include "mock/mock_behaviour.h"

enum counted { FINISHED, BROKEN, HANGING };

struct row {
	const char *spec;
	const char *body;             /* STAGE_CHAT or STAGE_STREAM */
	const char *sees[3];          /* "!x": must not be there */
	enum stage_end end;
	enum counted counted;
};

#define WHOLE STAGE_CHAT
#define STREAM STAGE_STREAM
#define OPEN STAGE_OPEN
#define FIN STAGE_FIN
#define RST STAGE_RST

static const struct row rows[] = {
	/* statuses and errors */
	{ "status 500", WHOLE, { "HTTP/1.1 500 ", "\"type\":\"server_error\"" }, OPEN, FINISHED },
	{ "status 429 retry-after 2", STREAM, { "HTTP/1.1 429 ", "retry-after: 2\r\n", "rate_limit_exceeded" }, OPEN, FINISHED },
	{ "status 429 retry-after-ms 1500", WHOLE, { "retry-after-ms: 1500\r\n" }, OPEN, FINISHED },
	{ "status 503 should-retry false", WHOLE, { "x-should-retry: false\r\n" }, OPEN, FINISHED },
	{ "status 529 overloaded", WHOLE, { "HTTP/1.1 529 ", "\"code\":\"overloaded\"" }, OPEN, FINISHED },
	{ "status 520", WHOLE, { "HTTP/1.1 520 ", "server_error" }, OPEN, FINISHED },
	{ "status 400 message \"no, thanks\" code nope", WHOLE, { "\"message\":\"no, thanks\"", "\"code\":\"nope\"" }, OPEN, FINISHED },
	{ "insufficient-quota", WHOLE, { "HTTP/1.1 429 ", "\"code\":\"insufficient_quota\"" }, OPEN, FINISHED },
	{ "bad-key", WHOLE, { "HTTP/1.1 401 ", "invalid_api_key" }, OPEN, FINISHED },
	{ "model-not-found", WHOLE, { "HTTP/1.1 404 ", "model_not_found" }, OPEN, FINISHED },
	{ "context-length", WHOLE, { "HTTP/1.1 400 ", "context_length_exceeded" }, OPEN, FINISHED },
	{ "content-filter", WHOLE, { "HTTP/1.1 400 ", "\"code\":\"content_filter\"" }, OPEN, FINISHED },
	{ "status 500 shape string", WHOLE, { "{\"error\":\"The server" }, OPEN, FINISHED },
	{ "status 500 shape detail", WHOLE, { "{\"detail\":\"The server" }, OPEN, FINISHED },
	{ "status 500 shape list", WHOLE, { "[{\"error\":{" }, OPEN, FINISHED },
	{ "status 500 shape anthropic", WHOLE, { "{\"type\":\"error\",\"error\":{" }, OPEN, FINISHED },
	{ "status 500 shape plain", WHOLE, { "content-type: text/plain", "\r\n\r\nThe server" }, OPEN, FINISHED },
	{ "error-200", WHOLE, { "HTTP/1.1 200 ", "{\"error\":{\"message\"" }, OPEN, FINISHED },
	{ "html 502", WHOLE, { "HTTP/1.1 502 ", "content-type: text/html", "<!DOCTYPE html>" }, OPEN, FINISHED },
	{ "html 200", STREAM, { "HTTP/1.1 200 ", "<!DOCTYPE html>", "!data:" }, OPEN, FINISHED },
	{ "redirect 307 http://elsewhere/v1", WHOLE, { "HTTP/1.1 307 ", "location: http://elsewhere/v1\r\n" }, OPEN, FINISHED },
	{ "no-such-word", WHOLE, { "HTTP/1.1 400 ", "bad_x_mock_fault", "is not a behaviour" }, OPEN, FINISHED },
	/* connections */
	{ "no-answer", WHOLE, { "!HTTP" }, OPEN, HANGING },
	{ "hang-up", WHOLE, { "!HTTP" }, FIN, BROKEN },
	{ "close-after", WHOLE, { "connection: close\r\n", "chat.completion" }, FIN, FINISHED },
	{ "idle-close", STREAM, { "[DONE]" }, FIN, FINISHED },
	{ "idle-reset 1s", STREAM, { "[DONE]" }, RST, FINISHED },
	{ "idle-junk 1s", STREAM, { "[DONE]", "HTTP/1.1 408 " }, FIN, FINISHED },
	{ "stale", WHOLE, { "chat.completion" }, OPEN, FINISHED },
	{ "early-response status 413", WHOLE, { "HTTP/1.1 413 " }, FIN, FINISHED },
	/* framing */
	{ "1xx 3", WHOLE, { "HTTP/1.1 103 ", "HTTP/1.1 102 ", "HTTP/1.1 200 " }, OPEN, FINISHED },
	{ "100-then-eof", WHOLE, { "HTTP/1.1 100 Continue\r\n\r\n", "!200" }, FIN, BROKEN },
	{ "headers-then-nothing", STREAM, { "HTTP/1.1 200 OK\r\n", "!data:" }, OPEN, HANGING },
	{ "truncated-head", WHOLE, { "HTTP/1.1 200 OK\r\ncontent-type: applica", "!\r\n\r\n" }, FIN, BROKEN },
	{ "headers 100k", WHOLE, { "x-filler-99: ", "chat.completion" }, OPEN, FINISHED },
	{ "junk tls", WHOLE, { "!HTTP", "\x15\x03\x03" }, FIN, BROKEN },
	{ "junk ssh", WHOLE, { "SSH-2.0" }, FIN, BROKEN },
	{ "junk http09", WHOLE, { "<html>", "!HTTP/" }, FIN, BROKEN },
	{ "http10", STREAM, { "HTTP/1.0 200 ", "[DONE]", "!transfer-encoding" }, FIN, FINISHED },
	{ "no-length", STREAM, { "HTTP/1.1 200 ", "[DONE]", "!transfer-encoding" }, FIN, FINISHED },
	{ "no-length", WHOLE, { "chat.completion", "!content-length" }, FIN, FINISHED },
	{ "content-length +10", WHOLE, { "content-length: ", "chat.completion" }, FIN, BROKEN },
	{ "content-length negative", WHOLE, { "content-length: -1\r\n" }, OPEN, FINISHED },
	{ "content-length and-chunked", WHOLE, { "content-length: ", "transfer-encoding: chunked\r\n" }, OPEN, FINISHED },
	{ "extra-bytes", WHOLE, { "some bytes nobody asked for" }, OPEN, FINISHED },
	{ "trailers", STREAM, { "\r\n0\r\nx-trailer: yes\r\n" }, OPEN, FINISHED },
	{ "bad-chunk after 2", STREAM, { "zz\r\n", "!\r\n0\r\n" }, FIN, BROKEN },
	{ "gzip", WHOLE, { "content-encoding: gzip\r\n", "\x1f\x8b", "!chat.completion" }, OPEN, FINISHED },
	{ "gzip bomb 20m", WHOLE, { "content-encoding: gzip\r\n" }, OPEN, FINISHED },
	/* bodies */
	{ "empty", WHOLE, { "content-length: 0\r\n" }, OPEN, FINISHED },
	{ "empty", STREAM, { "text/event-stream", "\r\n\r\n0\r\n\r\n" }, OPEN, FINISHED },
	{ "truncated", WHOLE, { "chat.completion", "!\"usage\"" }, OPEN, FINISHED },
	{ "truncated", STREAM, { "content", "!finish_reason\":\"stop", "\r\n0\r\n\r\n" }, OPEN, FINISHED },
	{ "whitespace 5 200ms", WHOLE, { "\r\n\r\n\n\n\n\n\n{" }, OPEN, FINISHED },
	{ "choices empty", WHOLE, { "\"choices\":[]," }, OPEN, FINISHED },
	{ "choices null", STREAM, { "\"choices\":null}" }, OPEN, FINISHED },
	{ "choices missing", WHOLE, { "!choices" }, OPEN, FINISHED },
	{ "choices null-message", WHOLE, { "\"message\":null" }, OPEN, FINISHED },
	{ "choices null-content", WHOLE, { "\"content\":null", "\"finish_reason\":\"stop\"" }, OPEN, FINISHED },
	{ "dup-keys", WHOLE, { "{\"id\":\"another\",\"choices\":[]" }, OPEN, FINISHED },
	{ "odd-json nan", WHOLE, { ":NaN," }, OPEN, FINISHED },
	{ "odd-json deep", WHOLE, { "[[[[[[" }, OPEN, FINISHED },
	{ "odd-json list", WHOLE, { "\r\n\r\n[]" }, OPEN, FINISHED },
	{ "big-body 1m", WHOLE, { "0123456789abcdef", "\"choices\"" }, OPEN, FINISHED },
	{ "json-for-stream", STREAM, { "application/json", "\"object\":\"chat.completion\"" }, OPEN, FINISHED },
	{ "sse-for-json", WHOLE, { "text/event-stream", "[DONE]" }, OPEN, FINISHED },
	/* the middle */
	{ "cut", STREAM, { "HTTP/1.1 200 ", "!data:" }, FIN, BROKEN },
	{ "cut after 3", STREAM, { "data:", "![DONE]", "!\r\n0\r\n" }, FIN, BROKEN },
	{ "cut after 99", STREAM, { "data:", "!finish_reason\":\"stop" }, FIN, BROKEN },
	{ "cut mid-event after 2", STREAM, { "data:", "![DONE]" }, FIN, BROKEN },
	{ "cut after 3", WHOLE, { "content-length: ", "!usage" }, FIN, BROKEN },
	{ "cut at-byte 0", STREAM, { "!H" }, FIN, BROKEN },
	{ "cut at-byte 9", STREAM, { "HTTP/1.1 ", "!HTTP/1.1 2" }, FIN, BROKEN },
	{ "reset after 3", STREAM, { "data:", "![DONE]" }, RST, BROKEN },
	{ "reset at-byte 0", STREAM, { "!H" }, RST, BROKEN },
	{ "end after 3", STREAM, { "\r\n0\r\n\r\n", "!finish_reason\":\"stop", "![DONE]" }, OPEN, FINISHED },
	{ "stall after 3", STREAM, { "data:", "![DONE]" }, OPEN, HANGING },
	{ "stall after 3 for 2s", STREAM, { "[DONE]" }, OPEN, FINISHED },
	{ "stall after 1 for 1s cut after 4", STREAM, { "data:", "![DONE]" }, FIN, BROKEN },
	{ "error after 3", STREAM, { "data: {\"error\":{\"message\"", "![DONE]", "\r\n0\r\n" }, OPEN, FINISHED },
	{ "error first", STREAM, { "data: {\"error\":", "!\"content\"" }, OPEN, FINISHED },
	{ "error first overloaded", STREAM, { "HTTP/1.1 200 ", "\"code\":\"overloaded\"" }, OPEN, FINISHED },
	{ "error after 1 shape vllm", STREAM, { "data: {\"object\":\"error\"", "data: [DONE]" }, OPEN, FINISHED },
	{ "error after 1 shape openrouter", STREAM, { "\"finish_reason\":\"error\"}],\"error\":{", "data: [DONE]" }, OPEN, FINISHED },
	{ "error after 1 shape raw", STREAM, { "\r\n{\"error\":{", "!data: {\"error\"" }, OPEN, FINISHED },
	{ "error after 1 shape event", STREAM, { "event: error\ndata: {\"error\":{" }, OPEN, FINISHED },
	{ "error first", WHOLE, { "HTTP/1.1 200 ", "{\"error\":{" }, OPEN, FINISHED },
	{ "bad-json after 2", STREAM, { "data:", "[DONE]" }, OPEN, FINISHED },
	{ "unknown after 2", STREAM, { "event: x.from.the.future\n", "[DONE]" }, OPEN, FINISHED },
	{ "filter after 2", STREAM, { "\"finish_reason\":\"content_filter\"", "[DONE]" }, OPEN, FINISHED },
	{ "big-event 100k after 2", STREAM, { "big event words big event words", "[DONE]" }, OPEN, FINISHED },
	/* endings */
	{ "no-done", STREAM, { "finish_reason\":\"stop", "![DONE]", "\r\n0\r\n\r\n" }, OPEN, FINISHED },
	{ "no-finish", STREAM, { "!finish_reason\":\"stop", "[DONE]" }, OPEN, FINISHED },
	{ "finish-null", STREAM, { "\"delta\":{},\"logprobs\":null,\"finish_reason\":null", "[DONE]" }, OPEN, FINISHED },
	{ "no-ending", STREAM, { "!finish_reason\":\"stop", "![DONE]", "\r\n0\r\n\r\n" }, OPEN, FINISHED },
	{ "done-only", STREAM, { "data: [DONE]\n\n", "!delta" }, OPEN, FINISHED },
	{ "after-done", STREAM, { "[DONE]\n\n\r\n", "\"late\"" }, OPEN, FINISHED },
	{ "stay-open", STREAM, { "[DONE]", "!\r\n0\r\n" }, OPEN, FINISHED },
	/* streams */
	{ "comments only", STREAM, { ": keep-alive\n\n", "!data:" }, OPEN, HANGING },
	{ "usage none", STREAM, { "[DONE]", "!total_tokens" }, OPEN, FINISHED },
	{ "usage always", STREAM, { "\"choices\":[],\"usage\":{\"prompt" }, OPEN, FINISHED },
	{ "usage in-finish", STREAM, { "\"stop\"}],\"usage\":{\"prompt" }, OPEN, FINISHED },
	{ "refusal", STREAM, { "\"delta\":{\"refusal\":", "!\"delta\":{\"content\":" }, OPEN, FINISHED },
	{ "tool-call", STREAM, { "\"tool_calls\":[{\"index\":0,\"id\":", "\"finish_reason\":\"tool_calls\"" }, OPEN, FINISHED },
	{ "tool-call no-index", STREAM, { "\"tool_calls\":[{\"id\":", "!\"tool_calls\":[{\"index\"" }, OPEN, FINISHED },
	{ "tool-call one-chunk", STREAM, { "\\\"celsius\\\"}\"}}]},\"logprobs\":null,\"finish_reason\":\"tool_calls\"" }, OPEN, FINISHED },
	{ "tool-call same-index", STREAM, { "\"index\":0,\"id\":", "get_time" }, OPEN, FINISHED },
	{ "tool-call cut", STREAM, { "\"finish_reason\":\"length\"" }, OPEN, FINISHED },
	{ "tool-call finish-stop-with-tools", STREAM, { "tool_calls", "\"finish_reason\":\"stop\"" }, OPEN, FINISHED },
};

static void check_counts(struct stage *s, const struct row *row)
{
	struct mock_counts n = mock_stats(s->mock).all;

	row_holds(n.requests == 1, row->spec);
	row_holds(n.finished == (row->counted == FINISHED), row->spec);
	row_holds(n.broken == (row->counted == BROKEN), row->spec);
	row_holds(n.in_flight == (row->counted == HANGING), row->spec);
}

static void each_behaviour_is_seen_on_the_wire(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct stage s;

		stage_open(&s, NULL);
		stage_ask(&s, rows[i].spec, "/v1/chat/completions", rows[i].body, 10000);
		for (size_t k = 0; k < COUNT_OF(rows[i].sees) && rows[i].sees[k]; k++) {
			const char *want = rows[i].sees[k];
			bool is_there = stage_saw(&s, want + (want[0] == '!'));

			if (is_there == (want[0] == '!'))
				fail_msg("%s: %s", rows[i].spec, want);
		}
		row_holds(s.end == rows[i].end, rows[i].spec);
		check_counts(&s, &rows[i]);
		stage_shut(&s);
	}
}

static const struct {
	const char *spec;
	enum stage_end end;
	const char *sees;
} on_accept[] = {
	{ "reset-on-accept", STAGE_RST, "" },
	{ "close-on-accept", STAGE_FIN, "" },
	{ "junk-on-accept", STAGE_OPEN, "220 mail.example.com" },
	{ "mute", STAGE_OPEN, "" },
};

static void connections_are_struck_as_they_come(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(on_accept); i++) {
		struct stage s;
		char spec[64];

		stage_open(&s, NULL);
		sim_run_for(s.sim, 10);
		snprintf(spec, sizeof spec, "%s times 1 then ok", on_accept[i].spec);
		assert_true(mock_set_behaviour(s.mock, slice_of(spec), NULL, 0));
		stage_connect(&s);
		sim_run_for(s.sim, 100);
		row_holds(s.end == on_accept[i].end, spec);
		row_holds(stage_saw(&s, on_accept[i].sees), spec);
		stage_connect(&s);
		stage_ask(&s, "", "/v1/chat/completions", STAGE_CHAT, 2000);
		row_holds(stage_saw(&s, "HTTP/1.1 200"), "the next connection is fine");
		stage_shut(&s);
	}
}

static void a_stale_connection_dies_at_the_second_request(void **state)
{
	struct stage s;

	(void)state;
	stage_open(&s, NULL);
	assert_true(mock_set_behaviour(s.mock, S("stale"), NULL, 0));
	stage_ask(&s, "", "/v1/chat/completions", STAGE_CHAT, 1000);
	assert_true(stage_saw(&s, "HTTP/1.1 200"));
	buf_clear(&s.got);
	stage_ask(&s, "", "/v1/chat/completions", STAGE_CHAT, 1000);
	assert_int_equal(s.end, STAGE_FIN);
	assert_int_equal(buf_len(&s.got), 0);
	stage_shut(&s);
}

static void an_early_response_does_not_wait_for_the_body(void **state)
{
	struct stage s;

	(void)state;
	stage_open(&s, NULL);
	stage_send(&s, S("POST /v1/chat/completions HTTP/1.1\r\nhost: m\r\nx-mock-fault: early-response status 413\r\n"
			 "content-length: 1000000\r\n\r\n{"));
	sim_run_for(s.sim, 100);
	assert_true(stage_saw(&s, "HTTP/1.1 413 "));
	assert_int_equal(s.end, STAGE_FIN);
	stage_shut(&s);
}

static void a_share_of_requests_fails(void **state)
{
	struct stage s;
	unsigned failed;

	(void)state;
	stage_open(&s, NULL);
	assert_true(mock_set_behaviour(s.mock, S("percent 20 status 500"), NULL, 0));
	for (int i = 0; i < 1000; i++)
		stage_post(&s, "/v1/embeddings", "", "{\"model\":\"m\",\"input\":\"x\",\"dimensions\":1}");
	sim_run_for(s.sim, 10000);
	failed = stage_count(&s, "HTTP/1.1 500 ");
	assert_int_equal(failed + stage_count(&s, "HTTP/1.1 200 "), 1000);
	assert_true(failed > 150);
	assert_true(failed < 250);
	stage_shut(&s);
}

static void looking_takes_nothing_from_a_chain(void **state)
{
	struct stage s;

	(void)state;
	stage_open(&s, NULL);
	assert_true(mock_set_behaviour(s.mock, S("status 503 then ok"), NULL, 0));
	for (int i = 0; i < 3; i++)
		stage_send(&s, S("GET /health HTTP/1.1\r\nhost: m\r\n\r\n"));
	sim_run_for(s.sim, 100);
	assert_int_equal(stage_count(&s, "HTTP/1.1 503 "), 3);
	stage_ask(&s, "", "/v1/chat/completions", STAGE_CHAT, 1000);
	assert_int_equal(stage_count(&s, "HTTP/1.1 503 "), 4);
	stage_send(&s, S("GET /health HTTP/1.1\r\nhost: m\r\n\r\n"));
	sim_run_for(s.sim, 100);
	assert_int_equal(stage_count(&s, "HTTP/1.1 200 "), 1);
	stage_shut(&s);
}

/* Words that take arguments, with some. */
static const char *arguments_for(const struct mock_word *w)
{
	static const struct { const char *args, *some; } known[] = {
		{ "N", "2" }, { "TIME", "20ms" }, { "BYTES TIME", "9 1ms" }, { "CODE", "503" }, { "TEXT", "x" },
		{ "CODE URL", "307 http://x/" }, { "BYTES", "2k" }, { "N TIME", "2 5ms" }, { "SIZE", "100k" },
		{ "SIZE [after N]", "10k after 2" }, { "+N|two|negative|rubbish|and-chunked", "two" },
	};
	static const struct { const char *name, *some; } named[] = {
		{ "shape", "vllm" }, { "choices", "empty" }, { "odd-json", "surrogate" }, { "usage", "every" },
		{ "content-length", "+3" },
	};

	for (size_t i = 0; i < COUNT_OF(named); i++)
		if (strcmp(named[i].name, w->name) == 0)
			return named[i].some;
	for (size_t i = 0; i < COUNT_OF(known); i++)
		if (strcmp(known[i].args, w->args) == 0)
			return known[i].some;
	return "";
}

/* Every pair of words on every streaming endpoint: nothing crashes, nothing is
 * left over, every request is counted once. */
static void words_combine_without_harm(void **state)
{
	static const struct { const char *path, *body; } asks[] = {
		{ "/v1/chat/completions", STAGE_STREAM }, { "/v1/chat/completions", STAGE_CHAT },
		{ "/v1/responses", "{\"model\":\"m\",\"stream\":true,\"input\":\"hi\"}" },
		{ "/v1/completions", "{\"model\":\"m\",\"stream\":true,\"prompt\":\"hi\"}" },
		{ "/v1/embeddings", "{\"model\":\"m\",\"input\":\"hi\"}" },
		{ "/v1/moderations", "{\"input\":\"hi\"}" },
	};
	struct stage s;

	(void)state;
	stage_open(&s, NULL);
	for (size_t i = 0; i < mock_word_count; i++) {
		for (size_t k = 0; k < mock_word_count; k++) {
			size_t ask = (i * 31 + k) % COUNT_OF(asks);
			char spec[256];

			if (strcmp(mock_words[i].name, "times") == 0 || strcmp(mock_words[k].name, "times") == 0)
				continue;
			snprintf(spec, sizeof spec, "%s %s %s %s", mock_words[i].name, arguments_for(&mock_words[i]),
				 mock_words[k].name, arguments_for(&mock_words[k]));
			row_holds(mock_check_behaviour(slice_of(spec), NULL, 0), spec);
			stage_connect(&s);
			stage_ask(&s, spec, asks[ask].path, asks[ask].body, 700);
		}
	}
	stage_shut(&s);
}

/* What would take more memory than anybody has. */
static const char *const excessive[] = {
	"tokens 1000000000", "tokens 100000 crlf", "reasoning 1000000000", "comments 1ms ttft 24h", "headers 1024m",
	"1xx 1000000", "whitespace 100000 1ms", "big-event 32m big-event 32m after 1 multi-data",
};

static void excess_has_limits(void **state)
{
	static const char body[] = "{\"model\":\"m\",\"stream\":true,\"n\":8,\"messages\":[]}";

	(void)state;
	for (size_t i = 0; i < COUNT_OF(excessive); i++) {
		struct stage s;

		stage_open(&s, &(struct mock_options){ 0 });
		stage_ask(&s, excessive[i], "/v1/chat/completions", body, 60000);
		row_holds(buf_len(&s.got) > 100, excessive[i]);
		row_holds(buf_len(&s.got) < 128u << 20, excessive[i]);
		stage_shut(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_behaviour_is_seen_on_the_wire),
		cmocka_unit_test(connections_are_struck_as_they_come),
		cmocka_unit_test(a_stale_connection_dies_at_the_second_request),
		cmocka_unit_test(an_early_response_does_not_wait_for_the_body),
		cmocka_unit_test(a_share_of_requests_fails),
		cmocka_unit_test(looking_takes_nothing_from_a_chain),
		cmocka_unit_test(excess_has_limits),
		cmocka_unit_test(words_combine_without_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
