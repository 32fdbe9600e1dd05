/* gemini_write.c: a request for generateContent, as backends take it. */
#include "dialect/gemini.h"

#include "base/check.h"
#include "dialect/losses.h"
#include "dialect/vendor.h"

struct writing {
	struct json_make m;
	struct arena *arena;
	const struct canon_request *r;
	const struct codec_target *target;
	unsigned generation;         /* of the model, in tenths: 20, 25, 30; see generation_of() */
};

static bool is_vertex(const struct writing *w)
{
	return slice_eq(w->target->vendor->dialect, S("vertex"));
}

static bool may_say(const struct writing *w, uint64_t feature)
{
	return (w->target->vendor->lacks & feature) == 0;
}

/* "gemini-2.5-pro" is 25. A name that tells nothing ("gemini-flash-latest", a
 * tuned model's) is taken for one of today. */
static unsigned generation_of(struct slice model)
{
	size_t at = slice_find_slice(model, S("gemini-"));
	const char *digits;
	unsigned n;

	if (!model.at || at == SLICE_NOT_FOUND || at + 7 >= model.len)
		return 30;
	digits = model.at + at + 7;
	if (*digits < '1' || *digits > '9')
		return 30;
	n = (unsigned)(*digits - '0') * 10;
	if (at + 9 < model.len && digits[1] == '.' && digits[2] >= '0' && digits[2] <= '9')
		n += (unsigned)(digits[2] - '0');
	return n;
}

static bool is_pro(struct slice model)
{
	return slice_find_slice(model, S("pro")) != SLICE_NOT_FOUND;
}

#define STOPS_MAX 5
#define CANDIDATES_MAX 8
#define PRO_BUDGET_MIN 128           /* those of the second generation cannot but think */

uint64_t gemini_lacks(const struct canon_request *r, const struct codec_target *target, uint64_t *softly)
{
	unsigned generation = (unsigned)generation_of(target->model);
	uint64_t lacks = 0;

	if (generation < 25)                 /* they do not think */
		lacks |= CANON_HAS(EFFORT) | CANON_HAS(THINK_BUDGET);
	if (losses_stops(r) > STOPS_MAX)
		lacks |= CANON_HAS(STOP);
	if (r->choices > CANDIDATES_MAX)
		lacks |= CANON_HAS(CHOICES);
	if (is_pro(target->model) && slice_eq(r->effort, S("none")))
		*softly |= CANON_HAS(EFFORT);
	if (losses_foreign_thinking(r, S("gemini")))
		*softly |= CANON_HAS(THINK_PARTS);
	if (r->schema_description.len)
		*softly |= CANON_HAS(JSON_SCHEMA);
	return lacks;
}

/* ---- media ------------------------------------------------------------------------------ */

/* By the ending of a URL, where nobody said; the API wants one with every file. */
static struct slice mime_of(const struct canon_part *p)
{
	static const struct { struct slice ending, mime; } endings[] = {
		{ S_INIT(".png"), S_INIT("image/png") }, { S_INIT(".webp"), S_INIT("image/webp") },
		{ S_INIT(".gif"), S_INIT("image/gif") }, { S_INIT(".heic"), S_INIT("image/heic") },
		{ S_INIT(".pdf"), S_INIT("application/pdf") }, { S_INIT(".txt"), S_INIT("text/plain") },
		{ S_INIT(".mp4"), S_INIT("video/mp4") }, { S_INIT(".mp3"), S_INIT("audio/mp3") },
		{ S_INIT(".wav"), S_INIT("audio/wav") },
	};
	struct slice url = canon_inside(p->media.url);
	size_t query = slice_find(url, '?');

	if (p->media.mime.len)
		return p->media.mime;
	if (query != SLICE_NOT_FOUND)
		url = slice_sub(url, 0, query);
	for (size_t i = 0; i < COUNT_OF(endings); i++)
		if (slice_ends(url, endings[i].ending))
			return endings[i].mime;
	switch (p->kind) {
	case CANON_PART_IMAGE: return S("image/jpeg");
	case CANON_PART_AUDIO: return S("audio/wav");
	case CANON_PART_VIDEO: return S("video/mp4");
	default:               return S("application/pdf");
	}
}

