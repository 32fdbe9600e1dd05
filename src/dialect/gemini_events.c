/* gemini_events.c: reading what generateContent answers, whole and streamed: a
 * stream's pieces have the form of the whole. One reader serves those who
 * translate and those who only judge. */
#include "dialect/gemini.h"

#include "base/check.h"
#include "dialect/openai.h"

static struct slice member(struct slice object, const char *name)
{
	struct slice value = json_member(object, slice_of(name));

	return json_is_nothing(value) ? SLICE_NONE : value;
}

static bool is_string(struct slice raw)
{
	return raw.len > 0 && json_type_of(raw) == JSON_STRING;
}

static struct slice text_member(struct slice object, const char *name)
{
	struct slice value = member(object, name);

	return is_string(value) && value.len > 2 ? value : SLICE_NONE;
}

/* ---- parts ---------------------------------------------------------------------------- */

static struct canon_event *tell(struct gemini_stream *s, struct canon_events *out,
				enum canon_event_kind kind, unsigned choice)
{
	struct canon_event *e = canon_add(out, kind);

	e->choice = choice;
	s->content = true;
	return e;
}

/* The proof of what was just told; a part of its own at times, with empty text. */
static void tell_signature(struct gemini_stream *s, struct slice part, unsigned choice,
			   struct canon_events *out)
{
	struct slice raw = text_member(part, "thoughtSignature"), vendor;
	struct canon_event *e;

	if (!raw.len)
		return;
	raw = gemini_proof_read(out->arena, raw, &vendor);
	if (!raw.len)
		return;
	e = tell(s, out, CANON_EVENT_SIGNATURE, choice);
	e->text = raw;
	e->vendor = vendor;
}

static bool tell_call(struct gemini_stream *s, struct slice part, struct slice call, unsigned choice,
		      struct canon_events *out)
{
	struct slice args = member(call, "args"), signature = text_member(part, "thoughtSignature");
	struct slice vendor = SLICE_NONE;
	struct canon_event *e;
	int ordinal;

	/* Arguments in pieces come only to those who ask for them, and we do not. */
	if ((json_is_true(member(call, "willContinue")) || member(call, "partialArgs").len) && !s->passes)
		return false;
	if (s->calls[choice] == UINT8_MAX)
		return false;
	ordinal = s->calls[choice]++;
	if (signature.len)
		signature = gemini_proof_read(out->arena, signature, &vendor);
	e = tell(s, out, CANON_EVENT_CALL, choice);
	e->call = ordinal;
	e->id = text_member(call, "id");
	e->name = text_member(call, "name");
	if (!e->name.len)
		e->name = S("\"\"");
	e->signature = signature;
	e->vendor = vendor;
	e = canon_add(out, CANON_EVENT_ARGUMENTS);
	e->choice = choice;
	e->call = ordinal;
	e->text = canon_arguments_text(out->arena, json_type_of(args) == JSON_OBJECT ? args : SLICE_NONE,
				       false);
	return true;
}

static void tell_blob(struct gemini_stream *s, struct slice blob, unsigned choice,
		      struct canon_events *out)
{
	struct slice mime = json_string(out->arena, member(blob, "mimeType"));
	struct slice data = json_string(out->arena, member(blob, "data"));
	struct canon_event *e;

	if (!data.len)
		return;
	e = tell(s, out, slice_starts(mime, S("audio/")) ? CANON_EVENT_AUDIO : CANON_EVENT_IMAGE, choice);
	e->media.mime = mime;
	e->media.data = gemini_base64(out->arena, data);
}

static bool tell_part(struct gemini_stream *s, struct slice part, unsigned choice,
		      struct canon_events *out)
{
	struct slice text = text_member(part, "text"), call = member(part, "functionCall");
	struct slice blob = member(part, "inlineData");
	bool thought = json_is_true(member(part, "thought"));

	if (json_type_of(part) != JSON_OBJECT)
		return true;
	if (call.len)
		return tell_call(s, part, call, choice, out);
	if (text.len)
		tell(s, out, thought ? CANON_EVENT_REASONING : CANON_EVENT_TEXT, choice)->text = text;
	else if (blob.len)
		tell_blob(s, blob, choice, out);
	/* What the vendor's own tools ran is told in its own words only. */
	tell_signature(s, part, choice, out);
	return true;
}

/* ---- citations, probabilities ------------------------------------------------------------ */

static void tell_citation(struct slice from, unsigned choice, struct canon_events *out)
{
	struct canon_event *e;

	if (!text_member(from, "uri").len)
		return;
	e = canon_add(out, CANON_EVENT_CITATION);
	e->choice = choice;
	e->url = text_member(from, "uri");
	e->title = text_member(from, "title");
	e->json = from;
	e->vendor = S("gemini");
}

