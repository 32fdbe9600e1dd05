#include "base/check.h"
#include "base/slice.h"

#include "cm.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void making(void **state)
{
	struct slice s = S("hello");
	char *text = slice_to_cstring(s);

	(void)state;
	assert_string_equal(text, "hello");
	free(text);
	text = slice_to_cstring(SLICE_NONE);
	assert_string_equal(text, "");
	free(text);
	assert_int_equal(slice_of("abc").len, 3);
	assert_null(slice_of(NULL).at);
	assert_true(slice_eq(slice_sub(s, 1, 3), S("el")));
	assert_true(slice_eq(slice_sub(s, 5, 5), S("")));
	assert_true(slice_eq(slice_from(s, 2), S("llo")));
	assert_int_equal(slice_from(SLICE_NONE, 0).len, 0);
	assert_int_equal(slice_int_len(s), 5);
	assert_int_equal(slice_int_len((struct slice){ "", SIZE_MAX }), INT_MAX);
}

static const struct {
	struct slice a, b;
	int order;
	bool same_nocase;
	const char *says;
} pairs[] = {
	{ S_INIT("abc"), S_INIT("abc"), 0, true, "equal" },
	{ S_INIT(""), { NULL, 0 }, 0, true, "empty is empty, with or without a place" },
	{ S_INIT("abc"), S_INIT("abd"), -1, false, "by bytes" },
	{ S_INIT("ab"), S_INIT("abc"), -1, false, "shorter first" },
	{ { NULL, 0 }, S_INIT("a"), -1, false, "nothing before anything" },
	{ S_INIT("aBc"), S_INIT("abC"), -1, true, "the same but for case" },
	{ S_INIT("a"), S_INIT("\x80"), -1, false, "bytes have no sign" },
	{ S_INIT("a\0b"), S_INIT("a\0c"), -1, false, "NUL is a byte like others" },
	{ S_INIT("["), S_INIT("{"), -1, false, "only letters have a case" },
	{ S_INIT("@"), S_INIT("`"), -1, false, "neighbours of letters have none" },
	{ S_INIT("\xc3\x84"), S_INIT("\xc3\xa4"), -1, false, "case is ASCII's only" },
};

static int sign(int x)
{
	return (x > 0) - (x < 0);
}

static void comparing(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(pairs); i++) {
		struct slice a = pairs[i].a, b = pairs[i].b;

		row_holds(sign(slice_compare(a, b)) == pairs[i].order, pairs[i].says);
		row_holds(sign(slice_compare(b, a)) == -pairs[i].order, pairs[i].says);
		row_holds(slice_eq(a, b) == (pairs[i].order == 0), pairs[i].says);
		row_holds(slice_eq_constant_time(a, b) == (pairs[i].order == 0), pairs[i].says);
		row_holds(slice_eq_nocase(a, b) == pairs[i].same_nocase, pairs[i].says);
	}
}

static int lower_of(int c)
{
	return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

/* All pairs of bytes, at the front, within and at the back of texts long and short. */
static void case_is_that_of_letters(void **state)
{
	static const size_t lengths[] = { 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 24, 33 };
	char a[33], b[33];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(lengths) * 3; i++) {
		size_t len = lengths[i / 3], at = i % 3 == 0 ? 0 : i % 3 == 1 ? len / 2 : len - 1;

		memcpy(a, "Content-Type-Content-Length-Host-", sizeof a);
		memcpy(b, "cONTENT-tYPE-content-LENGTH-hOST-", sizeof b);
		for (int x = 0; x < 256; x++) {
			for (int y = 0; y < 256; y++) {
				a[at] = (char)x;
				b[at] = (char)y;
				if (slice_eq_nocase((struct slice){ a, len }, (struct slice){ b, len }) !=
				    (lower_of(x) == lower_of(y)))
					fail_msg("bytes %d and %d at %zu of %zu", x, y, at, len);
			}
		}
	}
}

static void beginnings_and_ends(void **state)
{
	(void)state;
	assert_true(slice_starts(S("data: x"), S("data:")));
	assert_true(slice_starts(S("data"), S("data")));
	assert_true(slice_starts(S("x"), SLICE_NONE));
	assert_true(slice_starts(SLICE_NONE, SLICE_NONE));
	assert_false(slice_starts(S("dat"), S("data")));
	assert_false(slice_starts(S("Data"), S("data")));
	assert_true(slice_starts_nocase(S("Bearer key"), S("bearer ")));
	assert_false(slice_starts_nocase(S("Bear"), S("bearer ")));
	assert_true(slice_ends(S("models/x"), S("/x")));
	assert_true(slice_ends(S("x"), S("")));
	assert_false(slice_ends(S("x"), S("/x")));
}

