#include "dialect/canon.h"

#include "base/check.h"
#include "wire/json.h"

#include <string.h>

/* ---- features ----------------------------------------------------------------- */

enum { NEED, HINT };

static const struct canon_feature_row rows[CANON_FEATURE_COUNT] = {
#define AS_ROW(id, name_, text_, kind_) [CANON_BIT_##id] = { name_, text_, kind_ == HINT },
	CANON_FEATURES(AS_ROW)
#undef AS_ROW
};

const struct canon_feature_row *canon_feature(enum canon_feature_bit bit)
{
	must(bit < CANON_FEATURE_COUNT);
	return &rows[bit];
}

uint64_t canon_hints(void)
{
	uint64_t bits = 0;

	for (unsigned i = 0; i < CANON_FEATURE_COUNT; i++)
		if (rows[i].hint)
			bits |= UINT64_C(1) << i;
	return bits;
}

struct slice canon_feature_names(struct arena *arena, uint64_t features)
{
	struct slice text = SLICE_NONE;

	for (unsigned i = 0; i < CANON_FEATURE_COUNT; i++)
		if (features >> i & 1)
			text = arena_printf(arena, "%.*s%s%s", SLICE_ARG(text), text.len ? ", " : "",
					    rows[i].name);
	return text;
}

bool canon_feature_find(struct slice name, enum canon_feature_bit *out)
{
	for (unsigned i = 0; i < CANON_FEATURE_COUNT; i++)
		if (slice_eq(slice_of(rows[i].name), name)) {
			*out = (enum canon_feature_bit)i;
			return true;
		}
	return false;
}

/* ---- requests ------------------------------------------------------------------- */

struct canon_request *canon_request_new(struct arena *arena)
{
	struct canon_request *r = arena_new(arena, struct canon_request);

	r->parallel = -1;
	r->schema_strict = -1;
	r->max_tokens = -1;
	r->choices = 1;
	r->top_logprobs = -1;
	r->think_budget = -1;
	r->store = -1;
	r->dimensions = -1;
	r->resume = RESUME_NONE;
	return r;
}

struct canon_message *canon_add_message(struct arena *arena, struct canon_request *r,
					struct canon_message *last, enum canon_role role)
{
	struct canon_message *m = arena_new(arena, struct canon_message);

	m->role = role;
	*(last ? &last->next : &r->messages) = m;
	return m;
}

struct canon_part *canon_add_part(struct arena *arena, struct canon_part **list,
				  struct canon_part *last, enum canon_part_kind kind)
{
	struct canon_part *p = arena_new(arena, struct canon_part);

	p->kind = kind;
	*(last ? &last->next : list) = p;
	return p;
}

struct canon_tool *canon_add_tool(struct arena *arena, struct canon_request *r,
				  struct canon_tool *last)
{
	struct canon_tool *t = arena_new(arena, struct canon_tool);

	t->strict = -1;
	*(last ? &last->next : &r->tools) = t;
	return t;
}

struct canon_text *canon_add_text(struct arena *arena, struct canon_text **list,
				  struct canon_text *last, struct slice raw)
{
	struct canon_text *t = arena_new(arena, struct canon_text);

	t->raw = raw;
	*(last ? &last->next : list) = t;
	return t;
}

bool canon_data_url(struct arena *arena, struct slice raw, struct canon_media *out)
{
	struct slice text = canon_inside(raw), mime, rest, parameter;
	bool base64 = false;

	if (!slice_starts_nocase(text, S("data:")))
		return false;
	/* Base64 has no character that JSON must escape, but may escape '/'. */
	if (slice_find(text, '\\') != SLICE_NOT_FOUND)
		text = json_string(arena, raw);
	if (!slice_cut(slice_from(text, 5), ',', &mime, &rest))
		return false;
	while (slice_cut(mime, ';', &text, &parameter)) {
		struct slice last = parameter, inner;

		while (slice_cut(last, ';', &inner, &parameter))
			last = parameter;
		base64 = slice_eq_nocase(slice_trim(last), S("base64"));
		mime = text;
		break;
	}
	if (!base64)
		return false;
	out->mime = mime;
	out->data = rest;
	return true;
}

