/* openai_chat_out.c: canonical events, written as a chat completion's answer:
 * chunk by chunk, or whole. */
#include "dialect/openai_chat.h"

#include "base/check.h"

struct slice openai_finish_word(enum canon_finish f, bool refusal)
{
	/* Told in its own member, the answer as such ended well. */
	return f == CANON_FINISH_REFUSAL && refusal ? S("stop") : canon_finish_word(f);
}

/* What the writer of a stream keeps. */
struct chat_out {
	bool refusal;                /* told in words */
};

static struct chat_out *own_of(struct codec_writer *w)
{
	if (!w->own)
		w->own = arena_new(w->arena, struct chat_out);
	return w->own;
}

/* ---- usage ------------------------------------------------------------------------ */

void openai_make_usage(struct json_make *m, const char *name, const struct usage *usage,
		       bool responses)
{
	make_object(m, name);
	make_i64(m, responses ? "input_tokens" : "prompt_tokens", usage->input_tokens);
	make_object(m, responses ? "input_tokens_details" : "prompt_tokens_details");
	make_i64(m, "cached_tokens", usage->cached_tokens);
	if (usage->cache_write_tokens)
		make_i64(m, "cache_write_tokens", usage->cache_write_tokens);
	if (usage->audio_input_tokens)
		make_i64(m, "audio_tokens", usage->audio_input_tokens);
	make_object_end(m);
	make_i64(m, responses ? "output_tokens" : "completion_tokens", usage->output_tokens);
	make_object(m, responses ? "output_tokens_details" : "completion_tokens_details");
	make_i64(m, "reasoning_tokens", usage->reasoning_tokens);
	if (usage->audio_output_tokens)
		make_i64(m, "audio_tokens", usage->audio_output_tokens);
	make_object_end(m);
	make_i64(m, "total_tokens", usage->input_tokens + usage->output_tokens);
	make_object_end(m);
}

static struct usage spent(const struct codec_writer *w)
{
	struct usage usage = w->usage;

	usage.input_tokens += w->add_input;
	usage.output_tokens += w->add_output;
	return usage;
}

/* ---- what all chunks and answers begin with ------------------------------------------ */

static void make_identity(struct json_make *m, const struct codec_writer *w, struct slice object)
{
	if (w->id.len)
		make_raw(m, "id", w->id);
	else {
		make_string(m, "id");
		json_out_puts(&m->out, "chatcmpl-");
		json_out_put(&m->out, w->request_id);
		make_string_end(m);
	}
	make_text(m, "object", object);
	make_i64(m, "created", w->created ? w->created : w->wall_ms / 1000);
	make_raw(m, "model", w->model.len ? w->model : S("\"\""));
}

static void note_start(struct codec_writer *w, const struct canon_event *e)
{
	if (w->started)
		return;
	w->started = true;
	/* Who goes on elsewhere must say the same: what is made up is kept. */
	w->id = e->id.len > 2 ? arena_copy(w->arena, e->id)
			      : arena_printf(w->arena, "\"chatcmpl-%.*s\"", SLICE_ARG(w->request_id));
	if (e->name.len > 2)
		w->model = arena_copy(w->arena, e->name);
	else if (w->request)
		w->model = canon_quote(w->arena, w->request->model);
	w->created = e->created ? e->created : w->wall_ms / 1000;
}

/* ---- pieces of a message --------------------------------------------------------------- */

static void make_call_start(struct json_make *m, const struct canon_event *e, bool indexed)
{
	make_object(m, NULL);
	if (indexed)
		make_i64(m, "index", e->call);
	if (e->id.len > 2) {
		make_raw(m, "id", e->id);
	} else {                                 /* Gemini's calls need have none */
		make_string(m, "id");
		json_out_puts(&m->out, "call_");
		json_out_u64(&m->out, e->call < 0 ? 0 : (uint64_t)e->call);
		make_string_end(m);
	}
	make_text(m, "type", e->custom ? S("custom") : S("function"));
}

/* Where Google's own compatible API has it, so that it comes back with the call
 * (ai.google.dev/gemini-api/docs/thought-signatures). */
static void make_call_end(struct json_make *m, const struct canon_event *e)
{
	if (e->signature.len) {
		make_object(m, "extra_content");
		make_object(m, "google");
		make_raw(m, "thought_signature", e->signature);
		make_object_end(m);
		make_object_end(m);
	}
	make_object_end(m);
}

