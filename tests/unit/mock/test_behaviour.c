/* The grammar of behaviours: what is understood, what a refusal says, and what
 * consecutive requests get. */
#include "cm.h"

#include "mock/mock.h"
#include "mock/mock_behaviour.h"

#include <stdio.h>
#include <string.h>

static const char *const understood[] = {
	"", "  ", "ok", "status 500", "status 429 retry-after 2", "status 529 overloaded", "delay 20s",
	"ttft 500ms gap 20ms tokens 50", "stall after 3 for 30s", "stall", "stall after 3 for ever",
	"cut after 5", "reset after 5", "cut mid-event after 2", "error after 3", "error first",
	"error after 3 shape vllm", "error first, shape openrouter", "no-done", "no-finish", "done-only",
	"finish-null", "html 502", "html 200", "empty", "truncated", "bad-json after 2", "bad-chunk after 2",
	"content-length +10", "two-lengths", "extra-bytes", "gzip", "gzip corrupt", "gzip bomb 200m", "1xx 3",
	"1xx", "100-then-eof", "headers-then-nothing", "headers 100k", "junk", "junk tls", "http10", "no-length",
	"trailers", "comments 500ms", "comments only", "comments 50ms only", "blank-lines", "drip 1 200ms",
	"crlf", "multi-data", "split-utf8", "bom", "empty-choices-first", "usage every", "usage in-finish",
	"usage none", "dup-finish", "tool-call", "tool-call no-index", "tool-call one-chunk",
	"finish-stop-with-tools", "json-for-stream", "sse-for-json", "insufficient-quota", "bad-key",
	"model-not-found", "context-length", "content-filter", "early-response",
	"redirect 307 http://127.0.0.1:9/v1", "dup-keys", "big-event 2m", "big-event 2m after 3",
	"unknown-events", "stay-open", "close-after", "idle-close 1s", "idle-close", "idle-junk",
	"reset-on-accept", "no-answer", "percent 20 status 500", "status 500 times 3 then ok",
	"status 500 then status 502 then cut after 2", "status 400 message \"then it broke\" code x",
	"retry-after \"Wed, 21 Oct 2026 07:28:00 GMT\" status 429", "cut at-byte 700", "reset at-byte 0",
	"cut", "reset", "stale", "hang-up", "whitespace 5 200ms", "choices empty", "odd-json deep",
	"big-body 100m", "error-200 shape string", "stall after 1 for 1s cut after 3",
};

static void good_specs_are_understood(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(understood); i++) {
		char why[256] = "";

		row_holds(mock_check_behaviour(slice_of(understood[i]), why, sizeof why), understood[i]);
	}
}

static const struct { const char *spec, *says; } refused[] = {
	{ "sttaus 500", "did you mean 'status'?" },
	{ "explode", "`backstay mock --help` lists them" },
	{ "status", "wants a status from 200 to 599" },
	{ "status 99", "wants a status from 200 to 599" },
	{ "status fine", "wants a status" },
	{ "delay soon", "wants a duration such as 500ms" },
	{ "delay 25h", "a day at most" },
	{ "delay", "wants a duration" },
	{ "tokens many", "wants a whole number" },
	{ "cut after", "wants a number of events" },
	{ "cut after x", "wants a number of events" },
	{ "cut at-byte x", "wants a size" },
	{ "shape round", "is followed by one of: openai" },
	{ "usage sometimes", "every in-finish none" },
	{ "content-length 10", "+N, two, negative" },
	{ "content-length +0", "from 1" },
	{ "gzip bomb", "size it unpacks to" },
	{ "drip 1", "drip 1 200ms" },
	{ "redirect 307", "URL" },
	{ "redirect 500 http://x", "300 to 399" },
	{ "percent 101", "from 0 to 100" },
	{ "times 0", "from 1 to" },
	{ "headers", "wants a size" },
	{ "then", "before and after it" },
	{ "ok then", "before and after it" },
	{ "then ok", "before and after it" },
	{ "retry-after", "wants a word" },
	{ "stall stall stall stall stall", "at most 4" },
	{ "big-event 64m", "32m at most" },
};

static void bad_specs_say_what_is_wrong(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(refused); i++) {
		char why[256] = "";

		row_holds(!mock_check_behaviour(slice_of(refused[i].spec), why, sizeof why), refused[i].spec);
		row_holds(strstr(why, refused[i].says) != NULL, why);
	}
}

static void a_refusal_fits_any_buffer(void **state)
{
	(void)state;
	for (size_t size = 0; size < 40; size++)
		for (size_t i = 0; i < COUNT_OF(refused); i++) {
			char why[41];

			memset(why, '#', sizeof why);
			assert_false(mock_check_behaviour(slice_of(refused[i].spec), why, size));
			assert_int_equal(why[size], '#');
		}
}

