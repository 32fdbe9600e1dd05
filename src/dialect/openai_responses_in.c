/* openai_responses_in.c: an answer of the Responses API, whole or streamed, read
 * as canonical events. What a "done" event repeats is only told where no deltas
 * came before it. */
#include "dialect/openai_responses.h"

#include "base/check.h"
#include "dialect/openai.h"
#include "dialect/usage.h"
#include "wire/json.h"

#define ITEMS_MAX 256

/* What is known of an output item. */
struct item_seen {
	int64_t index;               /* output_index */
	int call;                    /* its ordinal; EVENT_NO_CALL */
	bool told;                   /* deltas came, or the whole was told */
	bool custom;
};

struct responses_in {
	struct item_seen items[ITEMS_MAX];
	unsigned count;
	int calls;
	struct slice id, model;      /* kept for a START that comes late */
	bool refused;
};

static struct responses_in *own_of(struct codec_reader *r)
{
	if (!r->own)
		r->own = arena_new(r->arena, struct responses_in);
	return r->own;
}

static bool has_text(struct slice raw)
{
	return raw.len > 2 && raw.at[0] == '"';
}

static struct item_seen *item_at(struct codec_reader *r, struct slice event)
{
	struct responses_in *in = own_of(r);
	int64_t index;

	if (!json_i64(json_member(event, S("output_index")), &index))
		index = in->count ? in->items[in->count - 1].index : 0;
	for (unsigned i = 0; i < in->count; i++)
		if (in->items[i].index == index)
			return &in->items[i];
	if (in->count == ITEMS_MAX)
		return &in->items[ITEMS_MAX - 1];
	in->items[in->count] = (struct item_seen){ .index = index, .call = EVENT_NO_CALL };
	return &in->items[in->count++];
}

static void start(struct codec_reader *r, struct slice response, struct canon_events *out)
{
	struct slice id = json_member(response, S("id")), model = json_member(response, S("model"));
	struct canon_event *e;

	if (r->started)
		return;
	r->started = true;
	e = canon_add(out, CANON_EVENT_START);
	e->id = has_text(id) ? id : SLICE_NONE;
	e->name = has_text(model) ? model : SLICE_NONE;
	if (!json_i64(json_member(response, S("created_at")), &e->created) || e->created <= 0)
		e->created = r->wall_ms / 1000;
}

static struct canon_event *add_text(struct codec_reader *r, enum canon_event_kind kind,
				    struct slice raw, struct canon_events *out)
{
	struct canon_event *e;

	if (!has_text(raw))
		return NULL;
	r->content = true;
	e = canon_add(out, kind);
	e->text = raw;
	return e;
}

/* ---- items --------------------------------------------------------------------------- */

static bool is_type(struct slice object, struct slice type)
{
	return json_string_eq(json_member(object, S("type")), type);
}

static struct slice text_or(struct slice raw, struct slice otherwise)
{
	return raw.len && json_type_of(raw) == JSON_STRING ? raw : otherwise;
}

static void begin_call(struct codec_reader *r, struct item_seen *seen, struct slice item,
		       struct canon_events *out)
{
	struct canon_event *e;

	if (seen->call != EVENT_NO_CALL)
		return;
	seen->call = own_of(r)->calls++;
	seen->custom = is_type(item, S("custom_tool_call"));
	r->content = true;
	r->calls++;
	e = canon_add(out, CANON_EVENT_CALL);
	e->call = seen->call;
	e->id = text_or(json_member(item, S("call_id")), SLICE_NONE);
	e->name = text_or(json_member(item, S("name")), S("\"\""));
	e->custom = seen->custom;
}

static void add_arguments(struct codec_reader *r, struct item_seen *seen, struct slice raw,
			  struct canon_events *out)
{
	struct canon_event *e;

	/* Of a call that nobody has begun: should it come at all, it comes whole. */
	if (seen->call < 0 && own_of(r)->calls == 0)
		return;
	e = add_text(r, CANON_EVENT_ARGUMENTS, raw, out);
	if (!e)
		return;
	e->call = seen->call < 0 ? 0 : seen->call;
	e->custom = seen->custom;
	seen->told = true;
}

static void add_annotations(struct slice list, struct canon_events *out)
{
	struct slice one;

	while (json_next(&list, NULL, &one)) {
		struct canon_event *e;

		if (!is_type(one, S("url_citation")))
			continue;
		e = canon_add(out, CANON_EVENT_CITATION);
		e->url = json_member(one, S("url"));
		e->title = json_member(one, S("title"));
	}
}

static void read_message(struct codec_reader *r, struct slice item, struct canon_events *out)
{
	struct slice content = json_member(item, S("content")), part;

	while (json_next(&content, NULL, &part)) {
		add_text(r, CANON_EVENT_TEXT, json_member(part, S("text")), out);
		if (add_text(r, CANON_EVENT_REFUSAL, json_member(part, S("refusal")), out))
			own_of(r)->refused = true;
		add_annotations(json_member(part, S("annotations")), out);
	}
}