/* OpenRouter's form for what proves thinking: clients that send messages back as
 * they came carry it to where it is understood. */
static void make_details(struct json_make *m, const struct canon_event *e)
{
	bool encrypted = e->kind == CANON_EVENT_ENCRYPTED;

	make_object(m, NULL);
	make_text(m, "type", encrypted ? S("reasoning.encrypted") : S("reasoning.text"));
	make_raw(m, encrypted ? "data" : "signature", e->text);
	make_word(m, "format", e->vendor);
	make_i64(m, "index", 0);
	make_object_end(m);
}

static void make_image(struct json_make *m, const struct canon_event *e)
{
	make_object(m, NULL);
	make_text(m, "type", S("image_url"));
	make_object(m, "image_url");
	if (e->media.url.len) {
		make_raw(m, "url", e->media.url);
	} else {
		make_string(m, "url");
		json_out_puts(&m->out, "data:");
		json_out_put(&m->out, e->media.mime.len ? e->media.mime : S("image/png"));
		json_out_puts(&m->out, ";base64,");
		json_out_put(&m->out, e->media.data);
		make_string_end(m);
	}
	make_object_end(m);
	make_object_end(m);
}

static void make_citation(struct json_make *m, const struct canon_event *e)
{
	make_object(m, NULL);
	make_text(m, "type", S("url_citation"));
	make_object(m, "url_citation");
	make_raw(m, "url", e->url.len ? e->url : S("\"\""));
	make_raw(m, "title", e->title.len ? e->title : S("\"\""));
	make_given(m, "content", e->text);
	make_object_end(m);
	make_object_end(m);
}

static void make_audio(struct json_make *m, const struct canon_event *e)
{
	make_object(m, "audio");
	make_word(m, "data", e->media.data);
	make_given(m, "transcript", e->text);
	make_object_end(m);
}

/* ---- chunks -------------------------------------------------------------------------------- */

static struct json_make chunk(struct codec_writer *w, struct buf *out)
{
	struct json_make m = json_make_start(out);

	json_out_puts(&m.out, "data: ");
	make_object(&m, NULL);
	make_identity(&m, w, S("chat.completion.chunk"));
	return m;
}

static bool end_chunk(struct json_make *m)
{
	make_object_end(m);
	json_out_puts(&m->out, "\n\n");
	return json_make_finish(m);
}

static void begin_choice(struct json_make *m, unsigned index)
{
	make_array(m, "choices");
	make_object(m, NULL);
	make_i64(m, "index", index);
	make_object(m, "delta");
}

static void end_choice(struct json_make *m, struct slice finish)
{
	make_object_end(m);
	make_given(m, "finish_reason", finish.len ? finish : S("null"));
	make_object_end(m);
	make_array_end(m);
}

static void make_delta_calls(struct json_make *m, const struct canon_event *e)
{
	make_array(m, "tool_calls");
	if (e->kind == CANON_EVENT_CALL) {
		make_call_start(m, e, true);
		make_object(m, e->custom ? "custom" : "function");
		make_raw(m, "name", e->name);
		make_text(m, e->custom ? "input" : "arguments", SLICE_NONE);
		make_object_end(m);
		make_call_end(m, e);
	} else {
		make_object(m, NULL);
		make_i64(m, "index", e->call);
		make_object(m, e->custom ? "custom" : "function");
		make_raw(m, e->custom ? "input" : "arguments", e->text);
		make_object_end(m);
		make_object_end(m);
	}
	make_array_end(m);
}

static void make_list(struct json_make *m, const char *name, const struct canon_event *e,
		      void (*make)(struct json_make *m, const struct canon_event *e))
{
	make_array(m, name);
	make(m, e);
	make_array_end(m);
}