/* What the statuses of consecutive requests are. */
static const struct { const char *spec; unsigned statuses[5]; } chains[] = {
	{ "", { 0, 0, 0, 0, 0 } },
	{ "status 500", { 500, 500, 500, 500, 500 } },
	{ "status 500 then ok", { 500, 0, 0, 0, 0 } },
	{ "status 500 times 2 then status 502 then ok", { 500, 500, 502, 0, 0 } },
	{ "ok times 3 then status 503", { 0, 0, 0, 503, 503 } },
};

static void chains_give_one_behaviour_a_request(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(chains); i++) {
		struct mock_plan *plan = mock_plan_parse(slice_of(chains[i].spec), NULL, 0);

		assert_non_null(plan);
		for (size_t k = 0; k < COUNT_OF(chains[i].statuses); k++)
			row_holds(mock_plan_next(plan)->status == chains[i].statuses[k], chains[i].spec);
		mock_plan_free(plan);
	}
}

static const struct { const char *header; unsigned status; } addressed[] = {
	{ "status 500", 500 },
	{ "@me status 500", 500 },
	{ "@you status 500", 0 },
	{ "@you status 500; status 502", 502 },
	{ "@you status 500; @me status 503; status 502", 503 },
	{ "@you status 500; @them cut", 0 },
	{ ";;", 0 },
};

static void headers_may_address_a_mock(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(addressed); i++) {
		struct mock_behaviour b;

		assert_true(mock_behaviour_parse_header(slice_of(addressed[i].header), S("me"), &b, NULL, 0));
		row_holds(b.status == addressed[i].status, addressed[i].header);
		row_holds(b.healthy == !addressed[i].status, addressed[i].header);
	}
}

static void every_word_has_a_line_of_help(void **state)
{
	struct buf text = BUF_INIT(1 << 20), table = BUF_INIT(1 << 20);

	(void)state;
	mock_write_help(&text);
	mock_write_help_markdown(&table);
	for (size_t i = 0; i < mock_word_count; i++) {
		char cell[64];

		for (size_t k = 0; k < i; k++)
			row_holds(strcmp(mock_words[k].name, mock_words[i].name) != 0, mock_words[i].name);
		row_holds(mock_words[i].what[0], mock_words[i].name);
		snprintf(cell, sizeof cell, "\n  %s", mock_words[i].name);
		row_holds(slice_find_slice(buf_slice(&text), slice_of(cell)) != SLICE_NOT_FOUND, cell);
		snprintf(cell, sizeof cell, "\n| `%s", mock_words[i].name);
		row_holds(slice_find_slice(buf_slice(&table), slice_of(cell)) != SLICE_NOT_FOUND, cell);
	}
	buf_free(&text);
	buf_free(&table);
}

/* docs/mock.md ends with the table as it is made from the words. */
static void the_page_has_the_table(void **state)
{
	struct buf table = BUF_INIT(1 << 20), page = BUF_INIT(1 << 20);
	FILE *file = fopen(DOCS_MOCK, "r");
	char some[4096];
	size_t n;

	(void)state;
	assert_non_null(file);
	while ((n = fread(some, 1, sizeof some, file)) > 0)
		buf_put(&page, (struct slice){ some, n });
	fclose(file);
	mock_write_help_markdown(&table);
	assert_true(slice_ends(buf_slice(&page), buf_slice(&table)));
	buf_free(&table);
	buf_free(&page);
}

/* Rows of the catalogue that a server speaking OpenAI's dialect over HTTP/1.1
 * can cause; what is missing needs another protocol, dialect or side. */
static const char *const catalogue[] = {
	"N01", "N07", "N08", "N09", "N10", "N16", "H01", "H02", "H03", "H04", "H05", "H06", "H07", "H08", "H09",
	"H10", "H11", "H12", "H13", "H14", "H15", "H16", "H17", "H18", "H19", "H20", "H21", "S01", "S02", "S03",
	"S04", "S05", "S06", "S07", "S08", "S09", "S11", "S12", "S13", "S14", "S15", "S16", "S17", "S18", "S19",
	"S20", "S21", "S22", "S23", "S24", "S25", "S26", "E01", "E02", "E03", "E04", "E05", "E06", "E11", "E12",
	"E13", "E14", "E15", "E16", "E17", "E18", "E19", "E20", "E21", "E22", "E23", "E24", "E25", "E26", "E27",
	"E28", "E29", "E30", "E33", "E09", "P10", "E34", "E35", "E36", "E37", "E38",
};

static void every_failure_a_server_can_cause_has_a_word(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(catalogue); i++) {
		bool found = false;

		for (size_t k = 0; k < mock_word_count; k++)
			found |= strstr(mock_words[k].rows, catalogue[i]) != NULL;
		row_holds(found, catalogue[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_specs_are_understood),
		cmocka_unit_test(bad_specs_say_what_is_wrong),
		cmocka_unit_test(a_refusal_fits_any_buffer),
		cmocka_unit_test(chains_give_one_behaviour_a_request),
		cmocka_unit_test(headers_may_address_a_mock),
		cmocka_unit_test(every_word_has_a_line_of_help),
		cmocka_unit_test(the_page_has_the_table),
		cmocka_unit_test(every_failure_a_server_can_cause_has_a_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
