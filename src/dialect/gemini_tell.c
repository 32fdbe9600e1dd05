/* gemini_tell.c: telling an answer to a client of the Gemini API, streamed and
 * whole. A call comes in one piece here, so its arguments are gathered until it
 * is over. */
#include "dialect/gemini.h"

#include "base/check.h"

#include <string.h>

#define CALLS_MAX 256

/* A call whose arguments are still coming. */
struct open_call {
	unsigned choice;
	int call;
	bool told;
	struct slice id, name, signature, vendor;    /* arena; as in canon_event */
	struct canon_text *arguments, *last;         /* pieces, raw; arena */
};

/* A candidate that has ended, but whose reason is not told yet. */
struct held_finish { unsigned choice; enum canon_finish finish; };

struct gemini_telling {
	struct open_call *calls[CALLS_MAX];
	unsigned count;
	uint8_t told;                /* bit n: candidate n was told of */
	struct held_finish held[GEMINI_CHOICES_MAX];
	unsigned held_count;
};

static struct gemini_telling *telling(struct codec_writer *w)
{
	if (!w->own)
		w->own = arena_new(w->arena, struct gemini_telling);
	return w->own;
}

/* ---- pieces ---------------------------------------------------------------------------- */

static void put_usage(struct json_make *m, const struct codec_writer *w)
{
	const struct usage *u = &w->usage;
	/* Some count thinking beside the answer. */
	int64_t thought = u->reasoning_tokens < u->output_tokens ? u->reasoning_tokens : u->output_tokens;
	int64_t input = u->input_tokens + w->add_input, output = u->output_tokens + w->add_output;

	make_object(m, "usageMetadata");
	make_i64(m, "promptTokenCount", input);
	make_i64(m, "candidatesTokenCount", output - thought);
	make_i64(m, "totalTokenCount", input + output);
	if (u->cached_tokens > 0)
		make_i64(m, "cachedContentTokenCount", u->cached_tokens);
	if (thought > 0)
		make_i64(m, "thoughtsTokenCount", thought);
	make_object_end(m);
}

/* What each piece ends with: whose answer it is. */
static void put_identity(struct json_make *m, const struct codec_writer *w)
{
	if (w->model.len > 2)
		make_raw(m, "modelVersion", w->model);
	else
		make_text(m, "modelVersion", w->request ? w->request->model : S(""));
	if (w->id.len > 2)
		make_raw(m, "responseId", w->id);
	else
		make_text(m, "responseId", w->request_id);
}

static void put_blob(struct json_make *m, const struct canon_media *media, const char *mime)
{
	if (media->url.len) {
		make_object(m, "fileData");
		make_text(m, "mimeType", media->mime.len ? media->mime : slice_of(mime));
		make_raw(m, "fileUri", media->url);
	} else {
		make_object(m, "inlineData");
		make_text(m, "mimeType", media->mime.len ? media->mime : slice_of(mime));
		make_text(m, "data", media->data);
	}
	make_object_end(m);
}

/* The members of one part. */
static void put_part(struct json_make *m, const struct codec_writer *w, const struct canon_event *e)
{
	switch (e->kind) {
	case CANON_EVENT_REASONING:
		make_raw(m, "text", e->text);
		make_bool(m, "thought", true);
		break;
	case CANON_EVENT_SIGNATURE: case CANON_EVENT_ENCRYPTED:
		make_text(m, "text", S(""));
		if (e->kind == CANON_EVENT_ENCRYPTED || !slice_eq(e->vendor, S("gemini")))
			make_bool(m, "thought", true);
		make_raw(m, "thoughtSignature", gemini_proof(w->arena, e->kind == CANON_EVENT_ENCRYPTED
			? arena_printf(w->arena, "sealed-%.*s", SLICE_ARG(e->vendor)) : e->vendor, e->text));
		break;
	case CANON_EVENT_IMAGE:
		put_blob(m, &e->media, "image/png");
		break;
	case CANON_EVENT_AUDIO:
		put_blob(m, &e->media, "audio/wav");
		break;
	default:
		make_raw(m, "text", e->text);
		break;
	}
}

