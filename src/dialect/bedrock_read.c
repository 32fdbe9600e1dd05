/* bedrock_read.c: what Converse and ConverseStream answer, as events. */
#include "dialect/bedrock.h"

#include "base/check.h"
#include "wire/json.h"

#define BLOCKS_MAX 4096               /* of one answer; the API has no more */

/* What a block of a stream turned out to be. */
enum block_kind { BLOCK_NEW, BLOCK_TEXT, BLOCK_CALL, BLOCK_SILENT };

struct block {
	struct block *next;
	int64_t index;
	enum block_kind kind;
	int call;                    /* its ordinal */
	bool has_arguments;
};

struct own {
	struct block *blocks;        /* the last begun is the first */
	unsigned block_count;
};

static struct own *own_of(struct codec_reader *r)
{
	if (!r->own)
		r->own = arena_new(r->arena, struct own);
	return r->own;
}

static void start(struct codec_reader *r, struct canon_events *out)
{
	if (r->started)
		return;
	r->started = true;
	/* The API names neither the answer nor the model. */
	canon_add(out, CANON_EVENT_START)->created = r->wall_ms / 1000;
}

static struct canon_event *add(struct codec_reader *r, struct canon_events *out, enum canon_event_kind kind)
{
	start(r, out);
	return canon_add(out, kind);
}

static void fail(struct codec_reader *r, struct canon_events *out, enum fault fault, struct slice message)
{
	r->failed = true;
	canon_add_error(out, fault, message);
}

/* ---- texts ---------------------------------------------------------------------- */

static bool is_string(struct slice raw)
{
	return raw.len > 2 && raw.at[0] == '"';
}

static void say(struct codec_reader *r, struct canon_events *out, enum canon_event_kind kind,
		struct slice raw)
{
	if (!is_string(raw))
		return;
	add(r, out, kind)->text = raw;
	r->content = true;
}

/* Claude alone signs its thinking, and its signatures are good with all who serve
 * it; what is encrypted is known to Bedrock only. */
static void read_reasoning(struct codec_reader *r, struct canon_events *out, struct slice block)
{
	struct slice text = json_member(block, S("text")), signature = json_member(block, S("signature"));
	struct slice redacted = json_member(block, S("redactedContent")), whole;
	struct canon_event *e;

	whole = json_member(block, S("reasoningText"));
	if (whole.len && json_type_of(whole) == JSON_OBJECT) {
		text = json_member(whole, S("text"));
		signature = json_member(whole, S("signature"));
	}
	say(r, out, CANON_EVENT_REASONING, text);
	if (is_string(signature)) {
		e = add(r, out, CANON_EVENT_SIGNATURE);
		e->text = signature;
		e->vendor = S("anthropic");
	}
	if (is_string(redacted)) {
		e = add(r, out, CANON_EVENT_ENCRYPTED);
		e->text = redacted;
		e->vendor = S("bedrock");
	}
}

/* {"title","source","sourceContent":[{"text"}],"location":{"web":{"url"}}} */
static void read_citation(struct codec_reader *r, struct canon_events *out, struct slice citation)
{
	struct slice text = json_path(citation, S("sourceContent.0.text"));
	struct slice url = json_path(citation, S("location.web.url"));
	struct slice title = json_member(citation, S("title")), source = json_member(citation, S("source"));
	struct canon_event *e;

	if (json_type_of(citation) != JSON_OBJECT)
		return;
	if (!is_string(url) && slice_starts(canon_inside(source), S("http")))
		url = source;
	e = add(r, out, CANON_EVENT_CITATION);
	e->text = is_string(text) ? text : S("\"\"");
	e->url = is_string(url) ? url : SLICE_NONE;
	e->title = is_string(title) ? title : SLICE_NONE;
}

/* {"format":"png","source":{"bytes":"..."}} */
static void read_image(struct codec_reader *r, struct canon_events *out, struct slice image)
{
	struct slice bytes = json_path(image, S("source.bytes"));
	struct slice format = json_string(r->arena, json_member(image, S("format")));
	struct canon_event *e;

	if (!is_string(bytes))
		return;
	e = add(r, out, CANON_EVENT_IMAGE);
	e->media.data = json_string(r->arena, bytes);
	e->media.mime = arena_printf(r->arena, "image/%.*s", SLICE_ARG(format.len ? format : S("png")));
	r->content = true;
}

