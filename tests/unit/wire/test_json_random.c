/* Documents made at random: good ones are read as they were written, and
 * nothing that was damaged makes a reader leave the input. */
#include "base/rng.h"
#include "wire/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DOC_MAX (1 << 20)

static void put_space(struct buf *b, struct rng *rng)
{
	static const char spaces[] = " \t\r\n";

	while (rng_one_in(rng, 4))
		buf_put(b, (struct slice){ &spaces[rng_below(rng, 4)], 1 });
}

static void put_string(struct buf *b, struct rng *rng)
{
	static const struct slice pieces[] = {
		S_INIT("\\n"), S_INIT("\\\""), S_INIT("\\\\"), S_INIT("\\/"), S_INIT("\\u0000"),
		S_INIT("\\u00e9"), S_INIT("\\uD83D\\uDE00"), S_INIT("\\ud800"), S_INIT("\\udfff"),
		S_INIT("\xc3\xa9"), S_INIT("\xe2\x82\xac"), S_INIT("\xf0\x9f\x98\x80"),
		S_INIT("a run of text that is longer than a step of the scanner"), S_INIT("{[,:]}"),
		S_INIT("\x7f"), S_INIT("a"), S_INIT("0"), S_INIT(" "),
	};

	buf_puts(b, "\"");
	for (uint64_t i = rng_below(rng, 6); i > 0; i--)
		buf_put(b, pieces[rng_below(rng, COUNT_OF(pieces))]);
	buf_puts(b, "\"");
}

static void put_number(struct buf *b, struct rng *rng)
{
	if (rng_one_in(rng, 3))
		buf_puts(b, "-");
	if (rng_one_in(rng, 4))
		buf_puts(b, "0");
	else
		buf_putf(b, "%llu", (unsigned long long)(rng_next(rng) >> rng_below(rng, 64)));
	if (rng_one_in(rng, 3))
		buf_putf(b, ".%llu", (unsigned long long)rng_below(rng, 1000));
	if (rng_one_in(rng, 3))
		buf_putf(b, "%c%s%llu", rng_one_in(rng, 2) ? 'e' : 'E',
			 rng_one_in(rng, 2) ? "-" : "", (unsigned long long)rng_below(rng, 500));
}

static void put_value(struct buf *b, struct rng *rng, int depth)
{
	uint64_t kind = rng_below(rng, depth > 0 ? 8 : 5), count = rng_below(rng, 5);

	switch (kind) {
	case 0: buf_puts(b, "null"); return;
	case 1: buf_puts(b, "true"); return;
	case 2: buf_puts(b, "false"); return;
	case 3: put_number(b, rng); return;
	case 4: put_string(b, rng); return;
	default: break;
	}
	buf_put(b, kind == 5 ? S("[") : S("{"));
	put_space(b, rng);
	for (uint64_t i = 0; i < count; i++) {
		if (i > 0)
			buf_puts(b, ",");
		put_space(b, rng);
		if (kind != 5) {
			put_string(b, rng);
			put_space(b, rng);
			buf_puts(b, ":");
			put_space(b, rng);
		}
		put_value(b, rng, depth - 1);
		put_space(b, rng);
	}
	buf_put(b, kind == 5 ? S("]") : S("}"));
}

/* A document, an object where `object` is set. The caller frees the buf. */
static struct buf make_doc(struct rng *rng, bool object)
{
	struct buf b = BUF_INIT(DOC_MAX);

	put_space(&b, rng);
	if (object) {
		buf_puts(&b, "{\"first\":");
		put_value(&b, rng, 6);
		buf_puts(&b, ",\"m\\u006fdel\": ");
		put_value(&b, rng, 6);
		buf_puts(&b, "}");
	} else {
		put_value(&b, rng, 7);
	}
	put_space(&b, rng);
	return b;
}