static bool is_object(struct slice text)
{
	return json_type_of(text) == JSON_OBJECT && json_validate(text, NULL) == JSON_OK;
}

/* The pieces joined, as the object that the API wants. */
static struct slice arguments_of(struct codec_writer *w, const struct open_call *c)
{
	struct slice text = S("\"\"");

	for (const struct canon_text *t = c->arguments; t; t = t->next)
		text = t == c->arguments && !t->next ? t->raw
			: arena_printf(w->arena, "\"%.*s%.*s\"", SLICE_ARG(canon_inside(text)),
				       SLICE_ARG(canon_inside(t->raw)));
	text = canon_arguments_object(w->arena, text, true);
	return is_object(text) ? text : S("{}");
}

/* A call that nobody proves says so, should it go to a model that wants a proof. */
static void put_call(struct json_make *m, struct codec_writer *w, const struct open_call *c, bool first)
{
	make_object(m, NULL);
	make_object(m, "functionCall");
	if (c->id.len > 2)
		make_raw(m, "id", c->id);
	make_raw(m, "name", c->name.len ? c->name : S("\"\""));
	make_raw(m, "args", arguments_of(w, c));
	make_object_end(m);
	if (c->signature.len > 2)
		make_raw(m, "thoughtSignature", gemini_proof(w->arena, c->vendor.len ? c->vendor : S("gemini"),
							     c->signature));
	else if (first)
		make_raw(m, "thoughtSignature", S(GEMINI_NO_SIGNATURE));
	make_object_end(m);
}

static void put_citation(struct json_make *m, const struct canon_event *e)
{
	make_object(m, NULL);
	make_given(m, "uri", e->url);
	make_given(m, "title", e->title);
	make_object_end(m);
}

static void put_token(struct json_make *m, struct slice from)
{
	make_raw(m, "token", json_member(from, S("token")).len ? json_member(from, S("token")) : S("\"\""));
	make_given(m, "logProbability", json_member(from, S("logprob")));
}

static void put_tops(struct json_make *m, struct slice tokens)
{
	struct slice one, list, other;

	make_array(m, "topCandidates");
	while (json_next(&tokens, NULL, &one)) {
		make_object(m, NULL);
		make_array(m, "candidates");
		list = gemini_list(json_member(one, S("top_logprobs")));
		while (json_next(&list, NULL, &other)) {
			make_object(m, NULL);
			put_token(m, other);
			make_object_end(m);
		}
		make_array_end(m);
		make_object_end(m);
	}
	make_array_end(m);
}

static void put_logprobs(struct json_make *m, struct slice tokens)
{
	struct slice rest = tokens, one;

	make_object(m, "logprobsResult");
	put_tops(m, tokens);
	make_array(m, "chosenCandidates");
	while (json_next(&rest, NULL, &one)) {
		make_object(m, NULL);
		put_token(m, one);
		make_object_end(m);
	}
	make_array_end(m);
	make_object_end(m);
}

/* ---- a stream ------------------------------------------------------------------------------ */

static struct json_make begin_piece(struct buf *out)
{
	struct json_make m = json_make_start(out);

	json_out_puts(&m.out, "data: ");
	make_object(&m, NULL);
	return m;
}

static bool end_piece(struct codec_writer *w, struct json_make *m)
{
	put_identity(m, w);
	make_object_end(m);
	json_out_puts(&m->out, "\r\n\r\n");
	return json_make_finish(m);
}

static void begin_candidate(struct codec_writer *w, struct json_make *m, unsigned choice)
{
	telling(w)->told |= (uint8_t)(1u << (choice & 7));
	make_array(m, "candidates");
	make_object(m, NULL);
}

static void end_candidate(struct json_make *m, unsigned choice)
{
	make_i64(m, "index", choice);
	make_object_end(m);
	make_array_end(m);
}

