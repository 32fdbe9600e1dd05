/* cohere_read.c: what Cohere's v2 chat answers, whole and streamed, as events. */
#include "dialect/cohere.h"

#include "base/check.h"
#include "wire/json.h"

#include <stdlib.h>

#define CALLS_MAX 4096                /* of one answer; nobody makes more */

/* A call under way. */
struct call {
	struct call *next;
	int64_t index;               /* Cohere's */
	int ordinal;
	bool has_arguments;
};

struct own {
	struct call *calls;          /* the last begun is the first */
};

static struct own *own_of(struct codec_reader *r)
{
	if (!r->own)
		r->own = arena_new(r->arena, struct own);
	return r->own;
}

static bool is_string(struct slice raw)
{
	return raw.len > 2 && raw.at[0] == '"';
}

static void start(struct codec_reader *r, struct canon_events *out, struct slice id)
{
	struct canon_event *e;

	if (r->started)
		return;
	r->started = true;
	e = canon_add(out, CANON_EVENT_START);
	e->id = is_string(id) ? id : SLICE_NONE;
	e->created = r->wall_ms / 1000;
}

static struct canon_event *add(struct codec_reader *r, struct canon_events *out, enum canon_event_kind kind)
{
	start(r, out, SLICE_NONE);
	return canon_add(out, kind);
}

static void fail(struct codec_reader *r, struct canon_events *out, enum fault fault, struct slice message)
{
	r->failed = true;
	canon_add_error(out, fault, message);
}

static void say(struct codec_reader *r, struct canon_events *out, enum canon_event_kind kind,
		struct slice raw)
{
	if (!is_string(raw))
		return;
	add(r, out, kind)->text = raw;
	r->content = true;
}

/* ---- citations and probabilities ------------------------------------------------------- */

/* {"text","sources":[{"type":"document","document":{"title","url"}}]} */
static void read_citation(struct codec_reader *r, struct canon_events *out, struct slice citation)
{
	struct slice text = json_member(citation, S("text"));
	struct slice title = json_path(citation, S("sources.0.document.title"));
	struct slice url = json_path(citation, S("sources.0.document.url"));
	struct canon_event *e;

	if (!is_string(text))
		return;
	e = add(r, out, CANON_EVENT_CITATION);
	e->text = text;
	e->title = is_string(title) ? title : SLICE_NONE;
	e->url = is_string(url) ? url : SLICE_NONE;
}

static void read_citations(struct codec_reader *r, struct canon_events *out, struct slice citations)
{
	struct slice one;

	if (json_type_of(citations) == JSON_OBJECT)
		read_citation(r, out, citations);
	if (json_type_of(citations) == JSON_ARRAY)
		while (json_next(&citations, NULL, &one))
			read_citation(r, out, one);
}

/* Cohere tells the probabilities of a piece of text that may be several tokens:
 * that of the piece is their product. */
static void read_logprob(struct codec_reader *r, struct canon_events *out, struct slice item)
{
	struct slice text = json_member(item, S("text")), list = json_member(item, S("logprobs")), one;
	unsigned count = 0;
	double sum = 0;

	if (!is_string(text) || json_type_of(list) != JSON_ARRAY)
		return;
	while (json_next(&list, NULL, &one)) {
		if (json_type_of(one) != JSON_NUMBER)
			return;
		sum += strtod(arena_cstring(r->arena, one), NULL);
		count++;
	}
	if (!count || !(sum > -1e9 && sum < 1e9))
		return;
	add(r, out, CANON_EVENT_LOGPROBS)->json =
		arena_printf(r->arena, "[{\"token\":%.*s,\"logprob\":%.9g,\"bytes\":null,\"top_logprobs\":[]}]",
			     SLICE_ARG(text), sum);
}

static void read_logprobs(struct codec_reader *r, struct canon_events *out, struct slice raw)
{
	struct slice one;

	if (json_type_of(raw) == JSON_OBJECT)
		read_logprob(r, out, raw);
	if (json_type_of(raw) == JSON_ARRAY)
		while (json_next(&raw, NULL, &one))
			read_logprob(r, out, one);
}