/* The members of a part that is no text. */
static void put_media(struct writing *w, const struct canon_part *p)
{
	struct json_make *m = &w->m;
	struct slice uri = p->media.file_id.len ? p->media.file_id : p->media.url;

	if (uri.len) {
		make_object(m, "fileData");
		make_text(m, "mimeType", mime_of(p));
		make_raw(m, "fileUri", uri);
	} else {
		make_object(m, "inlineData");
		make_text(m, "mimeType", mime_of(p));
		make_text(m, "data", p->media.data);
	}
	make_object_end(m);
}

static bool has_media(const struct canon_part *p)
{
	return p->media.file_id.len || p->media.url.len || p->media.data.len;
}

/* ---- calls and results ---------------------------------------------------------------------- */

/* Models of the third generation refuse a call of the turn under way that has no
 * signature; another model made it, or made none. */
#define SIGNED_CALLS 30

static void put_signature(struct writing *w, const struct canon_part *p)
{
	if (p->signature.len > 2 && slice_eq(p->vendor, S("gemini")))
		make_raw(&w->m, "thoughtSignature", p->signature);
}

static void put_call(struct writing *w, const struct canon_part *p, bool first)
{
	bool proved = p->signature.len > 2 && slice_eq(p->vendor, S("gemini"));

	make_object(&w->m, NULL);
	make_object(&w->m, "functionCall");
	if (p->id.len > 2)
		make_raw(&w->m, "id", p->id);
	make_raw(&w->m, "name", p->name.len ? p->name : S("\"\""));
	make_raw(&w->m, "args", canon_arguments_object(w->arena, p->arguments, p->arguments_text));
	make_object_end(&w->m);
	if (proved)
		put_signature(w, p);
	else if (first && w->generation >= SIGNED_CALLS)
		make_raw(&w->m, "thoughtSignature", S(GEMINI_NO_SIGNATURE));
	make_object_end(&w->m);
}

/* A result must name its function; others only know the call's id. */
static struct slice name_of(const struct writing *w, const struct canon_part *result)
{
	if (result->name.len > 2)
		return result->name;
	for (const struct canon_message *m = w->r->messages; m; m = m->next)
		for (const struct canon_part *p = m->parts; p; p = p->next)
			if (p->kind == CANON_PART_CALL && slice_eq(p->id, result->id))
				return p->name;
	return S("\"tool\"");
}

static bool is_object(struct slice text)
{
	return json_type_of(text) == JSON_OBJECT && json_validate(text, NULL) == JSON_OK;
}

/* A result that is an object is one; text is the member that the API's page names. */
static void put_response(struct writing *w, const struct canon_part *result)
{
	struct slice text = SLICE_NONE, object;
	struct json_make *m = &w->m;
	unsigned texts = 0;

	for (const struct canon_part *p = result->content; p; p = p->next)
		if (p->kind == CANON_PART_TEXT) {
			text = p->text;
			texts++;
		}
	object = texts == 1 ? slice_trim(json_string(w->arena, text)) : SLICE_NONE;
	if (!result->is_error && object.len && is_object(object)) {
		make_raw(m, "response", object);
		return;
	}
	make_object(m, "response");
	make_string(m, result->is_error ? "error" : "output");
	for (const struct canon_part *p = result->content; p; p = p->next)
		if (p->kind == CANON_PART_TEXT)
			make_string_piece(m, p->text);
	make_string_end(m);
	make_object_end(m);
}

static void put_attachments(struct writing *w, const struct canon_part *result)
{
	for (const struct canon_part *p = result->content; p; p = p->next) {
		if (!has_media(p))
			continue;
		make_object(&w->m, NULL);
		put_media(w, p);
		make_object_end(&w->m);
	}
}

static void put_result(struct writing *w, const struct canon_part *result)
{
	struct json_make *m = &w->m;
	bool inside = w->generation >= SIGNED_CALLS, any = false;

	for (const struct canon_part *p = result->content; p; p = p->next)
		any |= has_media(p);
	make_object(m, NULL);
	make_object(m, "functionResponse");
	if (result->id.len > 2)
		make_raw(m, "id", result->id);
	make_raw(m, "name", name_of(w, result));
	put_response(w, result);
	if (any && inside) {
		make_array(m, "parts");
		put_attachments(w, result);
		make_array_end(m);
	}
	make_object_end(m);
	make_object_end(m);
	/* Older models look at what stands beside. */
	if (any && !inside)
		put_attachments(w, result);
}

