/* openai_completions.c: the old completions, as clients ask for them, answered by
 * backends that know conversations only: the prompt is what the user says. No
 * backend is asked in this form for anything else
 * (platform.openai.com/docs/api-reference/completions). */
#include "dialect/openai_chat.h"

#include "base/check.h"

#include <stddef.h>

/* ---- requests ---------------------------------------------------------------------- */

static void read_prompt(struct request_reading *r, const struct json *prompt)
{
	struct canon_message *message;

	if (prompt->type == JSON_ARRAY && prompt->count == 1 && prompt->first->type == JSON_STRING)
		prompt = prompt->first;
	if (prompt->type != JSON_STRING) {       /* several at once, or token numbers */
		request_unknown(r, S("\"prompt\""));
		return;
	}
	message = canon_add_message(r->arena, r->out, NULL, CANON_USER);
	canon_add_part(r->arena, &message->parts, NULL, CANON_PART_TEXT)->text = prompt->raw;
}

static void read_stop(struct request_reading *r, const struct json *stop)
{
	struct canon_text *last = NULL;

	if (stop->type == JSON_STRING)
		last = canon_add_text(r->arena, &r->out->stop, NULL, stop->raw);
	for (const struct json *j = stop->type == JSON_ARRAY ? stop->first : NULL; j; j = j->next)
		if (j->type == JSON_STRING)
			last = canon_add_text(r->arena, &r->out->stop, last, j->raw);
	if (last)
		r->out->features |= CANON_HAS(STOP);
}

static void read_choices(struct request_reading *r, const struct json *n)
{
	int64_t count = 1;

	if (json_i64(n->raw, &count) && count > 1) {
		r->out->choices = count > 1000 ? 1000 : (unsigned)count;
		r->out->features |= CANON_HAS(CHOICES);
	}
}

/* How many probable tokens: in another shape than conversations tell it. */
static void read_logprobs(struct request_reading *r, const struct json *value)
{
	if (value->type == JSON_NUMBER)
		request_unknown(r, S("\"logprobs\""));
}

static void read_echo(struct request_reading *r, const struct json *value)
{
	int64_t count;

	if (value->type == JSON_TRUE || value->type == JSON_STRING ||
	    (json_i64(value->raw, &count) && count > 1))
		r->out->features |= CANON_HAS(ECHO);
}

