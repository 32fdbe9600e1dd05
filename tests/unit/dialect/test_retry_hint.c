#include "help.h"

#include "base/check.h"

/* Sun, 06 Nov 1994 08:49:37 GMT, the date of RFC 9110's examples. */
#define THEN_MS INT64_C(784111777000)
#define NOW_MS INT64_C(1795442400000)     /* 2026-11-23 14:00:00 */

static const struct {
	const char *headers, *body;
	int64_t wall_ms, hint_ms;
	const char *says;
} rows[] = {
	{ "", "", NOW_MS, -1, "nothing said" },
	{ "retry-after: 2", "", NOW_MS, 2000, "S05: seconds" },
	{ "Retry-After: 0", "", NOW_MS, 0, "S05: at once" },
	{ "retry-after: 1.5", "", NOW_MS, 1500, "S05: fractions of a second" },
	{ "retry-after: Sun, 06 Nov 1994 08:49:37 GMT", "", THEN_MS - 7000, 7000, "S06: IMF-fixdate" },
	{ "retry-after: Sunday, 06-Nov-94 08:49:37 GMT", "", THEN_MS - 7000, 7000, "S06: RFC 850" },
	{ "retry-after: Sun Nov  6 08:49:37 1994", "", THEN_MS - 7000, 7000, "S06: asctime" },
	{ "retry-after: Sun Nov 16 08:49:37 1994", "", THEN_MS + 864000000 - 7000, 7000,
	  "S06: asctime, a day of two digits" },
	{ "retry-after: Sun, 06 Nov 1994 08:49:37 GMT", "", THEN_MS + 1, 0, "S06: a date that has passed" },
	{ "retry-after: Mon, 23 Nov 2026 14:00:30 GMT", "", NOW_MS, 30000, "S06: a date of today" },
	{ "retry-after: Monday, 23-Nov-26 14:00:30 GMT", "", NOW_MS, 30000, "S06: a short year of today" },
	{ "retry-after: Sun, 29 Feb 2032 00:00:00 GMT", "", INT64_C(1961625600000) - 1000, 1000,
	  "S06: a leap day" },
	{ "retry-after: Fri, 31 Dec 2099 23:59:59 GMT", "", NOW_MS, 3600000, "S08: a far date is an hour" },
	{ "retry-after: Mon, 23 Foo 2026 14:00:30 GMT", "", NOW_MS, -1, "S06: no such month" },
	{ "retry-after: Mon, 23 Nov 2026 25:00:30 GMT", "", NOW_MS, -1, "S06: no such hour" },
	{ "retry-after: Mon, 23 Nov 2026 14:00:30 CET", "", NOW_MS, -1, "S06: only GMT" },
	{ "retry-after: soon", "", NOW_MS, -1, "S08: words" },
	{ "retry-after: ", "", NOW_MS, -1, "S08: empty" },
	{ "retry-after: -5", "", NOW_MS, 0, "S08: negative" },
	{ "retry-after: 999999", "", NOW_MS, 3600000, "S08: absurd, clamped to an hour" },
	{ "retry-after: 99999999999999999999999", "", NOW_MS, 3600000, "S08: more than fits" },
	{ "retry-after: 1e3", "", NOW_MS, -1, "S08: no exponents" },
	{ "retry-after: 1.2.3", "", NOW_MS, -1, "S08: two points" },
	{ "retry-after: .", "", NOW_MS, -1, "S08: a lone point" },
	{ "retry-after-ms: 250\nretry-after: 9", "", NOW_MS, 250, "S07: milliseconds come first" },
	{ "retry-after-ms: 250.7", "", NOW_MS, 250, "S07: with a fraction" },
	{ "retry-after-ms: soon\nretry-after: 9", "", NOW_MS, 9000, "S07: unless they cannot be read" },
	{ "x-ratelimit-remaining-requests: 0\nx-ratelimit-reset-requests: 1m30s", "", NOW_MS, 90000,
	  "resets in Go's form" },
	{ "x-ratelimit-remaining-tokens: 0\nx-ratelimit-reset-tokens: 250ms", "", NOW_MS, 250,
	  "in milliseconds" },
	{ "x-ratelimit-remaining-tokens: 0\nx-ratelimit-reset-tokens: 7.66s", "", NOW_MS, 7660,
	  "with a fraction" },
	{ "x-ratelimit-remaining-tokens: 0\nx-ratelimit-reset-tokens: 6m0s", "", NOW_MS, 360000,
	  "OpenAI's 6m0s" },
	{ "x-ratelimit-remaining-tokens: 12\nx-ratelimit-reset-tokens: 7s", "", NOW_MS, -1,
	  "a limit that has something left says nothing" },
	{ "x-ratelimit-reset-tokens: 7s", "", NOW_MS, -1, "nor one that does not say what is left" },
	{ "x-ratelimit-remaining-requests: 0\nx-ratelimit-reset-requests: 1s\n"
	  "x-ratelimit-remaining-tokens: 0\nx-ratelimit-reset-tokens: 5s", "", NOW_MS, 5000,
	  "of two that are used up the later one" },
	{ "x-ratelimit-remaining: 0\nx-ratelimit-reset: 1795442412", "", NOW_MS, 12000,
	  "Unix time in seconds" },
	{ "x-ratelimit-remaining: 0\nx-ratelimit-reset: 1795442412500", "", NOW_MS, 12500,
	  "Unix time in milliseconds" },
	{ "x-ratelimit-remaining: 0\nx-ratelimit-reset: 3", "", NOW_MS, 3000, "seconds from now" },
	{ "x-ratelimit-remaining: 0\nx-ratelimit-reset: 1d", "", NOW_MS, 3600000, "S08: days are clamped" },
	{ "x-ratelimit-remaining: 0\nx-ratelimit-reset: 99999999999999999h", "", NOW_MS, 3600000,
	  "S08: so is what overflows" },
	{ "x-ratelimit-remaining: 0\nx-ratelimit-reset: 5x", "", NOW_MS, -1, "S08: no such unit" },
	{ "", "{\"error\":{\"code\":429,\"details\":[{\"@type\":\"a\"},{\"retryDelay\":\"34.4s\"}]}}",
	  NOW_MS, 34400, "S10: Gemini's retryDelay" },
	{ "", "[{\"error\":{\"code\":429,\"message\":\"x\",\"details\":[{\"retryDelay\":\"34s\"}]}}]",
	  NOW_MS, 34000, "S10: in an array" },
	{ "", "{\"error\":{\"details\":[7,\"x\",{\"retryDelay\":34}]}}", NOW_MS, -1, "S10: not a duration" },
	{ "", "{\"error\":{\"message\":\"Rate limit reached. Please try again in 1.898s. Visit\"}}",
	  NOW_MS, 1898, "the sentence (OpenAI, Groq)" },
	{ "", "{\"error\":{\"message\":\"Please retry in 1m2s.\"}}", NOW_MS, 62000, "the sentence (Gemini)" },
	{ "", "{\"error\":{\"message\":\"try again in a while\"}}", NOW_MS, -1, "a sentence without a number" },
	{ "retry-after: 1", "{\"error\":{\"details\":[{\"retryDelay\":\"34s\"}]}}", NOW_MS, 1000,
	  "a header comes before the body" },
	{ "", "<html>", NOW_MS, -1, "S01: a page" },
};

