/* anthropic_tell.c: telling an answer to a client of the Messages API, streamed
 * and whole. */
#include "dialect/anthropic.h"

#include "base/check.h"
#include "dialect/json_make.h"

#include <string.h>

/* What a stream's writer remembers. Blocks follow each other: one is open at a
 * time, and what belongs to another closes it. */
struct anthropic_telling {
	enum anthropic_block open;
	unsigned open_index, next_index;
	bool proved;                 /* the open thinking has its signature */
	int open_call;               /* the call that is open; EVENT_NO_CALL */
	int *block_of_call;          /* index of each call's block; arena */
	unsigned calls, calls_room;
	bool finished, refused;
	enum canon_finish finish;
	struct slice stop_word;      /* raw; arena */
};

static struct anthropic_telling *telling(struct codec_writer *w)
{
	struct anthropic_telling *own = w->own;

	if (!own) {
		w->own = own = arena_new(w->arena, struct anthropic_telling);
		own->open_call = EVENT_NO_CALL;
	}
	return own;
}

/* ---- pieces ------------------------------------------------------------------------- */

static struct json_make begin_event(struct buf *out, const char *type, bool *failed)
{
	struct json_make m;

	*failed |= !buf_printf(out, "event: %s\ndata: ", type);
	m = json_make_start(out);
	make_object(&m, NULL);
	make_text(&m, "type", slice_of(type));
	return m;
}

static bool end_event(struct json_make *m, struct buf *out, bool failed)
{
	make_object_end(m);
	return !failed && json_make_finish(m) && buf_append(out, S("\n\n"));
}

/* Anthropic counts beside input_tokens what a cache had or took. */
static void put_usage(struct json_make *m, const struct codec_writer *w, const struct usage *u)
{
	int64_t input = u->input_tokens - u->cached_tokens - u->cache_write_tokens;

	make_object(m, "usage");
	make_i64(m, "input_tokens", (input > 0 ? input : 0) + w->add_input);
	make_i64(m, "cache_creation_input_tokens", u->cache_write_tokens);
	make_i64(m, "cache_read_input_tokens", u->cached_tokens);
	make_i64(m, "output_tokens", u->output_tokens + w->add_output);
	if (u->reasoning_tokens > 0) {
		make_object(m, "output_tokens_details");
		make_i64(m, "thinking_tokens", u->reasoning_tokens);
		make_object_end(m);
	}
	make_object_end(m);
}

/* Ids of others are kept; where there is none, one is made of the request's. */
static void put_message_head(struct json_make *m, const struct codec_writer *w)
{
	if (w->id.len > 2)
		make_raw(m, "id", w->id);
	else
		make_text(m, "id", arena_printf(w->arena, "msg_%.*s", SLICE_ARG(w->request_id)));
	make_text(m, "type", S("message"));
	make_text(m, "role", S("assistant"));
	if (w->model.len > 2)
		make_raw(m, "model", w->model);
	else
		make_text(m, "model", w->request ? w->request->model : S(""));
}

static void put_call_head(struct json_make *m, const struct codec_writer *w, const struct canon_event *e)
{
	make_text(m, "type", S("tool_use"));
	if (e->id.len > 2)
		make_raw(m, "id", e->id);
	else
		make_text(m, "id", arena_printf(w->arena, "toolu_%.*s_%d", SLICE_ARG(w->request_id),
						e->call));
	make_raw(m, "name", e->name.len ? e->name : S("\"\""));
}

/* A citation of another API's: the nearest that this one has. */
static void put_citation(struct json_make *m, const char *name, const struct canon_event *e)
{
	if (e->json.len && slice_eq(e->vendor, S("anthropic"))) {
		make_raw(m, name, e->json);
		return;
	}
	make_object(m, name);
	make_text(m, "type", S("search_result_location"));
	make_raw(m, "cited_text", e->text.len ? e->text : S("\"\""));
	make_i64(m, "search_result_index", 0);
	make_raw(m, "source", e->url.len ? e->url : S("\"\""));
	make_raw(m, "title", e->title.len ? e->title : S("null"));
	make_i64(m, "start_block_index", 0);
	make_i64(m, "end_block_index", 0);
	make_object_end(m);
}

