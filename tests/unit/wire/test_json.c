/* What is JSON, what is not, and how its values are read and written. */
#include "wire/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define assert_slice(got, expected)                                                       \
	do {                                                                              \
		struct slice g_ = (got), e_ = (expected);                                 \
		if (!slice_eq(g_, e_))                                                    \
			fail_msg("\"%.*s\" instead of \"%.*s\"", SLICE_ARG(g_),           \
				 SLICE_ARG(e_));                                          \
	} while (0)

/* A copy whose last byte lies before a page that may not be read. */
#define GUARDED_MAX 4096
static char *guarded_end;

static struct slice guarded(struct slice s)
{
	assert_true(s.len <= GUARDED_MAX);
	if (s.len)
		memcpy(guarded_end - s.len, s.at, s.len);
	return (struct slice){ guarded_end - s.len, s.len };
}

static int guard_up(void **state)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), room = GUARDED_MAX + page;
	char *at;

	room -= room % page;
	at = mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (at == MAP_FAILED || mprotect(at + room, page, PROT_NONE) != 0)
		return -1;
	guarded_end = at + room;
	*state = NULL;
	return 0;
}

/* ---- what is JSON ------------------------------------------------------------ */

struct verdict {
	struct slice doc;
	enum json_result result;
	size_t at;                    /* where it showed; 0 where it is OK */
	const char *what;
};
#define ROW(doc, result, at, what) { S_INIT(doc), JSON_##result, at, what }

static const struct verdict accepted[] = {
	ROW("{}", OK, 0, "an empty object"),
	ROW("[]", OK, 0, "an empty array"),
	ROW(" \t\r\n[ \t\r\n] \t\r\n", OK, 0, "all four kinds of space, everywhere"),
	ROW("null", OK, 0, "null alone"),
	ROW("true", OK, 0, "true alone"),
	ROW("false", OK, 0, "false alone"),
	ROW("\"\"", OK, 0, "an empty string alone"),
	ROW("\"a\"", OK, 0, "a string alone"),
	ROW("0", OK, 0, "zero alone"),
	ROW("-0", OK, 0, "negative zero"),
	ROW("-0.0e-0", OK, 0, "negative zero in full dress"),
	ROW("123", OK, 0, "a number alone"),
	ROW("9007199254740993", OK, 0, "2^53 + 1"),
	ROW("18446744073709551616", OK, 0, "2^64"),
	ROW("0.1", OK, 0, "a fraction"),
	ROW("1e5", OK, 0, "an exponent"),
	ROW("1E+05", OK, 0, "an exponent with a sign and a leading zero"),
	ROW("-1.5e-10", OK, 0, "all parts of a number"),
	ROW("1E400", OK, 0, "more than a double holds: the text is fine"),
	ROW("1e999", OK, 0, "the same in lower case"),
	ROW("[1,2.0,-3,4e1]", OK, 0, "numbers end where a comma stands"),
	ROW("{\"a\":1,\"b\":[{},[]]}", OK, 0, "nesting"),
	ROW("{\"a\":1,\"a\":2}", OK, 0, "twice the same member, nobody asked for it"),
	ROW("{\"\":0}", OK, 0, "an empty key"),
	ROW("{\"a\":{\"a\":{\"a\":null}}}", OK, 0, "the same key on three levels"),
	ROW("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", OK, 0, "all short escapes"),
	ROW("\"\\u0000\\u001f\\u20AC\\u20ac\"", OK, 0, "\\u in both cases, NUL too"),
	ROW("\"\\ud83d\\ude00\"", OK, 0, "a surrogate pair"),
	ROW("\"\\ud800\"", OK, 0, "a lone high surrogate is spelled well"),
	ROW("\"\\udc00\\ud800\"", OK, 0, "a pair the wrong way round, too"),
	ROW("\"\\ud800\\n\"", OK, 0, "a high surrogate before another escape"),
	ROW("\"\x7f\"", OK, 0, "DEL needs no escape"),
	ROW("\"\xc2\x80\"", OK, 0, "the first of two bytes"),
	ROW("\"\xdf\xbf\"", OK, 0, "the last of two bytes"),
	ROW("\"\xe0\xa0\x80\"", OK, 0, "the first of three bytes"),
	ROW("\"\xed\x9f\xbf\"", OK, 0, "the last before the surrogates"),
	ROW("\"\xee\x80\x80\"", OK, 0, "the first behind the surrogates"),
	ROW("\"\xef\xbf\xbf\"", OK, 0, "a noncharacter"),
	ROW("\"\xf0\x90\x80\x80\"", OK, 0, "the first of four bytes"),
	ROW("\"\xf4\x8f\xbf\xbf\"", OK, 0, "the last of all"),
	ROW("\"\xe2\x80\xa8\xe2\x80\xa9\"", OK, 0, "line separators need no escape"),
	ROW("\"0123456789abcde\xc3\xa9" "0123456789abcde\"", OK, 0, "UTF-8 across a 16-byte step"),
	ROW("\"\xef\xbb\xbf\"", OK, 0, "a byte order mark inside a string"),
	ROW("[\"a\" , \"b\"\n,{ \"c\" : \"d\" } ]", OK, 0, "space around commas and colons"),
};

