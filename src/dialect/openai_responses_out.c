/* openai_responses_out.c: canonical events, written as an answer of the Responses
 * API. Its events are numbered, and at its end each item and the response are
 * told again whole: so the writer keeps what it has told. */
#include "dialect/openai_responses.h"

#include "base/check.h"
#include "dialect/openai.h"

enum item_kind { ITEM_MESSAGE, ITEM_REASONING, ITEM_CALL, ITEM_CUSTOM };

struct text_piece {
	struct text_piece *next;
	struct slice raw;
};

struct citation {
	struct citation *next;
	struct slice url, title;
};

struct out_item {
	struct out_item *next;
	enum item_kind kind;
	int index;                   /* output_index */
	int call;
	bool refusal;                /* a message's part is one */
	bool open;
	bool partless;               /* its part is yet to be announced */
	struct slice call_id, name;
	struct slice id;             /* raw: it was passed on under that; else empty */
	struct text_piece *text, *last;
	struct citation *citations, *last_citation;
	int citation_count;
	struct slice proof, vendor;  /* of thinking */
	bool proof_signs;
};

struct responses_out {
	struct out_item *items, *last;
	int count;
	uint64_t sequence;
	enum canon_finish finish;
};

static struct responses_out *own_of(struct codec_writer *w)
{
	if (!w->own)
		w->own = arena_new(w->arena, struct responses_out);
	return w->own;
}

/* ---- what is kept --------------------------------------------------------------------- */

static struct out_item *add_item(struct codec_writer *w, enum item_kind kind)
{
	struct responses_out *o = own_of(w);
	struct out_item *item = arena_new(w->arena, struct out_item);

	item->kind = kind;
	item->index = o->count++;
	item->call = EVENT_NO_CALL;
	item->open = true;
	if (o->last)
		o->last->next = item;
	else
		o->items = item;
	o->last = item;
	return item;
}

static void keep_text(struct codec_writer *w, struct out_item *item, struct slice raw)
{
	struct text_piece *piece = arena_new(w->arena, struct text_piece);

	piece->raw = arena_copy(w->arena, raw);
	if (item->last)
		item->last->next = piece;
	else
		item->text = piece;
	item->last = piece;
}

static void keep_citation(struct codec_writer *w, struct out_item *item, const struct canon_event *e)
{
	struct citation *c = arena_new(w->arena, struct citation);

	c->url = arena_copy(w->arena, e->url.len ? e->url : S("\"\""));
	c->title = arena_copy(w->arena, e->title.len ? e->title : S("\"\""));
	if (item->last_citation)
		item->last_citation->next = c;
	else
		item->citations = c;
	item->last_citation = c;
	item->citation_count++;
}

/* ---- members ------------------------------------------------------------------------------ */

static void make_id(struct json_make *m, const struct codec_writer *w, const char *name,
		    const char *prefix, int n)
{
	make_string(m, name);
	json_out_put(&m->out, slice_of(prefix));
	json_out_put(&m->out, w->request_id);
	if (n >= 0) {
		json_out_puts(&m->out, "_");
		json_out_u64(&m->out, (uint64_t)n);
	}
	make_string_end(m);
}

static void make_item_id(struct json_make *m, const struct codec_writer *w, const char *name,
			 const struct out_item *item)
{
	static const char *const prefixes[] = {
		[ITEM_MESSAGE] = "msg_", [ITEM_REASONING] = "rs_", [ITEM_CALL] = "fc_",
		[ITEM_CUSTOM] = "ctc_",
	};

	if (item->id.len) {
		make_raw(m, name, item->id);
		return;
	}
	make_id(m, w, name, prefixes[item->kind], item->index);
}

static void make_kept(struct json_make *m, const char *name, const struct out_item *item)
{
	make_string(m, name);
	for (const struct text_piece *p = item->text; p; p = p->next)
		make_string_piece(m, p->raw);
	make_string_end(m);
}

static void make_citations(struct json_make *m, const struct out_item *item)
{
	make_array(m, "annotations");
	for (const struct citation *c = item->citations; c; c = c->next) {
		make_object(m, NULL);
		make_text(m, "type", S("url_citation"));
		make_i64(m, "start_index", 0);
		make_i64(m, "end_index", 0);
		make_raw(m, "url", c->url);
		make_raw(m, "title", c->title);
		make_object_end(m);
	}
	make_array_end(m);
}

