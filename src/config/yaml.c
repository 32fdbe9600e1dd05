/* yaml.c: libyaml's events to a tree of nodes that know their line and column.
 *
 * Of YAML we take the plain part: mappings, lists, scalars. Anchors, aliases,
 * tags and several documents are refused with a sentence, duplicate keys too.
 *
 * In a flow mapping ({key: ${NAME}}) the braces of ${…} would end the value.
 * So the text between "${" and "}" is shifted into a private range of Unicode
 * before libyaml sees it, and back in what it gives: one character stays one
 * character, so columns stay right. */
#include "config/inside.h"

#include <string.h>
#include <yaml.h>

/* U+10FE00 + byte, as UTF-8: F4 8F B8 80 .. F4 8F B9 BF for bytes 0 .. 127. */
#define SHIFTED_LEN 4
#define SHIFTED_LEAD "\xf4\x8f"

struct yaml_reading {
	struct reader *r;
	yaml_parser_t parser;
	struct slice text;            /* shifted */
	bool failed;
};

struct growing {
	void *items;
	size_t count, size;
};

/* One more item of `item_size` bytes at the end of an array in `arena`. */
static void *grow(struct arena *arena, struct growing *g, size_t item_size)
{
	if (g->count == g->size) {
		size_t size = g->size ? 2 * g->size : 8;
		char *items = arena_alloc_array(arena, item_size, size);

		if (g->count)
			memcpy(items, g->items, g->count * item_size);
		g->items = items;
		g->size = size;
	}
	return (char *)g->items + g->count++ * item_size;
}

static bool is_shifted(struct slice s, size_t at)
{
	if (s.len - at < SHIFTED_LEN || memcmp(s.at + at, SHIFTED_LEAD, 2) != 0)
		return false;
	return s.at[at + 2] == '\xb8' || s.at[at + 2] == '\xb9';
}

/* Length of the ${…} at the front of `s`; 0 if there is none on this line.
 * Anything may stand behind a ':', only a name before it: a lost brace must not
 * swallow the quote that ends the value. */
static size_t placeholder_len(struct slice s)
{
	size_t i = 2;

	if (s.len < 3 || s.at[0] != '$' || s.at[1] != '{')
		return 0;
	while (i < s.len && value_is_name(slice_sub(s, i, i + 1), "_-.", 1))
		i++;
	if (i < s.len && s.at[i] != ':' && s.at[i] != '}')
		return 0;
	for (; i < s.len; i++) {
		if (s.at[i] == '}')
			return i + 1;
		if (s.at[i] == '\n' || s.at[i] == '\r' || s.at[i] == '\0')
			return 0;
	}
	return 0;
}

static size_t shift_one(char *out, unsigned char c)
{
	if (c >= 0x80) {
		*out = (char)c;
		return 1;
	}
	memcpy(out, SHIFTED_LEAD, 2);
	out[2] = (char)(0xb8 + (c >> 6));
	out[3] = (char)(0x80 + (c & 0x3f));
	return SHIFTED_LEN;
}

/* SLICE_NONE after a complaint. */
static struct slice shift(struct reader *r, struct slice text)
{
	char *out = arena_alloc(r->scratch, SHIFTED_LEN * text.len + 1);
	size_t at = 0;

	for (size_t i = 0; i < text.len;) {
		size_t len = placeholder_len(slice_from(text, i));

		if (is_shifted(text, i)) {
			complain(r, 1, 1, "the file holds a character of the private range "
				 "U+10FE00 to U+10FE7F; remove it");
			return SLICE_NONE;
		}
		if (len == 0) {
			out[at++] = text.at[i++];
			continue;
		}
		out[at++] = text.at[i++];
		for (size_t end = i + len - 1; i < end; i++)
			at += shift_one(out + at, (unsigned char)text.at[i]);
	}
	return (struct slice){ out, at };
}

static struct slice unshift(struct arena *arena, struct slice s)
{
	struct slice out = arena_copy(arena, s);
	char *bytes = (char *)(uintptr_t)out.at;
	size_t at = 0;

	for (size_t i = 0; i < s.len;) {
		if (is_shifted(s, i)) {
			bytes[at++] = (char)(((s.at[i + 2] & 1) << 6) | (s.at[i + 3] & 0x3f));
			i += SHIFTED_LEN;
		} else {
			bytes[at++] = s.at[i++];
		}
	}
	bytes[at] = '\0';
	out.len = at;
	return out;
}

/* Line and column of a byte of the shifted text. */
static void place_of(struct slice text, size_t offset, unsigned *line, unsigned *column)
{
	*line = *column = 1;
	for (size_t i = 0; i < offset && i < text.len; i++) {
		if (text.at[i] == '\n') {
			(*line)++;
			*column = 1;
		} else if (((unsigned char)text.at[i] & 0xc0) != 0x80) {
			(*column)++;
		}
	}
}