static const struct verdict refused[] = {
	ROW("", EMPTY, 0, "nothing"),
	ROW(" \n\t\r ", EMPTY, 5, "only space"),
	ROW("\xef\xbb\xbf{}", SYNTAX, 0, "a byte order mark"),
	ROW("<!DOCTYPE html>", SYNTAX, 0, "an HTML page"),
	ROW("upstream connect error", SYNTAX, 0, "plain text"),
	ROW("\0", SYNTAX, 0, "NUL"),
	ROW("{}\0", TRAILING, 2, "NUL behind the document"),
	ROW("[1]x", TRAILING, 3, "a letter behind the document"),
	ROW("{}{}", TRAILING, 2, "two documents"),
	ROW("{}\n{}", TRAILING, 3, "two lines of documents"),
	ROW("1 2", TRAILING, 2, "two numbers"),
	ROW("truex", TRAILING, 4, "a word that goes on"),
	ROW("[]]", TRAILING, 2, "one bracket too many"),
	ROW("{},", TRAILING, 2, "a comma behind the document"),
	ROW("/* x */ {}", SYNTAX, 0, "a comment"),
	ROW("{} // x", TRAILING, 3, "a comment at the end"),
	ROW("NaN", SYNTAX, 0, "NaN"),
	ROW("[NaN]", SYNTAX, 1, "NaN in an array"),
	ROW("Infinity", SYNTAX, 0, "Infinity"),
	ROW("-Infinity", SYNTAX, 1, "minus Infinity"),
	ROW("nan", SYNTAX, 1, "nan, begins like null"),
	ROW("True", SYNTAX, 0, "Python's True"),
	ROW("None", SYNTAX, 0, "Python's None"),
	ROW("[nul]", SYNTAX, 4, "a short null"),
	ROW("'a'", SYNTAX, 0, "single quotes"),
	ROW("+1", SYNTAX, 0, "a plus sign"),
	ROW("01", SYNTAX, 1, "a leading zero"),
	ROW("-01", SYNTAX, 2, "a leading zero behind a minus"),
	ROW("[00]", SYNTAX, 2, "two zeros"),
	ROW(".5", SYNTAX, 0, "no digit before the point"),
	ROW("[1.]", SYNTAX, 3, "no digit behind the point"),
	ROW("[-]", SYNTAX, 2, "a minus alone"),
	ROW("[1e]", SYNTAX, 3, "an exponent without digits"),
	ROW("[1e+]", SYNTAX, 4, "an exponent with only a sign"),
	ROW("[1.e5]", SYNTAX, 3, "an exponent right behind the point"),
	ROW("0x10", TRAILING, 1, "hexadecimal"),
	ROW("[1_000]", SYNTAX, 2, "digit groups"),
	ROW("[1,]", SYNTAX, 3, "a comma before the bracket"),
	ROW("[,1]", SYNTAX, 1, "a comma first"),
	ROW("[1,,2]", SYNTAX, 3, "two commas"),
	ROW("[1 2]", SYNTAX, 3, "no comma"),
	ROW("[1:2]", SYNTAX, 2, "a colon in an array"),
	ROW("[\"a\":1]", SYNTAX, 4, "a member in an array"),
	ROW("[1}", SYNTAX, 2, "closed by the wrong bracket"),
	ROW("{\"a\":1]", SYNTAX, 6, "an object closed by the wrong bracket"),
	ROW("{\"a\":1,}", SYNTAX, 7, "a comma before the brace"),
	ROW("{,\"a\":1}", SYNTAX, 1, "a comma before the member"),
	ROW("{\"a\" 1}", SYNTAX, 5, "no colon"),
	ROW("{\"a\"::1}", SYNTAX, 5, "two colons"),
	ROW("{\"a\",1}", SYNTAX, 4, "a comma for a colon"),
	ROW("{\"a\"}", SYNTAX, 4, "a key alone"),
	ROW("{\"a\":}", SYNTAX, 5, "no value"),
	ROW("{1:2}", SYNTAX, 1, "a number for a key"),
	ROW("{a:2}", SYNTAX, 1, "a key without quotes"),
	ROW("{\"a\":1 \"b\":2}", SYNTAX, 7, "no comma between members"),
	ROW("]", SYNTAX, 0, "a closing bracket first"),
	ROW(",", SYNTAX, 0, "a comma"),
	ROW("\"\n\"", SYNTAX, 1, "a line feed in a string"),
	ROW("\"a\tb\"", SYNTAX, 2, "a tab in a string"),
	ROW("\"a\0b\"", SYNTAX, 2, "NUL in a string"),
	ROW("\"0123456789abcdef\x1f\"", SYNTAX, 17, "a control character behind a 16-byte step"),
	ROW("\"\\x41\"", SYNTAX, 2, "an unknown escape"),
	ROW("\"\\'\"", SYNTAX, 2, "an escaped single quote"),
	ROW("\"\\U0041\"", SYNTAX, 2, "an upper case U"),
	ROW("\"\\u00g0\"", SYNTAX, 5, "no hex digit"),
	ROW("\"\\u12\"", SYNTAX, 5, "two hex digits"),
	ROW("{\"\\q\":1}", SYNTAX, 3, "an unknown escape in a key"),
	ROW("[\xc3\xa9]", SYNTAX, 1, "a letter outside a string"),
	ROW("[\xa0]", SYNTAX, 1, "a no-break space"),
	ROW("[1\x0b]", SYNTAX, 2, "a vertical tab is no space"),
	ROW("[1\x0c]", SYNTAX, 2, "a form feed is no space"),
	ROW("\"\x80\"", UTF8, 1, "a continuation byte alone"),
	ROW("\"\xc0\x80\"", UTF8, 1, "NUL in two bytes"),
	ROW("\"\xc1\xbf\"", UTF8, 1, "ASCII in two bytes"),
	ROW("\"\xe0\x9f\xbf\"", UTF8, 1, "two bytes' worth in three"),
	ROW("\"\xed\xa0\x80\"", UTF8, 1, "a surrogate in UTF-8"),
	ROW("\"\xf0\x8f\xbf\xbf\"", UTF8, 1, "three bytes' worth in four"),
	ROW("\"\xf4\x90\x80\x80\"", UTF8, 1, "above the last code point"),
	ROW("\"\xf5\x80\x80\x80\"", UTF8, 1, "a lead byte that does not exist"),
	ROW("\"\xff\"", UTF8, 1, "0xff"),
	ROW("\"ab\xc3\"", UTF8, 3, "a sequence cut by the quote"),
	ROW("\"ab\xe2\x82\"", UTF8, 3, "a longer sequence cut by the quote"),
	ROW("\"\xc3\xa9\xe9\"", UTF8, 3, "Latin-1 behind UTF-8"),
	ROW("{\"\xff\":1}", UTF8, 2, "broken UTF-8 in a key"),
};

