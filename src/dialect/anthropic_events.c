/* anthropic_events.c: reading what the Messages API answers, streamed and
 * whole. Source: platform.claude.com/docs/en/build-with-claude/streaming. */
#include "dialect/anthropic.h"

#include "base/check.h"

/* What a stream's reader remembers. */
struct anthropic_reading {
	enum anthropic_block open;   /* the block whose deltas come */
	int call;                    /* its ordinal, of a call */
	bool told_input;             /* arguments of it came */
	struct slice input;          /* arguments that came with its start; arena */
	struct usage usage;
	unsigned asked;              /* calls that the client is to answer */
	size_t skip;                 /* bytes of space that the client has from the answer begun */
	bool in_json;                /* the open call is the answer (anthropic_asks_json()) */
};

static struct anthropic_reading *reading(struct codec_reader *r)
{
	const struct canon_request *q = r->request;
	struct anthropic_reading *own = r->own;

	if (own)
		return own;
	r->own = own = arena_new(r->arena, struct anthropic_reading);
	if (q && q->resume == RESUME_PREFILL)
		own->skip = q->sent.len - anthropic_sent(q).len;
	return own;
}

static struct slice member(struct slice object, const char *name)
{
	struct slice value = json_member(object, slice_of(name));

	return json_is_nothing(value) ? SLICE_NONE : value;
}

static struct slice text_member(struct slice object, const char *name)
{
	struct slice value = member(object, name);

	return value.len > 2 && json_type_of(value) == JSON_STRING ? value : SLICE_NONE;
}

/* ---- what both forms tell ------------------------------------------------------------- */

static void tell_start(struct codec_reader *r, struct slice message, struct canon_events *out)
{
	struct canon_event *e = canon_add(out, CANON_EVENT_START);

	e->id = text_member(message, "id");
	e->name = text_member(message, "model");
	e->created = r->wall_ms / 1000;
	e->usage = reading(r)->usage;
	r->started = true;
}

static void tell_text(struct codec_reader *r, enum canon_event_kind kind, struct slice raw,
		      struct canon_events *out)
{
	struct canon_event *e;

	if (!raw.len)
		return;
	e = canon_add(out, kind);
	e->text = raw;
	r->content = true;
	if (kind == CANON_EVENT_SIGNATURE || kind == CANON_EVENT_ENCRYPTED)
		e->vendor = S("anthropic");
}

/* The client has the space that the answer begun could not end with: it is not
 * told twice. */
static struct slice without_told_space(struct codec_reader *r, struct arena *arena, struct slice raw)
{
	struct anthropic_reading *own = reading(r);
	struct slice text, sent;
	size_t n = 0;

	if (!own->skip || !raw.len)
		return raw;
	text = json_string(arena, raw);
	sent = slice_from(r->request->sent, r->request->sent.len - own->skip);
	while (n < text.len && n < sent.len && text.at[n] == sent.at[n])
		n++;
	own->skip = n == text.len ? own->skip - n : 0;
	return n ? canon_quote(arena, slice_from(text, n)) : raw;
}

static void tell_answer_text(struct codec_reader *r, struct arena *arena, struct slice raw,
			     struct canon_events *out)
{
	raw = without_told_space(r, arena, raw);
	if (raw.len > 2)
		tell_text(r, CANON_EVENT_TEXT, raw, out);
}

static void tell_call(struct codec_reader *r, struct slice block, struct canon_events *out)
{
	struct slice caller = text_member(member(block, "caller"), "type");
	struct canon_event *e = canon_add(out, CANON_EVENT_CALL);

	/* The vendor's own code may call, and be answered, by itself. */
	reading(r)->asked += !caller.len || json_string_eq(caller, S("direct"));
	e->call = reading(r)->call = (int)r->calls++;
	e->id = text_member(block, "id");
	e->name = text_member(block, "name");
	if (!e->name.len)
		e->name = S("\"\"");
	r->content = true;
}

/* Is it the answer itself, that was asked for as a call? */
static bool is_json_answer(const struct codec_reader *r, struct slice block)
{
	return r->request && anthropic_asks_json(r->request) &&
	       json_string_eq(member(block, "name"), S(ANTHROPIC_JSON_TOOL));
}