/* ---- the end ----------------------------------------------------------------------------- */

static int64_t count_of(struct slice raw, struct slice path)
{
	struct slice value = json_path(raw, path);
	int64_t n;

	if (json_i64(value, &n))
		return n >= 0 ? n : -1;
	/* The API calls its counts numbers: 12.0 is one. */
	if (json_type_of(value) == JSON_NUMBER && slice_ends(value, S(".0")) &&
	    slice_to_i64(slice_sub(value, 0, value.len - 2), &n))
		return n >= 0 ? n : -1;
	return -1;
}

void cohere_read_usage(struct slice raw, struct usage *out)
{
	int64_t input = count_of(raw, S("tokens.input_tokens")), cached = count_of(raw, S("cached_tokens"));
	int64_t output = count_of(raw, S("tokens.output_tokens"));

	if (input < 0)
		input = count_of(raw, S("billed_units.input_tokens"));
	if (output < 0)
		output = count_of(raw, S("billed_units.output_tokens"));
	if (input < 0 && output < 0)
		return;
	*out = (struct usage){
		.known = true, .input_tokens = input > 0 ? input : 0, .output_tokens = output > 0 ? output : 0,
		.cached_tokens = cached > 0 ? cached : 0,
	};
}

static void read_finish(struct codec_reader *r, struct canon_events *out, struct slice reason,
			struct slice error)
{
	static const struct { struct slice word; enum canon_finish finish; } rows[] = {
		{ S_INIT("COMPLETE"), CANON_FINISH_STOP },
		{ S_INIT("STOP_SEQUENCE"), CANON_FINISH_STOP_WORD },
		{ S_INIT("MAX_TOKENS"), CANON_FINISH_LENGTH },
		{ S_INIT("TOOL_CALL"), CANON_FINISH_CALLS },
		{ S_INIT("ERROR_LIMIT"), CANON_FINISH_CONTEXT },
		{ S_INIT("ERROR_TOXIC"), CANON_FINISH_FILTER },
	};
	enum canon_finish finish = CANON_FINISH_STOP;

	if (slice_eq(reason, S("ERROR")) || slice_eq(reason, S("TIMEOUT")) || slice_eq(reason, S("USER_CANCEL"))) {
		fail(r, out, FAULT_SERVER_ERROR, error.len ? error : S("the backend gave up in the middle of its answer"));
		out->at[out->count - 1].error.code = reason;
		return;
	}
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (slice_eq(reason, rows[i].word))
			finish = rows[i].finish;
	if (finish == CANON_FINISH_STOP && r->calls)
		finish = CANON_FINISH_CALLS;
	if (finish == CANON_FINISH_CALLS && !r->calls)
		finish = CANON_FINISH_STOP;
	add(r, out, CANON_EVENT_FINISH)->finish = finish;
	r->finished = true;
}

static void read_usage_event(struct codec_reader *r, struct canon_events *out, struct slice raw)
{
	struct usage usage = { .known = false };

	cohere_read_usage(raw, &usage);
	if (usage.known)
		add(r, out, CANON_EVENT_USAGE)->usage = usage;
}

static void done(struct codec_reader *r, struct canon_events *out)
{
	if (r->done)
		return;
	r->done = true;
	add(r, out, CANON_EVENT_DONE);
}

/* ---- calls --------------------------------------------------------------------------------- */

static void add_arguments(struct codec_reader *r, struct canon_events *out, int call, struct slice raw)
{
	struct canon_event *e = add(r, out, CANON_EVENT_ARGUMENTS);

	e->call = call;
	e->text = raw;
}

