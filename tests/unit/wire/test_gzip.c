/* Compressed bodies: what is decoded, and what is corrupt, cut or a bomb. */
#include "tests/exact.h"
#include "wire/gzip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#define OUTPUT_MAX (1024 * 1024)

enum format { GZIP = 15 + 16, ZLIB = 15, RAW = -15 };     /* window bits of zlib */

static const char text[] = "{\"choices\":[{\"message\":{\"content\":\"hello hello hello\"}}]}";
#define TEXT S(text)

/* Appends `plain`, compressed. */
static void compress_to(struct buf *out, enum format format, struct slice plain)
{
	z_stream z = { 0 };
	uLong bound;
	char *room;

	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, format, 8, Z_DEFAULT_STRATEGY), Z_OK);
	bound = deflateBound(&z, plain.len) + 64;
	room = buf_room(out, bound);
	assert_non_null(room);
	z.next_in = (unsigned char *)(uintptr_t)plain.at;
	z.avail_in = (uInt)plain.len;
	z.next_out = (unsigned char *)room;
	z.avail_out = (uInt)bound;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	buf_added(out, bound - z.avail_out);
	deflateEnd(&z);
}

struct outcome {
	enum gzip_step last;
	struct buf data;
};

static void feed_in_steps(struct slice in, uint64_t output_max, size_t first, size_t step,
			  struct outcome *o)
{
	struct exact e = exact_create(in.len);
	struct gzip *g = gzip_create(output_max);
	size_t from = 0, to = first < in.len ? first : in.len;

	assert_non_null(g);
	o->data = BUF_INIT(OUTPUT_MAX);
	for (;;) {
		struct slice part = exact_copy(&e, slice_sub(in, from, to)), out;

		while ((o->last = gzip_feed(g, &part, &out)) == GZIP_DATA) {
			assert_true(out.len > 0);
			assert_true(buf_append(&o->data, out));
		}
		if (o->last == GZIP_BAD || to == in.len)
			break;
		assert_int_equal(part.len, 0);
		from = to;
		to = in.len - to < step ? in.len : to + step;
	}
	gzip_free(g);
	exact_free(&e);
}

static void check_same(struct slice in, uint64_t output_max, size_t first, size_t step,
		       const struct outcome *whole, const char *says)
{
	struct outcome cut;

	feed_in_steps(in, output_max, first, step, &cut);
	if (cut.last != whole->last || !slice_eq(buf_slice(&cut.data), buf_slice(&whole->data)))
		fail_msg("%s: step %d of '%.*s' became %d of '%.*s' when cut at %zu by %zu", says,
			 whole->last, SLICE_ARG(buf_slice(&whole->data)), cut.last,
			 SLICE_ARG(buf_slice(&cut.data)), first, step);
	buf_free(&cut.data);
}

/* All ways of cutting `in` come to `last`, with `data` before it (SLICE_NONE:
 * whatever). */
static void check(struct slice in, uint64_t output_max, enum gzip_step last, struct slice data,
		  const char *says)
{
	struct outcome whole;

	feed_in_steps(in, output_max, in.len, 1, &whole);
	if (whole.last != last || (data.at && !slice_eq(buf_slice(&whole.data), data)))
		fail_msg("%s: got step %d, '%.*s'", says, whole.last,
			 SLICE_ARG(buf_slice(&whole.data)));
	check_same(in, output_max, 0, 1, &whole, says);
	for (size_t at = 1; at < in.len; at++)
		check_same(in, output_max, at, in.len, &whole, says);
	buf_free(&whole.data);
}

static const struct {
	enum format format;
	const char *says;
} formats[] = {
	{ GZIP, "gzip" },
	{ ZLIB, "deflate as the standard has it (zlib)" },
	{ RAW, "deflate as some servers have it (raw)" },
};

static void decodes_every_format(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(formats); i++) {
		struct buf b = BUF_INIT(4096);

		compress_to(&b, formats[i].format, TEXT);
		check(buf_slice(&b), OUTPUT_MAX, GZIP_END, TEXT, formats[i].says);
		buf_clear(&b);
		compress_to(&b, formats[i].format, S(""));
		check(buf_slice(&b), OUTPUT_MAX, GZIP_END, S(""), formats[i].says);
		buf_free(&b);
	}
}

static void a_cut_is_no_end(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(formats); i++) {
		struct buf b = BUF_INIT(4096);

		compress_to(&b, formats[i].format, TEXT);
		for (size_t len = 0; len < buf_len(&b); len++)
			check(slice_sub(buf_slice(&b), 0, len), OUTPUT_MAX, GZIP_MORE, SLICE_NONE,
			      formats[i].says);
		buf_free(&b);
	}
}

static void takes_several_members(void **state)
{
	struct buf b = BUF_INIT(4096);

	(void)state;
	compress_to(&b, GZIP, S("one "));
	compress_to(&b, GZIP, S(""));
	compress_to(&b, GZIP, S("two"));
	check(buf_slice(&b), OUTPUT_MAX, GZIP_END, S("one two"), "three gzip members");
	buf_put(&b, S("\x1f\x8b"));
	check(buf_slice(&b), OUTPUT_MAX, GZIP_MORE, S("one two"), "a fourth is cut");
	buf_free(&b);
}