static void tell_arguments(struct codec_reader *r, struct slice raw, struct canon_events *out)
{
	struct canon_event *e;

	if (reading(r)->in_json) {
		tell_text(r, CANON_EVENT_TEXT, raw, out);
		return;
	}
	e = canon_add(out, CANON_EVENT_ARGUMENTS);
	e->call = reading(r)->call;
	e->text = raw;
}

static void tell_citation(struct slice citation, struct canon_events *out)
{
	struct canon_event *e = canon_add(out, CANON_EVENT_CITATION);

	e->text = text_member(citation, "cited_text");
	e->url = text_member(citation, "url");
	if (!e->url.len)
		e->url = text_member(citation, "source");
	e->title = text_member(citation, "title");
	if (!e->title.len)
		e->title = text_member(citation, "document_title");
	e->json = citation;
	e->vendor = S("anthropic");
}

static void tell_citations(struct slice citations, struct canon_events *out)
{
	struct slice one;

	if (json_type_of(citations) != JSON_ARRAY)
		return;
	while (json_next(&citations, NULL, &one))
		if (json_type_of(one) == JSON_OBJECT)
			tell_citation(one, out);
}

/* What a block says as it begins, or whole; of a call not its arguments. */
static void tell_block(struct codec_reader *r, struct arena *scratch, struct slice block,
		       enum anthropic_block kind, struct canon_events *out)
{
	switch (kind) {
	case ANTHROPIC_TEXT:
		tell_answer_text(r, scratch, text_member(block, "text"), out);
		tell_citations(member(block, "citations"), out);
		break;
	case ANTHROPIC_THINKING:
		tell_text(r, CANON_EVENT_REASONING, text_member(block, "thinking"), out);
		tell_text(r, CANON_EVENT_SIGNATURE, text_member(block, "signature"), out);
		break;
	case ANTHROPIC_REDACTED:
		tell_text(r, CANON_EVENT_ENCRYPTED, text_member(block, "data"), out);
		break;
	case ANTHROPIC_TOOL_USE:
		reading(r)->in_json = is_json_answer(r, block);
		if (!reading(r)->in_json)
			tell_call(r, block, out);
		break;
	case ANTHROPIC_OTHER: case ANTHROPIC_NO_BLOCK:
		break;
	}
}

static void tell_usage(struct codec_reader *r, struct slice raw, struct canon_events *out)
{
	struct anthropic_reading *own = reading(r);

	anthropic_read_usage(raw, &own->usage);
	if (own->usage.known)
		canon_add(out, CANON_EVENT_USAGE)->usage = own->usage;
}

/* `from`: a message or a message_delta's delta. */
static void tell_finish(struct codec_reader *r, struct slice from, struct canon_events *out)
{
	struct slice reason = text_member(from, "stop_reason");
	struct slice why = text_member(member(from, "stop_details"), "explanation");
	enum canon_finish finish = anthropic_finish_of(reason);
	struct canon_event *e;

	if (!reason.len || r->finished)
		return;
	/* Calls are to be answered, whatever else is said (E26). */
	if (reading(r)->asked && (finish == CANON_FINISH_STOP || finish == CANON_FINISH_STOP_WORD))
		finish = CANON_FINISH_CALLS;
	if (!r->calls && finish == CANON_FINISH_CALLS)
		finish = CANON_FINISH_STOP;
	if (finish == CANON_FINISH_REFUSAL)
		tell_text(r, CANON_EVENT_REFUSAL, why, out);
	e = canon_add(out, CANON_EVENT_FINISH);
	e->finish = finish;
	if (finish == CANON_FINISH_STOP_WORD)
		e->text = text_member(from, "stop_sequence");
	r->finished = true;
}

static void tell_done(struct codec_reader *r, struct canon_events *out)
{
	if (!r->finished)
		canon_add(out, CANON_EVENT_FINISH)->finish = r->calls ? CANON_FINISH_CALLS
								       : CANON_FINISH_STOP;
	canon_add(out, CANON_EVENT_DONE);
	r->finished = r->done = true;
}

