/* What the store says of other machines: nothing of it is believed unseen. */
#include "tests/unit/base/cm.h"

#include "base/check.h"
#include "cache/nodes.h"

#include <stdlib.h>
#include <string.h>

static const struct cache_node full = {
	.name = "n\xc3\xb6rd \"1\"", .version = "1.2.3", .listen = "10.0.0.1:8080", .admin = "[::1]:9090",
	.config = "0a1b2c3d", .generation = 7, .config_ms = 60000, .uptime_ms = INT64_C(1) << 53, .workers = 16,
	.in_flight = 1234, .connections = 5678, .draining = true,
};

static bool same(const struct cache_node *a, const struct cache_node *b)
{
	return strcmp(a->name, b->name) == 0 && strcmp(a->version, b->version) == 0 &&
	       strcmp(a->listen, b->listen) == 0 && strcmp(a->admin, b->admin) == 0 &&
	       strcmp(a->config, b->config) == 0 && a->generation == b->generation &&
	       a->config_ms == b->config_ms && a->uptime_ms == b->uptime_ms && a->workers == b->workers &&
	       a->in_flight == b->in_flight && a->connections == b->connections && a->draining == b->draining;
}

static void what_is_written_is_read(void **state)
{
	struct buf line = BUF_INIT(NODES_LINE_MAX);
	struct cache_node read;

	(void)state;
	node_write(&full, &line);
	assert_true(node_read(buf_slice(&line), &read));
	assert_true(same(&full, &read));
	/* Cut anywhere it is no line. */
	for (size_t len = 0; len < buf_len(&line); len++)
		assert_false(node_read(slice_sub(buf_slice(&line), 0, len), &read));
	buf_free(&line);
}

/* The longest there can be fits, whatever stands in its texts. */
static void every_node_can_be_written(void **state)
{
	struct cache_node node = full, read;
	struct buf line = BUF_INIT(NODES_LINE_MAX);

	(void)state;
	memset(node.name, '"', sizeof node.name - 1);
	memset(node.version, '\\', sizeof node.version - 1);
	memset(node.listen, '"', sizeof node.listen - 1);
	memset(node.admin, '"', sizeof node.admin - 1);
	memset(node.config, '"', sizeof node.config - 1);
	node.in_flight = node.connections = node.workers = INT64_C(1) << 53;
	node_write(&node, &line);
	assert_true(node_read(buf_slice(&line), &read));
	assert_true(same(&node, &read));
	buf_clear(&line);
	memset(node.name, 0x01, sizeof node.name - 1);
	memset(node.listen, 0x01, sizeof node.listen - 1);
	memset(node.admin, 0x01, sizeof node.admin - 1);
	node_write(&node, &line);
	assert_false(node_read(buf_slice(&line), &read));    /* and no terminal sees it */
	buf_free(&line);
}

static const struct {
	const char *line;
	bool good;
	const char *says;
} lines[] = {
	{ "{\"name\":\"a\"}", true, "what an earlier version does not say is not known" },
	{ "{\"name\":\"a\",\"later\":{\"x\":[1,{}]},\"uptime_ms\":5}", true, "what a later one adds is passed over" },
	{ "", false, "nothing" },
	{ "{}", false, "no name" },
	{ "{\"name\":\"\"}", false, "an empty one" },
	{ "[\"name\",\"a\"]", false, "no object" },
	{ "{\"name\":7}", false, "a name that is no text" },
	{ "{\"name\":null}", false, "nor this" },
	{ "{\"name\":\"a\",\"name\":\"b\"}", false, "two names" },
	{ "{\"name\":\"a\\u0000b\"}", false, "a zero byte" },
	{ "{\"name\":\"a\\u001b[31m\"}", false, "what would colour a terminal" },
	{ "{\"name\":\"a\\nb\"}", false, "two lines" },
	{ "{\"name\":\"a\xff\"}", false, "no UTF-8" },
	{ "{\"name\":\"a\"} ", true, "space behind it" },
	{ "{\"name\":\"a\"}}", false, "more behind it" },
	{ "{\"name\":\"a\",\"draining\":1}", false, "a flag that is a number" },
	{ "{\"name\":\"a\",\"uptime_ms\":-1}", false, "below zero" },
	{ "{\"name\":\"a\",\"uptime_ms\":1.5}", false, "a part of a millisecond" },
	{ "{\"name\":\"a\",\"uptime_ms\":\"1\"}", false, "a number that is a text" },
	{ "{\"name\":\"a\",\"uptime_ms\":9007199254740993}", false, "more than any" },
	{ "{\"name\":\"a\",\"uptime_ms\":99999999999999999999}", false, "nor does that fit" },
	{ "{\"name\":\"0123456789012345678901234567890123456789012345678901234567890123\"}", true, "64 bytes" },
	{ "{\"name\":\"01234567890123456789012345678901234567890123456789012345678901234\"}", false, "65" },
};

