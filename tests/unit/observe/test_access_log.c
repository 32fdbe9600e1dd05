#include "tests/unit/base/cm.h"

#include "observe/access_log.h"
#include "wire/json.h"

#include <stdlib.h>
#include <string.h>

#define WALL_MS 1795442701250         /* 2026-11-23T14:05:01.250Z */

static const struct attempt_record two_attempts[] = {
	{ .target = S_INIT("a/m"), .fault = FAULT_CONNECT, .start_ms = 0, .took_ms = 3,
	  .first_token_ms = -1, .text = S_INIT("connection refused") },
	{ .target = S_INIT("b/m"), .fault = FAULT_NONE, .status = 200, .start_ms = 3, .took_ms = 900,
	  .first_token_ms = 120, .stale_replays = 1 },
};

static struct exchange_record good(void)
{
	return (struct exchange_record){
		.request_id = S("req_1"), .client_key = S("app"), .peer = S("127.0.0.1:5"),
		.method = S("POST"), .path = S("/v1/chat/completions"), .asked_model = S("chat"),
		.served_model = S("chat"), .target = S("b/m"), .stream = true, .status = 200,
		.committed = true, .attempts = two_attempts, .attempt_count = 2, .usage_known = true,
		.input_tokens = 9, .output_tokens = 24, .finish_reason = S("stop"),
		.bytes_in = 77, .bytes_out = 7214, .wall_ms = WALL_MS, .first_token_ms = 123,
		.duration_ms = 903, .priority = PRIORITY_LOW, .queued_ms = 50,
	};
}

struct row {
	const char *path, *value;
};

static void assert_json(const struct exchange_record *r, const struct row *rows, size_t count)
{
	struct buf out = BUF_INIT(ACCESS_LINE_MAX);
	struct slice line;

	access_log_json(r, &out);
	line = buf_slice(&out);
	assert_true(slice_ends(line, S("}\n")));
	assert_int_equal(slice_find(line, '\n'), line.len - 1);
	assert_int_equal(json_validate(line, NULL), JSON_OK);
	line.len--;
	for (size_t i = 0; i < count; i++) {
		struct slice value = json_path(line, slice_of(rows[i].path));

		if (!slice_eq(value, slice_of(rows[i].value)))
			fail_msg("%s is %.*s, not %s", rows[i].path, SLICE_ARG(value), rows[i].value);
	}
	buf_free(&out);
}

static void a_good_answer_tells_its_story(void **state)
{
	const struct exchange_record r = good();
	static const struct row rows[] = {
		{ "time", "\"2026-11-23T14:05:01.250Z\"" }, { "id", "\"req_1\"" }, { "key", "\"app\"" },
		{ "peer", "\"127.0.0.1:5\"" }, { "method", "\"POST\"" },
		{ "path", "\"/v1/chat/completions\"" }, { "model", "\"chat\"" },
		{ "served_model", "\"chat\"" }, { "target", "\"b/m\"" }, { "stream", "true" },
		{ "status", "200" }, { "fault", "null" }, { "committed", "true" }, { "degraded", "null" },
		{ "finish_reason", "\"stop\"" }, { "attempts.0.target", "\"a/m\"" },
		{ "attempts.0.fault", "\"connect\"" }, { "attempts.0.status", "null" },
		{ "attempts.0.first_token_ms", "null" },
		{ "attempts.0.text", "\"connection refused\"" }, { "attempts.1.fault", "null" },
		{ "attempts.1.status", "200" }, { "attempts.1.start_ms", "3" },
		{ "attempts.1.took_ms", "900" }, { "attempts.1.first_token_ms", "120" },
		{ "attempts.1.stale_replays", "1" }, { "tokens.input", "9" }, { "tokens.output", "24" },
		{ "first_token_ms", "123" }, { "duration_ms", "903" }, { "bytes_in", "77" },
		{ "bytes_out", "7214" }, { "priority", "\"low\"" }, { "queued_ms", "50" },
		{ "shed", "null" },
	};

	(void)state;
	assert_json(&r, rows, COUNT_OF(rows));
}

static void what_is_not_known_is_null(void **state)
{
	struct exchange_record r = good();
	static const struct row rows[] = {
		{ "key", "null" }, { "target", "null" }, { "tokens", "null" }, { "first_token_ms", "null" },
		{ "fault", "\"no_target\"" }, { "attempts", "[]" },
	};

	(void)state;
	r.client_key = r.target = SLICE_NONE;
	r.usage_known = false;
	r.first_token_ms = -1;
	r.fault = FAULT_NO_TARGET;
	r.attempt_count = 0;
	assert_json(&r, rows, COUNT_OF(rows));
}

static void a_degraded_answer_says_so(void **state)
{
	struct exchange_record r = good();
	static const struct row rows[] = { { "degraded", "\"fallback\"" } };

	(void)state;
	r.degraded = DEGRADED_FALLBACK;
	assert_json(&r, rows, 1);
}