static void fail(struct codec_reader *r, struct canon_events *out, struct slice message)
{
	canon_add_error(out, FAULT_BAD_ANSWER, message);
	r->failed = true;
}

/* ---- a stream -------------------------------------------------------------------------- */

static void on_message_start(struct codec_reader *r, struct slice data, struct canon_events *out)
{
	struct slice message = member(data, "message");

	/* Something joined two answers: what was told is worth nothing. */
	if (r->content) {
		fail(r, out, S("the stream began a second message in the middle of the first"));
		return;
	}
	anthropic_read_usage(member(message, "usage"), &reading(r)->usage);
	if (!r->started)
		tell_start(r, message, out);
	if (reading(r)->usage.known)
		canon_add(out, CANON_EVENT_USAGE)->usage = reading(r)->usage;
}

static void on_block_start(struct codec_reader *r, struct arena *scratch, struct slice data,
			   struct canon_events *out)
{
	struct slice block = member(data, "content_block"), input = member(block, "input");
	struct anthropic_reading *own = reading(r);

	own->open = anthropic_block_of(member(block, "type"));
	own->input = SLICE_NONE;
	own->told_input = false;
	tell_block(r, scratch, block, own->open, out);
	if (own->open == ANTHROPIC_TOOL_USE && input.len && json_type_of(input) == JSON_OBJECT)
		own->input = arena_copy(r->arena, input);
}

static void on_block_delta(struct codec_reader *r, struct arena *scratch, struct slice data,
			   struct canon_events *out)
{
	struct slice delta = member(data, "delta"), type = member(delta, "type"), piece;
	struct anthropic_reading *own = reading(r);

	if (json_string_eq(type, S("text_delta"))) {
		tell_answer_text(r, scratch, text_member(delta, "text"), out);
	} else if (json_string_eq(type, S("thinking_delta"))) {
		tell_text(r, CANON_EVENT_REASONING, text_member(delta, "thinking"), out);
	} else if (json_string_eq(type, S("signature_delta"))) {
		tell_text(r, CANON_EVENT_SIGNATURE, text_member(delta, "signature"), out);
	} else if (json_string_eq(type, S("input_json_delta")) && own->open == ANTHROPIC_TOOL_USE) {
		piece = text_member(delta, "partial_json");
		own->told_input |= piece.len > 0;
		if (piece.len)
			tell_arguments(r, piece, out);
	} else if (json_string_eq(type, S("citations_delta"))) {
		if (json_type_of(member(delta, "citation")) == JSON_OBJECT)
			tell_citation(member(delta, "citation"), out);
	}
}

/* A call without arguments, or whose arguments all came at its start. */
static void on_block_stop(struct codec_reader *r, struct arena *scratch, struct canon_events *out)
{
	struct anthropic_reading *own = reading(r);

	if (own->open == ANTHROPIC_TOOL_USE && !own->told_input)
		tell_arguments(r, canon_arguments_text(scratch, own->input, false), out);
	own->open = ANTHROPIC_NO_BLOCK;
}

static void on_error(struct codec_reader *r, struct arena *scratch, struct slice data,
		     struct canon_events *out)
{
	/* The endpoint does not matter inside a stream. */
	static const struct endpoint messages = { .kind = ENDPOINT_CHAT, .model_place = MODEL_IN_JSON };
	struct error_body error;
	enum fault fault = anthropic_read_error(scratch, &messages, data, &error);
	struct canon_event *e = canon_add_error(out, fault, error.message);

	e->error.type = error.type;
	e->error.code = error.code;
	e->error.param = error.param;
	e->error.retry_after_ms = dialect_retry_hint_ms(NULL, error.raw, 0);
	r->failed = true;
}

void anthropic_read_event(struct codec_reader *r, struct arena *scratch, struct slice type,
			  struct slice data, struct canon_events *out)
{
	struct slice kind;

