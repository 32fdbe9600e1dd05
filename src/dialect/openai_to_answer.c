/* openai_to_answer.c: a whole complete stream retold as one answer (catalogue
 * E35).
 *
 * What deltas say is joined by member: strings and lists (annotations, token
 * probabilities) one behind another, tool calls by their index, of all else the
 * last value stands. Strings are joined as they
 * are spelled, so nothing is decoded, and a surrogate pair that was cut between
 * two deltas is whole again. */
#include "dialect/openai.h"

#include "base/check.h"
#include "dialect/json_out.h"
#include "wire/json.h"
#include "wire/sse.h"

#define SSE_BYTES_MIN 16             /* no event is longer than the stream; a parser wants some room */
#define JOINED_MAX 1024              /* choices of an answer, calls of a message */

/* A piece of a joined string, without quotes. */
struct piece { struct piece *next; struct slice text; };

/* An object that grows by deltas. */
struct member {
	struct member *next;
	struct slice key;            /* raw */
	struct slice value;          /* raw; the last one, where it is no string */
	struct piece *pieces, **end; /* of a string, or of a list */
	bool is_string, is_list;
	struct joined *object;       /* of an object (a call's function) */
	struct joined *elements;     /* of tool_calls */
};

struct joined {
	struct joined *next;         /* among the elements of an array */
	int64_t index;
	struct member *members;
};

struct answer {
	struct arena *arena;
	struct slice first_chunk;    /* for id, model and the like */
	struct slice usage, response;
	struct piece *items, **last_item;     /* a response's, as they were said to be done */
	struct joined *choices;
	bool broken;
};

/* ---- joining -------------------------------------------------------------------------- */

static struct member *member_of(struct arena *arena, struct joined *j, struct slice key)
{
	struct member **at = &j->members;

	for (; *at; at = &(*at)->next)
		if (slice_eq((*at)->key, key))
			return *at;
	*at = arena_new(arena, struct member);
	(*at)->key = key;
	(*at)->end = &(*at)->pieces;
	return *at;
}

/* The element with that index, in order; NULL where there would be too many. */
static struct joined *element_of(struct arena *arena, struct joined **list, int64_t index)
{
	struct joined *made;
	unsigned count = 0;

	for (; *list && (*list)->index <= index; list = &(*list)->next) {
		if ((*list)->index == index)
			return *list;
		if (++count == JOINED_MAX)
			return NULL;
	}
	made = arena_new(arena, struct joined);
	made->index = index;
	made->next = *list;
	*list = made;
	return made;
}

static int64_t index_of(struct slice object, int64_t position)
{
	int64_t index;

	return json_i64(json_member(object, S("index")), &index) && index >= 0 ? index : position;
}

static void add_piece(struct arena *arena, struct member *m, struct slice text)
{
	struct piece *piece = arena_new(arena, struct piece);

	piece->text = text;
	*m->end = piece;
	m->end = &piece->next;
}

static void join_string(struct arena *arena, struct member *m, struct slice raw)
{
	add_piece(arena, m, slice_sub(raw, 1, raw.len - 1));
	m->is_string = true;
}

static void join_list(struct arena *arena, struct member *m, struct slice raw)
{
	struct slice inside = slice_trim(slice_sub(raw, 1, raw.len - 1));

	if (inside.len)
		add_piece(arena, m, inside);
	m->is_list = true;
}

/* Of these the first one stands; the rest of the strings grow. */
static bool is_name(struct slice key)
{
	return slice_eq(key, S("\"role\"")) || slice_eq(key, S("\"id\"")) ||
	       slice_eq(key, S("\"type\""));
}

/* A call's function, and the old function_call: objects that grow too. */
static bool grows(struct slice key)
{
	return slice_eq(key, S("\"function\"")) || slice_eq(key, S("\"function_call\"")) ||
	       slice_eq(key, S("\"custom\""));
}

static void join_leaf(struct arena *arena, struct member *m, struct slice value)
{
	if (json_type_of(value) == JSON_STRING) {
		if (!(is_name(m->key) && m->is_string))
			join_string(arena, m, value);
	} else if (json_type_of(value) == JSON_ARRAY && !m->is_string) {
		join_list(arena, m, value);
	} else if (!json_is_nothing(value)) {
		m->value = value;
	}
}

static void join_flat(struct arena *arena, struct joined *into, struct slice object)
{
	struct slice key, value;

	while (json_next(&object, &key, &value))
		join_leaf(arena, member_of(arena, into, key), value);
}

static void join_call(struct answer *a, struct joined *into, struct slice call)
{
	struct slice key, value;

	while (json_next(&call, &key, &value)) {
		struct member *m;

		if (slice_eq(key, S("\"index\"")))      /* only streams number their calls */
			continue;
		m = member_of(a->arena, into, key);
		if (grows(key) && json_type_of(value) == JSON_OBJECT) {
			if (!m->object)
				m->object = arena_new(a->arena, struct joined);
			join_flat(a->arena, m->object, value);
		} else {
			join_leaf(a->arena, m, value);
		}
	}
}