static void make_delta(struct json_make *m, const struct canon_event *e)
{
	switch (e->kind) {
	case CANON_EVENT_START:
		make_text(m, "role", S("assistant"));
		make_text(m, "content", SLICE_NONE);
		break;
	case CANON_EVENT_TEXT:
		make_raw(m, "content", e->text);
		break;
	case CANON_EVENT_REASONING:
		make_raw(m, "reasoning_content", e->text);
		break;
	case CANON_EVENT_REFUSAL:
		make_raw(m, "refusal", e->text);
		break;
	case CANON_EVENT_CALL: case CANON_EVENT_ARGUMENTS:
		make_delta_calls(m, e);
		break;
	case CANON_EVENT_SIGNATURE: case CANON_EVENT_ENCRYPTED:
		make_list(m, "reasoning_details", e, make_details);
		break;
	case CANON_EVENT_IMAGE:
		make_list(m, "images", e, make_image);
		break;
	case CANON_EVENT_CITATION:
		make_list(m, "annotations", e, make_citation);
		break;
	case CANON_EVENT_AUDIO:
		make_audio(m, e);
		break;
	default:
		break;
	}
}

static bool write_delta(struct codec_writer *w, const struct canon_event *e, struct buf *out)
{
	struct json_make m = chunk(w, out);

	begin_choice(&m, e->choice);
	make_delta(&m, e);
	end_choice(&m, SLICE_NONE);
	return end_chunk(&m);
}

static bool write_logprobs(struct codec_writer *w, const struct canon_event *e, struct buf *out)
{
	struct json_make m = chunk(w, out);

	make_array(&m, "choices");
	make_object(&m, NULL);
	make_i64(&m, "index", e->choice);
	make_object(&m, "delta");
	make_object_end(&m);
	make_object(&m, "logprobs");
	make_raw(&m, "content", e->json);
	make_object_end(&m);
	make_null(&m, "finish_reason");
	make_object_end(&m);
	make_array_end(&m);
	return end_chunk(&m);
}

static bool write_finish(struct codec_writer *w, const struct canon_event *e, struct buf *out)
{
	struct json_make m = chunk(w, out);

	begin_choice(&m, e->choice);
	end_choice(&m, canon_quote(w->arena, openai_finish_word(e->finish, own_of(w)->refusal)));
	return end_chunk(&m);
}

static bool write_done(struct codec_writer *w, struct buf *out)
{
	w->done = true;
	/* A whole answer that is put together from a stream tells it always. */
	if (w->usage.known && w->request && (w->request->include_usage || !w->request->stream)) {
		struct json_make m = chunk(w, out);
		struct usage usage = spent(w);

		make_array(&m, "choices");
		make_array_end(&m);
		openai_make_usage(&m, "usage", &usage, false);
		if (!end_chunk(&m))
			return false;
	}
	return buf_append(out, S("data: [DONE]\n\n"));
}

bool openai_chat_write_event(struct codec_writer *w, const struct canon_event *e, struct buf *out)
{
	switch (e->kind) {
	case CANON_EVENT_START:
		note_start(w, e);
		return write_delta(w, e, out);
	case CANON_EVENT_REFUSAL:
		own_of(w)->refusal = true;
		return write_delta(w, e, out);
	case CANON_EVENT_USAGE:
		w->usage = e->usage;
		return true;
	case CANON_EVENT_FINISH:
		return write_finish(w, e, out);
	case CANON_EVENT_LOGPROBS:
		return write_logprobs(w, e, out);
	case CANON_EVENT_DONE:
		return write_done(w, out);
	case CANON_EVENT_ERROR: case CANON_EVENT_EMBEDDING: case CANON_EVENT_COUNT:
		return true;
	default:
		return write_delta(w, e, out);
	}
}

/* ---- whole -------------------------------------------------------------------------------------- */

static bool has(const struct canon_events *list, enum canon_event_kind kind, unsigned choice)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->at[i].kind == kind && list->at[i].choice == choice)
			return true;
	return false;
}

static void make_joined(struct json_make *m, const char *name, const struct canon_events *list,
			enum canon_event_kind kind, unsigned choice, int call)
{
	make_string(m, name);
	for (size_t i = 0; i < list->count; i++) {
		const struct canon_event *e = &list->at[i];

		if (e->kind == kind && e->choice == choice && (call == EVENT_NO_CALL || e->call == call))
			make_string_piece(m, e->text);
	}
	make_string_end(m);
}

static void make_text_member(struct json_make *m, const char *name, const struct canon_events *list,
			     enum canon_event_kind kind, unsigned choice)
{
	if (has(list, kind, choice))
		make_joined(m, name, list, kind, choice, EVENT_NO_CALL);
	else
		make_null(m, name);
}