/* A message's part, whole or (empty) as it begins. */
static void make_part(struct json_make *m, const char *name, const struct out_item *item, bool whole)
{
	const struct out_item nothing = { .kind = item->kind };
	const struct out_item *shown = whole ? item : &nothing;

	make_object(m, name);
	if (item->refusal) {
		make_text(m, "type", S("refusal"));
		make_kept(m, "refusal", shown);
	} else {
		make_text(m, "type", S("output_text"));
		make_kept(m, "text", shown);
		make_citations(m, shown);
		make_array(m, "logprobs");
		make_array_end(m);
	}
	make_object_end(m);
}

void openai_make_encrypted(struct json_make *m, const char *name, struct slice raw,
			   struct slice vendor, bool signature)
{
	if (slice_eq(vendor, S("openai")) && !signature) {
		make_raw(m, name, raw);
		return;
	}
	make_string(m, name);
	json_out_puts(&m->out, "backstay.");
	json_out_put(&m->out, vendor.len ? vendor : S("unknown"));
	json_out_put(&m->out, signature ? S(".s.") : S(".e."));
	make_string_piece(m, raw);
	make_string_end(m);
}

static void make_thinking(struct json_make *m, const struct out_item *item, bool whole)
{
	make_array(m, "summary");
	if (whole && item->text) {
		make_object(m, NULL);
		make_text(m, "type", S("summary_text"));
		make_kept(m, "text", item);
		make_object_end(m);
	}
	make_array_end(m);
	if (whole && item->proof.len)
		openai_make_encrypted(m, "encrypted_content", item->proof, item->vendor,
				      item->proof_signs);
}

static void make_call(struct json_make *m, const struct out_item *item, bool whole)
{
	const struct out_item nothing = { .kind = item->kind };

	make_raw(m, "call_id", item->call_id);
	make_raw(m, "name", item->name);
	make_kept(m, item->kind == ITEM_CUSTOM ? "input" : "arguments", whole ? item : &nothing);
}

static void make_item(struct json_make *m, const struct codec_writer *w, const char *name,
		      const struct out_item *item, bool whole)
{
	static const char *const types[] = {
		[ITEM_MESSAGE] = "message", [ITEM_REASONING] = "reasoning",
		[ITEM_CALL] = "function_call", [ITEM_CUSTOM] = "custom_tool_call",
	};

	make_object(m, name);
	make_item_id(m, w, "id", item);
	make_text(m, "type", slice_of(types[item->kind]));
	if (item->kind != ITEM_REASONING)
		make_text(m, "status", whole ? S("completed") : S("in_progress"));
	if (item->kind == ITEM_MESSAGE) {
		make_text(m, "role", S("assistant"));
		make_array(m, "content");
		if (whole)
			make_part(m, NULL, item, true);
		make_array_end(m);
	} else if (item->kind == ITEM_REASONING) {
		make_thinking(m, item, whole);
	} else {
		make_call(m, item, whole);
	}
	make_object_end(m);
}

/* ---- the response ---------------------------------------------------------------------------- */

/* Withheld, or declined without a word that could be told. */
static bool is_filtered(const struct responses_out *o)
{
	if (o->finish != CANON_FINISH_REFUSAL)
		return o->finish == CANON_FINISH_FILTER;
	for (const struct out_item *item = o->items; item; item = item->next)
		if (item->refusal)
			return false;
	return true;
}

static bool is_incomplete(const struct responses_out *o)
{
	return o->finish == CANON_FINISH_LENGTH || o->finish == CANON_FINISH_CONTEXT || is_filtered(o);
}

static void make_tools(struct json_make *m, const struct canon_request *r)
{
	make_array(m, "tools");
	for (const struct canon_tool *t = r ? r->tools : NULL; t; t = t->next) {
		make_object(m, NULL);
		make_text(m, "type", t->custom ? S("custom") : S("function"));
		make_raw(m, "name", t->name);
		make_given(m, "description", t->description);
		make_given(m, t->custom ? "format" : "parameters", t->parameters);
		if (!t->custom)
			make_bool(m, "strict", t->strict == 1);
		make_object_end(m);
	}
	make_array_end(m);
	make_text(m, "tool_choice", r && r->choice == CANON_CHOICE_REQUIRED ? S("required")
		  : r && r->choice == CANON_CHOICE_NONE ? S("none") : S("auto"));
	make_bool(m, "parallel_tool_calls", !r || r->parallel != 0);
}

