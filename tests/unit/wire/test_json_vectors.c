/* Strings are skipped by different instructions on different processors: all of
 * them come to the same result, at every cut, and read nothing behind the end. */
#include "base/rng.h"
#include "tests/exact.h"
#include "wire/json_scan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TEXT_MAX 4096
#define STRINGS  400

static void put_piece(struct buf *b, struct rng *rng)
{
	static const struct slice pieces[] = {
		S_INIT("\\n"), S_INIT("\\\""), S_INIT("\\\\"), S_INIT("\\/"), S_INIT("\\t\\r\\b\\f"),
		S_INIT("\\u00e9"), S_INIT("\\uD83D\\uDE00"), S_INIT("\xc3\xa9"), S_INIT("\xe2\x82\xac"),
		S_INIT("\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\xe3\x81\xae\xe6\x96\x87"),
		S_INIT("\xf0\x9f\x98\x80"), S_INIT("plain"), S_INIT("a"), S_INIT("\x7f"),
		S_INIT("sixty-four bytes of text without anything in it that is special."),
	};
	static const struct slice flaws[] = {
		S_INIT("\x01"), S_INIT("\n"), S_INIT("\xff"), S_INIT("\xc3"), S_INIT("\xe2\x82"),
		S_INIT("\xed\xa0\x80"), S_INIT("\\x"), S_INIT("\\u12g4"), S_INIT("\\u1"), S_INIT("\""),
		S_INIT("\0"),
	};

	if (rng_one_in(rng, 40))
		buf_put(b, flaws[rng_below(rng, COUNT_OF(flaws))]);
	else
		buf_put(b, pieces[rng_below(rng, COUNT_OF(pieces))]);
}

/* Plain text and backslashes, wherever they fall in a block. */
static void put_escapes(struct buf *b, struct rng *rng)
{
	static const struct slice pieces[] = {
		S_INIT("\\\\"), S_INIT("\\\""), S_INIT("\\n"), S_INIT("\\/"), S_INIT("a"), S_INIT("plain text"),
	};

	for (uint64_t i = 20 + rng_below(rng, 120); i > 0; i--)
		buf_put(b, pieces[rng_below(rng, rng_one_in(rng, 2) ? 2 : COUNT_OF(pieces))]);
	if (rng_one_in(rng, 3))
		put_piece(b, rng);
}

static struct slice some_string(struct buf *b, struct rng *rng)
{
	buf_clear(b);
	buf_puts(b, "\"");
	if (rng_one_in(rng, 4))
		put_escapes(b, rng);
	for (uint64_t i = rng_below(rng, 20); i > 0; i--)
		put_piece(b, rng);
	buf_puts(b, "\"");
	return buf_slice(b);
}

static void every_way_skips_alike(void **state)
{
	struct exact room = exact_create(TEXT_MAX);
	struct buf b = BUF_INIT(TEXT_MAX);
	struct rng rng;

	(void)state;
	rng_seed(&rng, 7);
	for (int i = 0; i < STRINGS; i++) {
		struct slice whole = some_string(&b, &rng);

		for (size_t cut = 0; cut <= whole.len; cut++) {
			struct slice doc = exact_copy(&room, slice_sub(whole, 0, cut));
			size_t expected_at = 0;
			enum json_result expected;

			assert_true(json_use_vectors(JSON_VECTORS_NONE));
			expected = json_validate(doc, &expected_at);
			for (int v = JSON_VECTORS_SSE2; v <= JSON_VECTORS_AVX2; v++) {
				size_t at = 0;

				if (!json_use_vectors((enum json_vectors)v))
					continue;
				assert_int_equal(json_validate(doc, &at), expected);
				assert_int_equal(at, expected_at);
			}
		}
	}
	buf_free(&b);
	exact_free(&room);
}

/* One flaw, or the closing quote, at each place of a text of several blocks. */
static void each_place_is_found(void **state)
{
	static const char special[] = { '"', '\\', '\n', '\x1f', '\x80', '\xff', '\0' };
	char text[300];

	(void)state;
	for (int v = JSON_VECTORS_NONE; v <= JSON_VECTORS_AVX2; v++) {
		if (!json_use_vectors((enum json_vectors)v))
			continue;
		for (size_t place = 1; place < sizeof text - 1; place++)
			for (size_t i = 0; i < COUNT_OF(special); i++) {
				enum json_result r;
				size_t at = 0;

				memset(text, 'x', sizeof text);
				text[0] = text[sizeof text - 1] = '"';
				text[place] = special[i];
				r = json_validate((struct slice){ text, sizeof text }, &at);
				assert_int_not_equal(r, JSON_OK);
				assert_in_range(at, place, place + 2);
			}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_way_skips_alike),
		cmocka_unit_test(each_place_is_found),
	};

	return cmocka_run_group_tests_name("json vectors", tests, NULL, NULL);
}