/* False: it is none. */
static bool begin_call(struct codec_reader *r, struct canon_events *out, struct slice call, int *ordinal)
{
	struct slice name = json_path(call, S("function.name")), id = json_member(call, S("id"));
	struct canon_event *e;

	if (!is_string(name) || r->calls == CALLS_MAX)
		return false;
	e = add(r, out, CANON_EVENT_CALL);
	e->call = *ordinal = (int)r->calls++;
	e->id = is_string(id) ? id : SLICE_NONE;
	e->name = name;
	r->content = true;
	return true;
}

/* Without arguments Cohere writes "null", or nothing. */
static struct slice arguments_of(struct slice raw)
{
	return !is_string(raw) || slice_eq(raw, S("\"null\"")) ? S("\"{}\"") : raw;
}

static struct call *find_call(struct codec_reader *r, struct slice event)
{
	struct call *c = own_of(r)->calls;
	int64_t index;

	/* Without a number it is the last one's. */
	if (!json_i64(json_member(event, S("index")), &index))
		return c;
	while (c && c->index != index)
		c = c->next;
	return c;
}

static void read_call_piece(struct codec_reader *r, struct canon_events *out, struct slice event,
			    struct slice raw)
{
	struct call *c = find_call(r, event);

	if (!c || !is_string(raw))
		return;
	add_arguments(r, out, c->ordinal, c->has_arguments ? raw : arguments_of(raw));
	c->has_arguments = true;
}

static void read_call_start(struct codec_reader *r, struct canon_events *out, struct slice event)
{
	struct slice call = json_path(event, S("delta.message.tool_calls"));
	struct own *own = own_of(r);
	struct call *c;
	int ordinal;

	if (json_type_of(call) == JSON_ARRAY)
		call = json_path(call, S("0"));
	if (!begin_call(r, out, call, &ordinal))
		return;
	c = arena_new(r->arena, struct call);
	*c = (struct call){ .next = own->calls, .index = ordinal, .ordinal = ordinal };
	json_i64(json_member(event, S("index")), &c->index);
	own->calls = c;
	read_call_piece(r, out, event, json_path(call, S("function.arguments")));
}

static void read_call_end(struct codec_reader *r, struct canon_events *out, struct slice event)
{
	struct call *c = find_call(r, event);

	if (!c || c->has_arguments)
		return;
	add_arguments(r, out, c->ordinal, S("\"{}\""));
	c->has_arguments = true;
}

/* ---- streams --------------------------------------------------------------------------------- */

static void read_content(struct codec_reader *r, struct canon_events *out, struct slice event)
{
	struct slice content = json_path(event, S("delta.message.content"));

	say(r, out, CANON_EVENT_REASONING, json_member(content, S("thinking")));
	say(r, out, CANON_EVENT_TEXT, json_member(content, S("text")));
	read_logprobs(r, out, json_member(event, S("logprobs")));
}

static void read_message_end(struct codec_reader *r, struct canon_events *out, struct slice event)
{
	struct slice delta = json_member(event, S("delta"));
	struct slice error = arena_copy(r->arena, json_string(r->arena, json_member(delta, S("error"))));

	read_usage_event(r, out, json_member(delta, S("usage")));
	read_finish(r, out, arena_copy(r->arena, json_string(r->arena, json_member(delta, S("finish_reason")))),
		    error);
	if (!r->failed)
		done(r, out);
}

/* {"message": "…"} without a type of the stream's: an error. */
static bool read_error(struct codec_reader *r, struct arena *scratch, struct canon_events *out,
		       struct slice data)
{
	struct error_body error;

	if (is_string(json_member(data, S("type"))) && json_is_nothing(json_member(data, S("error"))) &&
	    !json_string_eq(json_member(data, S("type")), S("error")))
		return false;
	error_body_read(scratch, data, &error);
	fail(r, out, error.found ? FAULT_SERVER_ERROR : FAULT_BAD_ANSWER,
	     error.found ? error.message : S("an event of the stream says not what it is"));
	return true;
}