static void join_calls(struct answer *a, struct member *m, struct slice calls)
{
	struct slice call;
	int64_t position = 0;

	while (json_next(&calls, NULL, &call)) {
		struct joined *into = element_of(a->arena, &m->elements, index_of(call, position++));

		if (into)
			join_call(a, into, call);
		else
			a->broken = true;
	}
}

static void join_delta(struct answer *a, struct joined *into, struct slice delta)
{
	struct slice key, value;

	while (json_next(&delta, &key, &value)) {
		struct member *m = member_of(a->arena, into, key);

		if (slice_eq(key, S("\"tool_calls\"")) && json_type_of(value) == JSON_ARRAY) {
			join_calls(a, m, value);
		} else if (grows(key) && json_type_of(value) == JSON_OBJECT) {
			if (!m->object)
				m->object = arena_new(a->arena, struct joined);
			join_flat(a->arena, m->object, value);
		} else {
			join_leaf(a->arena, m, value);
		}
	}
}

static void join_choice(struct answer *a, struct joined *into, struct slice choice)
{
	struct slice key, value;

	while (json_next(&choice, &key, &value)) {
		struct member *m;

		if (slice_eq(key, S("\"index\"")))
			continue;
		m = member_of(a->arena, into, key);
		if (slice_eq(key, S("\"delta\"")) && json_type_of(value) == JSON_OBJECT) {
			if (!m->object)
				m->object = arena_new(a->arena, struct joined);
			join_delta(a, m->object, value);
		} else if (slice_eq(key, S("\"logprobs\"")) && json_type_of(value) == JSON_OBJECT) {
			if (!m->object)
				m->object = arena_new(a->arena, struct joined);
			join_flat(a->arena, m->object, value);
		} else if (slice_eq(key, S("\"finish_reason\""))) {
			if (!json_is_nothing(value) && value.len > 2)
				m->value = value;
		} else {
			join_leaf(a->arena, m, value);
		}
	}
}

static void join_chunk(struct answer *a, struct slice chunk)
{
	struct slice choices = json_member(chunk, S("choices")), usage, choice;
	int64_t position = 0;

	if (!a->first_chunk.len && json_type_of(choices) == JSON_ARRAY && choices.len > 2)
		a->first_chunk = chunk;
	usage = json_member(chunk, S("usage"));
	if (!json_is_nothing(usage))
		a->usage = usage;
	if (json_type_of(choices) != JSON_ARRAY)
		return;
	while (json_next(&choices, NULL, &choice)) {
		struct joined *into = element_of(a->arena, &a->choices, index_of(choice, position++));

		if (into)
			join_choice(a, into, choice);
		else
			a->broken = true;
	}
}

static void add_item(struct answer *a, struct slice value)
{
	struct piece *item;

	if (json_type_of(value) != JSON_OBJECT)
		return;
	item = arena_new(a->arena, struct piece);
	item->text = value;
	*a->last_item = item;
	a->last_item = &item->next;
}

static void join_event(struct answer *a, struct slice data)
{
	struct slice response;

	if (slice_starts(data, S("[DONE]")) || data.len == 0)
		return;
	if (json_validate(data, NULL) != JSON_OK || json_type_of(data) != JSON_OBJECT) {
		a->broken = true;
		return;
	}
	data = arena_copy(a->arena, slice_trim(data));
	response = json_member(data, S("response"));
	if (!json_is_nothing(response))
		a->response = response;          /* the last one is the whole one */
	else if (json_string_eq(json_member(data, S("type")), S("response.output_item.done")))
		add_item(a, json_member(data, S("item")));
	join_chunk(a, data);
}

/* ---- telling ---------------------------------------------------------------------------- */

static void put_joined(struct json_out *o, const struct joined *j);

static void put_elements(struct json_out *o, const struct joined *elements)
{
	json_out_puts(o, "[");
	for (const struct joined *e = elements; e; e = e->next) {
		if (e != elements)
			json_out_puts(o, ",");
		put_joined(o, e);
	}
	json_out_puts(o, "]");
}

static void put_list(struct json_out *o, const struct piece *pieces)
{
	json_out_puts(o, "[");
	for (const struct piece *p = pieces; p; p = p->next) {
		if (p != pieces)
			json_out_puts(o, ",");
		json_out_raw(o, p->text);
	}
	json_out_puts(o, "]");
}

static void put_value(struct json_out *o, const struct member *m)
{
	if (m->elements) {
		put_elements(o, m->elements);
	} else if (m->object) {
		put_joined(o, m->object);
	} else if (m->is_string) {
		json_out_puts(o, "\"");
		for (const struct piece *p = m->pieces; p; p = p->next)
			json_out_put(o, p->text);
		json_out_puts(o, "\"");
	} else if (m->is_list) {
		put_list(o, m->pieces);
	} else {
		json_out_raw(o, m->value.len ? m->value : S("null"));
	}
}