/* Without the space between tokens. */
static void put_dense(struct buf *b, struct slice doc)
{
	bool in_string = false;

	for (size_t i = 0; i < doc.len; i++) {
		char c = doc.at[i];
		size_t len = in_string && c == '\\' ? 2 : 1;

		if (c == '"')
			in_string = !in_string;
		if (in_string || !memchr(" \t\r\n", c, 4))
			buf_put(b, slice_sub(doc, i, i + len));
		i += len - 1;
	}
}

/* The tree written again from its scalars' text. */
static void put_tree(struct buf *b, const struct json *j)
{
	size_t count = 0;

	if (j->type != JSON_ARRAY && j->type != JSON_OBJECT) {
		buf_put(b, j->raw);
		return;
	}
	buf_put(b, j->type == JSON_ARRAY ? S("[") : S("{"));
	for (const struct json *child = j->first; child; child = child->next) {
		if (count++ > 0)
			buf_puts(b, ",");
		if (j->type == JSON_OBJECT) {
			buf_put(b, child->key);
			buf_puts(b, ":");
		}
		put_tree(b, child);
	}
	assert_int_equal(count, j->count);
	buf_put(b, j->type == JSON_ARRAY ? S("]") : S("}"));
}

/* The same with json_next() instead of a tree. */
static void put_walked(struct buf *b, struct slice raw)
{
	enum json_type type = json_type_of(raw);
	struct slice rest = raw, key, value;
	bool more = false;

	if (type != JSON_ARRAY && type != JSON_OBJECT) {
		buf_put(b, raw);
		return;
	}
	buf_put(b, type == JSON_ARRAY ? S("[") : S("{"));
	while (json_next(&rest, &key, &value)) {
		if (more)
			buf_puts(b, ",");
		more = true;
		if (type == JSON_OBJECT) {
			buf_put(b, key);
			buf_puts(b, ":");
		}
		put_walked(b, value);
	}
	buf_put(b, type == JSON_ARRAY ? S("]") : S("}"));
}

static void assert_same(struct buf *got, struct slice expected, uint64_t seed)
{
	if (!slice_eq(buf_slice(got), expected))
		fail_msg("seed %llu: %.*s\nis read as\n%.*s", (unsigned long long)seed,
			 SLICE_ARG(expected), SLICE_ARG(buf_slice(got)));
	buf_free(got);
}

static void good_documents_are_read_as_written(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 2000; seed++) {
		struct buf dense = BUF_INIT(DOC_MAX), got = BUF_INIT(DOC_MAX), doc;
		struct arena *arena = arena_create(0);
		enum json_result why = JSON_OK;
		struct json *root;
		struct rng rng;
		size_t at = 0;

		rng_seed(&rng, seed);
		doc = make_doc(&rng, false);
		put_dense(&dense, buf_slice(&doc));
		why = json_validate(buf_slice(&doc), &at);
		if (why != JSON_OK)
			fail_msg("seed %llu: %s at %zu", (unsigned long long)seed,
				 json_result_text(why), at);
		root = json_parse(arena, buf_slice(&doc), &why, NULL);
		assert_non_null(root);
		assert_true(slice_eq(root->raw, slice_trim(buf_slice(&doc))));
		put_tree(&got, root);
		assert_same(&got, buf_slice(&dense), seed);
		put_walked(&got, slice_trim(buf_slice(&doc)));
		assert_same(&got, buf_slice(&dense), seed);
		buf_free(&doc);
		buf_free(&dense);
		arena_free(arena);
	}
}

static void the_scanner_finds_what_the_tree_finds(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 1000; seed++) {
		struct json_want want = { .name = S_INIT("model") };
		struct arena *arena = arena_create(0);
		const struct json *model;
		struct rng rng;
		struct buf doc;

		rng_seed(&rng, seed);
		doc = make_doc(&rng, true);
		assert_int_equal(json_scan_object(buf_slice(&doc), &want, 1, NULL), JSON_OK);
		model = json_get(json_parse(arena, buf_slice(&doc), NULL, NULL), S("model"));
		assert_non_null(model);
		assert_true(want.found);
		assert_int_equal(want.type, model->type);
		assert_ptr_equal(want.value.at, model->raw.at);
		assert_int_equal(want.value.len, model->raw.len);
		assert_ptr_equal(json_member(buf_slice(&doc), S("model")).at, model->raw.at);
		buf_free(&doc);
		arena_free(arena);
	}
}