static void begin_content(struct json_make *m)
{
	make_object(m, "content");
	make_array(m, "parts");
}

static void end_content(struct json_make *m)
{
	make_array_end(m);
	make_text(m, "role", S("model"));
	make_object_end(m);
}

static bool write_part(struct codec_writer *w, const struct canon_event *e, struct buf *out)
{
	struct json_make m = begin_piece(out);

	begin_candidate(w, &m, e->choice);
	begin_content(&m);
	make_object(&m, NULL);
	put_part(&m, w, e);
	make_object_end(&m);
	end_content(&m);
	end_candidate(&m, e->choice);
	return end_piece(w, &m);
}

static bool write_aside(struct codec_writer *w, const struct canon_event *e, struct buf *out)
{
	struct json_make m = begin_piece(out);

	begin_candidate(w, &m, e->choice);
	if (e->kind == CANON_EVENT_LOGPROBS) {
		put_logprobs(&m, e->json);
	} else {
		make_object(&m, "citationMetadata");
		make_array(&m, "citationSources");
		put_citation(&m, e);
		make_array_end(&m);
		make_object_end(&m);
	}
	end_candidate(&m, e->choice);
	return end_piece(w, &m);
}

/* All calls of a candidate that are over; `choice` UINT_MAX: of all. */
static bool write_calls(struct codec_writer *w, unsigned choice, struct buf *out)
{
	struct gemini_telling *own = telling(w);
	struct json_make m = begin_piece(out);
	unsigned first = 0, of = 0;

	while (first < own->count && (own->calls[first]->told || own->calls[first]->choice != choice))
		first++;
	if (first == own->count) {
		m.out.failed = true;         /* nothing to say: takes the beginning back */
		json_make_finish(&m);
		return true;
	}
	begin_candidate(w, &m, choice);
	begin_content(&m);
	for (of = first; of < own->count; of++) {
		struct open_call *c = own->calls[of];

		if (c->told || c->choice != choice)
			continue;
		c->told = true;
		put_call(&m, w, c, of == first);
	}
	end_content(&m);
	end_candidate(&m, choice);
	return end_piece(w, &m);
}

static struct slice keep(struct codec_writer *w, struct slice s)
{
	return s.len ? arena_copy(w->arena, s) : SLICE_NONE;
}

static void note_call(struct codec_writer *w, const struct canon_event *e)
{
	struct gemini_telling *own = telling(w);
	struct open_call *c;

	if (own->count == CALLS_MAX)
		return;
	c = own->calls[own->count++] = arena_new(w->arena, struct open_call);
	*c = (struct open_call){ .choice = e->choice, .call = e->call, .id = keep(w, e->id),
				 .name = keep(w, e->name), .signature = keep(w, e->signature),
				 .vendor = keep(w, e->vendor) };
}

static void note_arguments(struct codec_writer *w, const struct canon_event *e)
{
	struct gemini_telling *own = telling(w);

	for (unsigned i = own->count; i > 0; i--) {
		struct open_call *c = own->calls[i - 1];

		if (c->choice != e->choice || c->call != e->call || c->told)
			continue;
		c->last = canon_add_text(w->arena, &c->arguments, c->last, keep(w, e->text));
		return;
	}
}

/* The last piece of a stream has the reason and the usage in one, and whoever
 * looks for one looks into candidates: the reason is told once all is known. */
static bool hold_finish(struct codec_writer *w, const struct canon_event *e, struct buf *out)
{
	struct gemini_telling *own = telling(w);

	if (!write_calls(w, e->choice, out))
		return false;
	if (own->held_count < GEMINI_CHOICES_MAX)
		own->held[own->held_count++] = (struct held_finish){ e->choice, e->finish };
	return true;
}