static void refuses_what_follows_the_end(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(formats); i++) {
		struct buf b = BUF_INIT(4096);

		compress_to(&b, formats[i].format, TEXT);
		buf_puts(&b, "xy");
		check(buf_slice(&b), OUTPUT_MAX, GZIP_BAD, TEXT, formats[i].says);
		buf_free(&b);
	}
}

static void a_zlib_stream_is_no_further_member(void **state)
{
	struct buf b = BUF_INIT(4096);

	(void)state;
	compress_to(&b, GZIP, TEXT);
	compress_to(&b, ZLIB, TEXT);
	check(buf_slice(&b), OUTPUT_MAX, GZIP_BAD, TEXT, "gzip, then zlib");
	buf_free(&b);
}

/* One bit wrong: never an end with other text. */
static void finds_corruption(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2; i++) {          /* raw deflate has no checksum */
		struct buf b = BUF_INIT(4096);

		compress_to(&b, formats[i].format, TEXT);
		for (size_t bit = 0; bit < buf_len(&b) * 8; bit++) {
			struct outcome o;

			b.bytes[bit / 8] = (char)(b.bytes[bit / 8] ^ (1 << bit % 8));
			feed_in_steps(buf_slice(&b), OUTPUT_MAX, buf_len(&b), 1, &o);
			if (o.last == GZIP_END && !slice_eq(buf_slice(&o.data), TEXT))
				fail_msg("%s: bit %zu wrong, and taken", formats[i].says, bit);
			buf_free(&o.data);
			b.bytes[bit / 8] = (char)(b.bytes[bit / 8] ^ (1 << bit % 8));
		}
		buf_free(&b);
	}
}

static void refuses_a_wrong_checksum(void **state)
{
	struct buf b = BUF_INIT(4096);

	(void)state;
	compress_to(&b, GZIP, TEXT);
	b.bytes[b.end - 5] ^= 1;
	check(buf_slice(&b), OUTPUT_MAX, GZIP_BAD, TEXT, "the CRC is wrong");
	b.bytes[b.end - 5] ^= 1;
	b.bytes[b.end - 1] ^= 1;
	check(buf_slice(&b), OUTPUT_MAX, GZIP_BAD, TEXT, "the length is wrong");
	buf_free(&b);
}

static void caps_the_output(void **state)
{
	struct buf b = BUF_INIT(4096);

	(void)state;
	compress_to(&b, GZIP, TEXT);
	for (size_t output_max = 0; output_max <= TEXT.len; output_max++)
		check(buf_slice(&b), output_max, output_max < TEXT.len ? GZIP_BAD : GZIP_END,
		      slice_sub(TEXT, 0, output_max), "the cap counts to the last byte");
	buf_free(&b);
}

static void defuses_a_bomb(void **state)
{
	size_t len = 4 * OUTPUT_MAX;
	char *zeros = calloc(1, len);
	struct buf b = BUF_INIT(2 * len);
	struct outcome o;

	(void)state;
	assert_non_null(zeros);
	compress_to(&b, GZIP, (struct slice){ zeros, len });
	feed_in_steps(buf_slice(&b), 100000, buf_len(&b), 1, &o);
	assert_int_equal(o.last, GZIP_BAD);
	assert_int_equal(buf_len(&o.data), 100000);
	buf_free(&o.data);
	buf_free(&b);
	free(zeros);
}

static void refuses_what_is_not_compressed(void **state)
{
	static const struct {
		struct slice in;
		const char *says;
	} rows[] = {
		{ S_INIT("{\"choices\":[{\"index\":0}]}"), "JSON" },
		{ S_INIT("<html><body>Bad gateway</body></html>"), "HTML" },
		{ S_INIT("\x1f\x8b\x07\0\0\0\0\0\0\3xyz"), "gzip of an unknown method" },
		{ S_INIT("\x1f\x8b\x08\xe0\0\0\0\0\0\3xyz"), "gzip with reserved flags" },
		{ S_INIT("\x78\xbb\0\0\0\0xyz"), "zlib that wants a dictionary" },
		{ S_INIT("\xff\xff\xff\xff"), "rubbish" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		check(rows[i].in, OUTPUT_MAX, GZIP_BAD, SLICE_NONE, rows[i].says);
}

static void knows_its_names(void **state)
{
	(void)state;
	assert_true(gzip_understands(S("gzip")));
	assert_true(gzip_understands(S(" X-GZIP ")));
	assert_true(gzip_understands(S("Deflate")));
	assert_false(gzip_understands(S("br")));
	assert_false(gzip_understands(S("zstd")));
	assert_false(gzip_understands(S("identity")));
	assert_false(gzip_understands(S("gzip, gzip")));
	assert_false(gzip_understands(S("")));
	assert_false(gzip_understands(SLICE_NONE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decodes_every_format),
		cmocka_unit_test(a_cut_is_no_end),
		cmocka_unit_test(takes_several_members),
		cmocka_unit_test(refuses_what_follows_the_end),
		cmocka_unit_test(a_zlib_stream_is_no_further_member),
		cmocka_unit_test(finds_corruption),
		cmocka_unit_test(refuses_a_wrong_checksum),
		cmocka_unit_test(caps_the_output),
		cmocka_unit_test(defuses_a_bomb),
		cmocka_unit_test(refuses_what_is_not_compressed),
		cmocka_unit_test(knows_its_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