static void assert_inside(struct slice part, struct slice whole)
{
	if (!part.at)
		return;
	assert_true(part.at >= whole.at);
	assert_true(part.len <= whole.len - (size_t)(part.at - whole.at));
}

static void read_all(struct slice doc, enum json_result expected)
{
	struct arena *arena = arena_create(0);
	struct slice rest = doc, key, value;
	enum json_result why;
	size_t at = 0, steps = 0;

	assert_int_equal(json_parse(arena, doc, &why, &at) != NULL, expected == JSON_OK);
	assert_int_equal(why, expected);
	assert_true(at <= doc.len);
	while (json_next(&rest, &key, &value)) {
		assert_inside(value, doc);
		assert_inside(key, doc);
		assert_inside(rest, doc);
		json_string(arena, value);
		json_string(arena, key);
		assert_true(++steps <= doc.len);
	}
	assert_inside(json_member(doc, S("model")), doc);
	assert_inside(json_path(doc, S("first.0.a")), doc);
	arena_free(arena);
}

static void damaged_documents_harm_nobody(void **state)
{
	static const char bytes[] = "\"\\{}[],:0-.eutfn \n\x80\xc3\xff\x00";

	(void)state;
	for (uint64_t seed = 0; seed < 5000; seed++) {
		struct rng rng;
		struct buf doc;
		char *copy;
		size_t len;

		rng_seed(&rng, seed);
		doc = make_doc(&rng, rng_one_in(&rng, 2));
		len = buf_len(&doc);
		if (len == 0)
			continue;
		if (rng_one_in(&rng, 3))
			len = 1 + rng_below(&rng, len);
		/* Of exactly this size, so that a sanitizer sees one byte too far. */
		copy = malloc(len);
		assert_non_null(copy);
		memcpy(copy, buf_slice(&doc).at, len);
		for (uint64_t i = 1 + rng_below(&rng, 4); i > 0; i--)
			copy[rng_below(&rng, len)] = bytes[rng_below(&rng, sizeof bytes - 1)];
		read_all((struct slice){ copy, len },
			 json_validate((struct slice){ copy, len }, NULL));
		free(copy);
		buf_free(&doc);
	}
}

static void what_is_written_is_read_back(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 5000; seed++) {
		struct buf text = BUF_INIT(4096), raw = BUF_INIT(65536), again = BUF_INIT(65536);
		struct arena *arena = arena_create(0);
		bool good = seed % 2 == 0;
		struct slice back;
		struct rng rng;

		rng_seed(&rng, seed);
		for (uint64_t i = rng_below(&rng, 80); i > 0; i--) {
			uint64_t point = rng_below(&rng, good ? 128 : 256);
			char c = (char)(unsigned char)point;

			buf_put(&text, (struct slice){ &c, 1 });
		}
		json_write_string(&raw, buf_slice(&text));
		assert_int_equal(json_validate(buf_slice(&raw), NULL), JSON_OK);
		back = json_string(arena, buf_slice(&raw));
		assert_non_null(back.at);
		if (good)
			assert_true(slice_eq(back, buf_slice(&text)));
		/* What was broken is mended once and stays as it is. */
		json_write_string(&again, back);
		assert_true(slice_eq(buf_slice(&again), buf_slice(&raw)));
		assert_true(json_string_eq(buf_slice(&raw), back));
		buf_free(&text);
		buf_free(&raw);
		buf_free(&again);
		arena_free(arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_documents_are_read_as_written),
		cmocka_unit_test(the_scanner_finds_what_the_tree_finds),
		cmocka_unit_test(damaged_documents_harm_nobody),
		cmocka_unit_test(what_is_written_is_read_back),
	};

	return cmocka_run_group_tests_name("json at random", tests, NULL, NULL);
}