static const struct verdict cut[] = {
	ROW("{", CUT, 1, "an open object"),
	ROW("[1", CUT, 2, "an open array"),
	ROW("[1,", CUT, 3, "behind a comma"),
	ROW("{\"a", CUT, 3, "inside a key"),
	ROW("{\"a\"", CUT, 4, "behind a key"),
	ROW("{\"a\":", CUT, 5, "behind a colon"),
	ROW("{\"a\":1,", CUT, 7, "before the next key"),
	ROW("\"abc", CUT, 4, "inside a string"),
	ROW("\"abc\\", CUT, 5, "behind a backslash"),
	ROW("\"abc\\u12", CUT, 8, "inside a \\u"),
	ROW("\"\xe2\x82", CUT, 3, "inside a character"),
	ROW("\"\xf0", CUT, 2, "behind a lead byte"),
	ROW("tru", CUT, 3, "inside a word"),
	ROW("-", CUT, 1, "behind a minus"),
	ROW("1.", CUT, 2, "behind a point"),
	ROW("1e", CUT, 2, "behind an e"),
	ROW("1e-", CUT, 3, "behind an exponent's sign"),
	ROW("{\"error\":{\"message\":\"x\"}", CUT, 24, "before the last brace"),
};

static void check_verdicts(const struct verdict *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct verdict *row = &rows[i];
		struct arena *arena = arena_create(0);
		size_t at = 0, tree_at = 0;
		enum json_result why = JSON_RESULT_COUNT;
		enum json_result r = json_validate(guarded(row->doc), &at);
		struct json *tree;

		if (r != row->result || at != row->at)
			fail_msg("%s: %s at %zu", row->what, json_result_text(r), at);
		tree = json_parse(arena, guarded(row->doc), &why, &tree_at);
		if (why != r || tree_at != at || (tree != NULL) != (r == JSON_OK))
			fail_msg("%s: the tree says %s at %zu", row->what, json_result_text(why),
				 tree_at);
		arena_free(arena);
	}
}

static void accepts_what_the_rfc_accepts(void **state)
{
	(void)state;
	check_verdicts(accepted, COUNT_OF(accepted));
}

static void refuses_all_else_and_says_where(void **state)
{
	(void)state;
	check_verdicts(refused, COUNT_OF(refused));
}

static void knows_what_is_only_cut(void **state)
{
	(void)state;
	check_verdicts(cut, COUNT_OF(cut));
}

static void every_prefix_of_a_document_is_cut(void **state)
{
	struct slice doc = S("{\"model\":\"gpt-5-mini\",\"stream\":true,\"n\":-1.5e+3,\"x\":null,"
			     "\"messages\":[{\"role\":\"user\",\"content\":\"\\u00e9 \\ud83d\\ude00"
			     " \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 and a run of plain text\"},"
			     " [ ] , { } ] }");
	size_t at;

	(void)state;
	for (size_t len = 1; len < doc.len; len++) {
		struct slice part = guarded(slice_sub(doc, 0, len));

		assert_int_equal(json_validate(part, &at), JSON_CUT);
		assert_int_equal(at, len);
		assert_int_equal(json_scan_object(part, NULL, 0, &at), JSON_CUT);
	}
	assert_int_equal(json_validate(guarded(doc), NULL), JSON_OK);
}

static void depth_is_bounded(void **state)
{
	static const struct { size_t depth; bool good; } rows[] = {
		{ 255, true }, { 256, true }, { 257, false }, { 1000, false },
	};
	static const struct { const char *open, *close; size_t step; } shapes[] = {
		{ "[", "]", 1 }, { "{\"a\":", "}", 5 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows) * COUNT_OF(shapes); i++) {
		size_t depth = rows[i / 2].depth, at = 0;
		struct arena *arena = arena_create(0);
		struct buf b = BUF_INIT(65536);
		enum json_result why;

		for (size_t n = 0; n < depth; n++)
			buf_put(&b, slice_of(shapes[i % 2].open));
		if (i % 2)
			buf_puts(&b, "0");
		for (size_t n = 0; n < depth; n++)
			buf_put(&b, slice_of(shapes[i % 2].close));
		assert_int_equal(json_validate(buf_slice(&b), &at),
				 rows[i / 2].good ? JSON_OK : JSON_DEPTH);
		assert_int_equal(at, rows[i / 2].good ? 0 : shapes[i % 2].step * JSON_DEPTH_MAX);
		assert_int_equal(json_parse(arena, buf_slice(&b), &why, NULL) != NULL,
				 rows[i / 2].good);
		buf_free(&b);
		arena_free(arena);
	}
}