static void make_asked(struct json_make *m, const struct canon_request *r)
{
	make_null(m, "instructions");
	make_null(m, "previous_response_id");
	make_raw(m, "metadata", r && r->metadata.len ? r->metadata : S("{}"));
	make_given(m, "temperature", r && r->temperature.len ? r->temperature : S("null"));
	make_given(m, "top_p", r && r->top_p.len ? r->top_p : S("null"));
	if (r && r->max_tokens >= 0)
		make_i64(m, "max_output_tokens", r->max_tokens);
	else
		make_null(m, "max_output_tokens");
	make_text(m, "truncation", S("disabled"));
	make_bool(m, "store", false);
	make_bool(m, "background", false);
	make_tools(m, r);
}

static void make_response(struct json_make *m, struct codec_writer *w, const char *name, bool whole)
{
	const struct responses_out *o = own_of(w);
	bool incomplete = whole && is_incomplete(o);
	struct usage usage = w->usage;

	make_object(m, name);
	if (w->id.len)
		make_raw(m, "id", w->id);
	else
		make_id(m, w, "id", "resp_", -1);
	make_text(m, "object", S("response"));
	make_i64(m, "created_at", w->created ? w->created : w->wall_ms / 1000);
	make_text(m, "status", !whole ? S("in_progress") : incomplete ? S("incomplete") : S("completed"));
	make_null(m, "error");
	if (incomplete) {
		make_object(m, "incomplete_details");
		make_text(m, "reason", is_filtered(o) ? S("content_filter") : S("max_output_tokens"));
		make_object_end(m);
	} else {
		make_null(m, "incomplete_details");
	}
	make_raw(m, "model", w->model.len ? w->model : S("\"\""));
	make_array(m, "output");
	for (const struct out_item *item = whole ? o->items : NULL; item; item = item->next)
		make_item(m, w, NULL, item, true);
	make_array_end(m);
	make_asked(m, w->request);
	if (whole && usage.known) {
		usage.input_tokens += w->add_input;
		usage.output_tokens += w->add_output;
		openai_make_usage(m, "usage", &usage, true);
	} else {
		make_null(m, "usage");
	}
	make_object_end(m);
}

/* ---- events ---------------------------------------------------------------------------------------- */

static struct json_make event(struct codec_writer *w, struct buf *out, const char *type)
{
	struct json_make m = json_make_start(out);
	struct responses_out *o = own_of(w);

	json_out_puts(&m.out, "event: ");
	json_out_put(&m.out, slice_of(type));
	json_out_puts(&m.out, "\ndata: ");
	make_object(&m, NULL);
	make_text(&m, "type", slice_of(type));
	make_i64(&m, "sequence_number", (int64_t)o->sequence++);
	if (w->facts)
		w->facts->private[OPENAI_NEXT_SEQUENCE] = o->sequence;
	return m;
}

static bool end_event(struct json_make *m)
{
	make_object_end(m);
	json_out_puts(&m->out, "\n\n");
	return json_make_finish(m);
}

static struct json_make item_event(struct codec_writer *w, struct buf *out, const char *type,
				   const struct out_item *item)
{
	struct json_make m = event(w, out, type);

	make_item_id(&m, w, "item_id", item);
	make_i64(&m, "output_index", item->index);
	if (item->kind == ITEM_MESSAGE)
		make_i64(&m, "content_index", 0);
	if (item->kind == ITEM_REASONING)
		make_i64(&m, "summary_index", 0);
	return m;
}

static bool write_item(struct codec_writer *w, struct buf *out, const char *type,
		       const struct out_item *item, bool whole)
{
	struct json_make m = event(w, out, type);

	make_i64(&m, "output_index", item->index);
	make_item(&m, w, "item", item, whole);
	return end_event(&m);
}

static bool write_response(struct codec_writer *w, struct buf *out, const char *type, bool whole)
{
	struct json_make m = event(w, out, type);

	make_response(&m, w, "response", whole);
	return end_event(&m);
}