void cohere_read_event(struct codec_reader *r, struct arena *scratch, struct slice type,
		       struct slice data, struct canon_events *out)
{
	static const struct {
		struct slice type;
		void (*read)(struct codec_reader *r, struct canon_events *out, struct slice event);
	} rows[] = {
		{ S_INIT("content-delta"), read_content }, { S_INIT("content-start"), read_content },
		{ S_INIT("tool-call-start"), read_call_start }, { S_INIT("tool-call-end"), read_call_end },
		{ S_INIT("message-end"), read_message_end },
	};
	struct slice what;

	(void)type;                  /* of the SSE event: the same as in its data, where it is given */
	if (r->failed || r->done || slice_eq(slice_trim(data), S("[DONE]")))
		return;
	if (json_validate(data, NULL) != JSON_OK || json_type_of(data) != JSON_OBJECT) {
		fail(r, out, FAULT_BAD_ANSWER, S("an event of the stream is no JSON object"));
		return;
	}
	data = slice_trim(data);
	if (read_error(r, scratch, out, data))
		return;
	what = json_member(data, S("type"));
	start(r, out, json_member(data, S("id")));
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (json_string_eq(what, rows[i].type))
			rows[i].read(r, out, data);
	if (json_string_eq(what, S("tool-plan-delta")))
		say(r, out, CANON_EVENT_REASONING, json_path(data, S("delta.message.tool_plan")));
	else if (json_string_eq(what, S("tool-call-delta")))
		read_call_piece(r, out, data, json_path(data, S("delta.message.tool_calls.function.arguments")));
	else if (json_string_eq(what, S("citation-start")))
		read_citations(r, out, json_path(data, S("delta.message.citations")));
}

enum fault cohere_read_end(struct codec_reader *r, struct arena *scratch, struct canon_events *out)
{
	(void)scratch;
	if (r->finished || r->done) {
		done(r, out);
		return FAULT_NONE;
	}
	return r->content ? FAULT_CUT : FAULT_BAD_ANSWER;
}

/* ---- whole answers ------------------------------------------------------------------------------ */

static void read_whole_content(struct codec_reader *r, struct canon_events *out, struct slice content)
{
	struct slice part;

	if (is_string(content))
		say(r, out, CANON_EVENT_TEXT, content);
	if (json_type_of(content) != JSON_ARRAY)
		return;
	while (json_next(&content, NULL, &part)) {
		say(r, out, CANON_EVENT_REASONING, json_member(part, S("thinking")));
		say(r, out, CANON_EVENT_TEXT, json_member(part, S("text")));
	}
}

static void read_whole_calls(struct codec_reader *r, struct canon_events *out, struct slice calls)
{
	struct slice call;
	int ordinal;

	if (json_type_of(calls) != JSON_ARRAY)
		return;
	while (json_next(&calls, NULL, &call))
		if (begin_call(r, out, call, &ordinal))
			add_arguments(r, out, ordinal, arguments_of(json_path(call, S("function.arguments"))));
}

enum fault cohere_read_answer(struct codec_reader *r, struct slice body, struct canon_events *out)
{
	struct slice message, reason;

	if (json_validate(body, NULL) != JSON_OK || json_type_of(body) != JSON_OBJECT)
		return FAULT_BAD_ANSWER;
	body = slice_trim(body);
	message = json_member(body, S("message"));
	reason = json_member(body, S("finish_reason"));
	if (json_type_of(message) != JSON_OBJECT || !is_string(reason))
		return FAULT_BAD_ANSWER;
	start(r, out, json_member(body, S("id")));
	say(r, out, CANON_EVENT_REASONING, json_member(message, S("tool_plan")));
	read_whole_content(r, out, json_member(message, S("content")));
	read_whole_calls(r, out, json_member(message, S("tool_calls")));
	read_citations(r, out, json_member(message, S("citations")));
	read_logprobs(r, out, json_member(body, S("logprobs")));
	read_finish(r, out, json_string(r->arena, reason), SLICE_NONE);
	if (r->failed)
		return FAULT_SERVER_ERROR;
	read_usage_event(r, out, json_member(body, S("usage")));
	done(r, out);
	return FAULT_NONE;
}