/* ---- the end -------------------------------------------------------------------------- */

static enum canon_finish finish_of(const struct codec_reader *r, struct slice reason)
{
	static const struct { struct slice word; enum canon_finish finish; } rows[] = {
		{ S_INIT("end_turn"), CANON_FINISH_STOP },
		{ S_INIT("tool_use"), CANON_FINISH_CALLS },
		{ S_INIT("max_tokens"), CANON_FINISH_LENGTH },
		{ S_INIT("stop_sequence"), CANON_FINISH_STOP_WORD },
		{ S_INIT("guardrail_intervened"), CANON_FINISH_FILTER },
		{ S_INIT("content_filtered"), CANON_FINISH_FILTER },
		{ S_INIT("model_context_window_exceeded"), CANON_FINISH_CONTEXT },
		{ S_INIT("refusal"), CANON_FINISH_REFUSAL },
		{ S_INIT("pause_turn"), CANON_FINISH_PAUSE },
	};
	enum canon_finish finish = CANON_FINISH_STOP;

	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (slice_eq(reason, rows[i].word))
			finish = rows[i].finish;
	if (finish == CANON_FINISH_STOP && r->calls)
		return CANON_FINISH_CALLS;
	return finish == CANON_FINISH_CALLS && !r->calls ? CANON_FINISH_STOP : finish;
}

/* `stop`: the object that has stopReason, a messageStop or a whole answer. */
static void read_stop(struct codec_reader *r, struct canon_events *out, struct slice stop)
{
	struct slice reason = json_string(r->arena, json_member(stop, S("stopReason")));
	struct slice word = json_path(stop, S("additionalModelResponseFields.stop_sequence"));
	enum fault fault = bedrock_fault_of_stop(reason);
	struct canon_event *e;

	if (r->finished)
		return;
	if (fault != FAULT_NONE) {
		fail(r, out, fault, S("the model's output was malformed"));
		return;
	}
	if (json_is_nothing(word))
		word = json_path(stop, S("additionalModelResponseFields.delta.stop_sequence"));
	e = add(r, out, CANON_EVENT_FINISH);
	e->finish = finish_of(r, reason);
	e->text = e->finish == CANON_FINISH_STOP_WORD && is_string(word) ? word : SLICE_NONE;
	r->finished = true;
}

static int64_t count_of(struct slice usage, struct slice name)
{
	int64_t n;

	return json_i64(json_member(usage, name), &n) && n >= 0 ? n : 0;
}

/* What the cache held and took is not in inputTokens. */
static void read_usage(struct codec_reader *r, struct canon_events *out, struct slice usage)
{
	struct usage *u;
	int64_t n;

	if (json_is_nothing(usage) || json_type_of(usage) != JSON_OBJECT ||
	    !json_i64(json_member(usage, S("inputTokens")), &n))
		return;
	u = &add(r, out, CANON_EVENT_USAGE)->usage;
	u->known = true;
	u->cached_tokens = count_of(usage, S("cacheReadInputTokens"));
	u->cache_write_tokens = count_of(usage, S("cacheWriteInputTokens"));
	u->input_tokens = count_of(usage, S("inputTokens")) + u->cached_tokens + u->cache_write_tokens;
	u->output_tokens = count_of(usage, S("outputTokens"));
}

static void done(struct codec_reader *r, struct canon_events *out)
{
	if (r->done)
		return;
	r->done = true;
	add(r, out, CANON_EVENT_DONE);
}

/* ---- streams: blocks --------------------------------------------------------------------- */

static struct block *find_block(struct codec_reader *r, struct slice event)
{
	struct own *own = own_of(r);
	struct block *b = own->blocks;
	int64_t index = 0;

	json_i64(json_member(event, S("contentBlockIndex")), &index);
	while (b && b->index != index)
		b = b->next;
	if (b || own->block_count == BLOCKS_MAX)
		return b;
	b = arena_new(r->arena, struct block);
	*b = (struct block){ .next = own->blocks, .index = index, .call = EVENT_NO_CALL };
	own->blocks = b;
	own->block_count++;
	return b;
}

static int begin_call(struct codec_reader *r, struct canon_events *out, struct slice use)
{
	struct canon_event *e = add(r, out, CANON_EVENT_CALL);

	e->call = (int)r->calls++;
	e->id = json_member(use, S("toolUseId"));
	e->name = json_member(use, S("name"));
	r->content = true;
	return e->call;
}

