/* The chunked coding: what frames a body, and what is refused. */
#include "tests/exact.h"
#include "wire/chunked.h"

#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#define BODY_MAX (256 * 1024)

struct outcome {
	enum chunked_step last;
	struct buf data;
	size_t eaten;                 /* of the input, at the end of the body */
};

/* Feeds the first `first` bytes, then `step` more at a time, up to END or BAD. */
static void feed_in_steps(struct slice in, size_t first, size_t step, struct outcome *o)
{
	struct exact e = exact_create(in.len);
	struct chunked c = { 0 };
	size_t from = 0, to = first < in.len ? first : in.len;

	o->data = BUF_INIT(BODY_MAX);
	o->last = CHUNKED_MORE;
	o->eaten = 0;
	for (;;) {
		struct slice part = exact_copy(&e, slice_sub(in, from, to)), data;

		while ((o->last = chunked_feed(&c, &part, &data)) == CHUNKED_DATA) {
			assert_true(data.len > 0);
			assert_true(buf_append(&o->data, data));
		}
		if (o->last == CHUNKED_END)
			o->eaten = to - part.len;
		if (o->last == CHUNKED_MORE)
			assert_int_equal(part.len, 0);
		if (o->last != CHUNKED_MORE || to == in.len)
			break;
		from = to;
		to = in.len - to < step ? in.len : to + step;
	}
	exact_free(&e);
}

static void check_same(struct slice in, size_t first, size_t step, const struct outcome *whole,
		       const char *says)
{
	struct outcome cut;

	feed_in_steps(in, first, step, &cut);
	if (cut.last != whole->last || cut.eaten != whole->eaten ||
	    !slice_eq(buf_slice(&cut.data), buf_slice(&whole->data)))
		fail_msg("%s: step %d of '%.*s' became %d of '%.*s' when cut at %zu by %zu", says,
			 whole->last, SLICE_ARG(buf_slice(&whole->data)), cut.last,
			 SLICE_ARG(buf_slice(&cut.data)), first, step);
	buf_free(&cut.data);
}

static void check(struct slice in, enum chunked_step last, struct slice data, size_t eaten,
		  const char *says)
{
	struct outcome whole;

	feed_in_steps(in, in.len, 1, &whole);
	if (whole.last != last || whole.eaten != eaten || !slice_eq(buf_slice(&whole.data), data))
		fail_msg("%s: got step %d, '%.*s', %zu eaten", says, whole.last,
			 SLICE_ARG(buf_slice(&whole.data)), whole.eaten);
	check_same(in, 0, 1, &whole, says);
	for (size_t at = 1; at < in.len; at++)
		check_same(in, at, in.len, &whole, says);
	buf_free(&whole.data);
}

static const struct {
	struct slice in, data;
	size_t eaten;
	const char *says;
} good[] = {
	{ S_INIT("0\r\n\r\n"), S_INIT(""), 5, "an empty body" },
	{ S_INIT("3\r\nabc\r\n0\r\n\r\n"), S_INIT("abc"), 13, "one chunk" },
	{ S_INIT("1\r\na\r\n2\r\nbc\r\n0\r\n\r\n"), S_INIT("abc"), 18, "two chunks" },
	{ S_INIT("0\r\n\r\nHTTP/1.1 200"), S_INIT(""), 5, "what follows is left alone" },
	{ S_INIT("A\r\n0123456789\r\n0\r\n\r\n"), S_INIT("0123456789"), 20, "an upper-case size" },
	{ S_INIT("a\r\n0123456789\r\n0\r\n\r\n"), S_INIT("0123456789"), 20, "a lower-case size" },
	{ S_INIT("0000000000000003\r\nabc\r\n000\r\n\r\n"), S_INIT("abc"), 30,
	  "leading zeros, sixteen digits in all" },
	{ S_INIT("5\r\n\r\n0\r\n\r\n0\r\n\r\n"), S_INIT("\r\n0\r\n"), 15,
	  "data that looks like framing" },
	{ S_INIT("3;a=b;c=\"d e\"\r\nabc\r\n0;x\r\n\r\n"), S_INIT("abc"), 27,
	  "extensions are skipped" },
	{ S_INIT("3;\r\nabc\r\n0\r\n\r\n"), S_INIT("abc"), 14, "an empty extension" },
	{ S_INIT("0\r\nA: b\r\nC:\r\n\r\n"), S_INIT(""), 15, "trailers are skipped" },
	{ S_INIT("0\r\nA: \xc3\xa4\t\r\n\r\nrest"), S_INIT(""), 13, "trailers hold any text" },
};

