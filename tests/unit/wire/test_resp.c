/* RESP2 and RESP3 replies, whole and cut at every place. */
#include "tests/unit/base/cm.h"

#include "tests/exact.h"
#include "wire/resp.h"

/* A value as text: "[1 \"a\" null]". */
static void show(const struct resp_value *v, struct buf *out)
{
	size_t items = v->type == RESP_MAP ? 2 * v->count : v->count;

	switch (v->type) {
	case RESP_NULL:    buf_puts(out, "null"); break;
	case RESP_TEXT:    buf_putf(out, "\"%.*s\"", SLICE_ARG(v->text)); break;
	case RESP_ERROR:   buf_putf(out, "!%.*s", SLICE_ARG(v->text)); break;
	case RESP_INTEGER: buf_putf(out, "%lld", (long long)v->integer); break;
	case RESP_BOOL:    buf_putf(out, "%s", v->integer ? "yes" : "no"); break;
	case RESP_LIST: case RESP_MAP: case RESP_PUSH:
		buf_putf(out, "%s", v->type == RESP_LIST ? "[" : v->type == RESP_MAP ? "{" : ">[");
		for (size_t i = 0; i < items; i++) {
			if (i)
				buf_puts(out, " ");
			show(&v->items[i], out);
		}
		buf_putf(out, "%s", v->type == RESP_MAP ? "}" : "]");
		break;
	}
}

/* All replies in `text`, fed in pieces of `step` bytes; "BROKEN" where it is. */
static void read_all(struct slice text, size_t step, struct buf *out)
{
	struct exact exact = exact_create(text.len);
	struct arena *arena = arena_create(0);
	struct resp p;
	enum resp_step s = RESP_MORE;

	resp_init(&p, 1 << 16);
	for (size_t at = 0; at < text.len && s != RESP_BROKEN; at += step) {
		size_t to = at + step < text.len ? at + step : text.len;
		struct slice piece = exact_copy(&exact, slice_sub(text, at, to));
		struct resp_value v;

		while ((s = resp_feed(&p, &piece, arena, &v)) == RESP_VALUE) {
			show(&v, out);
			buf_puts(out, ";");
		}
	}
	if (s == RESP_BROKEN)
		buf_puts(out, "BROKEN");
	resp_free(&p);
	arena_free(arena);
	exact_free(&exact);
}

struct row { const char *text, *shown; };

static const struct row rows[] = {
	{ "+OK\r\n", "\"OK\";" },
	{ "-ERR no\r\n:12\r\n:-3\r\n", "!ERR no;12;-3;" },
	{ "$5\r\nhello\r\n$0\r\n\r\n$-1\r\n*-1\r\n", "\"hello\";\"\";null;null;" },
	{ "$4\r\na\r\nb\r\n", "\"a\r\nb\";" },
	{ "*3\r\n:1\r\n$1\r\na\r\n*1\r\n$-1\r\n", "[1 \"a\" [null]];" },
	{ "*0\r\n", "[];" },
	{ "%2\r\n+a\r\n:1\r\n+b\r\n_\r\n", "{\"a\" 1 \"b\" null};" },
	{ "~2\r\n:1\r\n:2\r\n>2\r\n+message\r\n+x\r\n", "[1 2];>[\"message\" \"x\"];" },
	{ "#t\r\n#f\r\n,1.5\r\n(123456789012345678901\r\n", "yes;no;\"1.5\";\"123456789012345678901\";" },
	{ "=7\r\ntxt:abc\r\n!5\r\nERR x\r\n", "\"abc\";!ERR x;" },
	{ "|1\r\n+ttl\r\n:9\r\n$1\r\nv\r\n", "\"v\";" },
	{ "hello\r\n", "BROKEN" },
	{ "$5\r\nhelloXX", "BROKEN" },
	{ "$99999999999\r\n", "BROKEN" },
	{ "$-2\r\n", "BROKEN" },
	{ "*2147483647\r\n", "BROKEN" },
	{ ":1x\r\n", "BROKEN" },
	{ "+a\rb", "BROKEN" },
	{ "#x\r\n", "BROKEN" },
	{ "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n", "BROKEN" },
	{ "$70000\r\n", "BROKEN" },             /* beyond the reader's bytes */
};

static void replies_are_the_same_however_they_are_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct slice text = slice_of(rows[i].text);

		for (size_t step = 1; step <= text.len; step++) {
			struct buf out = BUF_INIT(1 << 16);

			read_all(text, step, &out);
			if (!slice_eq(buf_slice(&out), slice_of(rows[i].shown)))
				fail_msg("%s in pieces of %zu: %.*s", rows[i].text, step,
					 SLICE_ARG(buf_slice(&out)));
			buf_free(&out);
		}
	}
}

static void commands_are_lists_of_strings(void **state)
{
	const struct slice words[] = { S("SET"), S("k"), S("a\r\nb") };
	struct buf out = BUF_INIT(50);

	(void)state;
	assert_true(resp_write(&out, words, 3));
	assert_true(slice_eq(buf_slice(&out), S("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$4\r\na\r\nb\r\n")));
	assert_false(resp_write(&out, words, 3));
	buf_free(&out);
}

static void pairs_are_found_in_both_versions(void **state)
{
	static const char *const texts[] = { "%1\r\n+proto\r\n:3\r\n", "*2\r\n+proto\r\n:3\r\n" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		struct arena *arena = arena_create(0);
		struct slice in = slice_of(texts[i]);
		struct resp_value v;
		struct resp p;

		resp_init(&p, 100);
		assert_int_equal(resp_feed(&p, &in, arena, &v), RESP_VALUE);
		assert_int_equal(resp_get(&v, S("proto"))->integer, 3);
		assert_null(resp_get(&v, S("server")));
		resp_free(&p);
		arena_free(arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replies_are_the_same_however_they_are_cut),
		cmocka_unit_test(commands_are_lists_of_strings),
		cmocka_unit_test(pairs_are_found_in_both_versions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