struct slice canon_mime(struct slice text)
{
	static const char others[] = "/+.-_";

	for (size_t i = 0; i < text.len; i++) {
		char c = text.at[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      (c && strchr(others, c))))
			return SLICE_NONE;
	}
	return text;
}

/* ---- events ------------------------------------------------------------------------ */

/* An event of a stream is nearly always one of these, and room for eight of them,
 * zeroed, cost 3,500 instructions. */
#define EVENTS_FIRST 1

struct canon_events canon_events_in(struct arena *arena)
{
	return (struct canon_events){ .arena = arena };
}

struct canon_event *canon_add(struct canon_events *list, enum canon_event_kind kind)
{
	if (list->count == list->room) {
		size_t room = list->room ? 2 * list->room : EVENTS_FIRST;
		struct canon_event *at = arena_array(list->arena, struct canon_event, room);

		if (list->count)
			memcpy(at, list->at, list->count * sizeof *at);
		list->at = at;
		list->room = room;
	}
	list->at[list->count] = (struct canon_event){ .kind = kind, .call = EVENT_NO_CALL };
	return &list->at[list->count++];
}

struct canon_event *canon_add_error(struct canon_events *list, enum fault fault, struct slice message)
{
	struct canon_event *e = canon_add(list, CANON_EVENT_ERROR);

	e->error = (struct canon_error){ .fault = fault, .message = message, .retry_after_ms = -1 };
	return e;
}

struct slice canon_finish_word(enum canon_finish f)
{
	switch (f) {
	case CANON_FINISH_LENGTH: case CANON_FINISH_CONTEXT:
		return S("length");
	case CANON_FINISH_CALLS:
		return S("tool_calls");
	case CANON_FINISH_FILTER: case CANON_FINISH_REFUSAL:
		return S("content_filter");
	case CANON_FINISH_STOP: case CANON_FINISH_STOP_WORD: case CANON_FINISH_PAUSE:
		break;
	}
	return S("stop");
}

static void add_piece(struct event_facts *out, unsigned choice, int call, struct slice name,
		      struct slice raw)
{
	if (raw.len <= 2)
		return;
	if (out->piece_count == EVENT_PIECES_MAX) {
		out->pieces_lost = true;
		return;
	}
	out->pieces[out->piece_count++] = (struct event_piece){ choice, call, name, raw, false };
}

static void add_content(struct event_facts *out)
{
	out->is |= EVENT_CONTENT;
	out->tokens++;
}

static void add_text(struct event_facts *out, const struct canon_event *e, struct slice name)
{
	if (e->text.len <= 2)
		return;
	add_content(out);
	add_piece(out, e->choice, EVENT_NO_CALL, name, e->text);
	if (!out->pieces_lost)
		out->pieces[out->piece_count - 1].plain = e->plain;
}

static void add_finish(struct event_facts *out, const struct canon_event *e)
{
	out->is |= EVENT_FINISH;
	out->finished |= UINT64_C(1) << (e->choice < 63 ? e->choice : 63);
	if (out->finish_reason.len == 0)
		out->finish_reason = canon_finish_word(e->finish);
}

static void add_error(struct event_facts *out, const struct canon_error *e)
{
	out->is |= EVENT_ERROR;
	out->fault = e->fault;
	out->message = e->message;
	out->type = e->type;
	out->code = e->code;
	out->param = e->param;
	out->retry_after_ms = e->retry_after_ms;
}