static void tell_citations(struct slice candidate, unsigned choice, struct canon_events *out)
{
	struct slice metadata = member(candidate, "citationMetadata"), one;
	struct slice sources = member(metadata, "citationSources");
	struct slice chunks = json_path(candidate, S("groundingMetadata.groundingChunks"));

	if (!sources.len)
		sources = member(metadata, "citations");         /* Vertex */
	if (json_type_of(sources) == JSON_ARRAY)
		while (json_next(&sources, NULL, &one))
			tell_citation(one, choice, out);
	if (json_type_of(chunks) == JSON_ARRAY)
		while (json_next(&chunks, NULL, &one))
			tell_citation(member(one, "web").len ? member(one, "web")
							     : member(one, "retrievedContext"), choice, out);
}

static void make_token(struct json_make *m, struct slice from)
{
	struct slice token = member(from, "token"), logprob = member(from, "logProbability");

	make_object(m, NULL);
	make_raw(m, "token", is_string(token) ? token : S("\"\""));
	make_raw(m, "logprob", logprob.len ? logprob : S("0"));
	make_null(m, "bytes");
}

/* OpenAI's chat shape: each token with those that could have stood there. */
static void tell_logprobs(struct slice candidate, unsigned choice, struct canon_events *out)
{
	struct slice result = member(candidate, "logprobsResult"), chosen, tops, one, top, other;
	struct buf text = BUF_INIT((size_t)4 * 1024 * 1024);
	struct json_make m = json_make_start(&text);

	chosen = member(result, "chosenCandidates");
	tops = gemini_list(member(result, "topCandidates"));
	if (json_type_of(chosen) != JSON_ARRAY)
		return;
	make_array(&m, NULL);
	while (json_next(&chosen, NULL, &one)) {
		make_token(&m, one);
		make_array(&m, "top_logprobs");
		if (json_next(&tops, NULL, &top)) {
			top = gemini_list(member(top, "candidates"));
			while (json_next(&top, NULL, &other)) {
				make_token(&m, other);
				make_object_end(&m);
			}
		}
		make_array_end(&m);
		make_object_end(&m);
	}
	make_array_end(&m);
	if (json_make_finish(&m) && buf_len(&text) > 2) {
		struct canon_event *e = canon_add(out, CANON_EVENT_LOGPROBS);

		e->choice = choice;
		e->json = arena_copy(out->arena, buf_slice(&text));
	}
	buf_free(&text);
}

/* ---- candidates -------------------------------------------------------------------------- */

static bool fail(struct canon_events *out, enum fault fault, struct slice message)
{
	canon_add_error(out, fault, message);
	return false;
}

static bool tell_finish(struct gemini_stream *s, struct slice candidate, unsigned choice,
			struct canon_events *out)
{
	struct slice raw = text_member(candidate, "finishReason");
	struct slice more = json_string(out->arena, text_member(candidate, "finishMessage"));
	enum canon_finish finish;
	struct canon_event *e;

	if (!raw.len || json_string_eq(raw, S("FINISH_REASON_UNSPECIFIED")) ||
	    (s->finished >> choice & 1) != 0)
		return true;
	/* Nothing was said, or a call that nobody can read: another try may do better. */
	if (gemini_finish_of(raw, &finish) == GEMINI_FAILED && !(s->passes && s->content))
		return fail(out, FAULT_BAD_ANSWER, more.len ? more
			: arena_printf(out->arena, "the model ended with %.*s",
				       SLICE_ARG(json_string(out->arena, raw))));
	s->finished |= (uint8_t)(1u << choice);
	if (finish == CANON_FINISH_STOP && s->calls[choice])
		finish = CANON_FINISH_CALLS;
	e = canon_add(out, CANON_EVENT_FINISH);
	e->choice = choice;
	e->finish = finish;
	return true;
}

static bool tell_candidate(struct gemini_stream *s, struct slice candidate, int64_t position,
			   struct canon_events *out)
{
	struct slice parts = json_path(candidate, S("content.parts")), part;
	int64_t index = position;
	unsigned choice;

	if (json_type_of(candidate) != JSON_OBJECT)
		return true;
	if (!json_i64(member(candidate, "index"), &index) || index < 0 || index >= GEMINI_CHOICES_MAX)
		index = position < GEMINI_CHOICES_MAX ? position : GEMINI_CHOICES_MAX - 1;
	choice = (unsigned)index;
	s->seen |= (uint8_t)(1u << choice);
	if (json_type_of(parts) == JSON_ARRAY)
		while (json_next(&parts, NULL, &part))
			if (!tell_part(s, part, choice, out))
				return fail(out, FAULT_BAD_ANSWER,
					    S("a call came in pieces that were not asked for"));
	tell_citations(candidate, choice, out);
	tell_logprobs(candidate, choice, out);
	return tell_finish(s, candidate, choice, out);
}

/* ---- the whole -------------------------------------------------------------------------------- */