/* ---- parts --------------------------------------------------------------------------------------- */

/* Thinking goes back only with what proves it, and to whom it came from. */
static bool is_told(const struct canon_part *p)
{
	switch (p->kind) {
	case CANON_PART_TEXT: case CANON_PART_REFUSAL:
		return p->text.len > 2 || (p->signature.len > 2 && slice_eq(p->vendor, S("gemini")));
	case CANON_PART_REASONING:
		return p->signature.len > 2 && slice_eq(p->vendor, S("gemini"));
	case CANON_PART_CALL: case CANON_PART_RESULT:
		return true;
	default:
		return has_media(p) || p->text.len > 2;
	}
}

static void put_part(struct writing *w, const struct canon_part *p, bool first_call)
{
	struct json_make *m = &w->m;

	if (p->kind == CANON_PART_CALL) {
		put_call(w, p, first_call);
		return;
	}
	if (p->kind == CANON_PART_RESULT) {
		put_result(w, p);
		return;
	}
	make_object(m, NULL);
	if (has_media(p)) {
		put_media(w, p);
	} else {
		make_raw(m, "text", p->text.len ? p->text : S("\"\""));
		if (p->kind == CANON_PART_REASONING && p->text.len > 2)
			make_bool(m, "thought", true);
		put_signature(w, p);
	}
	make_object_end(m);
}

static bool is_system(const struct canon_message *m)
{
	return m->role == CANON_SYSTEM || m->role == CANON_DEVELOPER;
}

static bool has_told(const struct canon_message *m)
{
	for (const struct canon_part *p = m->parts; p; p = p->next)
		if (is_told(p))
			return true;
	return false;
}

/* The one place for instructions takes all of them. */
static void put_system(struct writing *w)
{
	bool any = false;

	for (const struct canon_message *m = w->r->messages; m; m = m->next) {
		if (!is_system(m) || !has_told(m))
			continue;
		if (!any) {
			make_object(&w->m, "systemInstruction");
			make_array(&w->m, "parts");
		}
		any = true;
		for (const struct canon_part *p = m->parts; p; p = p->next)
			if (is_told(p))
				put_part(w, p, false);
	}
	if (!any)
		return;
	make_array_end(&w->m);
	make_object_end(&w->m);
}

/* ---- contents --------------------------------------------------------------------------------------- */

static const struct canon_message *next_told(const struct canon_message *m)
{
	while (m && (is_system(m) || !has_told(m)))
		m = m->next;
	return m;
}

static void begin_content(struct writing *w, bool model)
{
	make_object(&w->m, NULL);
	make_text(&w->m, "role", model ? S("model") : S("user"));
	make_array(&w->m, "parts");
}

static void end_content(struct writing *w)
{
	make_array_end(&w->m);
	make_object_end(&w->m);
}

static void put_text_content(struct writing *w, bool model, struct slice raw)
{
	begin_content(w, model);
	make_object(&w->m, NULL);
	make_raw(&w->m, "text", raw);
	make_object_end(&w->m);
	end_content(w);
}

/* Messages of one role are one content: all results of a turn's calls must stand
 * in one. Gives the first message behind them. */
static const struct canon_message *put_content(struct writing *w, const struct canon_message *m)
{
	enum canon_role role = m->role;
	bool first_call = true;

	begin_content(w, role == CANON_ASSISTANT);
	for (; m && m->role == role; m = next_told(m->next)) {
		for (const struct canon_part *p = m->parts; p; p = p->next) {
			if (!is_told(p))
				continue;
			put_part(w, p, first_call);
			first_call &= p->kind != CANON_PART_CALL;
		}
	}
	end_content(w);
	return m;
}

static bool says_rest(const struct canon_request *r)
{
	return r->resume != RESUME_NONE && r->resume != RESUME_REPLAY && r->sent.len > 0;
}

static void put_contents(struct writing *w)
{
	const struct canon_message *m = next_told(w->r->messages);
	bool any = m != NULL;

	make_array(&w->m, "contents");
	while (m)
		m = put_content(w, m);
	/* Instructions alone are no request here. */
	if (!any)
		put_text_content(w, false, S("\" \""));
	if (says_rest(w->r)) {
		put_text_content(w, true, canon_quote(w->arena, w->r->sent));
		if (w->r->resume == RESUME_INSTRUCT)
			put_text_content(w, false, S(CANON_GO_ON));
	}
	make_array_end(&w->m);
}