static const char *yaml_remedy(const struct yaml_reading *y)
{
	const char *problem = y->parser.problem ? y->parser.problem : "";

	if (strstr(problem, "cannot start any token"))
		return "a value may not start with this character (tabs cannot indent, and @ or ` "
		       "need quotes): use spaces, or put the value in quotes";
	if (strstr(problem, "mapping values are not allowed"))
		return "there is a second \": \" on this line, or the line before it is indented "
		       "differently: check the indentation, or put the value in quotes";
	if (strstr(problem, "expected ',' or"))
		return "close the bracket, or put a comma between the values";
	if (strstr(problem, "unexpected end of stream"))
		return "close the quote";
	return "check the indentation and the quotes around here";
}

static void complain_yaml(struct yaml_reading *y)
{
	const yaml_parser_t *p = &y->parser;
	unsigned line, column;

	y->failed = true;
	if (p->error == YAML_READER_ERROR) {
		place_of(y->text, p->problem_offset, &line, &column);
		complain(y->r, line, column, "not readable as UTF-8 text (%s); save the file as UTF-8",
			 p->problem ? p->problem : "bad byte");
		return;
	}
	line = (unsigned)p->problem_mark.line + 1;
	column = (unsigned)p->problem_mark.column + 1;
	complain(y->r, line, column, "not valid YAML (%s); %s",
		 p->problem ? p->problem : "out of memory", yaml_remedy(y));
}

static bool next_event(struct yaml_reading *y, yaml_event_t *e)
{
	if (y->failed)
		return false;
	if (!yaml_parser_parse(&y->parser, e)) {
		complain_yaml(y);
		return false;
	}
	return true;
}

static bool refuse(struct yaml_reading *y, const yaml_event_t *e, const char *text)
{
	complain(y->r, (unsigned)e->start_mark.line + 1, (unsigned)e->start_mark.column + 1, "%s",
		 text);
	y->failed = true;
	return false;
}

static bool has_extras(struct yaml_reading *y, const yaml_event_t *e)
{
	const yaml_char_t *anchor = NULL, *tag = NULL;

	if (e->type == YAML_ALIAS_EVENT)
		return !refuse(y, e, "aliases (*name) are not understood here; write the value out");
	if (e->type == YAML_SCALAR_EVENT)
		anchor = e->data.scalar.anchor, tag = e->data.scalar.tag;
	if (e->type == YAML_SEQUENCE_START_EVENT)
		anchor = e->data.sequence_start.anchor, tag = e->data.sequence_start.tag;
	if (e->type == YAML_MAPPING_START_EVENT)
		anchor = e->data.mapping_start.anchor, tag = e->data.mapping_start.tag;
	if (anchor)
		return !refuse(y, e, "anchors (&name) are not understood here; write the value out "
			       "where it is used");
	if (tag)
		return !refuse(y, e, "tags (!name) are not understood here; remove it, and use quotes "
			       "if the value starts with an exclamation mark");
	return false;
}

static struct node *read_node(struct yaml_reading *y, const yaml_event_t *e, unsigned depth);

static struct slice scalar_text(struct yaml_reading *y, const yaml_event_t *e)
{
	return unshift(y->r->scratch, (struct slice){ (const char *)e->data.scalar.value,
						      e->data.scalar.length });
}

static void read_list(struct yaml_reading *y, struct node *n, unsigned depth)
{
	struct growing items = { 0 };
	yaml_event_t e;
	bool more = true;

	while (more && next_event(y, &e)) {
		more = e.type != YAML_SEQUENCE_END_EVENT;
		if (more) {
			struct node *item = read_node(y, &e, depth);

			if (item)
				*(struct node **)grow(y->r->scratch, &items, sizeof item) = item;
		}
		yaml_event_delete(&e);
	}
	n->items = items.items;
	n->count = items.count;
}

static void check_key(struct yaml_reading *y, const struct member *members, size_t count,
		      const struct member *m)
{
	for (size_t i = 0; i < count; i++) {
		if (!slice_eq(members[i].key, m->key))
			continue;
		complain(y->r, m->line, m->column, "the key %s is already there in line %u; keep one "
			 "of the two", quote(y->r, m->key), members[i].line);
		return;
	}
}

static bool read_key(struct yaml_reading *y, const yaml_event_t *e, struct member *m)
{
	if (has_extras(y, e))
		return false;
	if (e->type != YAML_SCALAR_EVENT)
		return refuse(y, e, "a key must be a single word, not a list or a mapping; put ${…} and "
			      "other values with brackets in quotes");
	*m = (struct member){
		.key = scalar_text(y, e),
		.line = (unsigned)e->start_mark.line + 1,
		.column = (unsigned)e->start_mark.column + 1,
	};
	return true;
}