/* Parts of a summary stand apart by an empty line. */
static void read_thinking(struct codec_reader *r, struct slice item, struct canon_events *out)
{
	struct slice list = json_member(item, S("content")), part;
	bool first = true;

	if (json_type_of(list) != JSON_ARRAY || slice_trim(list).len <= 2)
		list = json_member(item, S("summary"));
	while (json_next(&list, NULL, &part)) {
		if (!first)
			add_text(r, CANON_EVENT_REASONING, S("\"\\n\\n\""), out);
		first = false;
		add_text(r, CANON_EVENT_REASONING, json_member(part, S("text")), out);
	}
}

static void read_encrypted(struct slice item, struct canon_events *out)
{
	struct slice raw = json_member(item, S("encrypted_content"));
	struct canon_part part = { .kind = CANON_PART_REASONING };
	struct canon_event *e;

	if (!has_text(raw))
		return;
	openai_read_encrypted(out->arena, raw, &part);
	e = canon_add(out, part.signature.len ? CANON_EVENT_SIGNATURE : CANON_EVENT_ENCRYPTED);
	e->text = part.signature.len ? part.signature : part.encrypted;
	e->vendor = part.vendor;
}

/* A picture that the hosted tool drew is part of the answer. */
static void read_drawing(struct codec_reader *r, struct slice item, struct canon_events *out)
{
	struct slice data = json_member(item, S("result"));
	struct canon_event *e;

	if (!has_text(data))
		return;
	r->content = true;
	e = canon_add(out, CANON_EVENT_IMAGE);
	e->media.data = canon_inside(data);
	e->media.mime = S("image/png");
}

static bool is_call(struct slice item)
{
	return is_type(item, S("function_call")) || is_type(item, S("custom_tool_call"));
}

/* An item that is complete: what its deltas have not told. */
static void item_done(struct codec_reader *r, struct item_seen *seen, struct slice item,
		      struct canon_events *out)
{
	bool told = seen->told;

	if (is_call(item)) {
		begin_call(r, seen, item, out);
		if (!told)
			add_arguments(r, seen, json_member(item, seen->custom ? S("input")
									      : S("arguments")), out);
	} else if (is_type(item, S("message")) && !told) {
		read_message(r, item, out);
	} else if (is_type(item, S("reasoning"))) {
		if (!told)
			read_thinking(r, item, out);
		read_encrypted(item, out);
	} else if (is_type(item, S("image_generation_call"))) {
		read_drawing(r, item, out);
	}
	seen->told = true;
}

/* ---- the end ------------------------------------------------------------------------------ */

static enum canon_finish finish_of(struct codec_reader *r, struct slice response)
{
	struct slice why = json_path(response, S("incomplete_details.reason"));

	if (json_string_eq(json_member(response, S("status")), S("incomplete")) || has_text(why))
		return json_string_eq(why, S("content_filter")) ? CANON_FINISH_FILTER : CANON_FINISH_LENGTH;
	if (own_of(r)->refused)
		return CANON_FINISH_REFUSAL;
	return r->calls ? CANON_FINISH_CALLS : CANON_FINISH_STOP;
}

static void add_end(struct codec_reader *r, struct slice response, struct canon_events *out)
{
	struct usage usage = { .known = false };

	usage_read(json_member(response, S("usage")), &usage);
	if (usage.known)
		canon_add(out, CANON_EVENT_USAGE)->usage = usage;
	canon_add(out, CANON_EVENT_FINISH)->finish = finish_of(r, response);
	canon_add(out, CANON_EVENT_DONE);
	r->finished = r->done = true;
}

/* What comes whole: all items that were not told before. */
static void read_output(struct codec_reader *r, struct slice response, struct canon_events *out)
{
	struct slice output = json_member(response, S("output")), item;
	struct responses_in *in = own_of(r);
	int64_t index = 0;

	while (json_next(&output, NULL, &item)) {
		struct item_seen *seen = NULL;

		for (unsigned i = 0; i < in->count && !seen; i++)
			if (in->items[i].index == index)
				seen = &in->items[i];
		if (!seen && in->count < ITEMS_MAX) {
			seen = &in->items[in->count++];
			*seen = (struct item_seen){ .index = index, .call = EVENT_NO_CALL };
		}
		if (seen && !seen->told)
			item_done(r, seen, item, out);
		index++;
	}
}

/* ---- events ---------------------------------------------------------------------------------- */

/* Judged as the dialect judges its own; true if it is an error. */
static bool read_error(struct codec_reader *r, struct slice type, struct slice data,
		       struct canon_events *out)
{
	const struct endpoint endpoint = { .kind = ENDPOINT_RESPONSES };
	struct stream_facts so_far = { .events = 0 };
	struct event_facts facts = { .retry_after_ms = -1 };
	struct canon_event *e;

