#include "tests/unit/base/cm.h"

#include "observe/recent.h"

#include <stdio.h>
#include <string.h>

static void assert_written(struct recent *r, size_t max, const char *expected)
{
	struct buf out = BUF_INIT(max);

	recent_write(r, &out);
	assert_true(slice_eq(buf_slice(&out), slice_of(expected)));
	buf_free(&out);
}

static void newest_first_with_commas(void **state)
{
	struct recent *r = recent_create();

	(void)state;
	assert_written(r, 100, "");
	recent_add(r, S("{\"a\":1}\n"));
	assert_written(r, 100, "{\"a\":1}");
	recent_add(r, S("{\"b\":2}"));
	assert_written(r, 100, "{\"b\":2},{\"a\":1}");
	recent_free(r);
}

static void the_oldest_leave(void **state)
{
	struct recent *r = recent_create();
	struct buf out = BUF_INIT(4096);
	char line[16];

	(void)state;
	for (int i = 0; i < 2 * RECENT_COUNT + 7; i++) {
		int len = snprintf(line, sizeof line, "%d\n", i);

		recent_add(r, (struct slice){ line, (size_t)len });
	}
	recent_write(r, &out);
	assert_true(slice_starts(buf_slice(&out), S("206,205,204,")));
	assert_true(slice_ends(buf_slice(&out), S(",108,107")));
	buf_free(&out);
	recent_free(r);
}

static void a_slot_takes_longer_and_shorter_lines(void **state)
{
	struct recent *r = recent_create();
	char line[5000];

	(void)state;
	memset(line, 'x', sizeof line);
	for (int round = 0; round < RECENT_COUNT; round++)
		recent_add(r, (struct slice){ line, sizeof line });
	for (int round = 0; round < RECENT_COUNT - 1; round++)
		recent_add(r, S("\n"));               /* empty: not kept */
	recent_add(r, S("y"));
	assert_written(r, 2, "y");
	recent_free(r);
}

static void what_is_too_long_is_not_kept(void **state)
{
	struct recent *r = recent_create();
	char line[9000];

	(void)state;
	memset(line, 'x', sizeof line);
	recent_add(r, (struct slice){ line, sizeof line });
	assert_written(r, 100, "");
	recent_free(r);
}

static void it_stops_where_the_document_is_full(void **state)
{
	struct recent *r = recent_create();

	(void)state;
	recent_add(r, S("11"));
	recent_add(r, S("22"));
	recent_add(r, S("33"));
	assert_written(r, 5, "33,22");
	assert_written(r, 6, "33,22");
	assert_written(r, 1, "");
	recent_free(r);
}

static void put(void *owner, struct slice line)
{
	buf_putf(owner, "%.*s;", SLICE_ARG(line));
}

static void assert_since(struct recent *r, uint64_t *seen, size_t most, const char *expected)
{
	struct buf out = BUF_INIT(4096);

	recent_since(r, seen, most, put, &out);
	if (!slice_eq(buf_slice(&out), slice_of(expected)))
		fail_msg("\"%.*s\" is not \"%s\"", SLICE_ARG(buf_slice(&out)), expected);
	buf_free(&out);
}

static void who_asks_again_hears_only_what_is_new(void **state)
{
	struct recent *r = recent_create();
	uint64_t seen = 0, late = 0;

	(void)state;
	assert_since(r, &seen, 10, "");
	recent_add(r, S("a\n"));
	recent_add(r, S("b\n"));
	assert_since(r, &seen, 10, "a;b;");
	assert_since(r, &seen, 10, "");
	recent_add(r, S("c\n"));
	recent_add(r, S("d\n"));
	recent_add(r, S("e\n"));
	assert_since(r, &seen, 2, "d;e;");
	assert_since(r, &seen, 2, "");
	assert_since(r, &late, 10, "a;b;c;d;e;");
	for (int i = 0; i < 2 * RECENT_COUNT; i++)
		recent_add(r, S("x\n"));
	assert_since(r, &seen, 1, "x;");
	recent_free(r);
}

static void all_of_them_newest_first(void **state)
{
	struct recent *r = recent_create();
	struct buf out = BUF_INIT(4096);

	(void)state;
	recent_add(r, S("a\n"));
	recent_add(r, S("b\n"));
	recent_each(r, put, &out);
	assert_true(slice_eq(buf_slice(&out), S("b;a;")));
	buf_free(&out);
	recent_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(newest_first_with_commas),
		cmocka_unit_test(the_oldest_leave),
		cmocka_unit_test(a_slot_takes_longer_and_shorter_lines),
		cmocka_unit_test(what_is_too_long_is_not_kept),
		cmocka_unit_test(it_stops_where_the_document_is_full),
		cmocka_unit_test(who_asks_again_hears_only_what_is_new),
		cmocka_unit_test(all_of_them_newest_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