static void a_rescued_answer_tells_how(void **state)
{
	static const struct attempt_record attempts[] = {
		{ .target = S_INIT("a/m"), .fault = FAULT_CUT, .first_token_ms = -1 },
		{ .target = S_INIT("b/m"), .kind = "replay", .first_token_ms = -1 },
	};
	static const struct row rows[] = {
		{ "degraded", "\"resumed\"" }, { "resumes", "1" }, { "hedge", "\"lost\"" },
		{ "attempts.0.kind", "null" }, { "attempts.1.kind", "\"replay\"" },
	};
	struct exchange_record r = good();

	(void)state;
	r.degraded = DEGRADED_RESUMED;
	r.resumes = 1;
	r.hedged = true;
	r.attempts = attempts;
	r.attempt_count = COUNT_OF(attempts);
	assert_json(&r, rows, COUNT_OF(rows));
}

static void text_from_outside_cannot_break_the_line(void **state)
{
	struct exchange_record r = good();
	static const struct row rows[] = {
		{ "model", "\"a\\\"b\\nc\xef\xbf\xbd\"" }, { "path", "\"/\\u0000\"" },
	};

	(void)state;
	r.asked_model = S("a\"b\nc\xff");
	r.path = S("/\0");
	assert_json(&r, rows, COUNT_OF(rows));
}

/* Everything as long and as awkward as it can be: the line stays within its
 * maximum, since the buf would abort otherwise. */
static void the_longest_line_fits(void **state)
{
	struct exchange_record r = good();
	struct attempt_record many[40];
	char *worst = malloc(70000);
	struct slice s = { worst, 70000 };
	static const struct row rows[] = { { "attempts_left_out", "24" } };

	(void)state;
	memset(worst, 1, 70000);
	for (size_t i = 0; i < COUNT_OF(many); i++)
		many[i] = (struct attempt_record){ .target = s, .fault = FAULT_RATE_LIMITED, .text = s,
			.status = 599, .start_ms = INT64_MAX, .took_ms = INT64_MAX,
			.first_token_ms = INT64_MAX };
	r.request_id = r.client_key = r.peer = r.method = r.path = r.asked_model = s;
	r.served_model = r.target = r.finish_reason = s;
	r.attempts = many;
	r.attempt_count = COUNT_OF(many);
	r.fault = FAULT_RATE_LIMITED;
	assert_json(&r, rows, COUNT_OF(rows));
	free(worst);
}

static void a_cut_never_splits_a_letter(void **state)
{
	struct exchange_record r = good();
	char model[300];
	struct buf out = BUF_INIT(ACCESS_LINE_MAX);

	(void)state;
	for (size_t i = 0; i + 1 < sizeof model; i += 2)
		memcpy(model + i, "\xc3\xa4", 2);
	r.asked_model = (struct slice){ model + 1, 299 };     /* begins with half a letter */
	access_log_json(&r, &out);
	assert_int_equal(json_validate(buf_slice(&out), NULL), JSON_OK);
	buf_free(&out);
}

static void assert_terminal(const struct exchange_record *r, bool colour, const char *expected)
{
	struct buf out = BUF_INIT(ACCESS_LINE_MAX);

	access_log_terminal(r, colour, &out);
	if (!slice_eq(buf_slice(&out), slice_of(expected)))
		fail_msg("got:  %.*swant: %s", SLICE_ARG(buf_slice(&out)), expected);
	buf_free(&out);
}

static void a_person_reads_a_short_story(void **state)
{
	struct exchange_record r = good();

	(void)state;
	assert_terminal(&r, false, "14:05:01 200 chat <- b/m  903 ms, first token 123 ms, 9+24 tokens"
			"  [a/m: connect after 3 ms]\n");
	r.attempts = &two_attempts[1];
	r.attempt_count = 1;
	r.stream = r.usage_known = false;
	r.duration_ms = 12345;
	assert_terminal(&r, false, "14:05:01 200 chat <- b/m  12.3 s\n");
	r.queued_ms = 2500;
	assert_terminal(&r, false, "14:05:01 200 chat <- b/m  12.3 s, queued 2500 ms\n");
	r.queued_ms = 0;
	r.degraded = DEGRADED_FALLBACK;
	assert_terminal(&r, true, "14:05:01 \033[32m200\033[0m chat <- b/m (fallback)  12.3 s\n");
}

static void a_failure_is_named(void **state)
{
	struct exchange_record r = good();

	(void)state;
	r.fault = FAULT_CONNECT;
	r.status = 502;
	r.attempt_count = 1;
	r.target = SLICE_NONE;
	r.stream = r.usage_known = false;
	assert_terminal(&r, true, "14:05:01 \033[31m502\033[0m chat  903 ms  connect"
			"  \033[2m[a/m: connect after 3 ms]\033[0m\n");
}

static void a_terminal_obeys_nobody_outside(void **state)
{
	struct exchange_record r = good();

	(void)state;
	r.asked_model = S("x\033[2J\xc2\x9b" "1m\x7f\r\n");
	r.attempt_count = 0;
	r.stream = r.usage_known = false;
	assert_terminal(&r, false, "14:05:01 200 x?[2J?1m??? <- b/m  903 ms\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_answer_tells_its_story),
		cmocka_unit_test(what_is_not_known_is_null),
		cmocka_unit_test(a_degraded_answer_says_so),
		cmocka_unit_test(a_rescued_answer_tells_how),
		cmocka_unit_test(text_from_outside_cannot_break_the_line),
		cmocka_unit_test(the_longest_line_fits),
		cmocka_unit_test(a_cut_never_splits_a_letter),
		cmocka_unit_test(a_person_reads_a_short_story),
		cmocka_unit_test(a_failure_is_named),
		cmocka_unit_test(a_terminal_obeys_nobody_outside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