static const struct {
	struct slice in, needle;
	size_t at, at_nocase;
} finds[] = {
	{ S_INIT("a chunked b"), S_INIT("chunked"), 2, 2 },
	{ S_INIT("a Chunked b"), S_INIT("chunked"), SLICE_NOT_FOUND, 2 },
	{ S_INIT("aab"), S_INIT("ab"), 1, 1 },
	{ S_INIT("chunke"), S_INIT("chunked"), SLICE_NOT_FOUND, SLICE_NOT_FOUND },
	{ S_INIT("abc"), S_INIT(""), 0, 0 },
	{ { NULL, 0 }, { NULL, 0 }, 0, 0 },
	{ { NULL, 0 }, S_INIT("a"), SLICE_NOT_FOUND, SLICE_NOT_FOUND },
	{ S_INIT("a\0b"), S_INIT("b"), 2, 2 },
};

static void finding(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(finds); i++) {
		assert_int_equal(slice_find_slice(finds[i].in, finds[i].needle), finds[i].at);
		assert_int_equal(slice_find_nocase(finds[i].in, finds[i].needle),
				 finds[i].at_nocase);
	}
	assert_int_equal(slice_find(S("a:b:c"), ':'), 1);
	assert_int_equal(slice_find(S("abc"), ':'), SLICE_NOT_FOUND);
	assert_int_equal(slice_find(SLICE_NONE, ':'), SLICE_NOT_FOUND);
}

static void cutting(void **state)
{
	struct slice head = S("old head"), tail = S("old tail");

	(void)state;
	assert_false(slice_cut(S("abc"), '=', &head, &tail));
	assert_true(slice_eq(head, S("old head")));
	assert_true(slice_eq(tail, S("old tail")));
	assert_true(slice_cut(S("a=b=c"), '=', &head, &tail));
	assert_true(slice_eq(head, S("a")));
	assert_true(slice_eq(tail, S("b=c")));
	assert_true(slice_cut(S("="), '=', &head, &tail));
	assert_int_equal(head.len + tail.len, 0);
	assert_true(slice_eq(slice_trim(S(" \t a b\r\n")), S("a b")));
	assert_true(slice_eq(slice_trim(S(" \t\r\n")), S("")));
	assert_true(slice_eq(slice_trim(SLICE_NONE), S("")));
	assert_true(slice_eq(slice_trim(S("a\v")), S("a\v")));
}

static const struct {
	const char *list, *joined;
} lists[] = {
	{ "", "" }, { "a", "a|" }, { "a, b,c", "a|b|c|" }, { " ,, a ,\t,b ,", "a|b|" }, { ",", "" },
	{ "gzip;q=0.5, br", "gzip;q=0.5|br|" },
};

static void listing(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(lists); i++) {
		struct slice rest = slice_of(lists[i].list), element;
		char joined[100] = "";
		size_t len = 0;

		while (slice_next_in_list(&rest, &element))
			len += (size_t)snprintf(joined + len, sizeof joined - len, "%.*s|",
						SLICE_ARG(element));
		assert_string_equal(joined, lists[i].joined);
		assert_int_equal(rest.len, 0);
	}
}

#define NO INT64_C(-424242)          /* "not a number" in the tables below */

static const struct {
	const char *text;
	int64_t u, i, milli;
	const char *says;
} numbers[] = {
	{ "0", 0, 0, 0, "nought" },
	{ "42", 42, 42, 42000, "a number" },
	{ "007", 7, 7, 7000, "leading noughts change nothing" },
	{ "", NO, NO, NO, "nothing is no number" },
	{ "-", NO, NO, NO, "nor is a sign" },
	{ "-5", NO, -5, NO, "only one of them takes a sign" },
	{ "+5", NO, NO, NO, "none takes a plus" },
	{ " 5", NO, NO, NO, "or a space before" },
	{ "5 ", NO, NO, NO, "or behind" },
	{ "5s", NO, NO, NO, "or a unit" },
	{ "--5", NO, NO, NO, "or two signs" },
	{ "1.5", NO, NO, 1500, "a point makes thousandths" },
	{ "1.2345", NO, NO, 1234, "rounded down" },
	{ "0.0009", NO, NO, 0, "even to nothing" },
	{ "1.", NO, NO, NO, "a point wants digits behind it" },
	{ ".5", NO, NO, NO, "and before it" },
	{ ".", NO, NO, NO, "a point alone is nothing" },
	{ "1.2.3", NO, NO, NO, "two points are a version" },
	{ "1e3", NO, NO, NO, "no exponents" },
	{ "0x10", NO, NO, NO, "no hexadecimal" },
	{ "9223372036854775807", INT64_MAX, INT64_MAX, INT64_MAX, "large ones clamp as thousandths" },
	{ "9223372036854775.807", NO, NO, INT64_MAX, "the largest that need not" },
	{ "9223372036854775.808", NO, NO, INT64_MAX, "the first that does" },
	{ "-9223372036854775808", NO, INT64_MIN, NO, "the smallest" },
	{ "-9223372036854775809", NO, NO, NO, "smaller than that" },
	{ "18446744073709551616", NO, NO, INT64_MAX, "2 to the 64th is too large" },
	{ "99999999999999999999999999999999999", NO, NO, INT64_MAX, "so is this" },
};