/* The signature of thinking as this API's clients are to keep it. */
static struct slice proof_of(struct arena *arena, const struct canon_event *e)
{
	return slice_eq(e->vendor, S("anthropic")) ? e->text : anthropic_mark(arena, e->vendor, e->text);
}

/* ---- a stream ------------------------------------------------------------------------- */

static bool write_delta(unsigned index, const char *type, const char *name, struct slice raw,
			struct buf *out)
{
	bool failed = false;
	struct json_make m = begin_event(out, "content_block_delta", &failed);

	make_i64(&m, "index", index);
	make_object(&m, "delta");
	make_text(&m, "type", slice_of(type));
	make_raw(&m, name, raw);
	make_object_end(&m);
	return end_event(&m, out, failed);
}

/* Thinking that nobody proves is marked, or it would be refused when it comes
 * back to Anthropic. */
static bool close_block(struct codec_writer *w, struct buf *out)
{
	struct anthropic_telling *own = telling(w);
	bool failed = false;
	struct json_make m;

	if (own->open == ANTHROPIC_NO_BLOCK)
		return true;
	if (own->open == ANTHROPIC_THINKING && !own->proved &&
	    !write_delta(own->open_index, "signature_delta", "signature",
			 anthropic_mark(w->arena, SLICE_NONE, SLICE_NONE), out))
		return false;
	own->open = ANTHROPIC_NO_BLOCK;
	own->open_call = EVENT_NO_CALL;
	m = begin_event(out, "content_block_stop", &failed);
	make_i64(&m, "index", own->open_index);
	return end_event(&m, out, failed);
}

static void note_open(struct anthropic_telling *own, enum anthropic_block kind)
{
	own->open = kind;
	own->open_index = own->next_index++;
	own->proved = false;
}

/* The call's block, so that late arguments find it. */
static void note_call(struct codec_writer *w, int call, unsigned index)
{
	struct anthropic_telling *own = telling(w);

	if (call < 0 || call > INT16_MAX)
		return;
	if ((unsigned)call >= own->calls_room) {
		unsigned room = 2 * (unsigned)call + 8;
		int *at = arena_array(w->arena, int, room);

		for (unsigned i = 0; i < room; i++)
			at[i] = i < own->calls ? own->block_of_call[i] : -1;
		own->block_of_call = at;
		own->calls_room = room;
	}
	own->block_of_call[call] = (int)index;
	if ((unsigned)call >= own->calls)
		own->calls = (unsigned)call + 1;
}

/* Opens a block of text or thinking, unless it is open. */
static bool open_block(struct codec_writer *w, enum anthropic_block kind, struct buf *out)
{
	struct anthropic_telling *own = telling(w);
	bool failed = false;
	struct json_make m;

	if (own->open == kind && !(kind == ANTHROPIC_THINKING && own->proved))
		return true;
	if (!close_block(w, out))
		return false;
	note_open(own, kind);
	m = begin_event(out, "content_block_start", &failed);
	make_i64(&m, "index", own->open_index);
	make_object(&m, "content_block");
	if (kind == ANTHROPIC_TEXT) {
		make_text(&m, "type", S("text"));
		make_text(&m, "text", S(""));
	} else {
		make_text(&m, "type", S("thinking"));
		make_text(&m, "thinking", S(""));
		make_text(&m, "signature", S(""));
	}
	make_object_end(&m);
	return end_event(&m, out, failed);
}

static bool write_redacted(struct codec_writer *w, struct slice data, struct buf *out)
{
	struct anthropic_telling *own = telling(w);
	bool failed = false;
	struct json_make m;

	if (!close_block(w, out))
		return false;
	note_open(own, ANTHROPIC_REDACTED);
	m = begin_event(out, "content_block_start", &failed);
	make_i64(&m, "index", own->open_index);
	make_object(&m, "content_block");
	make_text(&m, "type", S("redacted_thinking"));
	make_raw(&m, "data", data);
	make_object_end(&m);
	return end_event(&m, out, failed) && close_block(w, out);
}

