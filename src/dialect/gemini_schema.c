/* gemini_schema.c: Google's schemas for others. They are a part of OpenAPI 3.0
 * (ai.google.dev/api/caching#Schema): types are in capitals, "nullable" stands
 * beside them, counts are strings, as protocol buffers write 64 bits, and
 * "propertyOrdering" says what JSON Schema has no word for. */
#include "dialect/gemini.h"

#include "base/check.h"

#include <string.h>

#define SCHEMA_MAX ((size_t)4 * 1024 * 1024)

struct converting {
	struct arena *arena;
	struct json_make m;
};

static void put_schema(struct converting *c, const char *name, const struct json *j);

static void put_list(struct converting *c, const char *name, const struct json *j)
{
	make_array(&c->m, name);
	for (const struct json *k = j->first; k; k = k->next)
		put_schema(c, NULL, k);
	make_array_end(&c->m);
}

/* Names are the caller's, so they are written as they stood. */
static void put_properties(struct converting *c, const char *name, const struct json *j)
{
	make_object(&c->m, name);
	for (const struct json *k = j->first; k; k = k->next) {
		if (k != j->first)
			json_out_puts(&c->m.out, ",");
		json_out_put(&c->m.out, k->key);
		json_out_puts(&c->m.out, ":");
		c->m.comma = false;
		put_schema(c, NULL, k);
	}
	make_object_end(&c->m);
}

static struct slice lower(struct arena *arena, struct slice text)
{
	char *at = arena_cstring(arena, text);

	for (size_t i = 0; i < text.len; i++)
		if (at[i] >= 'A' && at[i] <= 'Z')
			at[i] = (char)(at[i] - 'A' + 'a');
	return (struct slice){ at, text.len };
}

static void put_type(struct converting *c, const struct json *type, bool nullable)
{
	struct slice word = lower(c->arena, json_string(c->arena, type->raw));

	if (slice_eq(word, S("type_unspecified")))
		return;
	if (!nullable) {
		make_text(&c->m, "type", word);
		return;
	}
	make_array(&c->m, "type");
	make_text(&c->m, NULL, word);
	make_text(&c->m, NULL, S("null"));
	make_array_end(&c->m);
}

static bool is_one_of(struct slice key, const char *const *names)
{
	for (; *names; names++)
		if (json_string_eq(key, slice_of(*names)))
			return true;
	return false;
}

static void put_member(struct converting *c, const struct json *k, bool nullable)
{
	static const char *const counts[] = { "minItems", "maxItems", "minLength", "maxLength",
					      "minProperties", "maxProperties", NULL };
	static const char *const schemas[] = { "items", "additionalProperties", "not", NULL };
	static const char *const lists[] = { "anyOf", "oneOf", "allOf", "prefixItems", NULL };
	static const char *const maps[] = { "properties", "$defs", "defs", "definitions", NULL };
	static const char *const dropped[] = { "nullable", "propertyOrdering", "property_ordering",
					       "example", NULL };
	const char *name = arena_cstring(c->arena, json_string(c->arena, k->key));

	if (is_one_of(k->key, dropped) || strpbrk(name, "\"\\") || (unsigned char)name[0] < 0x20)
		return;
	if (json_string_eq(k->key, S("type")) && k->type == JSON_STRING)
		put_type(c, k, nullable);
	else if (is_one_of(k->key, counts) && k->type == JSON_STRING)
		make_raw(&c->m, name, json_string(c->arena, k->raw));
	else if (is_one_of(k->key, schemas) && k->type == JSON_OBJECT)
		put_schema(c, name, k);
	else if (is_one_of(k->key, lists) && k->type == JSON_ARRAY)
		put_list(c, name, k);
	else if (is_one_of(k->key, maps) && k->type == JSON_OBJECT)
		put_properties(c, strcmp(name, "defs") == 0 ? "$defs" : name, k);
	else
		make_raw(&c->m, name, k->raw);
}

static void put_schema(struct converting *c, const char *name, const struct json *j)
{
	const struct json *nullable = json_get(j, S("nullable"));

	if (j->type != JSON_OBJECT) {
		make_raw(&c->m, name, j->raw);
		return;
	}
	make_object(&c->m, name);
	for (const struct json *k = j->first; k; k = k->next)
		put_member(c, k, nullable && nullable->type == JSON_TRUE);
	make_object_end(&c->m);
}

/* A count that is no number would make the whole no JSON. */
static bool counts_are_numbers(struct slice text)
{
	return json_validate(text, NULL) == JSON_OK;
}

struct slice gemini_to_json_schema(struct arena *arena, struct slice raw)
{
	const struct json *j = json_parse(arena, raw, NULL, NULL);
	struct buf out = BUF_INIT(SCHEMA_MAX);
	struct converting c = { .arena = arena, .m = json_make_start(&out) };
	struct slice copy = raw;

	if (j && j->type == JSON_OBJECT) {
		put_schema(&c, NULL, j);
		if (json_make_finish(&c.m) && counts_are_numbers(buf_slice(&out)))
			copy = arena_copy(arena, buf_slice(&out));
	}
	buf_free(&out);
	return copy;
}