static void make_summary_part(struct json_make *m, const struct out_item *item, bool whole)
{
	const struct out_item nothing = { .kind = ITEM_REASONING };

	make_object(m, "part");
	make_text(m, "type", S("summary_text"));
	make_kept(m, "text", whole ? item : &nothing);
	make_object_end(m);
}

static bool open_part(struct codec_writer *w, struct buf *out, struct out_item *item)
{
	struct json_make m;

	item->partless = false;
	if (item->kind == ITEM_MESSAGE) {
		m = item_event(w, out, "response.content_part.added", item);
		make_part(&m, "part", item, false);
		return end_event(&m);
	}
	if (item->kind == ITEM_REASONING && !item->proof.len) {
		m = item_event(w, out, "response.reasoning_summary_part.added", item);
		make_summary_part(&m, item, false);
		return end_event(&m);
	}
	return true;
}

/* An item is announced, with its part where it has one. */
static bool open_item(struct codec_writer *w, struct buf *out, struct out_item *item)
{
	return write_item(w, out, "response.output_item.added", item, false) && open_part(w, out, item);
}

/* The text of an item is told again, whole. */
static bool write_text_done(struct codec_writer *w, struct buf *out, const struct out_item *item)
{
	struct json_make m;

	switch (item->kind) {
	case ITEM_MESSAGE:
		m = item_event(w, out, item->refusal ? "response.refusal.done"
						     : "response.output_text.done", item);
		make_kept(&m, item->refusal ? "refusal" : "text", item);
		if (!item->refusal) {
			make_array(&m, "logprobs");
			make_array_end(&m);
		}
		break;
	case ITEM_REASONING:
		m = item_event(w, out, "response.reasoning_summary_text.done", item);
		make_kept(&m, "text", item);
		break;
	case ITEM_CALL:
		m = item_event(w, out, "response.function_call_arguments.done", item);
		make_raw(&m, "name", item->name);
		make_kept(&m, "arguments", item);
		break;
	default:
		m = item_event(w, out, "response.custom_tool_call_input.done", item);
		make_kept(&m, "input", item);
		break;
	}
	return end_event(&m);
}

static bool close_item(struct codec_writer *w, struct out_item *item, struct buf *out)
{
	struct json_make m;

	item->open = false;
	if (item->partless && item->kind == ITEM_MESSAGE && !open_part(w, out, item))
		return false;
	if ((item->kind != ITEM_REASONING || item->text) && !write_text_done(w, out, item))
		return false;
	if (item->kind == ITEM_MESSAGE) {
		m = item_event(w, out, "response.content_part.done", item);
		make_part(&m, "part", item, true);
		if (!end_event(&m))
			return false;
	}
	if (item->kind == ITEM_REASONING && item->text) {
		m = item_event(w, out, "response.reasoning_summary_part.done", item);
		make_summary_part(&m, item, true);
		if (!end_event(&m))
			return false;
	}
	return write_item(w, out, "response.output_item.done", item, true);
}

static bool is_call(const struct out_item *item)
{
	return item->kind == ITEM_CALL || item->kind == ITEM_CUSTOM;
}

/* All that is open; with `but_calls`, calls stay so: the arguments of several may
 * come by turns. */
static bool close_items(struct codec_writer *w, bool but_calls, struct buf *out)
{
	for (struct out_item *item = own_of(w)->items; item; item = item->next)
		if (item->open && !(but_calls && is_call(item)) && !close_item(w, item, out))
			return false;
	return true;
}

/* The item that a text goes on with: the one that is open, if it is of that
 * kind; else the next begins. NULL: it could not be written. */
static struct out_item *item_for(struct codec_writer *w, struct buf *out, enum item_kind kind,
				 bool refusal)
{
	struct out_item *item = own_of(w)->last;

	if (item && item->open && item->kind == kind && item->refusal == refusal)
		return item;
	if (!close_items(w, false, out))
		return NULL;
	item = add_item(w, kind);
	item->refusal = refusal;
	return open_item(w, out, item) ? item : NULL;
}

static bool write_delta(struct codec_writer *w, struct buf *out, struct out_item *item,
			struct slice raw)
{
	static const char *const types[] = {
		[ITEM_MESSAGE] = "response.output_text.delta",
		[ITEM_REASONING] = "response.reasoning_summary_text.delta",
		[ITEM_CALL] = "response.function_call_arguments.delta",
		[ITEM_CUSTOM] = "response.custom_tool_call_input.delta",
	};
	struct json_make m;