static bool write_finish(struct codec_writer *w, const struct held_finish *held, bool last, struct buf *out)
{
	struct json_make m = begin_piece(out);

	begin_candidate(w, &m, held->choice);
	begin_content(&m);
	make_object(&m, NULL);
	make_text(&m, "text", S(""));
	make_object_end(&m);
	end_content(&m);
	make_text(&m, "finishReason", gemini_finish_word(held->finish));
	end_candidate(&m, held->choice);
	if (last && w->usage.known)
		put_usage(&m, w);
	return end_piece(w, &m);
}

static bool write_done(struct codec_writer *w, struct buf *out)
{
	const struct gemini_telling *own = telling(w);

	w->done = true;
	for (unsigned i = 0; i < own->held_count; i++)
		if (!write_finish(w, &own->held[i], i + 1 == own->held_count, out))
			return false;
	return true;
}

static void note_start(struct codec_writer *w, const struct canon_event *e)
{
	if (w->started)
		return;
	w->started = true;
	if (e->id.len)
		w->id = arena_copy(w->arena, e->id);
	if (e->name.len)
		w->model = arena_copy(w->arena, e->name);
	w->created = e->created;
}

static bool write_event(struct codec_writer *w, const struct canon_event *e, struct buf *out)
{
	switch (e->kind) {
	case CANON_EVENT_START:
		note_start(w, e);
		return true;
	case CANON_EVENT_TEXT: case CANON_EVENT_REASONING: case CANON_EVENT_REFUSAL:
	case CANON_EVENT_SIGNATURE: case CANON_EVENT_ENCRYPTED: case CANON_EVENT_IMAGE:
	case CANON_EVENT_AUDIO:
		return write_calls(w, e->choice, out) && write_part(w, e, out);
	case CANON_EVENT_CALL:
		note_call(w, e);
		return true;
	case CANON_EVENT_ARGUMENTS:
		note_arguments(w, e);
		return true;
	case CANON_EVENT_CITATION: case CANON_EVENT_LOGPROBS:
		return write_aside(w, e, out);
	case CANON_EVENT_FINISH:
		return hold_finish(w, e, out);
	case CANON_EVENT_USAGE:
		w->usage = e->usage;
		return true;
	case CANON_EVENT_DONE:
		return write_done(w, out);
	case CANON_EVENT_ERROR: case CANON_EVENT_EMBEDDING: case CANON_EVENT_COUNT:
		break;
	}
	return true;
}

bool gemini_write_event(struct codec_writer *w, const struct canon_event *e, struct buf *out)
{
	size_t before = buf_len(out);

	if (write_event(w, e, out))
		return true;
	buf_cut(out, before);      /* half an event helps nobody */
	return false;
}

/* Of a call that was under way the client has nothing yet: it was to come whole. */
void gemini_resume_writer(struct codec_writer *w, const struct codec_so_far *so_far)
{
	w->started = true;
	for (size_t i = 0; so_far->told && i < so_far->told->count; i++) {
		const struct canon_event *e = &so_far->told->at[i];

		if (e->kind == CANON_EVENT_CALL)
			note_call(w, e);
		else if (e->kind == CANON_EVENT_ARGUMENTS)
			note_arguments(w, e);
	}
}

/* ---- whole ------------------------------------------------------------------------------------- */

/* Neighbours of a kind are one text. */
static bool goes_on(const struct canon_event *before, const struct canon_event *e)
{
	return before && before->kind == e->kind &&
	       (e->kind == CANON_EVENT_TEXT || e->kind == CANON_EVENT_REASONING ||
		e->kind == CANON_EVENT_REFUSAL);
}

static bool is_part(enum canon_event_kind kind)
{
	switch (kind) {
	case CANON_EVENT_TEXT: case CANON_EVENT_REASONING: case CANON_EVENT_REFUSAL:
	case CANON_EVENT_SIGNATURE: case CANON_EVENT_ENCRYPTED: case CANON_EVENT_IMAGE:
	case CANON_EVENT_AUDIO: case CANON_EVENT_CALL:
		return true;
	default:
		return false;
	}
}