/* What proves another vendor's call travels before it (anthropic_read.c gives
 * it back to the call). */
static struct slice call_proof(struct codec_writer *w, const struct canon_event *e)
{
	struct slice vendor = arena_printf(w->arena, "call-%.*s", SLICE_ARG(e->vendor));

	return anthropic_mark(w->arena, vendor, e->signature);
}

static bool open_call(struct codec_writer *w, const struct canon_event *e, struct buf *out)
{
	struct anthropic_telling *own = telling(w);
	bool failed = false;
	struct json_make m;

	if (e->signature.len > 2 && !write_redacted(w, call_proof(w, e), out))
		return false;
	if (!close_block(w, out))
		return false;
	note_open(own, ANTHROPIC_TOOL_USE);
	own->open_call = e->call;
	note_call(w, e->call, own->open_index);
	m = begin_event(out, "content_block_start", &failed);
	make_i64(&m, "index", own->open_index);
	make_object(&m, "content_block");
	put_call_head(&m, w, e);
	make_raw(&m, "input", S("{}"));
	make_object_end(&m);
	return end_event(&m, out, failed);
}

static bool write_arguments(struct codec_writer *w, const struct canon_event *e, struct buf *out)
{
	struct anthropic_telling *own = telling(w);

	if (e->text.len <= 2 || e->call < 0 || (unsigned)e->call >= own->calls ||
	    own->block_of_call[e->call] < 0)
		return true;
	return write_delta((unsigned)own->block_of_call[e->call], "input_json_delta", "partial_json",
			   e->text, out);
}

static bool write_signature(struct codec_writer *w, const struct canon_event *e, struct buf *out)
{
	struct anthropic_telling *own = telling(w);

	if (own->open == ANTHROPIC_THINKING && own->proved)
		return true;
	/* Thinking that is not shown has a signature all the same. */
	if (!open_block(w, ANTHROPIC_THINKING, out))
		return false;
	own->proved = true;
	return write_delta(own->open_index, "signature_delta", "signature", proof_of(w->arena, e), out);
}

static bool write_start(struct codec_writer *w, const struct canon_event *e, struct buf *out)
{
	bool failed = false;
	struct json_make m;

	if (w->started)
		return true;
	w->started = true;
	if (e->id.len)
		w->id = arena_copy(w->arena, e->id);
	if (e->name.len)
		w->model = arena_copy(w->arena, e->name);
	m = begin_event(out, "message_start", &failed);
	make_object(&m, "message");
	put_message_head(&m, w);
	make_raw(&m, "content", S("[]"));
	make_null(&m, "stop_reason");
	make_null(&m, "stop_sequence");
	put_usage(&m, w, &e->usage);
	make_object_end(&m);
	return end_event(&m, out, failed);
}

static void put_stop(struct json_make *m, const struct anthropic_telling *own)
{
	enum canon_finish finish = own->finished ? own->finish : CANON_FINISH_STOP;
	bool word = finish == CANON_FINISH_STOP_WORD && own->stop_word.len;

	if (own->refused && finish == CANON_FINISH_STOP)
		finish = CANON_FINISH_REFUSAL;
	if (finish == CANON_FINISH_STOP_WORD && !word)
		finish = CANON_FINISH_STOP;
	make_text(m, "stop_reason", anthropic_stop_reason(finish));
	if (word)
		make_raw(m, "stop_sequence", own->stop_word);
	else
		make_null(m, "stop_sequence");
}

static bool write_done(struct codec_writer *w, struct buf *out)
{
	bool failed = false;
	struct json_make m;

	if (w->done)
		return true;
	w->done = true;
	if (!close_block(w, out))
		return false;
	m = begin_event(out, "message_delta", &failed);
	make_object(&m, "delta");
	put_stop(&m, telling(w));
	make_object_end(&m);
	put_usage(&m, w, &w->usage);
	if (!end_event(&m, out, failed))
		return false;
	m = begin_event(out, "message_stop", &failed);
	return end_event(&m, out, failed);
}

