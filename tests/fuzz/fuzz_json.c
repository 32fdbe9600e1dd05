/* Any bytes as a JSON document: the readers must agree with each other, stay
 * inside the input, and what is written must be valid. */
#include "base/check.h"
#include "wire/json.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_be_inside(struct slice part, struct slice whole)
{
	if (!part.at)
		return;
	must(part.at >= whole.at);
	must(part.at + part.len <= whole.at + whole.len);
}

/* Reads every string, number and child below `raw`; returns the values seen. */
static size_t read_value(struct arena *arena, struct slice raw, int levels)
{
	struct slice rest = raw, key, value, text = json_string(arena, raw);
	size_t seen = 1;
	int64_t number;

	if (text.at) {
		must(json_string_eq(raw, text));
		must(text.len + 2 <= raw.len);
	}
	if (json_i64(raw, &number))
		must(json_type_of(raw) == JSON_NUMBER);
	while (levels > 0 && json_next(&rest, &key, &value)) {
		must_be_inside(rest, raw);
		must_be_inside(value, raw);
		must_be_inside(key, raw);
		must(value.len > 0);
		json_string(arena, key);
		seen += read_value(arena, value, levels - 1);
	}
	return seen;
}

static size_t count_nodes(const struct json *j)
{
	size_t seen = 1;

	for (const struct json *child = j->first; child; child = child->next)
		seen += count_nodes(child);
	return seen;
}

/* A wanted member is what the tree and the raw lookup find. */
static void compare_members(struct slice doc, const struct json *root, enum json_result valid)
{
	struct json_want wants[] = {
		{ .name = S_INIT("model") }, { .name = S_INIT("stream") }, { .name = S_INIT("a") },
	};
	size_t at = 0;
	enum json_result r = json_scan_object(doc, wants, COUNT_OF(wants), &at);

	must(at <= doc.len);
	must(r == valid || r == JSON_DUPLICATE || r == JSON_NOT_OBJECT);
	for (size_t i = 0; i < COUNT_OF(wants); i++) {
		const struct json *child = json_get(root, wants[i].name);

		must_be_inside(json_member(doc, wants[i].name), doc);
		must(!wants[i].found || r == JSON_OK);
		if (r != JSON_OK || !root)
			continue;
		must(wants[i].found == (child != NULL));
		must(!child || child->raw.at == wants[i].value.at);
		must(!child || child->raw.len == wants[i].value.len);
		must(!child || child->type == wants[i].type);
		must(json_member(doc, wants[i].name).at == wants[i].value.at);
	}
}

static void write_back(struct arena *arena, struct slice text)
{
	struct buf b = BUF_INIT(6 * text.len + 2);
	struct slice back;

	json_write_string(&b, text);
	must(json_validate(buf_slice(&b), NULL) == JSON_OK);
	back = json_string(arena, buf_slice(&b));
	must(back.at != NULL);
	must(json_string_eq(buf_slice(&b), back));
	buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_create(0);
	struct slice doc = { (const char *)data, size };
	enum json_result valid, why = JSON_RESULT_COUNT;
	size_t at = 0, tree_at = 0;
	struct json *root;

	valid = json_validate(doc, &at);
	root = json_parse(arena, doc, &why, &tree_at);
	must(at <= size);
	must(why == valid);
	must(tree_at == at);
	must((root != NULL) == (valid == JSON_OK));
	must(valid != JSON_CUT || at == size);
	compare_members(doc, root, valid);
	read_value(arena, doc, 8);
	must_be_inside(json_path(doc, S("a.0.b")), doc);
	must_be_inside(json_path(doc, S("error.message")), doc);
	if (root)
		must(read_value(arena, root->raw, JSON_DEPTH_MAX) == count_nodes(root));
	write_back(arena, doc);
	arena_free(arena);
	return 0;
}