static void read_map(struct yaml_reading *y, struct node *n, unsigned depth)
{
	struct growing members = { 0 };
	yaml_event_t e;
	bool more = true;

	while (more && next_event(y, &e)) {
		struct member m;
		bool good = false;

		more = e.type != YAML_MAPPING_END_EVENT;
		if (more)
			good = read_key(y, &e, &m);
		if (good && members.count >= CONFIG_MEMBERS_MAX)
			good = refuse(y, &e, "this mapping has more than 4096 keys; split it up");
		yaml_event_delete(&e);
		if (!good || !next_event(y, &e))
			continue;
		m.value = read_node(y, &e, depth);
		yaml_event_delete(&e);
		if (!m.value)
			continue;
		check_key(y, members.items, members.count, &m);
		*(struct member *)grow(y->r->scratch, &members, sizeof m) = m;
	}
	n->members = members.items;
	n->count = members.count;
}

/* NULL after a complaint. */
static struct node *read_node(struct yaml_reading *y, const yaml_event_t *e, unsigned depth)
{
	struct node *n;

	if (has_extras(y, e))
		return NULL;
	if (depth >= CONFIG_DEPTH_MAX) {
		refuse(y, e, "nested too deeply; no value of a config is 16 levels down");
		return NULL;
	}
	n = arena_new(y->r->scratch, struct node);
	n->line = (unsigned)e->start_mark.line + 1;
	n->column = (unsigned)e->start_mark.column + 1;
	n->one_line = e->start_mark.line == e->end_mark.line;
	switch (e->type) {
	case YAML_SCALAR_EVENT:
		n->kind = NODE_SCALAR;
		n->quoted = e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
		n->text = n->written = scalar_text(y, e);
		break;
	case YAML_SEQUENCE_START_EVENT:
		n->kind = NODE_LIST;
		read_list(y, n, depth + 1);
		break;
	case YAML_MAPPING_START_EVENT:
		n->kind = NODE_MAP;
		read_map(y, n, depth + 1);
		break;
	default:
		never("no other event starts a node");
	}
	return y->failed ? NULL : n;
}

static struct node *read_documents(struct yaml_reading *y)
{
	struct node *root = NULL;
	yaml_event_t e;
	bool more = true;
	unsigned documents = 0;

	while (more && next_event(y, &e)) {
		switch (e.type) {
		case YAML_STREAM_START_EVENT:
		case YAML_DOCUMENT_END_EVENT:
			break;
		case YAML_STREAM_END_EVENT:
			more = false;
			break;
		case YAML_DOCUMENT_START_EVENT:
			if (documents++)
				refuse(y, &e, "a second document starts here; a config is one document");
			break;
		default:
			root = read_node(y, &e, 0);
		}
		yaml_event_delete(&e);
	}
	return y->failed ? NULL : root;
}

struct node *yaml_read(struct reader *r, struct slice text)
{
	struct yaml_reading y = { .r = r };
	struct node *root;

	if (text.len > CONFIG_BYTES_MAX) {
		complain(r, 1, 1, "the file is larger than 1 MiB; a config that long is a mistake");
		return NULL;
	}
	if (slice_starts(text, S("\xef\xbb\xbf")))
		text = slice_from(text, 3);
	y.text = shift(r, text);
	if (!y.text.at)
		return NULL;
	must(yaml_parser_initialize(&y.parser));
	yaml_parser_set_encoding(&y.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&y.parser, (const unsigned char *)y.text.at, y.text.len);
	root = read_documents(&y);
	yaml_parser_delete(&y.parser);
	if (!root && !y.failed)
		complain(r, 1, 1, "the file is empty; see docs/config.md for a first one");
	return root;
}

struct node *node_get(const struct node *map, const char *key)
{
	if (!map || map->kind != NODE_MAP)
		return NULL;
	for (size_t i = 0; i < map->count; i++)
		if (slice_eq(map->members[i].key, slice_of(key)))
			return map->members[i].value;
	return NULL;
}

const char *node_kind_text(const struct node *n)
{
	switch (n->kind) {
	case NODE_SCALAR: return "a single value";
	case NODE_LIST: return "a list";
	case NODE_MAP: return "a mapping";
	}
	never("a node has one of three kinds");
}

bool node_is_null(const struct node *n)
{
	if (n->kind != NODE_SCALAR || n->quoted)
		return false;
	return n->written.len == 0 || slice_eq(n->written, S("~")) || slice_eq(n->written, S("null"));
}