static void note_finish(struct codec_writer *w, const struct canon_event *e)
{
	struct anthropic_telling *own = telling(w);

	if (own->finished)
		return;
	own->finished = true;
	own->finish = e->finish;
	if (e->text.len > 2)
		own->stop_word = arena_copy(w->arena, e->text);
}

static bool write_text(struct codec_writer *w, const struct canon_event *e, struct buf *out)
{
	bool thinks = e->kind == CANON_EVENT_REASONING;
	enum anthropic_block kind = thinks ? ANTHROPIC_THINKING : ANTHROPIC_TEXT;

	if (e->text.len <= 2)
		return true;
	telling(w)->refused |= e->kind == CANON_EVENT_REFUSAL;
	return open_block(w, kind, out) &&
	       write_delta(telling(w)->open_index, thinks ? "thinking_delta" : "text_delta",
			   thinks ? "thinking" : "text", e->text, out);
}

static bool write_citation(struct codec_writer *w, const struct canon_event *e, struct buf *out)
{
	bool failed = false;
	struct json_make m;

	if (!open_block(w, ANTHROPIC_TEXT, out))
		return false;
	m = begin_event(out, "content_block_delta", &failed);
	make_i64(&m, "index", telling(w)->open_index);
	make_object(&m, "delta");
	make_text(&m, "type", S("citations_delta"));
	put_citation(&m, "citation", e);
	make_object_end(&m);
	return end_event(&m, out, failed);
}

static bool write_event(struct codec_writer *w, const struct canon_event *e, struct buf *out)
{
	switch (e->kind) {
	case CANON_EVENT_START:
		return write_start(w, e, out);
	case CANON_EVENT_TEXT: case CANON_EVENT_REASONING: case CANON_EVENT_REFUSAL:
		return write_text(w, e, out);
	case CANON_EVENT_SIGNATURE:
		return write_signature(w, e, out);
	case CANON_EVENT_ENCRYPTED:
		return write_redacted(w, proof_of(w->arena, e), out);
	case CANON_EVENT_CALL:
		return open_call(w, e, out);
	case CANON_EVENT_ARGUMENTS:
		return write_arguments(w, e, out);
	case CANON_EVENT_CITATION:
		return write_citation(w, e, out);
	case CANON_EVENT_FINISH:
		note_finish(w, e);
		return close_block(w, out);
	case CANON_EVENT_USAGE:
		w->usage = e->usage;
		return true;
	case CANON_EVENT_DONE:
		return write_done(w, out);
	case CANON_EVENT_AUDIO: case CANON_EVENT_IMAGE: case CANON_EVENT_LOGPROBS:
	case CANON_EVENT_EMBEDDING: case CANON_EVENT_COUNT: case CANON_EVENT_ERROR:
		break;               /* nothing that this API could say */
	}
	return true;
}

/* Where the stream stands, as anthropic_judge_event() would have found it. */
static void keep_facts(const struct codec_writer *w)
{
	const struct anthropic_telling *own = w->own;
	uint64_t *seen = w->facts ? w->facts->private : NULL;

	if (!seen || !own)
		return;
	seen[ANTHROPIC_NEXT_BLOCK] = own->next_index;
	seen[ANTHROPIC_OPEN_BLOCK] = own->open == ANTHROPIC_NO_BLOCK
		? 0 : (uint64_t)own->open_index << 8 | (uint64_t)own->open;
	seen[ANTHROPIC_CALLS] = own->calls;
	seen[ANTHROPIC_SIGNED] = own->proved;
}

bool anthropic_write_event(struct codec_writer *w, const struct canon_event *e, struct buf *out)
{
	size_t before = buf_len(out);

	if (write_event(w, e, out)) {
		keep_facts(w);
		return true;
	}
	buf_cut(out, before);      /* half an event helps nobody */
	return false;
}

/* ---- in the middle of an answer --------------------------------------------------------- */

static enum anthropic_block block_for(enum canon_event_kind kind)
{
	switch (kind) {
	case CANON_EVENT_REASONING: return ANTHROPIC_THINKING;
	case CANON_EVENT_CALL:      return ANTHROPIC_TOOL_USE;
	default:                    return ANTHROPIC_TEXT;
	}
}