static void make_calls(struct json_make *m, const struct canon_events *list, unsigned choice)
{
	make_array(m, "tool_calls");
	for (size_t i = 0; i < list->count; i++) {
		const struct canon_event *e = &list->at[i];

		if (e->kind != CANON_EVENT_CALL || e->choice != choice)
			continue;
		make_call_start(m, e, false);
		make_object(m, e->custom ? "custom" : "function");
		make_raw(m, "name", e->name);
		make_joined(m, e->custom ? "input" : "arguments", list, CANON_EVENT_ARGUMENTS, choice,
			    e->call);
		make_object_end(m);
		make_call_end(m, e);
	}
	make_array_end(m);
}

static void make_all(struct json_make *m, const char *name, const struct canon_events *list,
		     enum canon_event_kind kind, unsigned choice,
		     void (*make)(struct json_make *m, const struct canon_event *e))
{
	if (!has(list, kind, choice))
		return;
	make_array(m, name);
	for (size_t i = 0; i < list->count; i++)
		if (list->at[i].kind == kind && list->at[i].choice == choice)
			make(m, &list->at[i]);
	make_array_end(m);
}

static void make_message(struct json_make *m, const struct canon_events *list, unsigned choice)
{
	make_object(m, "message");
	make_text(m, "role", S("assistant"));
	make_text_member(m, "content", list, CANON_EVENT_TEXT, choice);
	if (has(list, CANON_EVENT_REASONING, choice))
		make_text_member(m, "reasoning_content", list, CANON_EVENT_REASONING, choice);
	make_all(m, "reasoning_details", list, has(list, CANON_EVENT_SIGNATURE, choice)
		 ? CANON_EVENT_SIGNATURE : CANON_EVENT_ENCRYPTED, choice, make_details);
	make_text_member(m, "refusal", list, CANON_EVENT_REFUSAL, choice);
	if (has(list, CANON_EVENT_CALL, choice))
		make_calls(m, list, choice);
	make_all(m, "images", list, CANON_EVENT_IMAGE, choice, make_image);
	make_all(m, "annotations", list, CANON_EVENT_CITATION, choice, make_citation);
	for (size_t i = 0; i < list->count; i++)
		if (list->at[i].kind == CANON_EVENT_AUDIO && list->at[i].choice == choice) {
			make_audio(m, &list->at[i]);
			break;
		}
	make_object_end(m);
}

static void make_logprobs(struct json_make *m, const struct canon_events *list, unsigned choice)
{
	struct slice one;

	if (!has(list, CANON_EVENT_LOGPROBS, choice)) {
		make_null(m, "logprobs");
		return;
	}
	make_object(m, "logprobs");
	make_array(m, "content");
	for (size_t i = 0; i < list->count; i++) {
		struct slice rest = list->at[i].json;

		if (list->at[i].kind == CANON_EVENT_LOGPROBS && list->at[i].choice == choice)
			while (json_next(&rest, NULL, &one))
				make_raw(m, NULL, one);
	}
	make_array_end(m);
	make_null(m, "refusal");
	make_object_end(m);
}

static void make_choice(struct json_make *m, const struct canon_events *list,
			const struct canon_event *finish)
{
	make_object(m, NULL);
	make_i64(m, "index", finish->choice);
	make_message(m, list, finish->choice);
	make_logprobs(m, list, finish->choice);
	make_text(m, "finish_reason", openai_finish_word(finish->finish,
			has(list, CANON_EVENT_REFUSAL, finish->choice)));
	make_object_end(m);
}

bool openai_chat_write_answer(struct codec_writer *w, const struct canon_events *events,
			      struct buf *out)
{
	struct json_make m = json_make_start(out);
	struct usage usage;

	for (size_t i = 0; i < events->count; i++) {
		if (events->at[i].kind == CANON_EVENT_START)
			note_start(w, &events->at[i]);
		if (events->at[i].kind == CANON_EVENT_USAGE)
			w->usage = events->at[i].usage;
	}
	usage = spent(w);
	make_object(&m, NULL);
	make_identity(&m, w, S("chat.completion"));
	make_array(&m, "choices");
	for (size_t i = 0; i < events->count; i++)
		if (events->at[i].kind == CANON_EVENT_FINISH)
			make_choice(&m, events, &events->at[i]);
	make_array_end(&m);
	if (w->usage.known)
		openai_make_usage(&m, "usage", &usage, false);
	make_object_end(&m);
	return json_make_finish(&m);
}