/* Inside a stream, or in a 200, the error's own code counts. */
static bool tell_error(struct slice data, struct canon_events *out)
{
	static const struct endpoint chat = { .kind = ENDPOINT_CHAT, .model_place = MODEL_IN_PATH };
	struct error_body error;
	struct canon_event *e;
	int64_t hint;

	error_body_read(out->arena, data, &error);
	hint = dialect_retry_hint_ms(NULL, data, 0);
	e = canon_add_error(out, openai_fault_of_error(&chat, 0, &error, hint >= 0), error.message);
	e->error.type = error.type;
	e->error.code = error.code;
	e->error.param = error.param;
	e->error.retry_after_ms = hint;
	return false;
}

static void tell_start(struct gemini_stream *s, struct slice data, int64_t wall_ms,
		       struct canon_events *out)
{
	struct canon_event *e;

	if (s->started)
		return;
	s->started = true;
	e = canon_add(out, CANON_EVENT_START);
	e->id = text_member(data, "responseId");
	e->name = text_member(data, "modelVersion");
	e->created = wall_ms / 1000;
}

/* The prompt itself was refused. A client of this API reads that by itself. */
static bool tell_blocked(struct gemini_stream *s, struct slice data, struct canon_events *out)
{
	struct slice message;

	if (!gemini_is_blocked(out->arena, member(data, "promptFeedback"), &message))
		return true;
	if (!s->passes)
		return fail(out, FAULT_POLICY, message);
	if (!s->finished)
		canon_add(out, CANON_EVENT_FINISH)->finish = CANON_FINISH_FILTER;
	s->finished |= 1;
	return true;
}

bool gemini_read_piece(struct gemini_stream *s, struct slice data, int64_t wall_ms,
		       struct canon_events *out)
{
	struct usage usage = { .known = false };
	struct slice candidates, candidate, first;
	int64_t position = 0;

	data = slice_trim(data);
	if (json_validate(data, NULL) != JSON_OK)
		return fail(out, FAULT_BAD_ANSWER, S("an event of the stream is not valid JSON"));
	/* Errors come in an array too. */
	first = data;
	if (json_type_of(data) == JSON_ARRAY && json_next(&first, NULL, &candidate))
		data = candidate;
	if (json_type_of(data) != JSON_OBJECT)
		return fail(out, FAULT_BAD_ANSWER, S("an event of the stream is no object"));
	if (error_body_is_error(json_member(data, S("error"))))
		return tell_error(data, out);
	candidates = member(data, "candidates");
	tell_start(s, data, wall_ms, out);
	if (json_type_of(candidates) == JSON_ARRAY)
		while (json_next(&candidates, NULL, &candidate))
			if (!tell_candidate(s, candidate, position++, out))
				return false;
	if (position == 0 && !tell_blocked(s, data, out))
		return false;
	gemini_read_usage(member(data, "usageMetadata"), &usage);
	if (usage.known)
		canon_add(out, CANON_EVENT_USAGE)->usage = usage;
	return true;
}

/* ---- the codec's ---------------------------------------------------------------------------------- */

static struct gemini_stream *stream_of(struct codec_reader *r)
{
	if (!r->own)
		r->own = arena_new(r->arena, struct gemini_stream);
	return r->own;
}

static void note(struct codec_reader *r, const struct gemini_stream *s)
{
	r->started = s->started;
	r->content = s->content;
	r->finished = s->seen | s->finished ? (s->seen & ~s->finished) == 0 : false;
	r->calls = s->calls[0];
}

void gemini_read_event(struct codec_reader *r, struct arena *scratch, struct slice type,
		       struct slice data, struct canon_events *out)
{
	struct gemini_stream *s = stream_of(r);

	(void)scratch;
	(void)type;
	if (r->done || r->failed || !slice_trim(data).len || slice_eq(slice_trim(data), S("[DONE]")))
		return;
	if (!gemini_read_piece(s, data, r->wall_ms, out))
		r->failed = true;
	note(r, s);
}

enum fault gemini_read_end(struct codec_reader *r, struct arena *scratch, struct canon_events *out)
{
	(void)scratch;
	if (!r->failed && !r->done && r->finished) {
		r->done = true;
		canon_add(out, CANON_EVENT_DONE);
	}
	if (r->done)
		return FAULT_NONE;
	return r->content ? FAULT_CUT : FAULT_BAD_ANSWER;
}

enum fault gemini_read_answer(struct codec_reader *r, struct slice body, struct canon_events *out)
{
	struct gemini_stream *s = stream_of(r);

	if (!gemini_read_piece(s, body, r->wall_ms, out))
		return out->at[out->count - 1].error.fault;
	note(r, s);
	if (!r->finished && !r->content)
		return FAULT_BAD_ANSWER;
	for (unsigned i = 0; i < GEMINI_CHOICES_MAX; i++)
		if ((s->seen >> i & 1) != 0 && (s->finished >> i & 1) == 0) {
			struct canon_event *e = canon_add(out, CANON_EVENT_FINISH);

			e->choice = i;
			e->finish = s->calls[i] ? CANON_FINISH_CALLS : CANON_FINISH_STOP;
		}
	r->finished = r->done = true;
	canon_add(out, CANON_EVENT_DONE);
	return FAULT_NONE;
}