/* What was passed on as it was has its own numbers; what was told in pieces of
 * the canonical form has one block a piece. */
void anthropic_resume_writer(struct codec_writer *w, const struct codec_so_far *so_far)
{
	struct anthropic_telling *own = telling(w);
	const uint64_t *seen = so_far->facts ? so_far->facts->private : NULL;

	w->started = true;
	w->add_input = so_far->add_input;
	w->add_output = so_far->add_output;
	for (size_t i = 0; so_far->told && i < so_far->told->count; i++) {
		const struct canon_event *e = &so_far->told->at[i];

		if (e->kind == CANON_EVENT_ARGUMENTS)
			continue;
		if (e->kind == CANON_EVENT_REFUSAL)
			own->refused = true;
		note_open(own, block_for(e->kind));
		own->open_call = e->kind == CANON_EVENT_CALL ? e->call : EVENT_NO_CALL;
		if (e->kind == CANON_EVENT_CALL)
			note_call(w, e->call, own->open_index);
	}
	if (!seen || seen[ANTHROPIC_NEXT_BLOCK] == 0)
		return;
	/* Only the open block can still grow, and calls end with their blocks. */
	own->next_index = (unsigned)seen[ANTHROPIC_NEXT_BLOCK];
	own->open = (enum anthropic_block)(seen[ANTHROPIC_OPEN_BLOCK] & 0xff);
	own->open_index = (unsigned)(seen[ANTHROPIC_OPEN_BLOCK] >> 8);
	own->proved = seen[ANTHROPIC_SIGNED] != 0;
	own->open_call = own->open == ANTHROPIC_TOOL_USE ? (int)seen[ANTHROPIC_CALLS] - 1 : EVENT_NO_CALL;
	for (unsigned i = 0; i < own->calls; i++)
		own->block_of_call[i] = -1;
	if (own->open_call >= 0)
		note_call(w, own->open_call, own->open_index);
}

/* ---- a whole answer ------------------------------------------------------------------------ */

struct whole {
	struct codec_writer *w;
	const struct canon_events *events;
	struct json_make m;
};

static bool is_text(const struct canon_event *e)
{
	return e->kind == CANON_EVENT_TEXT || e->kind == CANON_EVENT_REFUSAL;
}

/* Does an event end a block of text (or of thinking)? */
static bool ends_block(const struct canon_event *e, bool thinking)
{
	switch (e->kind) {
	case CANON_EVENT_TEXT: case CANON_EVENT_REFUSAL:
		return thinking;
	case CANON_EVENT_REASONING:
		return !thinking;
	case CANON_EVENT_SIGNATURE: case CANON_EVENT_ENCRYPTED: case CANON_EVENT_CALL:
		return true;
	default:
		return false;
	}
}

static bool has_text(const struct canon_event *e)
{
	return e->text.len > 2;
}

/* A block of text from event `i` on; gives the first event behind it. */
static size_t put_text_block(struct whole *o, size_t i)
{
	const struct canon_event *at = o->events->at;
	size_t end = i;
	bool cites = false;

	while (end < o->events->count && !ends_block(&at[end], false)) {
		cites |= at[end].kind == CANON_EVENT_CITATION;
		end++;
	}
	make_object(&o->m, NULL);
	make_text(&o->m, "type", S("text"));
	make_string(&o->m, "text");
	for (size_t k = i; k < end; k++)
		if (is_text(&at[k]) && has_text(&at[k]))
			make_string_piece(&o->m, at[k].text);
	make_string_end(&o->m);
	if (cites) {
		make_array(&o->m, "citations");
		for (size_t k = i; k < end; k++)
			if (at[k].kind == CANON_EVENT_CITATION)
				put_citation(&o->m, NULL, &at[k]);
		make_array_end(&o->m);
	}
	make_object_end(&o->m);
	return end;
}