static void siblings_do_not_add_to_the_depth(void **state)
{
	struct buf b = BUF_INIT(65536);

	(void)state;
	buf_puts(&b, "[0");
	for (int i = 0; i < 1000; i++)
		buf_puts(&b, ",[{}],{\"a\":[]}");
	buf_puts(&b, "]");
	assert_int_equal(json_validate(buf_slice(&b), NULL), JSON_OK);
	buf_free(&b);
}

static void finds_a_flaw_at_every_place_of_a_long_string(void **state)
{
	static const struct { char byte; enum json_result result; } rows[] = {
		{ '\x1f', JSON_SYNTAX }, { '\0', JSON_SYNTAX }, { '"', JSON_TRAILING },
		{ '\x80', JSON_UTF8 }, { '\xff', JSON_UTF8 }, { '\\', JSON_SYNTAX },
		{ '\x7f', JSON_OK }, { ' ', JSON_OK }, { '!', JSON_OK }, { '#', JSON_OK },
		{ '[', JSON_OK }, { ']', JSON_OK },
	};
	char doc[100];

	(void)state;
	for (size_t len = 4; len <= sizeof doc; len++) {
		for (size_t i = 1; i < len - 2; i++) {
			for (size_t k = 0; k < COUNT_OF(rows); k++) {
				size_t at = 0;

				memset(doc, 'x', len);
				doc[0] = doc[len - 1] = '"';
				doc[i] = rows[k].byte;
				assert_int_equal(json_validate(guarded((struct slice){ doc, len }),
							       &at), rows[k].result);
				if (rows[k].result != JSON_OK)
					assert_int_equal(at, i + (strchr("\"\\", rows[k].byte) &&
								  rows[k].byte ? 1 : 0));
			}
		}
	}
}

static void a_mebibyte_of_text_is_fine(void **state)
{
	const size_t len = 1 << 20;
	struct buf b = BUF_INIT(8 << 20);
	struct arena *arena = arena_create(0);
	struct json_want want = { .name = S_INIT("content") };
	char *text = malloc(len), *room;
	struct slice back;

	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i < len; i++)
		text[i] = i % 97 == 0 ? '\n' : (char)(' ' + i % 90);
	buf_puts(&b, "{\"content\":");
	json_write_string(&b, (struct slice){ text, len });
	room = buf_room(&b, 1);
	assert_non_null(room);
	*room = '}';
	buf_added(&b, 1);
	assert_int_equal(json_scan_object(buf_slice(&b), &want, 1, NULL), JSON_OK);
	assert_true(want.found);
	back = json_string(arena, want.value);
	assert_int_equal(back.len, len);
	assert_memory_equal(back.at, text, len);
	free(text);
	buf_free(&b);
	arena_free(arena);
}

/* ---- wanted members ------------------------------------------------------------ */

static void finds_members_of_the_outermost_object_only(void **state)
{
	struct slice doc = S(" { \"messages\" : [ {\"model\":\"inner\"} ] , \"model\" : \"m\" ,"
			     "\"n\":2,\"o\":{\"stream\":false},\"stream\":true,\"tools\":null} ");
	struct json_want wants[] = {
		{ .name = S_INIT("model") }, { .name = S_INIT("stream") },
		{ .name = S_INIT("messages") }, { .name = S_INIT("tools") },
		{ .name = S_INIT("o") }, { .name = S_INIT("n") }, { .name = S_INIT("absent") },
	};

	(void)state;
	assert_int_equal(json_scan_object(guarded(doc), wants, COUNT_OF(wants), NULL), JSON_OK);
	assert_int_equal(wants[0].type, JSON_STRING);
	assert_slice(wants[0].value, S("\"m\""));
	assert_int_equal(wants[1].type, JSON_TRUE);
	assert_slice(wants[1].value, S("true"));
	assert_int_equal(wants[2].type, JSON_ARRAY);
	assert_slice(wants[2].value, S("[ {\"model\":\"inner\"} ]"));
	assert_true(wants[3].found);
	assert_int_equal(wants[3].type, JSON_NULL);
	assert_int_equal(wants[4].type, JSON_OBJECT);
	assert_slice(wants[4].value, S("{\"stream\":false}"));
	assert_int_equal(wants[5].type, JSON_NUMBER);
	assert_slice(wants[5].value, S("2"));
	assert_false(wants[6].found);
	assert_slice(wants[6].value, SLICE_NONE);
}

