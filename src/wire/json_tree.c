/* json_tree.c: reading values: children of raw containers, decoded strings,
 * and the small tree. */
#include "wire/json_scan.h"

#include <string.h>

/* ---- strings --------------------------------------------------------------- */

bool json_string_body(struct slice raw, struct slice *body, bool *escaped)
{
	struct json_walk w;
	struct json_token t;

	json_walk_start(&w, raw);
	if (raw.len < 2 || raw.at[0] != '"')
		return false;
	if (json_walk_step(&w, &t) != JSON_OK || w.at != w.end)
		return false;
	*body = slice_sub(raw, 1, raw.len - 1);
	*escaped = body->len > 0 && memchr(body->at, '\\', body->len) != NULL;
	return true;
}

static uint32_t hex4(const char *p)
{
	uint32_t value = 0;

	for (int i = 0; i < 4; i++) {
		uint32_t c = (unsigned char)p[i];

		value = value << 4 | (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
	}
	return value;
}

/* Writes a code point (no surrogate) as UTF-8; returns the length. */
static size_t put_utf8(uint32_t point, char out[4])
{
	if (point < 0x80) {
		out[0] = (char)point;
		return 1;
	}
	if (point < 0x800) {
		out[0] = (char)(0xc0 | point >> 6);
		out[1] = (char)(0x80 | (point & 0x3f));
		return 2;
	}
	if (point < 0x10000) {
		out[0] = (char)(0xe0 | point >> 12);
		out[1] = (char)(0x80 | (point >> 6 & 0x3f));
		out[2] = (char)(0x80 | (point & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | point >> 18);
	out[1] = (char)(0x80 | (point >> 12 & 0x3f));
	out[2] = (char)(0x80 | (point >> 6 & 0x3f));
	out[3] = (char)(0x80 | (point & 0x3f));
	return 4;
}

/* Decodes the escape at *at (a valid string's backslash), with the second half
 * of a surrogate pair; *at is behind it afterwards. Returns the length. */
static size_t decode_escape(const char **at, const char *end, char out[4])
{
	const char *p = *at;
	uint32_t point;

	*at += 2;
	switch (p[1]) {
	case 'b': point = '\b'; break;
	case 'f': point = '\f'; break;
	case 'n': point = '\n'; break;
	case 'r': point = '\r'; break;
	case 't': point = '\t'; break;
	case 'u':
		point = hex4(p + 2);
		*at += 4;
		if (point < 0xd800 || point > 0xdfff)
			break;
		if (point < 0xdc00 && end - *at >= 6 && (*at)[0] == '\\' && (*at)[1] == 'u') {
			uint32_t low = hex4(*at + 2);

			if (low >= 0xdc00 && low <= 0xdfff) {
				*at += 6;
				point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
				break;
			}
		}
		point = 0xfffd;
		break;
	default:
		point = (unsigned char)p[1];
		break;
	}
	return put_utf8(point, out);
}

bool json_body_eq(struct slice body, bool escaped, struct slice text)
{
	const char *p, *end;
	size_t seen = 0;
	char out[4];

	if (!escaped)
		return slice_eq(body, text);
	for (p = body.at, end = body.at + body.len; p < end; ) {
		size_t len = 1;

		if (*p == '\\')
			len = decode_escape(&p, end, out);
		else
			out[0] = *p++;
		if (text.len - seen < len || memcmp(text.at + seen, out, len) != 0)
			return false;
		seen += len;
	}
	return seen == text.len;
}

struct slice json_string(struct arena *arena, struct slice raw)
{
	struct slice body;
	const char *p, *end;
	char *to, *text;
	bool escaped;

	if (!json_string_body(raw, &body, &escaped))
		return SLICE_NONE;
	if (!escaped)
		return body;
	/* No escape is shorter than what it stands for. */
	to = text = arena_alloc(arena, body.len);
	for (p = body.at, end = body.at + body.len; p < end; ) {
		const char *next = memchr(p, '\\', (size_t)(end - p));
		size_t run = (size_t)((next ? next : end) - p);
		char out[4];

		memcpy(to, p, run);
		to += run;
		p += run;
		if (next) {
			size_t len = decode_escape(&p, end, out);

			memcpy(to, out, len);
			to += len;
		}
	}
	return (struct slice){ text, (size_t)(to - text) };
}

bool json_string_eq(struct slice raw, struct slice text)
{
	struct slice body;
	bool escaped;

	return json_string_body(raw, &body, &escaped) && json_body_eq(body, escaped, text);
}

/* ---- other values ----------------------------------------------------------- */

/* Without the space that JSON allows in front. */
static struct slice without_space(struct slice raw)
{
	while (raw.len > 0 && memchr(" \t\r\n", raw.at[0], 4))
		raw = slice_from(raw, 1);
	return raw;
}

enum json_type json_type_of(struct slice raw)
{
	raw = without_space(raw);
	switch (raw.len ? raw.at[0] : 'n') {
	case '{': return JSON_OBJECT;
	case '[': return JSON_ARRAY;
	case '"': return JSON_STRING;
	case 't': return JSON_TRUE;
	case 'f': return JSON_FALSE;
	case '-': case '0': case '1': case '2': case '3': case '4':
	case '5': case '6': case '7': case '8': case '9':
		return JSON_NUMBER;
	default:
		return JSON_NULL;
	}
}

bool json_i64(struct slice raw, int64_t *out)
{
	struct slice digits = raw;

	if (digits.len && digits.at[0] == '-')
		digits = slice_from(digits, 1);
	if (digits.len > 1 && digits.at[0] == '0')
		return false;
	return slice_to_i64(raw, out);
}

bool json_is_true(struct slice raw)
{
	return slice_eq(raw, S("true"));
}

bool json_is_nothing(struct slice raw)
{
	return raw.len == 0 || slice_eq(raw, S("null"));
}

/* ---- children of raw containers --------------------------------------------- */

/* `rest` starts behind a child of some container: is that an object? A string
 * behind the comma is a key unless a comma or a bracket follows it. */
static bool rest_is_in_object(struct slice rest)
{
	struct json_walk w;
	struct json_token t;

	if (rest.at[0] != ',')
		return rest.at[0] == '}';
	rest = without_space(slice_from(rest, 1));
	if (rest.len == 0 || rest.at[0] != '"')
		return false;
	json_walk_start(&w, rest);
	if (json_walk_step(&w, &t) != JSON_OK)
		return false;
	rest = without_space(slice_from(rest, t.raw.len));
	return rest.len == 0 || !memchr(",]", rest.at[0], 2);
}

bool json_next(struct slice *rest, struct slice *key, struct slice *value)
{
	struct slice from = without_space(*rest);
	struct json_walk w;
	struct json_token t;

	*rest = SLICE_NONE;
	if (from.len == 0)
		return false;
	json_walk_start(&w, from);
	if (from.at[0] == '{' || from.at[0] == '[') {
		if (json_walk_step(&w, &t) != JSON_OK)
			return false;
	} else {
		/* Between two children, one level down. */
		w.depth = 1;
		w.in_object = rest_is_in_object(from);
		w.objects[0] = w.in_object;
	}
	if (json_walk_child(&w, &t) != JSON_OK || t.kind == JSON_TOKEN_CLOSE)
		return false;
	if (key)
		*key = t.key.at ? (struct slice){ t.key.at - 1, t.key.len + 2 } : SLICE_NONE;
	*value = t.raw;
	*rest = (struct slice){ w.at, (size_t)(w.end - w.at) };
	return true;
}

struct slice json_member(struct slice raw_object, struct slice name)
{
	struct json_walk w;
	struct json_token t;

	json_walk_start(&w, raw_object);
	if (json_walk_step(&w, &t) != JSON_OK || t.type != JSON_OBJECT)
		return SLICE_NONE;
	while (json_walk_child(&w, &t) == JSON_OK && t.kind != JSON_TOKEN_CLOSE) {
		if (json_body_eq(t.key, t.key_escaped, name))
			return t.raw;
	}
	return SLICE_NONE;
}

static struct slice element(struct slice raw_array, uint64_t index)
{
	struct json_walk w;
	struct json_token t;

	json_walk_start(&w, raw_array);
	if (json_walk_step(&w, &t) != JSON_OK || t.type != JSON_ARRAY)
		return SLICE_NONE;
	while (json_walk_child(&w, &t) == JSON_OK && t.kind != JSON_TOKEN_CLOSE) {
		if (index-- == 0)
			return t.raw;
	}
	return SLICE_NONE;
}

struct slice json_path(struct slice raw, struct slice path)
{
	struct slice name, tail;
	uint64_t index;

	while (path.len > 0 && raw.len > 0) {
		if (!slice_cut(path, '.', &name, &tail)) {
			name = path;
			tail = SLICE_NONE;
		}
		if (json_type_of(raw) == JSON_OBJECT)
			raw = json_member(raw, name);
		else if (slice_to_u64(name, &index))
			raw = element(raw, index);
		else
			raw = SLICE_NONE;
		path = tail;
	}
	return raw.len ? raw : SLICE_NONE;
}

/* ---- tree -------------------------------------------------------------------- */

struct build {
	struct arena *arena;
	size_t nodes;
	struct json *root;
	struct json *open[JSON_DEPTH_MAX];
	struct json *last[JSON_DEPTH_MAX];   /* youngest child of each */
};

/* `depth` containers are open around the new node. */
static struct json *build_node(struct build *b, size_t depth, const struct json_token *t)
{
	struct json *node = arena_new(b->arena, struct json), *parent;

	node->type = t->type;
	node->raw = t->raw;
	if (t->key.at)
		node->key = (struct slice){ t->key.at - 1, t->key.len + 2 };
	if (depth == 0) {
		b->root = node;
		return node;
	}
	parent = b->open[depth - 1];
	if (parent->count++ == 0)
		parent->first = node;
	else
		b->last[depth - 1]->next = node;
	b->last[depth - 1] = node;
	return node;
}

static enum json_result build_tree(struct build *b, struct json_walk *w)
{
	enum json_result r;
	struct json_token t;

	do {
		if ((r = json_walk_step(w, &t)) != JSON_OK)
			return r;
		if (t.kind == JSON_TOKEN_CLOSE) {
			struct json *closed = b->open[w->depth];

			closed->raw.len = (size_t)(w->at - closed->raw.at);
			continue;
		}
		if (b->nodes++ == JSON_TREE_MAX) {
			w->at = t.raw.at;
			return JSON_TOO_MANY;
		}
		if (t.kind == JSON_TOKEN_OPEN)
			b->open[w->depth - 1] = build_node(b, w->depth - 1, &t);
		else
			build_node(b, w->depth, &t);
	} while (w->depth > 0);
	return json_walk_end(w);
}

struct json *json_parse(struct arena *arena, struct slice doc, enum json_result *why,
			size_t *error_at)
{
	struct build b = { .arena = arena };
	struct json_walk w;
	enum json_result r;

	json_walk_start(&w, doc);
	r = build_tree(&b, &w);
	if (why)
		*why = r;
	if (r == JSON_OK)
		return b.root;
	if (error_at)
		*error_at = (size_t)(w.at - w.start);
	return NULL;
}

const struct json *json_get(const struct json *j, struct slice name)
{
	if (!j || j->type != JSON_OBJECT)
		return NULL;
	for (const struct json *child = j->first; child; child = child->next) {
		struct slice body = slice_sub(child->key, 1, child->key.len - 1);
		bool escaped = body.len > 0 && memchr(body.at, '\\', body.len) != NULL;

		if (json_body_eq(body, escaped, name))
			return child;
	}
	return NULL;
}

const struct json *json_at(const struct json *j, size_t index)
{
	const struct json *child;

	if (!j || j->type != JSON_ARRAY || index >= j->count)
		return NULL;
	for (child = j->first; index > 0; index--)
		child = child->next;
	return child;
}
