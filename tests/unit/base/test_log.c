#include "base/log.h"

#include "cm.h"

#include <string.h>

struct kept {
	char line[8192];
	size_t len;
	unsigned count;
	enum log_level level;
};

static void keep(void *owner, enum log_level level, struct slice line)
{
	struct kept *k = owner;

	must(line.len < sizeof k->line);
	memcpy(k->line, line.at, line.len);
	k->line[line.len] = '\0';
	k->len = line.len;
	k->level = level;
	k->count++;
}

static int64_t wall(void *owner)
{
	(void)owner;
	return INT64_C(1795442701250);           /* 2026-11-23T14:05:01.250Z */
}

static struct log log_to(struct kept *k, enum log_level level)
{
	return (struct log){ .sink = keep, .wall_ms = wall, .owner = k, .level = level };
}

static const struct {
	const char *event, *rest;
	const char *line;
	const char *says;
} lines[] = {
	{ "target_fault", "target=openai/gpt-5-mini fault=silence",
	  "2026-11-23T14:05:01.250Z warn target_fault target=openai/gpt-5-mini fault=silence\n",
	  "time, level, event, pairs" },
	{ "drained", "", "2026-11-23T14:05:01.250Z warn drained\n", "no space at the end" },
	{ "x", "a=1\nforged b=2", "2026-11-23T14:05:01.250Z warn x a=1?forged b=2\n",
	  "nobody can forge a second line" },
	{ "x", "a=\x1b[31m\x7f\t", "2026-11-23T14:05:01.250Z warn x a=?[31m??\n",
	  "nor speak to the terminal" },
	{ "x", "a=\xc2\x9b" "31m", "2026-11-23T14:05:01.250Z warn x a=??31m\n",
	  "nor with the controls beyond ASCII" },
	{ "x", "a=\xc2\xa7\xc3\xa9", "2026-11-23T14:05:01.250Z warn x a=\xc2\xa7\xc3\xa9\n",
	  "letters of all tongues stay" },
};

static void lines_look_like_this(void **state)
{
	struct kept k = { .count = 0 };
	struct log log = log_to(&k, LOG_DEBUG);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(lines); i++) {
		log_line(&log, LOG_WARN, lines[i].event, "%s", lines[i].rest);
		row_holds(strcmp(k.line, lines[i].line) == 0, lines[i].says);
		row_holds(k.level == LOG_WARN, lines[i].says);
	}
	assert_int_equal(k.count, COUNT_OF(lines));
}

static void levels(void **state)
{
	struct kept k = { .count = 0 };
	struct log log = log_to(&k, LOG_WARN);
	enum log_level level = LOG_DEBUG;

	(void)state;
	log_line(&log, LOG_ERROR, "e", "%s", "");
	log_line(&log, LOG_WARN, "w", "%s", "");
	log_line(&log, LOG_INFO, "i", "%s", "");
	log_line(NULL, LOG_ERROR, "e", "%s", "");
	assert_int_equal(k.count, 2);
	assert_true(log_wants(&log, LOG_WARN));
	assert_false(log_wants(&log, LOG_DEBUG));
	assert_false(log_wants(NULL, LOG_ERROR));
	for (unsigned i = LOG_ERROR; i <= LOG_DEBUG; i++) {
		assert_true(log_level_parse(slice_of(log_level_name((enum log_level)i)), &level));
		assert_int_equal(level, i);
	}
	assert_false(log_level_parse(S("WARN"), &level));
	assert_false(log_level_parse(S("warning"), &level));
	assert_false(log_level_parse(SLICE_NONE, &level));
	assert_int_equal(level, LOG_DEBUG);
}

/* Whatever the length, a line ends in a newline, within 4 KiB, never inside a
 * character. */
static void long_lines_are_cut(void **state)
{
	struct kept k = { .count = 0 };
	struct log log = log_to(&k, LOG_INFO);
	char text[6000];

	(void)state;
	memset(text, 'x', sizeof text);
	for (int len = 4000; len < 4200; len++) {
		log_line(&log, LOG_INFO, "e", "%.*s", len, text);
		if (len + 32 < 4096) {
			assert_int_equal(k.len, len + 33);
			assert_int_equal(k.line[k.len - 2], 'x');
		} else {
			assert_int_equal(k.len, 4096);
			assert_string_equal(k.line + 4096 - 5, "x...\n");
		}
	}
	for (size_t shift = 0; shift < 3; shift++) {
		for (size_t i = shift; i + 3 <= sizeof text; i += 3)
			memcpy(text + i, "\xe2\x82\xac", 3);
		log_line(&log, LOG_INFO, "e", "%.*s", (int)sizeof text, text);
		assert_in_range(k.len, 4094, 4096);
		assert_string_equal(k.line + k.len - 7, "\xe2\x82\xac...\n");
	}
}

static const struct {
	int64_t wall_ms;
	const char *stamp;
} stamps[] = {
	{ 0, "1970-01-01T00:00:00.000Z" },
	{ 999, "1970-01-01T00:00:00.999Z" },
	{ INT64_C(951782400000), "2000-02-29T00:00:00.000Z" },
	{ INT64_C(1795442701250), "2026-11-23T14:05:01.250Z" },
	{ INT64_C(253402300799999), "9999-12-31T23:59:59.999Z" },
	{ INT64_MAX, "9999-12-31T23:59:59.999Z" },
	{ INT64_MIN, "1970-01-01T00:00:00.000Z" },
};

static void stamps_are_rfc_3339(void **state)
{
	char out[25];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(stamps); i++) {
		log_stamp(stamps[i].wall_ms, out);
		assert_string_equal(out, stamps[i].stamp);
	}
}

static const struct {
	struct slice text;
	size_t size;
	const char *quoted;
	const char *says;
} quotes[] = {
	{ S_INIT("openai/gpt-5"), 64, "openai/gpt-5", "a word stands as it is" },
	{ S_INIT("two words"), 64, "\"two words\"", "spaces need quotes" },
	{ S_INIT(""), 64, "\"\"", "so does nothing at all" },
	{ S_INIT("a=b"), 64, "\"a=b\"", "so does what looks like a pair" },
	{ S_INIT("say \"hi\"\\"), 64, "\"say \\\"hi\\\"\\\\\"", "quotes and backslashes are escaped" },
	{ S_INIT("a\nb\tc\rd\x01"), 64, "\"a\\nb\\tc\\rd?\"", "line ends and tabs too" },
	{ S_INIT("1234567"), 8, "1234567", "exactly fitting without quotes" },
	{ S_INIT("12345678"), 8, "\"12...\"", "too long is cut with a mark" },
	{ S_INIT("1 3456"), 9, "\"1 3456\"", "exactly fitting with quotes" },
	{ S_INIT("1 34567"), 9, "\"1 3...\"", "one more does not" },
	{ S_INIT("12\n\n\n\n"), 9, "\"12...\"", "no escape is cut in two" },
	{ S_INIT("12\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac"), 9, "\"12...\"", "nor a character" },
};

static void quoting(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(quotes); i++) {
		char out[64];

		row_holds(log_quote(quotes[i].text, out, quotes[i].size) == out, quotes[i].says);
		if (strcmp(out, quotes[i].quoted) != 0)
			fail_msg("%s: got %s", quotes[i].says, out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_look_like_this),
		cmocka_unit_test(levels),
		cmocka_unit_test(long_lines_are_cut),
		cmocka_unit_test(stamps_are_rfc_3339),
		cmocka_unit_test(quoting),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