#define AT(member) offsetof(struct canon_request, member)
#define ROW(name_, take_, member_, feature_) \
	{ S_INIT(name_), TAKE_##take_, AT(member_), feature_, NULL }
#define BY(name_, function_) { S_INIT(name_), TAKE_BY, 0, 0, function_ }
#define KNOWN(name_) { S_INIT(name_), TAKE_NOTHING, 0, 0, NULL }

static const struct request_member members[] = {
	KNOWN("model"), KNOWN("stream"), KNOWN("stream_options"),
	BY("prompt", read_prompt), BY("stop", read_stop), BY("n", read_choices),
	BY("logprobs", read_logprobs), BY("echo", read_echo), BY("suffix", read_echo),
	BY("best_of", read_echo),
	ROW("temperature", NUMBER, temperature, CANON_HAS(TEMPERATURE)),
	ROW("top_p", NUMBER, top_p, CANON_HAS(TOP_P)),
	ROW("top_k", NUMBER, top_k, CANON_HAS(TOP_K)),
	ROW("min_p", NUMBER, min_p, CANON_HAS(MIN_P)),
	ROW("presence_penalty", NUMBER, presence_penalty, CANON_HAS(PENALTIES)),
	ROW("frequency_penalty", NUMBER, frequency_penalty, CANON_HAS(PENALTIES)),
	ROW("repetition_penalty", NUMBER, repetition_penalty, CANON_HAS(REPETITION)),
	ROW("seed", NUMBER, seed, CANON_HAS(SEED)),
	ROW("max_tokens", INTEGER, max_tokens, 0),
	ROW("logit_bias", RAW, logit_bias, CANON_HAS(LOGIT_BIAS)),
	ROW("user", STRING, user, CANON_HAS(USER)),
};

static enum fault read_request(struct arena *arena, struct slice body,
			       const struct request_facts *facts, struct canon_request **out,
			       struct slice *why)
{
	struct arena *tree = arena_create(0);
	struct request_reading r = { .arena = arena, .out = canon_request_new(arena), .why = why };
	enum json_result result;
	const struct json *root = json_parse(tree, body, &result, NULL);

	r.out->task = CANON_CHAT;
	r.out->model = facts->model;
	r.out->stream = facts->stream;
	r.out->include_usage = facts->asks_usage;
	if (!root || root->type != JSON_OBJECT)
		request_refuse(&r, "the request body could not be read: %s",
			       json_result_text(root ? JSON_NOT_OBJECT : result));
	else
		request_members(&r, root, members, COUNT_OF(members));
	/* Sixteen tokens is what this API gives unasked. */
	if (r.out->max_tokens < 0)
		r.out->max_tokens = 16;
	arena_free(tree);
	*out = r.out;
	return r.refused ? FAULT_CALLER : FAULT_NONE;
}

/* ---- answers -------------------------------------------------------------------------- */

static void make_head(struct json_make *m, const struct codec_writer *w)
{
	make_object(m, NULL);
	if (w->id.len) {
		make_raw(m, "id", w->id);
	} else {
		make_string(m, "id");
		json_out_puts(&m->out, "cmpl-");
		json_out_put(&m->out, w->request_id);
		make_string_end(m);
	}
	make_text(m, "object", S("text_completion"));
	make_i64(m, "created", w->created ? w->created : w->wall_ms / 1000);
	make_raw(m, "model", w->model.len ? w->model : S("\"\""));
}

static void note_start(struct codec_writer *w, const struct canon_event *e)
{
	if (w->started)
		return;
	w->started = true;
	w->id = arena_copy(w->arena, e->id);
	w->model = arena_copy(w->arena, e->name);
	w->created = e->created;
}

static bool write_chunk(struct codec_writer *w, unsigned choice, struct slice text, struct slice finish,
			struct buf *out)
{
	struct json_make m = json_make_start(out);

	json_out_puts(&m.out, "data: ");
	make_head(&m, w);
	make_array(&m, "choices");
	make_object(&m, NULL);
	make_i64(&m, "index", choice);
	make_raw(&m, "text", text);
	make_null(&m, "logprobs");
	make_raw(&m, "finish_reason", finish);
	make_object_end(&m);
	make_array_end(&m);
	make_object_end(&m);
	json_out_puts(&m.out, "\n\n");
	return json_make_finish(&m);
}

static void make_usage(struct json_make *m, const struct codec_writer *w)
{
	struct usage usage = w->usage;

	usage.input_tokens += w->add_input;
	usage.output_tokens += w->add_output;
	openai_make_usage(m, "usage", &usage, false);
}

static bool write_done(struct codec_writer *w, struct buf *out)
{
	struct json_make m = json_make_start(out);

	/* A whole answer that is put together from a stream tells it always. */
	if (w->usage.known && w->request && (w->request->include_usage || !w->request->stream)) {
		json_out_puts(&m.out, "data: ");
		make_head(&m, w);
		make_array(&m, "choices");
		make_array_end(&m);
		make_usage(&m, w);
		make_object_end(&m);
		json_out_puts(&m.out, "\n\n");
	}
	json_out_puts(&m.out, "data: [DONE]\n\n");
	w->done = true;
	return json_make_finish(&m);
}

static struct slice finish_of(struct codec_writer *w, const struct canon_event *e)
{
	enum canon_finish finish = e->finish == CANON_FINISH_CALLS ? CANON_FINISH_STOP : e->finish;

	return canon_quote(w->arena, openai_finish_word(finish, false));
}

static bool write_event(struct codec_writer *w, const struct canon_event *e, struct buf *out)
{
	switch (e->kind) {
	case CANON_EVENT_START:
		note_start(w, e);
		return true;
	case CANON_EVENT_TEXT: case CANON_EVENT_REFUSAL:
		return write_chunk(w, e->choice, e->text, S("null"), out);
	case CANON_EVENT_FINISH:
		return write_chunk(w, e->choice, S("\"\""), finish_of(w, e), out);
	case CANON_EVENT_USAGE:
		w->usage = e->usage;
		return true;
	case CANON_EVENT_DONE:
		return write_done(w, out);
	default:
		return true;             /* thinking has no place here */
	}
}

static bool write_answer(struct codec_writer *w, const struct canon_events *events, struct buf *out)
{
	struct json_make m = json_make_start(out);

	for (size_t i = 0; i < events->count; i++) {
		if (events->at[i].kind == CANON_EVENT_START)
			note_start(w, &events->at[i]);
		if (events->at[i].kind == CANON_EVENT_USAGE)
			w->usage = events->at[i].usage;
	}
	make_head(&m, w);
	make_array(&m, "choices");
	for (size_t i = 0; i < events->count; i++) {
		const struct canon_event *finish = &events->at[i];

		if (finish->kind != CANON_EVENT_FINISH)
			continue;
		make_object(&m, NULL);
		make_i64(&m, "index", finish->choice);
		make_string(&m, "text");
		for (size_t j = 0; j < events->count; j++)
			if (events->at[j].choice == finish->choice &&
			    (events->at[j].kind == CANON_EVENT_TEXT ||
			     events->at[j].kind == CANON_EVENT_REFUSAL))
				make_string_piece(&m, events->at[j].text);
		make_string_end(&m);
		make_null(&m, "logprobs");
		make_raw(&m, "finish_reason", finish_of(w, finish));
		make_object_end(&m);
	}
	make_array_end(&m);
	if (w->usage.known)
		make_usage(&m, w);
	make_object_end(&m);
	return json_make_finish(&m);
}

const struct codec codec_openai_completions = {
	.name = S_INIT("openai completions"),
	.task = CANON_CHAT,
	.endpoint = ENDPOINT_COMPLETIONS,
	.framing = FRAMING_SSE,
	.read_request = read_request,
	.read_event = openai_chat_read_event,
	.read_end = openai_chat_read_end,
	.read_answer = openai_chat_read_answer,
	.write_event = write_event,
	.write_answer = write_answer,
};