static void wanted_member_rows(void **state)
{
	static const struct { struct slice doc, model; enum json_result result; size_t at;
			      const char *what; } rows[] = {
		{ S_INIT("{\"model\":\"a\"}"), S_INIT("\"a\""), JSON_OK, 0, "plain" },
		{ S_INIT("{\"\\u006dodel\":\"a\"}"), S_INIT("\"a\""), JSON_OK, 0, "escaped key" },
		{ S_INIT("{\"\\u006D\\u006fde\\u006c\":1}"), S_INIT("1"), JSON_OK, 0,
		  "several escapes" },
		{ S_INIT("{\"Model\":1,\"model \":2,\"mode\":3}"), S_INIT(""), JSON_OK, 0,
		  "only the very name" },
		{ S_INIT("{\"model\\u0000\":1}"), S_INIT(""), JSON_OK, 0, "a name with NUL behind" },
		{ S_INIT("{}"), S_INIT(""), JSON_OK, 0, "no members" },
		{ S_INIT("{\"model\":\"a\",\"model\":\"b\"}"), S_INIT(""), JSON_DUPLICATE, 13,
		  "twice" },
		{ S_INIT("{\"model\":\"a\",\"x\":0,\"\\u006dodel\":\"b\"}"), S_INIT(""),
		  JSON_DUPLICATE, 19, "twice, once in disguise" },
		{ S_INIT("{\"\\u006dodel\":1,\"\\u006Dodel\":1}"), S_INIT(""), JSON_DUPLICATE, 16,
		  "twice in two disguises" },
		{ S_INIT("{\"model\":\"a\",\"x\":1,\"x\":2}"), S_INIT("\"a\""), JSON_OK, 0,
		  "another member twice is the backend's affair" },
		{ S_INIT("[{\"model\":1}]"), S_INIT(""), JSON_NOT_OBJECT, 0, "an array" },
		{ S_INIT("  \"model\""), S_INIT(""), JSON_NOT_OBJECT, 2, "a string" },
		{ S_INIT("<html>"), S_INIT(""), JSON_SYNTAX, 0, "a page" },
		{ S_INIT("[1,"), S_INIT(""), JSON_CUT, 3, "broken before it is no object" },
		{ S_INIT("{\"model\":1}}"), S_INIT(""), JSON_TRAILING, 11, "a brace too many" },
		{ S_INIT("{\"model\":1,\"x\":}"), S_INIT(""), JSON_SYNTAX, 15, "broken further on" },
		{ S_INIT(""), S_INIT(""), JSON_EMPTY, 0, "nothing" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct json_want want = { .name = S_INIT("model"), .found = true };
		size_t at = 0;
		enum json_result r = json_scan_object(guarded(rows[i].doc), &want, 1, &at);

		if (r != rows[i].result || at != rows[i].at)
			fail_msg("%s: %s at %zu", rows[i].what, json_result_text(r), at);
		if (want.found != (rows[i].model.len > 0))
			fail_msg("%s: found is wrong", rows[i].what);
		assert_slice(want.value, rows[i].model);
	}
}

/* ---- values ---------------------------------------------------------------------- */

static void strings_are_decoded(void **state)
{
	static const struct { struct slice raw, text; const char *what; } rows[] = {
		{ S_INIT("\"\""), S_INIT(""), "empty" },
		{ S_INIT("\"plain\""), S_INIT("plain"), "nothing to decode" },
		{ S_INIT("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), S_INIT("\"\\/\b\f\n\r\t"), "short escapes" },
		{ S_INIT("\"a\\u0000b\""), S_INIT("a\0b"), "NUL does not end it" },
		{ S_INIT("\"\\u0041\\u00e9\\u20ac\""), S_INIT("A\xc3\xa9\xe2\x82\xac"),
		  "one, two, three bytes" },
		{ S_INIT("\"\\ud83d\\ude00\\uD83D\\uDE00\""),
		  S_INIT("\xf0\x9f\x98\x80\xf0\x9f\x98\x80"), "pairs" },
		{ S_INIT("\"\\ud800\\udc00\\udbff\\udfff\""),
		  S_INIT("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"), "the first and the last pair" },
		{ S_INIT("\"\\ud83d\""), S_INIT("\xef\xbf\xbd"), "a lone high surrogate" },
		{ S_INIT("\"\\ude00x\""), S_INIT("\xef\xbf\xbdx"), "a lone low surrogate" },
		{ S_INIT("\"\\ud83dx\\ude00\""), S_INIT("\xef\xbf\xbdx\xef\xbf\xbd"),
		  "halves with something between" },
		{ S_INIT("\"\\ud83d\\n\""), S_INIT("\xef\xbf\xbd\n"), "a half before an escape" },
		{ S_INIT("\"\\ud83d\\u0041\""), S_INIT("\xef\xbf\xbd" "A"), "a half before a letter" },
		{ S_INIT("\"\\ud83d\\ud83d\\ude00\""), S_INIT("\xef\xbf\xbd\xf0\x9f\x98\x80"),
		  "a half before a pair" },
		{ S_INIT("\"\\ud7ff\\ue000\""), S_INIT("\xed\x9f\xbf\xee\x80\x80"),
		  "the neighbours of the surrogates" },
		{ S_INIT("\"\xc3\xa9\\n\xc3\xa9\""), S_INIT("\xc3\xa9\n\xc3\xa9"), "UTF-8 stays" },
		{ S_INIT("\"\\\\u0041\""), S_INIT("\\u0041"), "an escaped backslash before u" },
	};
	struct arena *arena = arena_create(0);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct slice got = json_string(arena, guarded(rows[i].raw));

		if (!got.at || !slice_eq(got, rows[i].text))
			fail_msg("%s: \"%.*s\"", rows[i].what, SLICE_ARG(got));
		assert_true(json_string_eq(guarded(rows[i].raw), rows[i].text));
		assert_false(json_string_eq(rows[i].raw, S("something else")));
		if (rows[i].text.len) {
			struct slice less = slice_sub(rows[i].text, 0, rows[i].text.len - 1);

			assert_false(json_string_eq(guarded(rows[i].raw), less));
		}
	}
	arena_free(arena);
}

static void plain_strings_are_not_copied(void **state)
{
	struct slice raw = S("\"plain\"");

	(void)state;
	/* No arena is needed, so none is touched. */
	assert_ptr_equal(json_string(NULL, raw).at, raw.at + 1);
}