	openai_judge_event(out->arena, &endpoint, type, data, &so_far, &facts);
	if (!(facts.is & (EVENT_ERROR | EVENT_BROKEN)))
		return false;
	r->failed = true;
	e = canon_add_error(out, facts.fault, facts.message);
	e->error.type = facts.type;
	e->error.code = facts.code;
	e->error.param = facts.param;
	e->error.retry_after_ms = facts.retry_after_ms;
	return true;
}

static void on_delta(struct codec_reader *r, struct slice kind, struct slice data,
		     struct canon_events *out)
{
	struct slice delta = json_member(data, S("delta"));
	struct item_seen *seen = item_at(r, data);
	struct canon_event *told = NULL;

	if (slice_eq(kind, S("output_text.delta"))) {
		told = add_text(r, CANON_EVENT_TEXT, delta, out);
	} else if (slice_eq(kind, S("refusal.delta"))) {
		told = add_text(r, CANON_EVENT_REFUSAL, delta, out);
		own_of(r)->refused = true;
	} else if (slice_starts(kind, S("reasoning"))) {
		told = add_text(r, CANON_EVENT_REASONING, delta, out);
	} else if (slice_eq(kind, S("function_call_arguments.delta")) ||
		   slice_eq(kind, S("custom_tool_call_input.delta"))) {
		add_arguments(r, seen, delta, out);
	}
	if (told)
		seen->told = true;
}

static void on_part_added(struct codec_reader *r, struct slice data, struct canon_events *out)
{
	int64_t index;

	if (json_i64(json_member(data, S("summary_index")), &index) && index > 0)
		add_text(r, CANON_EVENT_REASONING, S("\"\\n\\n\""), out);
}

static void on_kind(struct codec_reader *r, struct slice kind, struct slice data,
		    struct canon_events *out)
{
	struct slice response = json_member(data, S("response")), item = json_member(data, S("item"));

	if (slice_ends(kind, S(".delta"))) {
		on_delta(r, kind, data, out);
	} else if (slice_eq(kind, S("output_item.added"))) {
		if (is_call(item))
			begin_call(r, item_at(r, data), item, out);
		else
			item_at(r, data);
	} else if (slice_eq(kind, S("output_item.done"))) {
		item_done(r, item_at(r, data), item, out);
	} else if (slice_eq(kind, S("reasoning_summary_part.added"))) {
		on_part_added(r, data, out);
	} else if (slice_eq(kind, S("output_text.annotation.added"))) {
		struct slice one = json_member(data, S("annotation"));

		if (is_type(one, S("url_citation")))
			canon_add(out, CANON_EVENT_CITATION)->url = json_member(one, S("url"));
	} else if (slice_eq(kind, S("completed")) || slice_eq(kind, S("incomplete"))) {
		read_output(r, response, out);
		add_end(r, response, out);
	}
}

void openai_responses_read_event(struct codec_reader *r, struct arena *scratch, struct slice type,
				 struct slice data, struct canon_events *out)
{
	struct slice kind, response;

	(void)scratch;
	if (r->done || r->failed || slice_eq(slice_trim(data), S("[DONE]")))
		return;
	if (json_validate(data, NULL) != JSON_OK || json_type_of(data) != JSON_OBJECT) {
		r->failed = true;
		canon_add_error(out, FAULT_BAD_ANSWER, S("an event of the stream is not valid JSON"));
		return;
	}
	kind = json_string(out->arena, json_member(data, S("type")));
	if (!slice_starts(kind, S("response."))) {
		read_error(r, type, data, out);
		return;
	}
	kind = slice_from(kind, sizeof "response." - 1);
	if (slice_eq(kind, S("failed")) || slice_eq(kind, S("cancelled")) || slice_eq(kind, S("error"))) {
		read_error(r, type, data, out);
		return;
	}
	response = json_member(data, S("response"));
	start(r, response, out);
	on_kind(r, kind, data, out);
}

enum fault openai_responses_read_end(struct codec_reader *r, struct arena *scratch,
				     struct canon_events *out)
{
	(void)scratch;
	(void)out;
	if (r->done)
		return FAULT_NONE;
	return r->content ? FAULT_CUT : FAULT_BAD_ANSWER;
}

enum fault openai_responses_read_answer(struct codec_reader *r, struct slice body,
					struct canon_events *out)
{
	body = slice_trim(body);
	if (json_validate(body, NULL) != JSON_OK || json_type_of(body) != JSON_OBJECT ||
	    json_type_of(json_member(body, S("output"))) != JSON_ARRAY)
		return FAULT_BAD_ANSWER;
	start(r, body, out);
	read_output(r, body, out);
	add_end(r, body, out);
	return FAULT_NONE;
}
