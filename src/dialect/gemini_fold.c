/* gemini_fold.c: one answer in the other form that the client asked for. The
 * pieces of a stream have the form of a whole answer, so both ways keep all that
 * is in them, what is not known here too: images, code that was run, grounding. */
#include "dialect/gemini.h"

#include "wire/sse.h"

#define EVENT_BYTES_MAX ((size_t)16 * 1024 * 1024)

/* A member of the answer or of a candidate, with its values in the pieces. */
struct value {
	struct value *next;
	struct slice raw;
};

struct member {
	struct member *next;
	struct slice key;            /* raw, without quotes */
	struct value *first, *last;
};

struct members {
	struct member *first, *last;
};

struct folding {
	struct arena *arena;
	struct members top, candidates[GEMINI_CHOICES_MAX];
	struct members parts[GEMINI_CHOICES_MAX];    /* one member with all of them */
	uint8_t seen, has_content;   /* bit n: candidate n was there, had content */
};

static void add_value(struct folding *f, struct members *list, struct slice key, struct slice raw)
{
	struct value *v = arena_new(f->arena, struct value);
	struct member *m = list->first;

	v->raw = raw;
	while (m && !slice_eq(m->key, key))
		m = m->next;
	if (m) {
		m->last->next = v;
		m->last = v;
		return;
	}
	m = arena_new(f->arena, struct member);
	*m = (struct member){ .key = key, .first = v, .last = v };
	if (list->last)
		list->last->next = m;
	else
		list->first = m;
	list->last = m;
}

static struct slice inside(struct slice raw_key)
{
	return slice_sub(raw_key, 1, raw_key.len - 1);
}

/* ---- reading ------------------------------------------------------------------------- */

static void take_content(struct folding *f, size_t n, struct slice content)
{
	struct slice rest = gemini_list(json_member(content, S("parts"))), part;

	f->has_content |= (uint8_t)(1u << n);
	while (rest.len && json_next(&rest, NULL, &part))
		add_value(f, &f->parts[n], SLICE_NONE, part);
}

static bool take_candidate(struct folding *f, struct slice raw)
{
	struct slice rest = raw, key, value;
	int64_t index = 0;

	if (json_type_of(raw) != JSON_OBJECT)
		return false;
	if (json_i64(json_member(raw, S("index")), &index) && (index < 0 || index >= GEMINI_CHOICES_MAX))
		return false;
	f->seen |= (uint8_t)(1u << index);
	while (json_next(&rest, &key, &value)) {
		if (slice_eq(key, S("\"content\"")) && json_type_of(value) == JSON_OBJECT)
			take_content(f, (size_t)index, value);
		else if (!json_is_nothing(value))
			add_value(f, &f->candidates[index], inside(key), value);
	}
	return true;
}

static bool take_piece(struct folding *f, struct slice data)
{
	struct slice rest = data, key, value, list, one;

	if (json_type_of(data) != JSON_OBJECT || json_validate(data, NULL) != JSON_OK)
		return false;
	while (json_next(&rest, &key, &value)) {
		if (!slice_eq(key, S("\"candidates\""))) {
			add_value(f, &f->top, inside(key), value);
			continue;
		}
		list = gemini_list(value);
		while (list.len && json_next(&list, NULL, &one))
			if (!take_candidate(f, one))
				return false;
	}
	return true;
}

static bool take_stream(struct folding *f, struct slice stream)
{
	struct sse_event event;
	struct sse sse;
	bool fine = true;

	sse_init(&sse, EVENT_BYTES_MAX);
	while (fine && sse_feed(&sse, &stream, &event) == SSE_EVENT)
		fine = !event.has_data || take_piece(f, arena_copy(f->arena, event.data));
	sse_free(&sse);
	return fine && (f->seen || f->top.first);
}

/* ---- writing ----------------------------------------------------------------------------- */

/* A part that is a text and nothing else can be one with its neighbour of the same
 * kind; one with a signature stays for itself. */
static bool is_plain(struct slice part, struct slice *text, bool *thought)
{
	struct slice rest = part, key, value;

	*text = SLICE_NONE;
	*thought = false;
	while (json_type_of(part) == JSON_OBJECT && json_next(&rest, &key, &value)) {
		if (slice_eq(key, S("\"text\"")) && json_type_of(value) == JSON_STRING)
			*text = value;
		else if (slice_eq(key, S("\"thought\"")))
			*thought = json_is_true(value);
		else
			return false;
	}
	return text->len > 0;
}