static void what_is_no_string_is_none(void **state)
{
	static const struct slice rows[] = {
		{ NULL, 0 }, S_INIT("\""), S_INIT("12"), S_INIT("null"), S_INIT("[\"a\"]"),
		S_INIT("\"a"), S_INIT("a\""), S_INIT("\"a\"b\""), S_INIT("\"\\\""),
		S_INIT("\"\\u12\""), S_INIT("\"\\u\""), S_INIT("\"\xff\""), S_INIT("\"a\" "),
	};
	struct arena *arena = arena_create(0);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		assert_null(json_string(arena, guarded(rows[i])).at);
		assert_false(json_string_eq(guarded(rows[i]), S("a")));
		assert_false(json_string_eq(guarded(rows[i]), S("")));
	}
	arena_free(arena);
}

static void integers_are_read_whole_or_not_at_all(void **state)
{
	static const struct { struct slice raw; bool good; int64_t value; } rows[] = {
		{ S_INIT("0"), true, 0 }, { S_INIT("-0"), true, 0 }, { S_INIT("42"), true, 42 },
		{ S_INIT("-7"), true, -7 },
		{ S_INIT("9007199254740993"), true, INT64_C(9007199254740993) },
		{ S_INIT("9223372036854775807"), true, INT64_MAX },
		{ S_INIT("-9223372036854775808"), true, INT64_MIN },
		{ S_INIT("9223372036854775808"), false, 0 },
		{ S_INIT("-9223372036854775809"), false, 0 },
		{ S_INIT("18446744073709551616"), false, 0 },
		{ S_INIT("1.0"), false, 0 }, { S_INIT("1e3"), false, 0 }, { S_INIT("-"), false, 0 },
		{ S_INIT("01"), false, 0 }, { S_INIT("-01"), false, 0 }, { S_INIT("+1"), false, 0 },
		{ S_INIT("\"1\""), false, 0 }, { S_INIT("null"), false, 0 }, { S_INIT(""), false, 0 },
		{ { NULL, 0 }, false, 0 }, { S_INIT("--1"), false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		int64_t got = 12345;

		if (json_i64(guarded(rows[i].raw), &got) != rows[i].good)
			fail_msg("%.*s", SLICE_ARG(rows[i].raw));
		assert_int_equal(got, rows[i].good ? rows[i].value : 12345);
	}
}

static void small_questions(void **state)
{
	(void)state;
	assert_true(json_is_true(S("true")));
	assert_false(json_is_true(S("\"true\"")));
	assert_false(json_is_true(SLICE_NONE));
	assert_true(json_is_nothing(SLICE_NONE));
	assert_true(json_is_nothing(S("null")));
	assert_false(json_is_nothing(S("0")));
	assert_false(json_is_nothing(S("\"\"")));
	assert_int_equal(json_type_of(S("{}")), JSON_OBJECT);
	assert_int_equal(json_type_of(S(" \n[1]")), JSON_ARRAY);
	assert_int_equal(json_type_of(S("\"\"")), JSON_STRING);
	assert_int_equal(json_type_of(S("-1")), JSON_NUMBER);
	assert_int_equal(json_type_of(S("true")), JSON_TRUE);
	assert_int_equal(json_type_of(S("false")), JSON_FALSE);
	assert_int_equal(json_type_of(S("null")), JSON_NULL);
	for (int r = 0; r < JSON_RESULT_COUNT; r++)
		assert_true(strlen(json_result_text((enum json_result)r)) > 0);
}

/* ---- children ---------------------------------------------------------------------- */

/* All children as "key=value|", read with json_next(). */
static struct slice list(struct arena *arena, struct slice raw)
{
	struct slice rest = raw, key, value, text = S("");

	while (json_next(&rest, &key, &value))
		text = arena_printf(arena, "%.*s%.*s=%.*s|", SLICE_ARG(text), SLICE_ARG(key),
				    SLICE_ARG(value));
	assert_false(json_next(&rest, NULL, &value));
	return text;
}

static void children_are_walked(void **state)
{
	static const struct { struct slice raw, text; } rows[] = {
		{ S_INIT("{}"), S_INIT("") }, { S_INIT(" [ ] "), S_INIT("") },
		{ S_INIT("[1,[2,3],\"a\"]"), S_INIT("=1|=[2,3]|=\"a\"|") },
		{ S_INIT("[\"a\",\"b\"]"), S_INIT("=\"a\"|=\"b\"|") },
		{ S_INIT("[\"a:\" , \":b\" ]"), S_INIT("=\"a:\"|=\":b\"|") },
		{ S_INIT("[[1],[2],{},[]]"), S_INIT("=[1]|=[2]|={}|=[]|") },
		{ S_INIT("{\"a\":1,\"b\":{\"c\":[]}}"), S_INIT("\"a\"=1|\"b\"={\"c\":[]}|") },
		{ S_INIT(" { \"a\" : 1 , \"\\u0062\" : \"c\" } "),
		  S_INIT("\"a\"=1|\"\\u0062\"=\"c\"|") },
		/* What follows is no JSON: what was good before it is given, and nothing else. */
		{ { NULL, 0 }, S_INIT("") }, { S_INIT("12"), S_INIT("") }, { S_INIT("\"a\""), S_INIT("") },
		{ S_INIT("[1,2"), S_INIT("=1|=2|") }, { S_INIT("[1,"), S_INIT("=1|") },
		{ S_INIT("[1,\""), S_INIT("=1|") }, { S_INIT("[1,2}"), S_INIT("=1|=2|") },
		{ S_INIT("{\"a\":1,\"b\"}"), S_INIT("\"a\"=1|") }, { S_INIT("{\"a\""), S_INIT("") },
		{ S_INIT("["), S_INIT("") }, { S_INIT("{"), S_INIT("") }, { S_INIT("]"), S_INIT("") },
		{ S_INIT("[x"), S_INIT("") }, { S_INIT("[1 2]"), S_INIT("=1|") },
	};
	struct arena *arena = arena_create(0);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		assert_slice(list(arena, guarded(rows[i].raw)), rows[i].text);
	arena_free(arena);
}

static void members_and_paths(void **state)
{
	static const struct { struct slice doc, path, value; } rows[] = {
		{ S_INIT("{\"error\":{\"code\":\"x\"}}"), S_INIT("error.code"), S_INIT("\"x\"") },
		{ S_INIT("{\"error\":{\"code\":\"x\"}}"), S_INIT("error"), S_INIT("{\"code\":\"x\"}") },
		{ S_INIT("{\"error\":{\"code\":\"x\"}}"), S_INIT("error.none"), S_INIT("") },
		{ S_INIT("{\"error\":\"text\"}"), S_INIT("error.code"), S_INIT("") },
		{ S_INIT("{\"\\u0065rror\":{\"\\u0063ode\":1}}"), S_INIT("error.code"), S_INIT("1") },
		{ S_INIT("{\"choices\":[{\"d\":1},{\"d\":2}]}"), S_INIT("choices.0.d"), S_INIT("1") },
		{ S_INIT("{\"choices\":[{\"d\":1},{\"d\":2}]}"), S_INIT("choices.1.d"), S_INIT("2") },
		{ S_INIT("{\"choices\":[{\"d\":1}]}"), S_INIT("choices.1.d"), S_INIT("") },
		{ S_INIT("{\"choices\":[{\"d\":1}]}"), S_INIT("choices.x"), S_INIT("") },
		{ S_INIT("{\"0\":7}"), S_INIT("0"), S_INIT("7") },
		{ S_INIT("[[1,2],[3,4]]"), S_INIT("1.0"), S_INIT("3") },
		{ S_INIT("[1]"), S_INIT("99999999999999999999"), S_INIT("") },
		{ S_INIT("{\"a\":1,\"a\":2}"), S_INIT("a"), S_INIT("1") },
		{ S_INIT(" {\"a\": 1}"), S_INIT("a"), S_INIT("1") },
		{ S_INIT("{\"a\":1,\"b\":"), S_INIT("a"), S_INIT("1") },
		{ S_INIT("{\"a\":1,\"b\":"), S_INIT("b"), S_INIT("") },
		{ S_INIT("{\"a\":[1,2"), S_INIT("a.0"), S_INIT("") },
		{ S_INIT("12"), S_INIT("a"), S_INIT("") }, { S_INIT("\"a\""), S_INIT("0"), S_INIT("") },
		{ S_INIT(""), S_INIT("a"), S_INIT("") }, { S_INIT("{}"), S_INIT(""), S_INIT("{}") },
		{ S_INIT("{\"\":{\"a\":1}}"), S_INIT(".a"), S_INIT("1") },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct slice got = json_path(guarded(rows[i].doc), rows[i].path);

		if (!slice_eq(got, rows[i].value))
			fail_msg("%.*s of %.*s: %.*s", SLICE_ARG(rows[i].path),
				 SLICE_ARG(rows[i].doc), SLICE_ARG(got));
		assert_true((got.at != NULL) == (rows[i].value.len > 0));
	}
	assert_slice(json_member(S("[1]"), S("0")), SLICE_NONE);
	assert_slice(json_member(SLICE_NONE, S("a")), SLICE_NONE);
}

/* ---- tree ---------------------------------------------------------------------------- */

static void trees_keep_the_text(void **state)
{
	struct slice doc = S(" {\"n\":18446744073709551616, \"f\":0.1, \"z\":-0, \"e\":1E400,"
			     "\"\\u0073\":\"a\\nb\", \"list\":[1, [2] ,{}], \"n\":1 } ");
	struct arena *arena = arena_create(0);
	enum json_result why;
	const struct json *list_node, *root = json_parse(arena, guarded(doc), &why, NULL);

	(void)state;
	assert_non_null(root);
	assert_int_equal(why, JSON_OK);
	assert_int_equal(root->type, JSON_OBJECT);
	assert_int_equal(root->count, 7);
	assert_slice(root->raw, slice_trim(doc));
	assert_slice(json_get(root, S("n"))->raw, S("18446744073709551616"));
	assert_slice(json_get(root, S("f"))->raw, S("0.1"));
	assert_slice(json_get(root, S("z"))->raw, S("-0"));
	assert_slice(json_get(root, S("e"))->raw, S("1E400"));
	assert_slice(json_get(root, S("s"))->raw, S("\"a\\nb\""));
	assert_slice(json_get(root, S("s"))->key, S("\"\\u0073\""));
	list_node = json_get(root, S("list"));
	assert_int_equal(list_node->count, 3);
	assert_slice(json_at(list_node, 0)->raw, S("1"));
	assert_slice(json_at(list_node, 1)->raw, S("[2]"));
	assert_slice(json_at(json_at(list_node, 1), 0)->raw, S("2"));
	assert_int_equal(json_at(list_node, 2)->type, JSON_OBJECT);
	assert_null(json_at(list_node, 2)->first);
	assert_null(json_at(list_node, 3));
	assert_null(json_get(list_node, S("0")));
	assert_null(json_at(root, 0));
	assert_null(json_get(root, S("absent")));
	assert_null(json_get(NULL, S("n")));
	assert_null(json_at(NULL, 0));
	assert_null(json_get(json_at(list_node, 0), S("n")));
	arena_free(arena);
}

static void trees_have_a_most(void **state)
{
	const size_t count = JSON_TREE_MAX;
	struct buf b = BUF_INIT(4 * count);
	struct arena *arena = arena_create(1 << 20);
	enum json_result why;
	size_t at = 0;
	char *room = buf_room(&b, 2 * count + 1);

	(void)state;
	assert_non_null(room);
	/* The array itself and one number less than the most: just enough. */
	room[0] = '[';
	for (size_t i = 0; i < count; i++) {
		room[1 + 2 * i] = '1';
		room[2 + 2 * i] = ',';
	}
	room[2 * (count - 1)] = ']';
	buf_added(&b, 2 * (count - 1) + 1);
	assert_non_null(json_parse(arena, buf_slice(&b), &why, NULL));
	arena_free(arena);

	arena = arena_create(1 << 20);
	room[2 * (count - 1)] = ',';
	room[2 * count] = ']';
	buf_clear(&b);
	room = buf_room(&b, 2 * count + 1);
	assert_non_null(room);
	buf_added(&b, 2 * count + 1);
	assert_int_equal(json_validate(buf_slice(&b), NULL), JSON_OK);
	assert_null(json_parse(arena, buf_slice(&b), &why, &at));
	assert_int_equal(why, JSON_TOO_MANY);
	assert_int_equal(at, 2 * (count - 1) + 1);
	buf_free(&b);
	arena_free(arena);
}

/* ---- writer --------------------------------------------------------------------------- */

static void writer_escapes_only_what_it_must(void **state)
{
	static const struct { struct slice text, raw; } rows[] = {
		{ { NULL, 0 }, S_INIT("\"\"") }, { S_INIT("plain / text"), S_INIT("\"plain / text\"") },
		{ S_INIT("\"\\"), S_INIT("\"\\\"\\\\\"") },
		{ S_INIT("\b\f\n\r\t"), S_INIT("\"\\b\\f\\n\\r\\t\"") },
		{ S_INIT("a\0b\x1f\x7f"), S_INIT("\"a\\u0000b\\u001f\x7f\"") },
		{ S_INIT("\xc3\xa9\xe2\x80\xa8\xf0\x9f\x98\x80"),
		  S_INIT("\"\xc3\xa9\xe2\x80\xa8\xf0\x9f\x98\x80\"") },
		{ S_INIT("a\xff" "b"), S_INIT("\"a\xef\xbf\xbd" "b\"") },
		{ S_INIT("\xe2\x82"), S_INIT("\"\xef\xbf\xbd\"") },
		{ S_INIT("\xe2\x82\xc3\xa9"), S_INIT("\"\xef\xbf\xbd\xc3\xa9\"") },
		{ S_INIT("\xed\xa0\x80"), S_INIT("\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"") },
		{ S_INIT("\xc3\""), S_INIT("\"\xef\xbf\xbd\\\"\"") },
		{ S_INIT("0123456789abcdef0123456789abcde\n"),
		  S_INIT("\"0123456789abcdef0123456789abcde\\n\"") },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct buf b = BUF_INIT(100);

		json_write_string(&b, guarded(rows[i].text));
		assert_slice(buf_slice(&b), rows[i].raw);
		assert_int_equal(json_validate(buf_slice(&b), NULL), JSON_OK);
		buf_free(&b);
		/* One byte less room: refused, and nothing is left behind. */
		b = BUF_INIT(rows[i].raw.len);
		assert_true(json_try_write_string(&b, rows[i].text));
		buf_free(&b);
		b = BUF_INIT(rows[i].raw.len - 1);
		assert_false(json_try_write_string(&b, rows[i].text));
		assert_int_equal(buf_len(&b), 0);
		buf_free(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepts_what_the_rfc_accepts),
		cmocka_unit_test(refuses_all_else_and_says_where),
		cmocka_unit_test(knows_what_is_only_cut),
		cmocka_unit_test(every_prefix_of_a_document_is_cut),
		cmocka_unit_test(depth_is_bounded),
		cmocka_unit_test(siblings_do_not_add_to_the_depth),
		cmocka_unit_test(finds_a_flaw_at_every_place_of_a_long_string),
		cmocka_unit_test(a_mebibyte_of_text_is_fine),
		cmocka_unit_test(finds_members_of_the_outermost_object_only),
		cmocka_unit_test(wanted_member_rows),
		cmocka_unit_test(strings_are_decoded),
		cmocka_unit_test(plain_strings_are_not_copied),
		cmocka_unit_test(what_is_no_string_is_none),
		cmocka_unit_test(integers_are_read_whole_or_not_at_all),
		cmocka_unit_test(small_questions),
		cmocka_unit_test(children_are_walked),
		cmocka_unit_test(members_and_paths),
		cmocka_unit_test(trees_keep_the_text),
		cmocka_unit_test(trees_have_a_most),
		cmocka_unit_test(writer_escapes_only_what_it_must),
	};

	return cmocka_run_group_tests_name("json", tests, guard_up, NULL);
}