static void lines_are_believed_or_not(void **state)
{
	char *deep = malloc(NODES_LINE_MAX + 2);
	struct cache_node read;

	(void)state;
	must(deep != NULL);
	for (size_t i = 0; i < COUNT_OF(lines); i++)
		if (node_read(slice_of(lines[i].line), &read) != lines[i].good)
			fail_msg("%s: %s", lines[i].says, lines[i].line);
	/* As deep as the line is long; and one that is longer than any. */
	memset(deep, '[', NODES_LINE_MAX);
	assert_false(node_read((struct slice){ deep, NODES_LINE_MAX }, &read));
	memset(deep, ' ', NODES_LINE_MAX + 1);
	memcpy(deep, "{\"name\":\"a\"}", 12);
	assert_true(node_read((struct slice){ deep, NODES_LINE_MAX }, &read));
	assert_false(node_read((struct slice){ deep, NODES_LINE_MAX + 1 }, &read));
	free(deep);
}

/* ---- replies ------------------------------------------------------------------------- */

#define INTEGER(n) { .type = RESP_INTEGER, .integer = (n) }
#define TEXT(t)    { .type = RESP_TEXT, .text = S_INIT(t) }
#define GOOD       TEXT("{\"name\":\"a\"}")
#define ID         TEXT("0123456789abcdef")

static const struct {
	struct resp_value items[8];
	size_t count;
	bool good;
	size_t nodes;
	const char *says;
} replies[] = {
	{ { INTEGER(-1), INTEGER(0) }, 2, true, 0, "nobody else" },
	{ { INTEGER(2000), INTEGER(2), ID, INTEGER(5), GOOD, TEXT("fedcba9876543210"), INTEGER(7), GOOD }, 8, true, 2, "two" },
	{ { INTEGER(2000), INTEGER(1), ID, INTEGER(5), GOOD }, 4, true, 0, "a node that is cut" },
	{ { INTEGER(2000), INTEGER(1), TEXT("short"), INTEGER(5), GOOD }, 5, true, 0, "no id" },
	{ { INTEGER(2000), INTEGER(1), TEXT("0123456789ABCDEF"), INTEGER(5), GOOD }, 5, true, 0, "nor this" },
	{ { INTEGER(2000), INTEGER(1), ID, TEXT("5"), GOOD }, 5, true, 0, "an age that is a text" },
	{ { INTEGER(2000), INTEGER(1), ID, INTEGER(-5), GOOD }, 5, true, 1, "one from the future is of now" },
	{ { INTEGER(2000), INTEGER(1), ID, INTEGER(NODES_FORGET_MS + 1), GOOD }, 5, true, 0, "one that is forgotten" },
	{ { INTEGER(2000), INTEGER(1), ID, INTEGER(5), INTEGER(5) }, 5, true, 0, "a line that is a number" },
	{ { INTEGER(2000), INTEGER(2), TEXT("junk"), INTEGER(5), GOOD, ID, INTEGER(5), GOOD }, 8, true, 1, "a good one behind a bad one" },
	{ { INTEGER(2000) }, 1, false, 0, "too short" },
	{ { TEXT("x"), INTEGER(0) }, 2, false, 0, "no numbers" },
	{ { INTEGER(1), TEXT("x") }, 2, false, 0, "nor these" },
};

static void replies_are_read_as_far_as_they_go(void **state)
{
	struct nodes_reading *r = malloc(sizeof *r);
	const struct resp_value error = { .type = RESP_ERROR, .text = S("ERR no") };

	(void)state;
	must(r != NULL);
	for (size_t i = 0; i < COUNT_OF(replies); i++) {
		struct resp_value items[8], list = { .type = RESP_LIST, .items = items, .count = replies[i].count };

		memcpy(items, replies[i].items, sizeof items);
		if (nodes_read(&list, r) != replies[i].good || (replies[i].good && r->count != replies[i].nodes))
			fail_msg("%s", replies[i].says);
		for (size_t k = 0; replies[i].good && k < r->count; k++)
			assert_true(r->nodes[k].seen_ms >= 0);
	}
	assert_false(nodes_read(&error, r));
	assert_false(nodes_read(NULL, r));
	free(r);
}

static void more_than_fit_are_counted(void **state)
{
	static struct resp_value items[2 + 3 * (CACHE_NODES_MAX + 10)];
	struct resp_value list = { .type = RESP_LIST, .items = items, .count = COUNT_OF(items) };
	const struct resp_value node[] = { ID, INTEGER(5), GOOD };
	struct nodes_reading *r = malloc(sizeof *r);

	(void)state;
	must(r != NULL);
	items[0] = (struct resp_value)INTEGER(2000);
	items[1] = (struct resp_value)INTEGER(200);
	for (size_t i = 2; i < COUNT_OF(items); i++)
		items[i] = node[(i - 2) % 3];
	/* A store that sends more than was asked for. */
	assert_true(nodes_read(&list, r));
	assert_int_equal(r->count, CACHE_NODES_MAX);
	assert_int_equal(r->more, 200 - CACHE_NODES_MAX - 10);
	items[1].integer = INT64_MAX;
	assert_true(nodes_read(&list, r));
	assert_int_equal(r->more, 0);
	items[1].integer = INT64_MIN;
	assert_true(nodes_read(&list, r));
	assert_int_equal(r->more, 0);
	free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(every_node_can_be_written),
		cmocka_unit_test(lines_are_believed_or_not),
		cmocka_unit_test(replies_are_read_as_far_as_they_go),
		cmocka_unit_test(more_than_fit_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