	if (!item || (item->partless && !open_part(w, out, item)))
		return false;
	m = item_event(w, out, item->refusal ? "response.refusal.delta" : types[item->kind], item);
	make_raw(&m, "delta", raw);
	if (item->kind == ITEM_MESSAGE && !item->refusal) {
		make_array(&m, "logprobs");
		make_array_end(&m);
	}
	keep_text(w, item, raw);
	return end_event(&m);
}

static void fill_call(struct codec_writer *w, struct out_item *item, const struct canon_event *e)
{
	item->call = e->call;
	item->call_id = e->id.len > 2 ? arena_copy(w->arena, e->id)
				      : arena_printf(w->arena, "\"call_%d\"", e->call);
	item->name = e->name.len ? arena_copy(w->arena, e->name) : S("\"\"");
}

static bool write_call(struct codec_writer *w, const struct canon_event *e, struct buf *out)
{
	struct out_item *item;

	if (!close_items(w, true, out))
		return false;
	item = add_item(w, e->custom ? ITEM_CUSTOM : ITEM_CALL);
	fill_call(w, item, e);
	return open_item(w, out, item);
}

static struct out_item *call_item(struct codec_writer *w, int call)
{
	for (struct out_item *item = own_of(w)->items; item; item = item->next)
		if (item->call == call)
			return item;
	return NULL;
}

/* Arguments that come behind the end of their call have no place. */
static struct out_item *open_call(struct codec_writer *w, int call)
{
	struct out_item *item = call_item(w, call);

	return item && item->open ? item : NULL;
}

/* Proof without thinking told (Gemini, redacted thinking) is an item too. */
static bool write_proof(struct codec_writer *w, const struct canon_event *e, struct buf *out)
{
	struct out_item *item = own_of(w)->last;
	bool opens = !item || !item->open || item->kind != ITEM_REASONING;

	if (opens) {
		if (!close_items(w, false, out))
			return false;
		item = add_item(w, ITEM_REASONING);
	}
	item->proof = arena_copy(w->arena, e->text);
	item->vendor = arena_copy(w->arena, e->vendor);
	item->proof_signs = e->kind == CANON_EVENT_SIGNATURE;
	return !opens || open_item(w, out, item);
}

static bool write_citation(struct codec_writer *w, const struct canon_event *e, struct buf *out)
{
	struct out_item *item = item_for(w, out, ITEM_MESSAGE, false);
	struct json_make m;
	int n;

	if (!item)
		return false;
	n = item->citation_count;
	keep_citation(w, item, e);
	m = item_event(w, out, "response.output_text.annotation.added", item);
	make_i64(&m, "annotation_index", n);
	make_object(&m, "annotation");
	make_text(&m, "type", S("url_citation"));
	make_i64(&m, "start_index", 0);
	make_i64(&m, "end_index", 0);
	make_raw(&m, "url", e->url.len ? e->url : S("\"\""));
	make_raw(&m, "title", e->title.len ? e->title : S("\"\""));
	make_object_end(&m);
	return end_event(&m);
}

static bool write_start(struct codec_writer *w, const struct canon_event *e, struct buf *out)
{
	if (w->started)
		return true;
	w->started = true;
	w->id = arena_copy(w->arena, e->id);
	w->model = arena_copy(w->arena, e->name);
	w->created = e->created;
	return write_response(w, out, "response.created", false) &&
	       write_response(w, out, "response.in_progress", false);
}

static bool write_done(struct codec_writer *w, struct buf *out)
{
	w->done = true;
	return close_items(w, false, out) &&
	       write_response(w, out, is_incomplete(own_of(w)) ? "response.incomplete"
								       : "response.completed", true);
}