static void read_block_start(struct codec_reader *r, struct canon_events *out, struct slice event)
{
	struct slice start_of = json_member(event, S("start")), use = json_member(start_of, S("toolUse"));
	struct block *b = find_block(r, event);

	if (!b || b->kind != BLOCK_NEW)
		return;
	if (json_is_nothing(use) || json_type_of(use) != JSON_OBJECT) {
		/* Results of tools that the vendor runs itself are not the client's. */
		b->kind = json_is_nothing(json_member(start_of, S("toolResult"))) ? BLOCK_TEXT : BLOCK_SILENT;
		return;
	}
	if (json_string_eq(json_member(use, S("type")), S("server_tool_use")) ||
	    !is_string(json_member(use, S("name")))) {
		b->kind = BLOCK_SILENT;
		return;
	}
	b->kind = BLOCK_CALL;
	b->call = begin_call(r, out, use);
}

static void add_arguments(struct codec_reader *r, struct canon_events *out, int call, struct slice text)
{
	struct canon_event *e = add(r, out, CANON_EVENT_ARGUMENTS);

	e->call = call;
	e->text = text;
}

static void read_delta(struct codec_reader *r, struct canon_events *out, struct slice event)
{
	struct slice delta = json_member(event, S("delta")), key, value;
	struct block *b = find_block(r, event);

	if (!b || b->kind == BLOCK_SILENT || json_type_of(delta) != JSON_OBJECT)
		return;
	while (json_next(&delta, &key, &value)) {
		if (json_string_eq(key, S("text"))) {
			say(r, out, CANON_EVENT_TEXT, value);
		} else if (json_string_eq(key, S("reasoningContent")) && json_type_of(value) == JSON_OBJECT) {
			read_reasoning(r, out, value);
		} else if (json_string_eq(key, S("citation"))) {
			read_citation(r, out, value);
		} else if (json_string_eq(key, S("image"))) {
			read_image(r, out, value);
		} else if (json_string_eq(key, S("toolUse")) && b->kind == BLOCK_CALL) {
			value = json_member(value, S("input"));
			if (!is_string(value))
				continue;
			add_arguments(r, out, b->call, value);
			b->has_arguments = true;
		}
	}
}

/* A call without arguments is one with an empty object of them. */
static void read_block_stop(struct codec_reader *r, struct canon_events *out, struct slice event)
{
	struct block *b = find_block(r, event);

	if (!b)
		return;
	if (b->kind == BLOCK_CALL && !b->has_arguments)
		add_arguments(r, out, b->call, S("\"{}\""));
	/* Should its number be used again, it is another block's. */
	b->kind = BLOCK_NEW;
	b->has_arguments = false;
}

/* ---- streams: errors ---------------------------------------------------------------------------- */

static void read_exception(struct codec_reader *r, struct canon_events *out, struct slice name,
			   struct slice data)
{
	struct slice message = json_string(r->arena, json_member(data, S("message")));
	struct slice original = json_member(data, S("originalMessage"));

	name = arena_copy(r->arena, bedrock_error_name(name));
	if (message.len == 0)
		message = json_string(r->arena, json_member(data, S("Message")));
	if (is_string(original))
		message = json_string(r->arena, original);
	message = arena_copy(r->arena, message);
	fail(r, out, bedrock_fault_of(name, 0, message), message);
	out->at[out->count - 1].error.code = name;
}

/* ":exception/throttlingException", ":error/InternalFailure". */
static bool read_trouble(struct codec_reader *r, struct canon_events *out, struct slice type,
			 struct slice data)
{
	struct slice kind, name;

	if (!slice_cut(type, '/', &kind, &name))
		return false;
	if (slice_eq(kind, S(":exception"))) {
		read_exception(r, out, name, json_validate(data, NULL) == JSON_OK &&
						     json_type_of(data) == JSON_OBJECT ? data : S("{}"));
		return true;
	}
	if (!slice_eq(kind, S(":error")))
		return false;
	name = arena_copy(r->arena, bedrock_error_name(name));
	data = arena_copy(r->arena, data);
	fail(r, out, bedrock_fault_of(name, 0, data), data);
	out->at[out->count - 1].error.code = name;
	return true;
}

/* ---- streams -------------------------------------------------------------------------------------- */