static const struct {
	struct slice in, data;
	const char *says;
} bad[] = {
	{ S_INIT("\r\n"), S_INIT(""), "an empty size" },
	{ S_INIT(";a\r\n"), S_INIT(""), "an extension for a size" },
	{ S_INIT("-3\r\nabc"), S_INIT(""), "a negative size" },
	{ S_INIT("+3\r\nabc"), S_INIT(""), "a sign" },
	{ S_INIT("0x3\r\nabc"), S_INIT(""), "0x" },
	{ S_INIT("3h\r\nabc"), S_INIT(""), "no hexadecimal digit" },
	{ S_INIT("g\r\n"), S_INIT(""), "the letter behind f" },
	{ S_INIT(" 3\r\nabc"), S_INIT(""), "a space before the size" },
	{ S_INIT("3 \r\nabc"), S_INIT(""), "a space behind the size" },
	{ S_INIT("3 ;a\r\nabc"), S_INIT(""), "a space before an extension" },
	{ S_INIT("3\t\r\nabc"), S_INIT(""), "a tab behind the size" },
	{ S_INIT("1 0\r\nabc"), S_INIT(""), "a space inside the size" },
	{ S_INIT("1_0\r\nabc"), S_INIT(""), "an underscore inside the size" },
	{ S_INIT("3.0\r\nabc"), S_INIT(""), "a fraction" },
	{ S_INIT("3,3\r\nabc"), S_INIT(""), "a list of sizes" },
	{ S_INIT("\0" "3\r\nabc"), S_INIT(""), "NUL" },
	{ S_INIT("00000000000000003\r\nabc"), S_INIT(""), "seventeen digits" },
	{ S_INIT("10000000000000003\r\nabc"), S_INIT(""), "2^64 + 3" },
	{ S_INIT("8000000000000000\r\nabc"), S_INIT(""), "2^63" },
	{ S_INIT("ffffffffffffffff\r\nabc"), S_INIT(""), "2^64 - 1" },
	{ S_INIT("3\nabc\r\n"), S_INIT(""), "LF behind the size" },
	{ S_INIT("3\rabc\r\n"), S_INIT(""), "CR behind the size" },
	{ S_INIT("3\r\rabc\r\n"), S_INIT(""), "CR CR behind the size" },
	{ S_INIT("3;a\nabc\r\n"), S_INIT(""), "LF behind an extension" },
	{ S_INIT("3;a\rb\r\nabc\r\n"), S_INIT(""), "CR in an extension" },
	{ S_INIT("3;a\0b\r\nabc\r\n"), S_INIT(""), "NUL in an extension" },
	{ S_INIT("3\r\nabcd\r\n"), S_INIT("abc"), "more data than announced" },
	{ S_INIT("3\r\nabc\n0\r\n\r\n"), S_INIT("abc"), "LF behind the data" },
	{ S_INIT("3\r\nabc\r0\r\n\r\n"), S_INIT("abc"), "CR behind the data" },
	{ S_INIT("3\r\nabc0\r\n\r\n"), S_INIT("abc"), "nothing behind the data" },
	{ S_INIT("3\r\nab\r\n0\r\n\r\n"), S_INIT("ab\r"), "less data than announced" },
	{ S_INIT("3\r\nabc\r\n\r\n0\r\n\r\n"), S_INIT("abc"), "an empty line between chunks" },
	{ S_INIT("0\r\n\n"), S_INIT(""), "LF as the last line" },
	{ S_INIT("0\n\n"), S_INIT(""), "LF throughout" },
	{ S_INIT("0\r\n\rA"), S_INIT(""), "CR as the last line" },
	{ S_INIT("0\r\nGET / HTTP/1.1\r\n\r\n"), S_INIT(""), "a request for a trailer" },
	{ S_INIT("0\r\n: b\r\n\r\n"), S_INIT(""), "a trailer without name" },
	{ S_INIT("0\r\nA : b\r\n\r\n"), S_INIT(""), "a space before a trailer's colon" },
	{ S_INIT("0\r\nA: b\r\n c\r\n\r\n"), S_INIT(""), "a folded trailer" },
	{ S_INIT("0\r\nA: b\n\r\n"), S_INIT(""), "LF behind a trailer" },
	{ S_INIT("0\r\nA: b\0\r\n\r\n"), S_INIT(""), "NUL in a trailer" },
};

static const struct {
	struct slice in, data;
	const char *says;
} cut[] = {
	{ S_INIT(""), S_INIT(""), "nothing" },
	{ S_INIT("3"), S_INIT(""), "half a size line" },
	{ S_INIT("3\r\n"), S_INIT(""), "no data yet" },
	{ S_INIT("3\r\nab"), S_INIT("ab"), "part of the data" },
	{ S_INIT("3\r\nabc"), S_INIT("abc"), "all of the data" },
	{ S_INIT("3\r\nabc\r\n"), S_INIT("abc"), "no last chunk" },
	{ S_INIT("3\r\nabc\r\n0\r\n"), S_INIT("abc"), "no last line" },
	{ S_INIT("3\r\nabc\r\n0\r\n\r"), S_INIT("abc"), "half of the last line" },
	{ S_INIT("0\r\nA: b\r\n"), S_INIT(""), "no line behind the trailers" },
};