bool openai_responses_write_event(struct codec_writer *w, const struct canon_event *e,
				  struct buf *out)
{
	if (e->choice > 0)
		return true;
	switch (e->kind) {
	case CANON_EVENT_START:
		return write_start(w, e, out);
	case CANON_EVENT_TEXT:
		return write_delta(w, out, item_for(w, out, ITEM_MESSAGE, false), e->text);
	case CANON_EVENT_REFUSAL:
		return write_delta(w, out, item_for(w, out, ITEM_MESSAGE, true), e->text);
	case CANON_EVENT_REASONING:
		return write_delta(w, out, item_for(w, out, ITEM_REASONING, false), e->text);
	case CANON_EVENT_SIGNATURE: case CANON_EVENT_ENCRYPTED:
		return write_proof(w, e, out);
	case CANON_EVENT_CALL:
		return write_call(w, e, out);
	case CANON_EVENT_ARGUMENTS:
		return !open_call(w, e->call) || write_delta(w, out, open_call(w, e->call), e->text);
	case CANON_EVENT_CITATION:
		return write_citation(w, e, out);
	case CANON_EVENT_FINISH:
		own_of(w)->finish = e->finish;
		return true;
	case CANON_EVENT_USAGE:
		w->usage = e->usage;
		return true;
	case CANON_EVENT_DONE:
		return write_done(w, out);
	default:
		return true;
	}
}

/* ---- in the middle, and whole ------------------------------------------------------------------------ */

/* An item that a backend began, under its name. */
static void take_name(struct codec_writer *w, struct out_item *item, const struct canon_event *e)
{
	item->id = arena_copy(w->arena, e->item);
	item->partless = !e->part;
}

/* What an event adds to the items, without a word to the client. */
static void take_in(struct codec_writer *w, const struct canon_event *e)
{
	struct out_item *item = own_of(w)->last;
	enum item_kind kind = e->kind == CANON_EVENT_REASONING ? ITEM_REASONING : ITEM_MESSAGE;
	bool refusal = e->kind == CANON_EVENT_REFUSAL;

	switch (e->kind) {
	case CANON_EVENT_TEXT: case CANON_EVENT_REFUSAL: case CANON_EVENT_REASONING:
		if (!item || item->kind != kind || (item->refusal != refusal && item->text))
			item = add_item(w, kind);
		item->refusal = refusal;
		if (e->item.len)
			take_name(w, item, e);
		else
			keep_text(w, item, e->text);
		break;
	case CANON_EVENT_SIGNATURE: case CANON_EVENT_ENCRYPTED:
		if (!item || item->kind != ITEM_REASONING)
			item = add_item(w, ITEM_REASONING);
		item->proof = arena_copy(w->arena, e->text);
		item->vendor = arena_copy(w->arena, e->vendor);
		item->proof_signs = e->kind == CANON_EVENT_SIGNATURE;
		break;
	case CANON_EVENT_CALL:
		item = add_item(w, e->custom ? ITEM_CUSTOM : ITEM_CALL);
		fill_call(w, item, e);
		item->id = arena_copy(w->arena, e->item);
		break;
	case CANON_EVENT_ARGUMENTS:
		item = call_item(w, e->call);
		if (item)
			keep_text(w, item, e->text);
		break;
	case CANON_EVENT_CITATION:
		if (item && item->kind == ITEM_MESSAGE)
			keep_citation(w, item, e);
		break;
	case CANON_EVENT_START:
		w->id = arena_copy(w->arena, e->id);
		w->model = arena_copy(w->arena, e->name);
		w->created = e->created;
		break;
	case CANON_EVENT_FINISH:
		own_of(w)->finish = e->finish;
		break;
	case CANON_EVENT_USAGE:
		w->usage = e->usage;
		break;
	default:
		break;
	}
}

void openai_responses_resume_writer(struct codec_writer *w, const struct codec_so_far *so_far)
{
	struct responses_out *o = own_of(w);

	for (size_t i = 0; i < so_far->told->count; i++)
		take_in(w, &so_far->told->at[i]);
	for (struct out_item *item = o->items; item; item = item->next) {
		item->open = item == o->last;
		item->partless = item->partless && !item->text;
	}
	o->sequence = so_far->facts->private[OPENAI_NEXT_SEQUENCE];
}

bool openai_responses_write_answer(struct codec_writer *w, const struct canon_events *events,
				   struct buf *out)
{
	struct json_make m = json_make_start(out);

	for (size_t i = 0; i < events->count; i++)
		if (events->at[i].choice == 0)
			take_in(w, &events->at[i]);
	make_response(&m, w, NULL, true);
	return json_make_finish(&m);
}