void bedrock_read_event(struct codec_reader *r, struct arena *scratch, struct slice type,
			struct slice data, struct canon_events *out)
{
	(void)scratch;
	if (r->failed || r->done || read_trouble(r, out, type, data))
		return;
	if (json_validate(data, NULL) != JSON_OK || json_type_of(data) != JSON_OBJECT) {
		fail(r, out, FAULT_BAD_ANSWER, S("an event of the stream is no JSON object"));
		return;
	}
	data = slice_trim(data);
	if (slice_eq(type, S("messageStart"))) {
		start(r, out);
	} else if (slice_eq(type, S("contentBlockStart"))) {
		read_block_start(r, out, data);
	} else if (slice_eq(type, S("contentBlockDelta"))) {
		read_delta(r, out, data);
	} else if (slice_eq(type, S("contentBlockStop"))) {
		read_block_stop(r, out, data);
	} else if (slice_eq(type, S("messageStop"))) {
		read_stop(r, out, data);
	} else if (slice_eq(type, S("metadata"))) {
		read_usage(r, out, json_member(data, S("usage")));
		/* The last event, where all is in order. */
		if (r->finished)
			done(r, out);
	}
}

enum fault bedrock_read_end(struct codec_reader *r, struct arena *scratch, struct canon_events *out)
{
	(void)scratch;
	if (r->finished || r->done) {
		done(r, out);
		return FAULT_NONE;
	}
	return r->content ? FAULT_CUT : FAULT_BAD_ANSWER;
}

/* ---- whole answers ----------------------------------------------------------------------------------- */

static void read_whole_call(struct codec_reader *r, struct canon_events *out, struct slice use)
{
	struct slice input = json_member(use, S("input"));
	bool is_text = json_type_of(input) == JSON_STRING;
	struct slice object;

	if (json_string_eq(json_member(use, S("type")), S("server_tool_use")) ||
	    !is_string(json_member(use, S("name"))))
		return;
	object = json_is_nothing(input) ? S("{}") : canon_arguments_object(r->arena, input, is_text);
	add_arguments(r, out, begin_call(r, out, use), canon_quote(r->arena, object));
}

static void read_cited(struct codec_reader *r, struct canon_events *out, struct slice block)
{
	struct slice content = json_member(block, S("content")), one;
	struct slice citations = json_member(block, S("citations"));

	if (json_type_of(content) == JSON_ARRAY)
		while (json_next(&content, NULL, &one))
			say(r, out, CANON_EVENT_TEXT, json_member(one, S("text")));
	if (json_type_of(citations) == JSON_ARRAY)
		while (json_next(&citations, NULL, &one))
			read_citation(r, out, one);
}

static void read_block(struct codec_reader *r, struct canon_events *out, struct slice block)
{
	struct slice key, value;

	if (json_type_of(block) != JSON_OBJECT)
		return;
	while (json_next(&block, &key, &value)) {
		if (json_string_eq(key, S("text")))
			say(r, out, CANON_EVENT_TEXT, value);
		else if (json_type_of(value) != JSON_OBJECT)
			continue;
		else if (json_string_eq(key, S("reasoningContent")))
			read_reasoning(r, out, value);
		else if (json_string_eq(key, S("citationsContent")))
			read_cited(r, out, value);
		else if (json_string_eq(key, S("image")))
			read_image(r, out, value);
		else if (json_string_eq(key, S("toolUse")))
			read_whole_call(r, out, value);
	}
}

enum fault bedrock_read_answer(struct codec_reader *r, struct slice body, struct canon_events *out)
{
	struct slice content, block;

	if (json_validate(body, NULL) != JSON_OK || json_type_of(body) != JSON_OBJECT)
		return FAULT_BAD_ANSWER;
	body = slice_trim(body);
	content = json_path(body, S("output.message.content"));
	if (json_is_nothing(content) || json_type_of(content) != JSON_ARRAY ||
	    !is_string(json_member(body, S("stopReason"))))
		return FAULT_BAD_ANSWER;
	start(r, out);
	while (json_next(&content, NULL, &block))
		read_block(r, out, block);
	read_stop(r, out, body);
	if (r->failed)
		return FAULT_SERVER_ERROR;
	read_usage(r, out, json_member(body, S("usage")));
	done(r, out);
	return FAULT_NONE;
}