static void hints_are_read_in_every_form(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct h1_head head = head_of(rows[i].headers);
		int64_t hint = dialect_retry_hint_ms(&head, slice_of(rows[i].body), rows[i].wall_ms);

		if (hint != rows[i].hint_ms)
			fail_msg("%s: %lld", rows[i].says, (long long)hint);
	}
}

static void a_head_is_not_needed(void **state)
{
	(void)state;
	assert_int_equal(dialect_retry_hint_ms(NULL, SLICE_NONE, NOW_MS), -1);
	assert_int_equal(dialect_retry_hint_ms(NULL,
		S("{\"error\":{\"details\":[{\"retryDelay\":\"2s\"}]}}"), NOW_MS), 2000);
}

/* ---- how much more it will take -------------------------------------------- */

static const struct {
	const char *headers;
	struct dialect_room requests, tokens;
	const char *says;
} room_rows[] = {
	{ "", { -1, -1, -1 }, { -1, -1, -1 }, "nothing said" },
	{ "x-ratelimit-limit-requests: 60\nx-ratelimit-remaining-requests: 59\n"
	  "x-ratelimit-reset-requests: 1s\nx-ratelimit-limit-tokens: 150000\n"
	  "x-ratelimit-remaining-tokens: 149984\nx-ratelimit-reset-tokens: 6m0s",
	  { 60, 59, 1000 }, { 150000, 149984, 360000 }, "OpenAI's six" },
	{ "anthropic-ratelimit-requests-limit: 50\nanthropic-ratelimit-requests-remaining: 0\n"
	  "anthropic-ratelimit-requests-reset: 2026-11-23T14:00:30Z",
	  { 50, 0, 30000 }, { -1, -1, -1 }, "Anthropic's, with a time of day" },
	{ "anthropic-ratelimit-tokens-remaining: 7000\n"
	  "anthropic-ratelimit-tokens-reset: 2026-11-23T14:00:01.500Z",
	  { -1, -1, -1 }, { -1, 7000, 1000 }, "no limit, and fractions" },
	{ "ratelimit-limit: 10\nratelimit-remaining: 3\nratelimit-reset: 20",
	  { 10, 3, 20000 }, { -1, -1, -1 }, "the plain ones, in seconds" },
	{ "x-ratelimit-remaining-requests: 5", { -1, 5, -1 }, { -1, -1, -1 }, "no reset" },
	{ "x-ratelimit-remaining-requests: many\nx-ratelimit-reset-requests: 1s",
	  { -1, -1, -1 }, { -1, -1, -1 }, "words" },
	{ "anthropic-ratelimit-requests-remaining: 1\n"
	  "anthropic-ratelimit-requests-reset: 2026-13-23T14:00:30Z",
	  { -1, 1, -1 }, { -1, -1, -1 }, "no such month" },
};

static bool same_room(const struct dialect_room *a, const struct dialect_room *b)
{
	return a->limit == b->limit && a->left == b->left && a->full_in_ms == b->full_in_ms;
}

static void rooms_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(room_rows); i++) {
		struct dialect_room requests, tokens;
		struct h1_head head = head_of(room_rows[i].headers);

		dialect_rate_rooms(&head, NOW_MS, &requests, &tokens);
		row_holds(same_room(&requests, &room_rows[i].requests), room_rows[i].says);
		row_holds(same_room(&tokens, &room_rows[i].tokens), room_rows[i].says);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hints_are_read_in_every_form),
		cmocka_unit_test(a_head_is_not_needed),
		cmocka_unit_test(rooms_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