	data = slice_trim(data);
	/* What follows the end is nobody's (E15). */
	if (r->done || r->failed || !data.len)
		return;
	if (json_validate(data, NULL) != JSON_OK) {
		if (slice_eq(type, S("error")))
			on_error(r, scratch, data, out);
		else
			fail(r, out, S("an event of the stream is not valid JSON"));
		return;
	}
	kind = json_string(scratch, member(data, "type"));
	if (slice_eq(kind, S("error")) || slice_eq(type, S("error")) ||
	    (!kind.len && member(data, "error").len)) {
		on_error(r, scratch, data, out);
		return;
	}
	if (slice_eq(kind, S("message_start"))) {
		on_message_start(r, data, out);
		return;
	}
	/* Content without a beginning (E-rows): it has one all the same. */
	if (!r->started && (slice_starts(kind, S("content_block_")) || slice_starts(kind, S("message_"))))
		tell_start(r, SLICE_NONE, out);
	if (slice_eq(kind, S("content_block_start"))) {
		on_block_start(r, scratch, data, out);
	} else if (slice_eq(kind, S("content_block_delta"))) {
		on_block_delta(r, scratch, data, out);
	} else if (slice_eq(kind, S("content_block_stop"))) {
		on_block_stop(r, scratch, out);
	} else if (slice_eq(kind, S("message_delta"))) {
		if (reading(r)->open != ANTHROPIC_NO_BLOCK)
			on_block_stop(r, scratch, out);
		tell_finish(r, member(data, "delta"), out);
		tell_usage(r, member(data, "usage"), out);
	} else if (slice_eq(kind, S("message_stop"))) {
		/* Without a reason it may be the end of anything (E13). */
		if (r->finished || r->content)
			tell_done(r, out);
		else
			fail(r, out, S("the stream was done without an answer in it"));
	}
	/* ping, and what the future brings: to be ignored. */
}

enum fault anthropic_read_end(struct codec_reader *r, struct arena *scratch, struct canon_events *out)
{
	(void)scratch;
	if (r->failed)
		return r->content ? FAULT_CUT : FAULT_BAD_ANSWER;
	if (r->done)
		return FAULT_NONE;
	if (!r->finished)
		return r->content ? FAULT_CUT : FAULT_BAD_ANSWER;
	tell_done(r, out);           /* E12: the reason was there */
	return FAULT_NONE;
}

/* ---- a whole answer --------------------------------------------------------------------- */

static void read_block(struct codec_reader *r, struct slice block, struct canon_events *out)
{
	enum anthropic_block kind = anthropic_block_of(member(block, "type"));

	tell_block(r, r->arena, block, kind, out);
	if (kind == ANTHROPIC_TOOL_USE)
		tell_arguments(r, canon_arguments_text(r->arena, member(block, "input"), false), out);
}

enum fault anthropic_read_answer(struct codec_reader *r, struct slice body, struct canon_events *out)
{
	struct slice content, block;

	body = slice_trim(body);
	if (json_validate(body, NULL) != JSON_OK || json_type_of(body) != JSON_OBJECT)
		return FAULT_BAD_ANSWER;
	content = member(body, "content");
	if (json_type_of(content) != JSON_ARRAY)
		return FAULT_BAD_ANSWER;
	anthropic_read_usage(member(body, "usage"), &reading(r)->usage);
	tell_start(r, body, out);
	while (json_next(&content, NULL, &block))
		read_block(r, block, out);
	tell_finish(r, body, out);
	if (reading(r)->usage.known)
		canon_add(out, CANON_EVENT_USAGE)->usage = reading(r)->usage;
	tell_done(r, out);
	return FAULT_NONE;
}

enum fault anthropic_count_read_answer(struct codec_reader *r, struct slice body,
				       struct canon_events *out)
{
	int64_t tokens;
	struct canon_event *e;

	if (json_validate(body, NULL) != JSON_OK ||
	    !json_i64(json_member(body, S("input_tokens")), &tokens) || tokens < 0)
		return FAULT_BAD_ANSWER;
	canon_add(out, CANON_EVENT_START)->created = r->wall_ms / 1000;
	e = canon_add(out, CANON_EVENT_COUNT);
	e->usage = (struct usage){ .known = true, .input_tokens = tokens };
	canon_add(out, CANON_EVENT_DONE);
	r->started = r->content = r->done = true;
	return FAULT_NONE;
}
