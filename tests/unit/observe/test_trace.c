#include "tests/unit/base/cm.h"

#include "base/check.h"
#include "observe/otlp.h"
#include "wire/json.h"

#include <stdio.h>
#include <string.h>

static const uint64_t random_bits[3] = { 0x0123456789abcdef, 0x1122334455667788, 0x99aabbccddeeff00 };

#define GOOD "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

/* W3C Trace Context, 3.2 and 4.2. */
static void a_traceparent_is_gone_on_from_or_not(void **state)
{
	static const struct { const char *text; bool good, sampled; } rows[] = {
		{ GOOD, true, true },
		{ "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00", true, false },
		{ "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03", true, true },
		{ " " GOOD " ", true, true },
		{ "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-the-future-brings", true, true },
		{ "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", true, true },
		{ "", false, false },
		{ GOOD "-more", false, false },       /* version 00 has no more */
		{ "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false, false },
		{ "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", false, false },
		{ "00-00000000000000000000000000000000-b7ad6b7169203331-01", false, false },
		{ "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", false, false },
		{ "00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333-01", false, false },
		{ "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1", false, false },
		{ "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331", false, false },
		{ "0-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false, false },
		{ "00_0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331_01", false, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct trace_context t;

		trace_begin(&t, slice_of(rows[i].text), 0, random_bits);
		if (trace_parent_is_good(slice_of(rows[i].text)) != rows[i].good ||
		    t.sampled != rows[i].sampled || (t.trace_id[0] == 0x0a) != rows[i].good)
			fail_msg("%s", rows[i].text);
	}
}

static void attempts_tell_backends_of_themselves(void **state)
{
	struct trace_context t;
	char first[TRACE_PARENT_MAX], second[TRACE_PARENT_MAX], again[TRACE_PARENT_MAX];
	struct trace_context read;

	(void)state;
	trace_begin(&t, S(GOOD), 0, random_bits);
	trace_write_parent(&t, 0, first);
	trace_write_parent(&t, 1, second);
	assert_string_equal(first, trace_write_parent(&t, 0, again));
	assert_string_not_equal(first, second);
	assert_int_equal(strlen(first), TRACE_PARENT_MAX - 1);
	assert_memory_equal(first, GOOD, 36);
	trace_begin(&read, slice_of(first), 0, random_bits);
	assert_memory_equal(read.trace_id, t.trace_id, sizeof t.trace_id);
	assert_true(read.sampled);
}

static void the_share_is_kept(void **state)
{
	static const int64_t shares[] = { 0, 1000, 10000, 50000, 100000 };

	(void)state;
	for (size_t s = 0; s < COUNT_OF(shares); s++) {
		int kept = 0;

		for (uint64_t i = 0; i < 10000; i++) {
			const uint64_t random[3] = { 1, i * UINT64_C(0x9e3779b97f4a7c15), 3 };
			struct trace_context t;

			trace_begin(&t, SLICE_NONE, shares[s], random);
			kept += t.sampled;
		}
		assert_true(kept >= shares[s] / 10 - 100 && kept <= shares[s] / 10 + 100);
	}
}

/* ---- spans ------------------------------------------------------------------------- */

static const struct attempt_record attempts[] = {
	{ .target = S_INIT("a/m"), .model = S_INIT("m"), .authority = S_INIT("api.openai.com"),
	  .fault = FAULT_CUT, .status = 200, .start_ms = 5, .took_ms = 100, .first_token_ms = 20,
	  .text = S_INIT("the \"stream\" broke"), .kind = "" },
	{ .target = S_INIT("b/n"), .model = S_INIT("n"), .authority = S_INIT("10.0.0.1:8000"),
	  .fault = FAULT_NONE, .status = 200, .start_ms = 110, .took_ms = 300, .first_token_ms = 40,
	  .kind = "replay", .resumes = true, .went_on = true,
	  .spent = { .told = true, .input_tokens = 9, .output_tokens = 24, .cached_tokens = 4 } },
};

static struct exchange_record resumed(const struct trace_context *t)
{
	return (struct exchange_record){
		.request_id = S("req_1"), .trace = t, .client_key = S("app"), .method = S("POST"),
		.path = S("/v1/chat/completions"), .asked_model = S("chat"), .served_model = S("chat"),
		.target = S("b/n"), .stream = true, .status = 200, .committed = true,
		.degraded = DEGRADED_RESUMED, .resumes = 1, .attempts = attempts,
		.attempt_count = COUNT_OF(attempts), .usage_known = true, .input_tokens = 18,
		.output_tokens = 30, .finish_reason = S("stop"), .wall_ms = 1795442701250,
		.first_token_ms = 25, .duration_ms = 450,
	};
}

/* The value of an attribute of span `span`: "stringValue" and so on are left out. */
static struct slice attribute(struct slice doc, unsigned span, const char *key)
{
	char path[64];
	struct slice list, item;

	snprintf(path, sizeof path, "resourceSpans.0.scopeSpans.0.spans.%u.attributes", span);
	list = json_path(doc, slice_of(path));
	while (json_next(&list, NULL, &item))
		if (json_string_eq(json_member(item, S("key")), slice_of(key))) {
			struct slice value = json_member(item, S("value")), name, inner;

			assert_true(json_next(&value, &name, &inner));
			return inner;
		}
	return SLICE_NONE;
}

static void a_story_becomes_spans(void **state)
{
	static const struct { const char *path, *value; } rows[] = {
		{ "0.name", "\"chat chat\"" }, { "0.kind", "2" },
		{ "0.parentSpanId", "\"b7ad6b7169203331\"" }, { "1.kind", "3" }, { "1.name", "\"chat m\"" },
		{ "0.startTimeUnixNano", "\"1795442701250000000\"" },
		{ "0.endTimeUnixNano", "\"1795442701700000000\"" },
		{ "1.startTimeUnixNano", "\"1795442701255000000\"" },
		{ "1.endTimeUnixNano", "\"1795442701355000000\"" },
		{ "1.status.code", "2" }, { "1.status.message", "\"the \\\"stream\\\" broke\"" },
		{ "0.status", "{}" }, { "2.status", "{}" },
		{ "0.events.0.name", "\"backstay.commit\"" },
		{ "0.events.0.timeUnixNano", "\"1795442701275000000\"" },
		{ "0.events.0.attributes.0.value.stringValue", "\"a/m\"" },
		{ "0.events.1.name", "\"backstay.resume\"" },
		{ "0.events.1.timeUnixNano", "\"1795442701400000000\"" },
		{ "0.events.1.attributes.1.value.stringValue", "\"replay\"" },
	};
	static const struct { unsigned span; const char *key, *value; } attributes[] = {
		{ 0, "gen_ai.operation.name", "\"chat\"" }, { 0, "gen_ai.request.model", "\"chat\"" },
		{ 0, "gen_ai.response.model", "\"n\"" }, { 0, "gen_ai.usage.input_tokens", "\"18\"" },
		{ 0, "gen_ai.usage.output_tokens", "\"30\"" },
		{ 0, "gen_ai.response.finish_reasons", "{\"values\":[{\"stringValue\":\"stop\"}]}" },
		{ 0, "http.response.status_code", "\"200\"" }, { 0, "backstay.degraded", "\"resumed\"" },
		{ 0, "backstay.resumes", "\"1\"" }, { 0, "gen_ai.response.time_to_first_chunk", "0.025" },
		{ 1, "gen_ai.provider.name", "\"openai\"" }, { 1, "server.address", "\"api.openai.com\"" },
		{ 1, "error.type", "\"cut\"" }, { 1, "backstay.attempt.number", "\"1\"" },
		{ 2, "gen_ai.provider.name", "\"openai_compatible\"" }, { 2, "server.address", "\"10.0.0.1\"" },
		{ 2, "server.port", "\"8000\"" }, { 2, "gen_ai.usage.cache_read.input_tokens", "\"4\"" },
		{ 2, "backstay.attempt.kind", "\"replay\"" },
	};
	struct buf doc = BUF_INIT(1024 * 1024), spans = BUF_INIT(1024 * 1024);
	struct trace_context t;
	struct exchange_record r = resumed(&t);
	char path[128];

	(void)state;
	trace_begin(&t, S(GOOD), 0, random_bits);
	assert_int_equal(otlp_write_spans(&r, &spans), 3);
	assert_int_equal(otlp_write_spans(&r, &spans), 3);
	otlp_write_head(&doc, S("proxy"));
	buf_put(&doc, buf_slice(&spans));
	otlp_write_tail(&doc);
	assert_int_equal(json_validate(buf_slice(&doc), NULL), JSON_OK);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct slice value;

		snprintf(path, sizeof path, "resourceSpans.0.scopeSpans.0.spans.%s", rows[i].path);
		value = json_path(buf_slice(&doc), slice_of(path));
		if (!slice_eq(value, slice_of(rows[i].value)))
			fail_msg("%s is %.*s, not %s", rows[i].path, SLICE_ARG(value), rows[i].value);
	}
	for (size_t i = 0; i < COUNT_OF(attributes); i++) {
		struct slice value = attribute(buf_slice(&doc), attributes[i].span, attributes[i].key);

		if (!slice_eq(value, slice_of(attributes[i].value)))
			fail_msg("%u %s is %.*s, not %s", attributes[i].span, attributes[i].key,
				 SLICE_ARG(value), attributes[i].value);
	}
	buf_free(&doc);
	buf_free(&spans);
}

static void what_went_wrong_is_always_wanted(void **state)
{
	struct trace_context t;
	struct exchange_record r = resumed(&t);
	struct attempt_record one = attempts[1];

	(void)state;
	trace_begin(&t, SLICE_NONE, 0, random_bits);
	assert_true(otlp_wants(&r));          /* degraded */
	r.degraded = DEGRADED_NO;
	assert_true(otlp_wants(&r));          /* an attempt failed */
	r.attempts = &one;
	r.attempt_count = 1;
	assert_false(otlp_wants(&r));
	r.fault = FAULT_CLIENT_GONE;
	assert_false(otlp_wants(&r));
	r.fault = FAULT_SHED;
	assert_true(otlp_wants(&r));
	r.fault = FAULT_NONE;
	t.sampled = true;
	assert_true(otlp_wants(&r));
}

/* The room that callers give must do for whatever a record can hold. */
static void the_longest_story_fits(void **state)
{
	static char junk[4096];
	struct attempt_record many[40];
	struct buf spans = BUF_INIT(OTLP_EXCHANGE_MAX);
	struct trace_context t;
	struct exchange_record r = resumed(&t);
	struct slice text = { junk, sizeof junk };

	(void)state;
	trace_begin(&t, S(GOOD), 0, random_bits);
	memset(junk, 1, sizeof junk);         /* six bytes each as JSON */
	for (size_t i = 0; i < COUNT_OF(many); i++) {
		many[i] = attempts[1];
		many[i].fault = FAULT_CUT;
		many[i].target = many[i].model = many[i].authority = many[i].text = text;
	}
	r.request_id = r.client_key = r.method = r.path = r.asked_model = r.served_model = r.target =
		r.finish_reason = text;
	r.attempts = many;
	r.attempt_count = COUNT_OF(many);
	assert_int_equal(otlp_write_spans(&r, &spans), 17);
	buf_free(&spans);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_traceparent_is_gone_on_from_or_not),
		cmocka_unit_test(attempts_tell_backends_of_themselves),
		cmocka_unit_test(the_share_is_kept),
		cmocka_unit_test(a_story_becomes_spans),
		cmocka_unit_test(what_went_wrong_is_always_wanted),
		cmocka_unit_test(the_longest_story_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