/* Gives the last of the parts it wrote. */
static const struct value *put_text(struct json_make *m, const struct value *part, bool thought)
{
	const struct value *last = part;
	struct slice text;
	bool also;

	make_object(m, NULL);
	make_string(m, "text");
	for (; part && is_plain(part->raw, &text, &also) && also == thought; part = part->next) {
		make_string_piece(m, text);
		last = part;
	}
	make_string_end(m);
	if (thought)
		make_bool(m, "thought", true);
	make_object_end(m);
	return last;
}

static void put_content(struct json_make *m, const struct members *parts)
{
	const struct value *v = parts->first ? parts->first->first : NULL;
	struct slice text;
	bool thought;

	make_object(m, "content");
	make_array(m, "parts");
	for (; v; v = v->next) {
		if (is_plain(v->raw, &text, &thought))
			v = put_text(m, v, thought);
		else
			make_raw(m, NULL, v->raw);
	}
	make_array_end(m);
	make_text(m, "role", S("model"));
	make_object_end(m);
}

/* Each piece has its own of these: lists inside go on, other members are the last's. */
static bool adds_up(struct slice key)
{
	return slice_eq(key, S("citationMetadata")) || slice_eq(key, S("logprobsResult"));
}

static void put_sum(struct folding *f, struct json_make *m, const struct member *of)
{
	struct members sum = { .first = NULL };

	for (const struct value *v = of->first; v; v = v->next) {
		struct slice rest = json_type_of(v->raw) == JSON_OBJECT ? v->raw : SLICE_NONE, key, value;

		while (rest.len && json_next(&rest, &key, &value))
			add_value(f, &sum, inside(key), value);
	}
	make_object(m, arena_cstring(f->arena, of->key));
	for (const struct member *one = sum.first; one; one = one->next) {
		const char *name = arena_cstring(f->arena, one->key);

		if (json_type_of(one->last->raw) != JSON_ARRAY) {
			make_raw(m, name, one->last->raw);
			continue;
		}
		make_array(m, name);
		for (const struct value *v = one->first; v; v = v->next) {
			struct slice rest = gemini_list(v->raw), value;

			while (rest.len && json_next(&rest, NULL, &value))
				make_raw(m, NULL, value);
		}
		make_array_end(m);
	}
	make_object_end(m);
}

static void put_members(struct folding *f, struct json_make *m, const struct members *list)
{
	for (const struct member *one = list->first; one; one = one->next) {
		if (adds_up(one->key) && one->first != one->last)
			put_sum(f, m, one);
		else
			make_raw(m, arena_cstring(f->arena, one->key), one->last->raw);
	}
}

bool gemini_stream_to_answer(struct arena *arena, const struct endpoint *endpoint, struct slice stream,
			     struct buf *out)
{
	struct folding f = { .arena = arena };
	struct json_make m;

	if (endpoint->kind != ENDPOINT_CHAT || !take_stream(&f, stream))
		return false;
	m = json_make_start(out);
	make_object(&m, NULL);
	if (f.seen)
		make_array(&m, "candidates");
	for (size_t i = 0; i < GEMINI_CHOICES_MAX; i++) {
		if (!(f.seen >> i & 1))
			continue;
		make_object(&m, NULL);
		if (f.has_content >> i & 1)
			put_content(&m, &f.parts[i]);
		put_members(&f, &m, &f.candidates[i]);
		make_object_end(&m);
	}
	if (f.seen)
		make_array_end(&m);
	put_members(&f, &m, &f.top);
	make_object_end(&m);
	return json_make_finish(&m);
}

/* A whole answer is a stream of one piece. */
bool gemini_answer_to_stream(struct arena *arena, const struct endpoint *endpoint,
			     const struct request_facts *facts, struct slice body, struct buf *out)
{
	size_t before = buf_len(out);
	struct json_make m;

	(void)arena;
	(void)facts;
	if (endpoint->kind != ENDPOINT_CHAT || json_type_of(body) != JSON_OBJECT ||
	    json_validate(body, NULL) != JSON_OK || !buf_append(out, S("data: ")))
		return false;
	m = json_make_start(out);
	make_raw(&m, NULL, body);
	if (json_make_finish(&m) && buf_append(out, S("\r\n\r\n")))
		return true;
	buf_cut(out, before);
	return false;
}
