/* mock_schema.c: invented JSON that fits a simple JSON schema: type, enum,
 * const, properties, items, minItems, minimum, maximum, minLength, anyOf,
 * oneOf, allOf (the first of them), $ref into the same document. */
#include "mock/mock_internal.h"

#include <inttypes.h>

#define SCHEMA_DEPTH_MAX 12
#define SCHEMA_BYTES_MAX (1u << 20)
#define FIXED_BYTES_MAX (64u * 1024)

struct writer {
	struct buf *out;
	struct slice root;
	struct rng rng;
	unsigned depth;
};

static void write_by(struct writer *w, struct slice schema);

/* Follows "#/$defs/x" from the root; SLICE_NONE where it leads nowhere. */
static struct slice follow(const struct writer *w, struct slice ref)
{
	struct slice at = w->root, rest, part;

	if (ref.len < 2 || ref.at[0] != '"')
		return SLICE_NONE;
	rest = slice_sub(ref, 1, ref.len - 1);
	if (!slice_starts(rest, S("#")))
		return SLICE_NONE;
	rest = slice_from(rest, 1);
	while (rest.len && at.len) {
		rest = slice_from(rest, 1);
		if (!slice_cut(rest, '/', &part, &rest)) {
			part = rest;
			rest = SLICE_NONE;
		} else {
			rest = (struct slice){ rest.at - 1, rest.len + 1 };
		}
		if (json_type_of(at) != JSON_OBJECT)
			return SLICE_NONE;
		at = json_member(at, part);
	}
	return at;
}

/* First element of a raw array; SLICE_NONE if it is none or empty. */
static struct slice first_of(struct slice array)
{
	struct slice value;

	if (!array.len || json_type_of(array) != JSON_ARRAY || !json_next(&array, NULL, &value))
		return SLICE_NONE;
	return value;
}

static void write_object(struct writer *w, struct slice schema)
{
	struct slice properties = json_member(schema, S("properties")), key, value;
	bool first = true;

	buf_puts(w->out, "{");
	if (properties.len && json_type_of(properties) == JSON_OBJECT) {
		while (json_next(&properties, &key, &value)) {
			if (!first)
				buf_puts(w->out, ",");
			first = false;
			buf_put(w->out, key);
			buf_puts(w->out, ":");
			write_by(w, value);
		}
	}
	buf_puts(w->out, "}");
}

static void write_array(struct writer *w, struct slice schema)
{
	struct slice items = json_member(schema, S("items"));
	int64_t count = 1;

	if (json_i64(json_member(schema, S("minItems")), &count) && count > 100)
		count = 100;
	if (w->depth >= SCHEMA_DEPTH_MAX && count <= 1)
		count = 0;
	buf_puts(w->out, "[");
	for (int64_t i = 0; i < count; i++) {
		if (i)
			buf_puts(w->out, ",");
		write_by(w, items.len ? items : S("{\"type\":\"string\"}"));
	}
	buf_puts(w->out, "]");
}

static void write_number(struct writer *w, struct slice schema)
{
	int64_t low = 1, high;
	bool has_low = json_i64(json_member(schema, S("minimum")), &low);

	if (json_i64(json_member(schema, S("maximum")), &high)) {
		if (!has_low || low > high)
			low = high < 1 ? high : 1;
	} else {
		high = low > INT64_MAX - 41 ? low : low + 41;
	}
	if (high - low > 1000 || high < low)
		high = low;
	buf_putf(w->out, "%" PRId64, low + (int64_t)rng_below(&w->rng, (uint64_t)(high - low) + 1));
}

static void write_text(struct writer *w, struct slice schema)
{
	static const struct { struct slice format, example; } formats[] = {
		{ S_INIT("date"), S_INIT("2026-11-23") },
		{ S_INIT("date-time"), S_INIT("2026-11-23T12:00:00Z") },
		{ S_INIT("time"), S_INIT("12:00:00Z") },
		{ S_INIT("email"), S_INIT("someone@example.com") },
		{ S_INIT("uri"), S_INIT("https://example.com/") },
		{ S_INIT("uuid"), S_INIT("00000000-0000-4000-8000-000000000000") },
	};
	static const struct slice words[] = {
		S_INIT("harbour"), S_INIT("Z\xc3\xbcrich"), S_INIT("mast"), S_INIT("a quiet river"),
		S_INIT("say \"hi\""), S_INIT("\xe6\x9d\xb1\xe4\xba\xac"),
	};
	struct slice format = json_member(schema, S("format"));
	struct slice word = words[rng_below(&w->rng, COUNT_OF(words))];
	int64_t least = 0;

	for (size_t i = 0; i < COUNT_OF(formats); i++)
		if (json_string_eq(format, formats[i].format))
			word = formats[i].example;
	if (json_i64(json_member(schema, S("minLength")), &least) && (size_t)least > word.len) {
		if (least > 4096)
			least = 4096;
		buf_puts(w->out, "\"");
		for (int64_t i = 0; i < least; i++)
			buf_puts(w->out, "x");
		buf_puts(w->out, "\"");
		return;
	}
	json_write_string(w->out, word);
}

static void write_typed(struct writer *w, struct slice schema)
{
	struct slice type = json_member(schema, S("type"));

	if (type.len && json_type_of(type) == JSON_ARRAY)
		type = first_of(type);
	if (json_string_eq(type, S("string")))
		write_text(w, schema);
	else if (json_string_eq(type, S("integer")) || json_string_eq(type, S("number")))
		write_number(w, schema);
	else if (json_string_eq(type, S("boolean")))
		buf_put(w->out, rng_next(&w->rng) & 1 ? S("true") : S("false"));
	else if (json_string_eq(type, S("null")))
		buf_puts(w->out, "null");
	else if (json_string_eq(type, S("array")))
		write_array(w, schema);
	else if (json_string_eq(type, S("object")) || json_member(schema, S("properties")).len)
		write_object(w, schema);
	else
		write_text(w, schema);
}

static void write_by(struct writer *w, struct slice schema)
{
	static const struct slice alternatives[] = { S_INIT("anyOf"), S_INIT("oneOf"), S_INIT("allOf") };
	struct slice fixed;

	if (w->depth >= SCHEMA_DEPTH_MAX || buf_len(w->out) > SCHEMA_BYTES_MAX || !schema.len ||
	    json_type_of(schema) != JSON_OBJECT) {
		buf_puts(w->out, "null");
		return;
	}
	w->depth++;
	fixed = json_member(schema, S("const"));
	if (!fixed.len)
		fixed = first_of(json_member(schema, S("enum")));
	if (fixed.len && fixed.len <= FIXED_BYTES_MAX) {
		buf_put(w->out, fixed);
		w->depth--;
		return;
	}
	for (size_t i = 0; i < COUNT_OF(alternatives); i++) {
		struct slice choice = first_of(json_member(schema, alternatives[i]));

		if (choice.len && json_type_of(choice) == JSON_OBJECT) {
			write_by(w, choice);
			w->depth--;
			return;
		}
	}
	if (json_member(schema, S("$ref")).len)
		write_by(w, follow(w, json_member(schema, S("$ref"))));
	else
		write_typed(w, schema);
	w->depth--;
}

void mock_json_by_schema(struct buf *out, struct slice schema, uint64_t seed)
{
	struct writer w = { .out = out, .root = schema };

	rng_seed(&w.rng, seed);
	write_by(&w, schema);
}