static void put_joined(struct json_out *o, const struct joined *j)
{
	json_out_puts(o, "{");
	for (const struct member *m = j->members; m; m = m->next) {
		if (m != j->members)
			json_out_puts(o, ",");
		json_out_raw(o, m->key);
		json_out_puts(o, ":");
		put_value(o, m);
	}
	json_out_puts(o, "}");
}

/* A delta becomes the message; role and content are always there. */
static void put_message(struct json_out *o, const struct joined *delta)
{
	bool content = false;

	json_out_puts(o, "\"message\":{\"role\":\"assistant\"");
	for (const struct member *m = delta ? delta->members : NULL; m; m = m->next) {
		if (slice_eq(m->key, S("\"role\"")))
			continue;
		content |= slice_eq(m->key, S("\"content\""));
		json_out_puts(o, ",");
		json_out_raw(o, m->key);
		json_out_puts(o, ":");
		put_value(o, m);
	}
	if (!content)
		json_out_puts(o, ",\"content\":null");
	json_out_puts(o, "}");
}

static void put_choice(struct json_out *o, bool chat, const struct joined *choice)
{
	const struct member *finish = NULL, *delta = NULL;

	json_out_puts(o, "{\"index\":");
	json_out_u64(o, (uint64_t)choice->index);
	for (const struct member *m = choice->members; m; m = m->next) {
		if (slice_eq(m->key, S("\"delta\""))) {
			delta = m;
		} else if (slice_eq(m->key, S("\"finish_reason\""))) {
			finish = m;
		} else {
			json_out_puts(o, ",");
			json_out_raw(o, m->key);
			json_out_puts(o, ":");
			put_value(o, m);
		}
	}
	json_out_puts(o, ",");
	if (chat) {
		put_message(o, delta ? delta->object : NULL);
		json_out_puts(o, ",");
	}
	/* A stream that ended well without a reason (E13) has one now. */
	json_out_puts(o, "\"finish_reason\":");
	json_out_raw(o, finish && finish->value.len ? finish->value : S("\"stop\""));
	json_out_puts(o, "}");
}

static void put_answer(struct json_out *o, const struct endpoint *endpoint, const struct answer *a)
{
	const struct json_replace without[] = {
		{ .name = S("object") }, { .name = S("choices") }, { .name = S("usage") },
	};
	bool chat = endpoint->kind == ENDPOINT_CHAT;

	json_out_puts(o, "{");
	json_out_members(o, a->first_chunk, without, COUNT_OF(without));
	json_out_put(o, chat ? S("\"object\":\"chat.completion\"") : S("\"object\":\"text_completion\""));
	json_out_puts(o, ",\"choices\":[");
	for (const struct joined *c = a->choices; c; c = c->next) {
		if (c != a->choices)
			json_out_puts(o, ",");
		put_choice(o, chat, c);
	}
	json_out_puts(o, "]");
	if (a->usage.len) {
		json_out_puts(o, ",\"usage\":");
		json_out_raw(o, a->usage);
	}
	json_out_puts(o, "}");
}

/* The last response of a stream is the whole answer. Of some servers its output is
 * empty: then it is what was done before. False: it says that it is complete, and there
 * is nothing. */
static bool put_response(struct json_out *o, const struct answer *a)
{
	static const struct json_replace without[] = { { .name = S_INIT("output") } };
	struct slice output = json_member(a->response, S("output")), first;
	bool has_output = json_type_of(output) == JSON_ARRAY && json_next(&output, NULL, &first);

	if (json_type_of(a->response) != JSON_OBJECT)
		return false;
	if (!has_output && !a->items && json_string_eq(json_member(a->response, S("status")), S("completed")))
		return false;
	if (has_output || !a->items) {
		json_out_raw(o, a->response);
		return true;
	}
	json_out_puts(o, "{");
	json_out_members(o, a->response, without, COUNT_OF(without));
	json_out_puts(o, "\"output\":");
	put_list(o, a->items);
	json_out_puts(o, "}");
	return true;
}

bool openai_stream_to_answer(struct arena *arena, const struct endpoint *endpoint,
			     struct slice stream, struct buf *out)
{
	struct json_out o = json_out_start(out);
	struct answer a = { .arena = arena };
	struct sse_event ev;
	struct sse parser;

	if (endpoint->kind != ENDPOINT_CHAT && endpoint->kind != ENDPOINT_COMPLETIONS &&
	    endpoint->kind != ENDPOINT_RESPONSES)
		return false;
	a.last_item = &a.items;
	sse_init(&parser, stream.len + SSE_BYTES_MIN);
	while (!a.broken && sse_feed(&parser, &stream, &ev) == SSE_EVENT)
		if (ev.has_data)
			join_event(&a, slice_trim(ev.data));
	sse_free(&parser);
	if (a.broken)
		return false;
	if (endpoint->kind == ENDPOINT_RESPONSES) {
		if (!put_response(&o, &a))
			return false;
	} else {
		if (!a.choices)
			return false;
		put_answer(&o, endpoint, &a);
	}
	return json_out_finish(&o);
}