static void takes_bodies(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(good); i++)
		check(good[i].in, CHUNKED_END, good[i].data, good[i].eaten, good[i].says);
}

static void refuses_bad_framing(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		check(bad[i].in, CHUNKED_BAD, bad[i].data, 0, bad[i].says);
}

static void a_cut_is_no_end(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cut); i++)
		check(cut[i].in, CHUNKED_MORE, cut[i].data, 0, cut[i].says);
}

static enum chunked_step feed_all(struct chunked *c, struct slice in)
{
	struct slice data;
	enum chunked_step step;

	while ((step = chunked_feed(c, &in, &data)) == CHUNKED_DATA)
		;
	return step;
}

/* Feeds `count` times the byte 'x'. */
static enum chunked_step feed_filler(struct chunked *c, size_t count)
{
	enum chunked_step step = CHUNKED_MORE;

	while (count-- > 0)
		step = feed_all(c, S("x"));
	return step;
}

static void bounds_lines(void **state)
{
	struct chunked c = { 0 };

	(void)state;
	assert_int_equal(feed_all(&c, S("3;")), CHUNKED_MORE);
	assert_int_equal(feed_filler(&c, 4094), CHUNKED_MORE);
	assert_int_equal(feed_filler(&c, 1), CHUNKED_BAD);
	assert_int_equal(feed_all(&c, S("\r\n")), CHUNKED_BAD);
}

static void bounds_trailers(void **state)
{
	struct chunked c = { 0 };

	(void)state;
	assert_int_equal(feed_all(&c, S("0\r\n")), CHUNKED_MORE);
	for (int i = 0; i < 16; i++) {
		assert_int_equal(feed_all(&c, S("A:")), CHUNKED_MORE);
		assert_int_equal(feed_filler(&c, 1020), CHUNKED_MORE);
		assert_int_equal(feed_all(&c, S("\r\n")), CHUNKED_MORE);
	}
	assert_int_equal(feed_all(&c, S("\r")), CHUNKED_BAD);
}

static void bounds_extensions_without_data(void **state)
{
	static const struct {
		struct slice chunk;
		bool tolerated;
		const char *says;
	} rows[] = {
		{ S_INIT("1\r\nx\r\n"), true, "a byte a chunk is slow, but honest" },
		{ S_INIT("0000000000000001\r\nx\r\n"), true, "so it is with padded sizes" },
		{ S_INIT("1;name=0123456789abcdef0123456789\r\nx\r\n"), false,
		  "an extension for every byte is an attack" },
		{ S_INIT("10;name=0123456789abcdef01234567\r\n0123456789abcdef\r\n"), true,
		  "extensions that data outweigh" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		enum chunked_step step = CHUNKED_MORE;
		struct chunked c = { 0 };

		for (int n = 0; n < 100 * 1000 && step == CHUNKED_MORE; n++)
			step = feed_all(&c, rows[i].chunk);
		if ((step == CHUNKED_MORE) != rows[i].tolerated)
			fail_msg("%s", rows[i].says);
	}
}

static void says_so_again(void **state)
{
	struct chunked c = { 0 };
	struct slice in = S("0\r\n\r\nabc"), data;

	(void)state;
	assert_int_equal(chunked_feed(&c, &in, &data), CHUNKED_END);
	assert_int_equal(in.len, 3);
	assert_int_equal(chunked_feed(&c, &in, &data), CHUNKED_END);
	assert_int_equal(in.len, 3);
}

static void writes_size_lines(void **state)
{
	static const struct {
		size_t len;
		const char *line;
	} rows[] = {
		{ 1, "1\r\n" }, { 15, "f\r\n" }, { 16, "10\r\n" }, { 0xabcdef, "abcdef\r\n" },
		{ SIZE_MAX, "ffffffffffffffff\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char out[CHUNK_HEAD_MAX];
		struct slice line = { out, chunk_head(rows[i].len, out) };

		assert_true(slice_eq(line, slice_of(rows[i].line)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_bodies),
		cmocka_unit_test(refuses_bad_framing),
		cmocka_unit_test(a_cut_is_no_end),
		cmocka_unit_test(bounds_lines),
		cmocka_unit_test(bounds_trailers),
		cmocka_unit_test(bounds_extensions_without_data),
		cmocka_unit_test(says_so_again),
		cmocka_unit_test(writes_size_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