static void add_event(struct event_facts *out, const struct canon_event *e)
{
	switch (e->kind) {
	case CANON_EVENT_TEXT:
		add_text(out, e, S("content"));
		break;
	case CANON_EVENT_REASONING:
		add_text(out, e, S("reasoning_content"));
		break;
	case CANON_EVENT_REFUSAL:
		add_text(out, e, S("refusal"));
		break;
	case CANON_EVENT_CALL:
		add_content(out);
		add_piece(out, e->choice, e->call, S("id"), e->id);
		add_piece(out, e->choice, e->call, S("name"), e->name);
		break;
	case CANON_EVENT_ARGUMENTS:
		if (e->text.len > 2)
			add_content(out);
		add_piece(out, e->choice, e->call, S("arguments"), e->text);
		break;
	case CANON_EVENT_AUDIO: case CANON_EVENT_IMAGE:
		add_content(out);
		out->pieces_lost = true;
		break;
	case CANON_EVENT_EMBEDDING: case CANON_EVENT_COUNT:
		add_content(out);
		break;
	case CANON_EVENT_USAGE:
		out->usage = e->usage;
		break;
	case CANON_EVENT_FINISH:
		add_finish(out, e);
		break;
	case CANON_EVENT_DONE:
		out->is |= EVENT_DONE;
		break;
	case CANON_EVENT_ERROR:
		add_error(out, &e->error);
		break;
	/* What proves thinking ends it: the text behind it can go on elsewhere. */
	case CANON_EVENT_SIGNATURE: case CANON_EVENT_ENCRYPTED:
	case CANON_EVENT_START: case CANON_EVENT_CITATION: case CANON_EVENT_LOGPROBS:
		break;
	}
}

void canon_facts(const struct canon_events *list, struct event_facts *out)
{
	*out = (struct event_facts){ .retry_after_ms = -1 };
	for (size_t i = 0; i < list->count; i++)
		add_event(out, &list->at[i]);
}

/* ---- raw strings ---------------------------------------------------------------------- */

struct slice canon_inside(struct slice raw)
{
	if (raw.len < 2 || raw.at[0] != '"')
		return SLICE_NONE;
	return slice_sub(raw, 1, raw.len - 1);
}

struct slice canon_quote(struct arena *arena, struct slice text)
{
	struct buf quoted = BUF_INIT(text.len * 6 + 2);
	struct slice copy;

	json_write_string(&quoted, text);
	copy = arena_copy(arena, buf_slice(&quoted));
	buf_free(&quoted);
	return copy;
}

bool canon_write_joined(struct buf *out, const struct canon_events *list,
			enum canon_event_kind kind, unsigned choice, int call)
{
	if (!buf_append(out, S("\"")))
		return false;
	for (size_t i = 0; i < list->count; i++) {
		const struct canon_event *e = &list->at[i];

		if (e->kind == kind && e->choice == choice && (call == EVENT_NO_CALL || e->call == call) &&
		    !buf_append(out, canon_inside(e->text)))
			return false;
	}
	return buf_append(out, S("\""));
}

static bool is_object(struct slice text)
{
	return json_type_of(text) == JSON_OBJECT && json_validate(text, NULL) == JSON_OK;
}

/* Line breaks between tokens would end an SSE data line. */
static struct slice one_line(struct arena *arena, struct slice raw)
{
	char *text;

	if (slice_find(raw, '\n') == SLICE_NOT_FOUND && slice_find(raw, '\r') == SLICE_NOT_FOUND)
		return raw;
	text = arena_cstring(arena, raw);
	for (size_t i = 0; i < raw.len; i++)
		if (text[i] == '\n' || text[i] == '\r')
			text[i] = ' ';
	return (struct slice){ text, raw.len };
}

struct slice canon_arguments_object(struct arena *arena, struct slice arguments, bool is_text)
{
	struct slice text = is_text ? slice_trim(json_string(arena, arguments)) : slice_trim(arguments);

	if (text.len == 0)
		return S("{}");
	if (is_object(text))
		return one_line(arena, text);
	text = is_text ? arguments : canon_quote(arena, text);
	return arena_printf(arena, "{\"_raw\":%.*s}", SLICE_ARG(text));
}

struct slice canon_arguments_text(struct arena *arena, struct slice arguments, bool is_text)
{
	if (is_text)
		return arguments;
	return canon_quote(arena, arguments.len ? arguments : S("{}"));
}