static void numbers_are_strict(void **state)
{
	uint64_t u;

	(void)state;
	for (size_t n = 0; n < COUNT_OF(numbers); n++) {
		struct slice s = slice_of(numbers[n].text);
		int64_t i = NO, milli = NO;

		u = (uint64_t)NO;
		row_holds(slice_to_u64(s, &u) == (numbers[n].u != NO), numbers[n].says);
		row_holds(u == (uint64_t)numbers[n].u, numbers[n].says);
		row_holds(slice_to_i64(s, &i) == (numbers[n].i != NO), numbers[n].says);
		row_holds(i == numbers[n].i, numbers[n].says);
		row_holds(slice_to_milli(s, &milli) == (numbers[n].milli != NO), numbers[n].says);
		row_holds(milli == numbers[n].milli, numbers[n].says);
	}
	assert_true(slice_to_u64(S("18446744073709551615"), &u));
	assert_int_equal(u, UINT64_MAX);
	assert_false(slice_to_i64(S("9223372036854775808"), &(int64_t){ 0 }));
	assert_false(slice_to_u64(S("1\0"), &u));
}

static unsigned bits(uint64_t x)
{
	unsigned count = 0;

	for (; x; x &= x - 1)
		count++;
	return count;
}

/* One flipped bit of text or seed changes about half of the hash, at every
 * length (the tails of 1 to 16 bytes are the places to go wrong). */
static void hash_scatters(void **state)
{
	char text[40];

	(void)state;
	for (size_t len = 1; len <= sizeof text; len++) {
		unsigned sum = 0, flips = 0;

		memset(text, 'k', sizeof text);
		for (size_t bit = 0; bit < len * 8 + 64; bit++, flips++) {
			uint64_t before = slice_hash((struct slice){ text, len }, 99), after;

			if (bit < len * 8)
				text[bit / 8] = (char)(text[bit / 8] ^ (1 << bit % 8));
			after = slice_hash((struct slice){ text, len },
					   99 ^ (bit < len * 8 ? 0 : UINT64_C(1) << (bit - len * 8)));
			memset(text, 'k', sizeof text);
			assert_in_range(bits(before ^ after), 8, 56);
			sum += bits(before ^ after);
		}
		assert_in_range(sum, flips * 30, flips * 34);
	}
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void hash_tells_apart(void **state)
{
	enum { KEYS = 20000 };
	uint64_t *hashes = calloc(KEYS, sizeof *hashes);
	unsigned low[256] = { 0 };
	char text[64] = { 0 };

	(void)state;
	assert_non_null(hashes);
	for (unsigned i = 0; i < KEYS; i++) {
		snprintf(text, sizeof text, "key-%u", i);
		hashes[i] = slice_hash(slice_of(text), 1);
		low[hashes[i] % 256]++;
	}
	for (size_t i = 0; i < COUNT_OF(low); i++)
		assert_in_range(low[i], 30, 140);
	qsort(hashes, KEYS, sizeof *hashes, by_value);
	for (size_t i = 1; i < KEYS; i++)
		assert_true(hashes[i] != hashes[i - 1]);
	free(hashes);

	/* Noughts count: the length is part of the text. */
	memset(text, 0, sizeof text);
	for (size_t a = 0; a < sizeof text; a++)
		for (size_t b = 0; b < a; b++)
			assert_true(slice_hash((struct slice){ text, a }, 1)
				    != slice_hash((struct slice){ text, b }, 1));
}

static const struct {
	const char *a, *b;
	size_t distance;
	const char *says;
} distances[] = {
	{ "", "", 0, "nothing to do" },
	{ "backends", "backends", 0, "the same" },
	{ "Backends", "BACKENDS", 0, "case costs nothing" },
	{ "backend", "backends", 1, "one letter in" },
	{ "backends", "backend", 1, "one letter out" },
	{ "wieght", "weight", 1, "two neighbours swapped" },
	{ "weight", "waight", 1, "one letter replaced" },
	{ "", "abc", 3, "all of it" },
	{ "kitten", "sitting", 3, "the classic" },
	{ "timeout", "fallback", 8, "nothing in common" },
};

static void edit_distances(void **state)
{
	char large[65];
	struct slice s = { large, sizeof large };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(distances); i++) {
		struct slice a = slice_of(distances[i].a), b = slice_of(distances[i].b);

		row_holds(slice_edit_distance(a, b) == distances[i].distance, distances[i].says);
		row_holds(slice_edit_distance(b, a) == distances[i].distance, distances[i].says);
	}
	memset(large, 'x', sizeof large);
	assert_int_equal(slice_edit_distance(s, S("x")), SIZE_MAX);
	assert_int_equal(slice_edit_distance(S("x"), s), SIZE_MAX);
	assert_int_equal(slice_edit_distance(slice_from(s, 1), S("x")), 63);
	assert_int_equal(slice_edit_distance(slice_from(s, 1), slice_from(s, 1)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(making),
		cmocka_unit_test(comparing),
		cmocka_unit_test(case_is_that_of_letters),
		cmocka_unit_test(beginnings_and_ends),
		cmocka_unit_test(finding),
		cmocka_unit_test(cutting),
		cmocka_unit_test(listing),
		cmocka_unit_test(numbers_are_strict),
		cmocka_unit_test(hash_scatters),
		cmocka_unit_test(hash_tells_apart),
		cmocka_unit_test(edit_distances),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