/* ---- tools --------------------------------------------------------------------------------------------- */

static void put_tool(struct writing *w, const struct canon_tool *t)
{
	make_object(&w->m, NULL);
	make_raw(&w->m, "name", t->name);
	make_given(&w->m, "description", t->description);
	make_given(&w->m, "parametersJsonSchema", t->parameters);
	make_object_end(&w->m);
}

static bool is_strict(const struct canon_request *r)
{
	for (const struct canon_tool *t = r->tools; t; t = t->next)
		if (t->strict == 1)
			return true;
	return false;
}

/* ANY holds calls to their schemas by itself, VALIDATED is AUTO that does. */
static void put_tool_config(struct writing *w)
{
	struct json_make *m = &w->m;
	const struct canon_request *r = w->r;
	struct slice mode = SLICE_NONE;

	switch (r->choice) {
	case CANON_CHOICE_UNSAID:
		mode = is_strict(r) ? S("VALIDATED") : SLICE_NONE;
		break;
	case CANON_CHOICE_AUTO:
		mode = is_strict(r) ? S("VALIDATED") : S("AUTO");
		break;
	case CANON_CHOICE_NONE:
		mode = S("NONE");
		break;
	case CANON_CHOICE_REQUIRED: case CANON_CHOICE_ONE:
		mode = S("ANY");
		break;
	}
	if (!mode.len)
		return;
	make_object(m, "toolConfig");
	make_object(m, "functionCallingConfig");
	make_text(m, "mode", mode);
	if (r->choice == CANON_CHOICE_ONE) {
		make_array(m, "allowedFunctionNames");
		make_raw(m, NULL, r->choice_name);
		make_array_end(m);
	}
	make_object_end(m);
	make_object_end(m);
}

static void put_tools(struct writing *w)
{
	if (!w->r->tools)
		return;
	make_array(&w->m, "tools");
	make_object(&w->m, NULL);
	make_array(&w->m, "functionDeclarations");
	for (const struct canon_tool *t = w->r->tools; t; t = t->next)
		put_tool(w, t);
	make_array_end(&w->m);
	make_object_end(&w->m);
	make_array_end(&w->m);
	put_tool_config(w);
}

/* ---- generationConfig ---------------------------------------------------------------------------------- */

static bool is_word(struct slice effort, const char *word)
{
	return slice_eq(effort, slice_of(word));
}

/* Levels are for models since the third generation; those before count tokens,
 * and the borders are Google's own (ai.google.dev/gemini-api/docs/openai). */
static void put_effort(struct writing *w)
{
	struct slice effort = w->r->effort;
	bool pro = is_pro(w->target->model);
	struct json_make *m = &w->m;

	if (w->generation < 30) {
		make_i64(m, "thinkingBudget", is_word(effort, "none") ? (pro ? PRO_BUDGET_MIN : 0)
			 : is_word(effort, "minimal") || is_word(effort, "low") ? 1024
			 : is_word(effort, "medium") ? 8192 : 24576);
		return;
	}
	if (is_word(effort, "none") || is_word(effort, "minimal"))
		make_text(m, "thinkingLevel", pro ? S("LOW") : S("MINIMAL"));
	else
		make_text(m, "thinkingLevel", is_word(effort, "low") ? S("LOW")
			  : is_word(effort, "medium") ? S("MEDIUM") : S("HIGH"));
}

static void put_thinking(struct writing *w)
{
	const struct canon_request *r = w->r;
	bool shown = r->summary.len ? !slice_eq(r->summary, S("omitted")) : r->think_shown;
	struct json_make *m = &w->m;

	if (!r->effort.len && r->think_budget < 0 && !r->think_auto && !shown)
		return;
	if (w->generation < 25)
		return;                      /* they do not think */
	make_object(m, "thinkingConfig");
	if (r->effort.len)
		put_effort(w);
	else if (r->think_budget >= 0)
		make_i64(m, "thinkingBudget", is_pro(w->target->model) && r->think_budget < PRO_BUDGET_MIN
			 ? PRO_BUDGET_MIN : r->think_budget);
	else if (r->think_auto)
		make_i64(m, "thinkingBudget", -1);
	if (shown)
		make_bool(m, "includeThoughts", true);
	make_object_end(m);
}