/* Text from event `i` on, as far as it goes on. */
static void put_text(struct json_make *m, const struct canon_events *list, size_t i)
{
	const struct canon_event *first = &list->at[i];

	make_object(m, NULL);
	make_string(m, "text");
	for (; i < list->count; i++) {
		const struct canon_event *e = &list->at[i];

		if (e->choice != first->choice || !is_part(e->kind))
			continue;
		if (e->kind != first->kind)
			break;
		make_string_piece(m, e->text);
	}
	make_string_end(m);
	if (first->kind == CANON_EVENT_REASONING)
		make_bool(m, "thought", true);
	make_object_end(m);
}

static const struct open_call *call_of(const struct gemini_telling *own, const struct canon_event *e)
{
	for (unsigned i = 0; i < own->count; i++)
		if (own->calls[i]->choice == e->choice && own->calls[i]->call == e->call)
			return own->calls[i];
	return NULL;
}

static void put_parts(struct json_make *m, struct codec_writer *w, const struct canon_events *list,
		      unsigned choice)
{
	const struct canon_event *before = NULL;
	const struct open_call *call;

	begin_content(m);
	for (size_t i = 0; i < list->count; i++) {
		const struct canon_event *e = &list->at[i];

		if (e->choice != choice || !is_part(e->kind))
			continue;
		call = e->kind == CANON_EVENT_CALL ? call_of(telling(w), e) : NULL;
		if (call) {
			put_call(m, w, call, !before || before->kind != CANON_EVENT_CALL);
		} else if (e->kind == CANON_EVENT_TEXT || e->kind == CANON_EVENT_REASONING ||
			   e->kind == CANON_EVENT_REFUSAL) {
			if (!goes_on(before, e))
				put_text(m, list, i);
		} else if (e->kind != CANON_EVENT_CALL) {
			make_object(m, NULL);
			put_part(m, w, e);
			make_object_end(m);
		}
		before = e;
	}
	end_content(m);
}

static void put_asides(struct json_make *m, const struct canon_events *list, unsigned choice)
{
	bool cited = false;

	for (size_t i = 0; i < list->count; i++) {
		const struct canon_event *e = &list->at[i];

		if (e->kind == CANON_EVENT_LOGPROBS && e->choice == choice) {
			put_logprobs(m, e->json);
			break;
		}
	}
	for (size_t i = 0; i < list->count; i++) {
		const struct canon_event *e = &list->at[i];

		if (e->kind != CANON_EVENT_CITATION || e->choice != choice)
			continue;
		if (!cited) {
			make_object(m, "citationMetadata");
			make_array(m, "citationSources");
		}
		cited = true;
		put_citation(m, e);
	}
	if (!cited)
		return;
	make_array_end(m);
	make_object_end(m);
}

static void note_all(struct codec_writer *w, const struct canon_events *list)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct canon_event *e = &list->at[i];

		if (e->kind == CANON_EVENT_START)
			note_start(w, e);
		else if (e->kind == CANON_EVENT_USAGE)
			w->usage = e->usage;
		else if (e->kind == CANON_EVENT_CALL)
			note_call(w, e);
		else if (e->kind == CANON_EVENT_ARGUMENTS)
			note_arguments(w, e);
	}
}

bool gemini_write_answer(struct codec_writer *w, const struct canon_events *events, struct buf *out)
{
	struct json_make m = json_make_start(out);

	note_all(w, events);
	make_object(&m, NULL);
	make_array(&m, "candidates");
	for (size_t i = 0; i < events->count; i++) {
		const struct canon_event *e = &events->at[i];

		if (e->kind != CANON_EVENT_FINISH)
			continue;
		make_object(&m, NULL);
		put_parts(&m, w, events, e->choice);
		make_text(&m, "finishReason", gemini_finish_word(e->finish));
		put_asides(&m, events, e->choice);
		make_i64(&m, "index", e->choice);
		make_object_end(&m);
	}
	make_array_end(&m);
	if (w->usage.known)
		put_usage(&m, w);
	put_identity(&m, w);
	make_object_end(&m);
	return json_make_finish(&m);
}