static size_t put_thinking_block(struct whole *o, size_t i)
{
	const struct canon_event *at = o->events->at;
	size_t end = i;

	make_object(&o->m, NULL);
	make_text(&o->m, "type", S("thinking"));
	make_string(&o->m, "thinking");
	for (; end < o->events->count && !ends_block(&at[end], true); end++)
		if (at[end].kind == CANON_EVENT_REASONING && has_text(&at[end]))
			make_string_piece(&o->m, at[end].text);
	make_string_end(&o->m);
	if (end < o->events->count && at[end].kind == CANON_EVENT_SIGNATURE)
		make_raw(&o->m, "signature", proof_of(o->w->arena, &at[end++]));
	else
		make_raw(&o->m, "signature", anthropic_mark(o->w->arena, SLICE_NONE, SLICE_NONE));
	make_object_end(&o->m);
	return end;
}

static void put_redacted_block(struct whole *o, struct slice data)
{
	make_object(&o->m, NULL);
	make_text(&o->m, "type", S("redacted_thinking"));
	make_raw(&o->m, "data", data);
	make_object_end(&o->m);
}

static void put_call_block(struct whole *o, const struct canon_event *e)
{
	struct buf joined = BUF_INIT(o->m.out.buf->max);

	if (e->signature.len > 2)
		put_redacted_block(o, call_proof(o->w, e));
	make_object(&o->m, NULL);
	put_call_head(&o->m, o->w, e);
	if (canon_write_joined(&joined, o->events, CANON_EVENT_ARGUMENTS, e->choice, e->call))
		make_raw(&o->m, "input", canon_arguments_object(o->w->arena, buf_slice(&joined), true));
	else
		o->m.out.failed = true;
	make_object_end(&o->m);
	buf_free(&joined);
}

static void put_blocks(struct whole *o)
{
	const struct canon_event *at = o->events->at;

	for (size_t i = 0; i < o->events->count;) {
		const struct canon_event *e = &at[i];

		if ((is_text(e) && has_text(e)) || e->kind == CANON_EVENT_CITATION) {
			i = put_text_block(o, i);
			continue;
		}
		if ((e->kind == CANON_EVENT_REASONING && has_text(e)) || e->kind == CANON_EVENT_SIGNATURE) {
			i = put_thinking_block(o, i);
			continue;
		}
		if (e->kind == CANON_EVENT_ENCRYPTED)
			put_redacted_block(o, proof_of(o->w->arena, e));
		else if (e->kind == CANON_EVENT_CALL)
			put_call_block(o, e);
		i++;
	}
}

/* What stands beside the content: identity, usage, why it ends. */
static void note_rest(struct codec_writer *w, const struct canon_events *events)
{
	for (size_t i = 0; i < events->count; i++) {
		const struct canon_event *e = &events->at[i];

		if (e->kind == CANON_EVENT_START) {
			w->id = e->id.len ? e->id : w->id;
			w->model = e->name.len ? e->name : w->model;
		} else if (e->kind == CANON_EVENT_USAGE) {
			w->usage = e->usage;
		} else if (e->kind == CANON_EVENT_FINISH) {
			note_finish(w, e);
		} else if (e->kind == CANON_EVENT_REFUSAL) {
			telling(w)->refused = true;
		}
	}
}

bool anthropic_write_answer(struct codec_writer *w, const struct canon_events *events, struct buf *out)
{
	struct whole o = { .w = w, .events = events, .m = json_make_start(out) };

	note_rest(w, events);
	make_object(&o.m, NULL);
	put_message_head(&o.m, w);
	make_array(&o.m, "content");
	put_blocks(&o);
	make_array_end(&o.m);
	put_stop(&o.m, telling(w));
	put_usage(&o.m, w, &w->usage);
	make_object_end(&o.m);
	return json_make_finish(&o.m);
}

bool anthropic_count_write_answer(struct codec_writer *w, const struct canon_events *events,
				  struct buf *out)
{
	(void)w;
	for (size_t i = 0; i < events->count; i++)
		if (events->at[i].kind == CANON_EVENT_COUNT)
			return buf_printf(out, "{\"input_tokens\":%lld}",
					  (long long)events->at[i].usage.input_tokens);
	return buf_append(out, S("{\"input_tokens\":0}"));
}