static void put_format(struct writing *w)
{
	const struct canon_request *r = w->r;

	if (r->format != CANON_FORMAT_JSON && r->format != CANON_FORMAT_SCHEMA)
		return;
	make_text(&w->m, "responseMimeType", S("application/json"));
	if (r->format == CANON_FORMAT_SCHEMA && r->schema.len)
		make_raw(&w->m, "responseJsonSchema", r->schema);
}

static void put_modalities(struct writing *w)
{
	if (!(w->r->features & (CANON_HAS(IMAGE_OUT) | CANON_HAS(AUDIO_OUT))))
		return;
	make_array(&w->m, "responseModalities");
	if (w->r->features & CANON_HAS(IMAGE_OUT)) {
		make_text(&w->m, NULL, S("TEXT"));
		make_text(&w->m, NULL, S("IMAGE"));
	} else {
		make_text(&w->m, NULL, S("AUDIO"));
	}
	make_array_end(&w->m);
}

static void put_config(struct writing *w)
{
	const struct canon_request *r = w->r;
	struct json_make *m = &w->m;
	int left = STOPS_MAX;

	make_object(m, "generationConfig");
	make_given(m, "temperature", r->temperature);
	make_given(m, "topP", r->top_p);
	make_given(m, "topK", r->top_k);
	make_given(m, "seed", r->seed);
	make_given(m, "presencePenalty", r->presence_penalty);
	make_given(m, "frequencyPenalty", r->frequency_penalty);
	if (r->max_tokens >= 0)
		make_i64(m, "maxOutputTokens", r->max_tokens);
	if (r->choices > 1)
		make_i64(m, "candidateCount", r->choices > CANDIDATES_MAX ? CANDIDATES_MAX : r->choices);
	if (r->stop) {
		make_array(m, "stopSequences");
		for (const struct canon_text *t = r->stop; t && left-- > 0; t = t->next)
			make_raw(m, NULL, t->raw);
		make_array_end(m);
	}
	if (r->logprobs) {
		make_bool(m, "responseLogprobs", true);
		if (r->top_logprobs >= 0)
			make_i64(m, "logprobs", r->top_logprobs);
	}
	put_format(w);
	put_modalities(w);
	put_thinking(w);
	make_object_end(m);
}

/* ---- the whole ----------------------------------------------------------------------------------------- */

static struct writing begin(struct arena *arena, const struct canon_request *r,
			    const struct codec_target *target, struct buf *out)
{
	return (struct writing){ .m = json_make_start(out), .arena = arena, .r = r, .target = target,
				 .generation = generation_of(target->model) };
}

static void put_conversation(struct writing *w)
{
	put_system(w);
	put_contents(w);
	put_tools(w);
}

bool gemini_codec_write_request(struct arena *arena, const struct canon_request *r,
				const struct codec_target *target, struct buf *out)
{
	struct writing w = begin(arena, r, target, out);

	make_object(&w.m, NULL);
	put_conversation(&w);
	put_config(&w);
	/* Only Vertex has a place for notes. */
	if (is_vertex(&w) && may_say(&w, CANON_HAS(METADATA)))
		make_given(&w.m, "labels", r->metadata);
	make_object_end(&w.m);
	return json_make_finish(&w.m);
}

/* The Gemini API counts a bare conversation, or a whole request, which names its
 * model again; Vertex takes instructions and tools beside the conversation. */
bool gemini_count_write_request(struct arena *arena, const struct canon_request *r,
				const struct codec_target *target, struct buf *out)
{
	struct writing w = begin(arena, r, target, out);
	bool wrapped = !is_vertex(&w);

	make_object(&w.m, NULL);
	if (wrapped) {
		make_object(&w.m, "generateContentRequest");
		make_text(&w.m, "model", arena_printf(arena, "models/%.*s", SLICE_ARG(target->model)));
	}
	put_conversation(&w);
	if (wrapped)
		make_object_end(&w.m);
	make_object_end(&w.m);
	return json_make_finish(&w.m);
}
