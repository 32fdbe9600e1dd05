/* openai_chat_write.c: a request, written as a chat completion's for a backend
 * that speaks OpenAI's dialect; its vendor's row says with which deviations. */
#include "dialect/openai_chat.h"

#include "base/check.h"
#include "dialect/losses.h"

#include <limits.h>

struct writing {
	struct json_make m;
	struct arena *arena;
	const struct canon_request *r;
	const struct codec_target *target;
};

static bool has_quirk(const struct writing *w, enum vendor_quirk quirk)
{
	return (w->target->vendor->quirks & (unsigned)quirk) != 0;
}

static bool may_say(const struct writing *w, uint64_t feature)
{
	return ((w->target->vendor->lacks | openai_reasoner_lacks(w->r, w->target)) & feature) == 0;
}

/* ---- parts --------------------------------------------------------------------- */

/* Megabytes, so straight into the body. */
static void put_data_url(struct writing *w, const char *name, const struct canon_media *media,
			 struct slice mime)
{
	struct json_make *m = &w->m;

	make_string(m, name);
	json_out_puts(&m->out, "data:");
	json_out_put(&m->out, media->mime.len ? media->mime : mime);
	json_out_puts(&m->out, ";base64,");
	json_out_put(&m->out, media->data);
	make_string_end(m);
}

static void put_media_url(struct writing *w, const struct canon_media *media)
{
	if (media->url.len)
		make_raw(&w->m, "url", media->url);
	else
		put_data_url(w, "url", media, S("image/png"));
}

static void put_image(struct writing *w, const struct canon_part *p)
{
	make_text(&w->m, "type", S("image_url"));
	make_object(&w->m, "image_url");
	put_media_url(w, &p->media);
	make_word(&w->m, "detail", p->media.detail);
	make_object_end(&w->m);
}

/* "audio/wav", "audio/mpeg" as OpenAI's format words. */
static struct slice audio_format(struct slice mime)
{
	struct slice kind, word;

	if (!slice_cut(mime, '/', &kind, &word))
		return S("wav");
	if (slice_eq(word, S("mpeg")))
		return S("mp3");
	return slice_eq(word, S("x-wav")) || slice_eq(word, S("wave")) ? S("wav") : word;
}

static void put_audio(struct writing *w, const struct canon_part *p)
{
	make_text(&w->m, "type", S("input_audio"));
	make_object(&w->m, "input_audio");
	make_text(&w->m, "data", p->media.data);
	make_text(&w->m, "format", audio_format(p->media.mime));
	make_object_end(&w->m);
}

static void put_document(struct writing *w, const struct canon_part *p)
{
	if (p->text.len) {                       /* plain text needs no file */
		make_text(&w->m, "type", S("text"));
		make_raw(&w->m, "text", p->text);
		return;
	}
	make_text(&w->m, "type", S("file"));
	make_object(&w->m, "file");
	make_given(&w->m, "filename", p->media.name.len ? p->media.name
		   : p->media.file_id.len ? SLICE_NONE : S("\"document.pdf\""));
	make_given(&w->m, "file_id", p->media.file_id);
	if (p->media.data.len)
		put_data_url(w, "file_data", &p->media, S("application/pdf"));
	make_object_end(&w->m);
}

static void put_part(struct writing *w, const struct canon_part *p)
{
	make_object(&w->m, NULL);
	switch (p->kind) {
	case CANON_PART_TEXT:
		make_text(&w->m, "type", S("text"));
		make_raw(&w->m, "text", p->text);
		break;
	case CANON_PART_IMAGE:
		put_image(w, p);
		break;
	case CANON_PART_AUDIO:
		put_audio(w, p);
		break;
	case CANON_PART_VIDEO:
		make_text(&w->m, "type", S("video_url"));
		make_object(&w->m, "video_url");
		put_media_url(w, &p->media);
		make_object_end(&w->m);
		break;
	case CANON_PART_DOCUMENT:
		put_document(w, p);
		break;
	case CANON_PART_REFUSAL:
		make_text(&w->m, "type", S("refusal"));
		make_raw(&w->m, "refusal", p->text);
		break;
	case CANON_PART_REASONING: case CANON_PART_CALL: case CANON_PART_RESULT:
		never("has a place of its own");
	}
	make_object_end(&w->m);
}

static bool stands_in_content(const struct canon_part *p)
{
	return p->kind != CANON_PART_REASONING && p->kind != CANON_PART_CALL &&
	       p->kind != CANON_PART_RESULT;
}

static bool only_text(const struct canon_part *parts)
{
	for (const struct canon_part *p = parts; p; p = p->next)
		if (stands_in_content(p) && p->kind != CANON_PART_TEXT)
			return false;
	return true;
}

/* Texts alone become a string: all relatives take that, not all take parts. */
static void put_content(struct writing *w, const struct canon_part *parts)
{
	struct json_make *m = &w->m;
	bool first = true;

	if (only_text(parts)) {
		make_string(m, "content");
		for (const struct canon_part *p = parts; p; p = p->next) {
			if (p->kind != CANON_PART_TEXT)
				continue;
			if (!first)
				make_string_piece(m, S("\"\\n\\n\""));
			make_string_piece(m, p->text);
			first = false;
		}
		make_string_end(m);
		return;
	}
	make_array(m, "content");
	for (const struct canon_part *p = parts; p; p = p->next)
		if (stands_in_content(p))
			put_part(w, p);
	make_array_end(m);
}

/* ---- messages ---------------------------------------------------------------------- */

static const struct canon_part *find(const struct canon_part *parts, enum canon_part_kind kind)
{
	while (parts && parts->kind != kind)
		parts = parts->next;
	return parts;
}

static void put_calls(struct writing *w, const struct canon_part *parts)
{
	struct json_make *m = &w->m;

	make_array(m, "tool_calls");
	for (const struct canon_part *p = find(parts, CANON_PART_CALL); p;
	     p = find(p->next, CANON_PART_CALL)) {
		make_object(m, NULL);
		make_raw(m, "id", p->id.len ? p->id : p->name);
		make_text(m, "type", p->custom ? S("custom") : S("function"));
		make_object(m, p->custom ? "custom" : "function");
		make_raw(m, "name", p->name);
		make_raw(m, p->custom ? "input" : "arguments",
			 canon_arguments_text(w->arena, p->arguments, p->arguments_text));
		make_object_end(m);
		make_object_end(m);
	}
	make_array_end(m);
}

/* Thinking goes back only to those who told it that way (DeepSeek, Moonshot need
 * it between a call and its result); others would not know the member. */
static void put_thinking(struct writing *w, const struct canon_part *parts)
{
	const struct canon_part *p = find(parts, CANON_PART_REASONING);

	if (p && p->text.len && has_quirk(w, QUIRK_THINKING_OBJECT) && find(parts, CANON_PART_CALL))
		make_raw(&w->m, "reasoning_content", p->text);
}

static void put_assistant(struct writing *w, const struct canon_message *message)
{
	bool has_text = false;

	for (const struct canon_part *p = message->parts; p; p = p->next)
		has_text |= stands_in_content(p);
	put_thinking(w, message->parts);
	if (has_text || !find(message->parts, CANON_PART_CALL))
		put_content(w, message->parts);
	else
		make_null(&w->m, "content");
	if (find(message->parts, CANON_PART_CALL))
		put_calls(w, message->parts);
}

static struct slice role_word(const struct writing *w, enum canon_role role)
{
	switch (role) {
	case CANON_SYSTEM: return S("system");
	case CANON_DEVELOPER: return has_quirk(w, QUIRK_NO_DEVELOPER) ? S("system") : S("developer");
	case CANON_USER: return S("user");
	case CANON_ASSISTANT: return S("assistant");
	case CANON_TOOL: break;
	}
	return S("tool");
}

/* Each result is a message of its own here. */
static void put_results(struct writing *w, const struct canon_part *parts)
{
	for (const struct canon_part *p = find(parts, CANON_PART_RESULT); p;
	     p = find(p->next, CANON_PART_RESULT)) {
		make_object(&w->m, NULL);
		make_text(&w->m, "role", S("tool"));
		make_raw(&w->m, "tool_call_id", p->id.len ? p->id : p->name);
		put_content(w, p->content);
		make_object_end(&w->m);
	}
}

static void put_message(struct writing *w, const struct canon_message *message)
{
	bool rest = false;

	/* Results first: they answer the message before; what a user says beside
	 * them (Anthropic) comes behind. */
	put_results(w, message->parts);
	for (const struct canon_part *p = message->parts; p; p = p->next)
		rest |= p->kind != CANON_PART_RESULT;
	if (!rest && message->parts)
		return;
	make_object(&w->m, NULL);
	make_text(&w->m, "role", role_word(w, message->role == CANON_TOOL ? CANON_USER : message->role));
	if (may_say(w, CANON_HAS(NAMES)))
		make_given(&w->m, "name", message->name);
	if (message->role == CANON_ASSISTANT)
		put_assistant(w, message);
	else
		put_content(w, message->parts);
	make_object_end(&w->m);
}

/* ---- going on with what broke off ------------------------------------------------------ */

static void put_sent(struct writing *w)
{
	struct json_make *m = &w->m;

	make_object(m, NULL);
	make_text(m, "role", S("assistant"));
	make_text(m, "content", w->r->sent);
	if (w->r->resume == RESUME_PREFIX)
		make_bool(m, "prefix", true);
	make_object_end(m);
	if (w->r->resume != RESUME_INSTRUCT)
		return;
	make_object(m, NULL);
	make_text(m, "role", S("user"));
	make_raw(m, "content", S(CANON_GO_ON));
	make_object_end(m);
}

static bool says_rest(const struct canon_request *r)
{
	return r->resume != RESUME_NONE && r->resume != RESUME_REPLAY;
}

static void put_messages(struct writing *w)
{
	make_array(&w->m, "messages");
	for (const struct canon_message *m = w->r->messages; m; m = m->next)
		put_message(w, m);
	if (says_rest(w->r))
		put_sent(w);
	make_array_end(&w->m);
	if (w->r->resume == RESUME_CONTINUE_FINAL) {
		make_bool(&w->m, "continue_final_message", true);
		make_bool(&w->m, "add_generation_prompt", false);
	}
}

/* ---- tools --------------------------------------------------------------------------------- */

static void put_tool(struct writing *w, const struct canon_tool *t)
{
	struct json_make *m = &w->m;

	make_object(m, NULL);
	make_text(m, "type", t->custom ? S("custom") : S("function"));
	make_object(m, t->custom ? "custom" : "function");
	make_raw(m, "name", t->name);
	make_given(m, "description", t->description);
	make_given(m, t->custom ? "format" : "parameters", t->parameters);
	if (t->strict >= 0 && may_say(w, CANON_HAS(STRICT_TOOLS)))
		make_bool(m, "strict", t->strict == 1);
	make_object_end(m);
	make_object_end(m);
}

static void put_choice(struct writing *w)
{
	struct json_make *m = &w->m;

	switch (w->r->choice) {
	case CANON_CHOICE_UNSAID:
		return;
	case CANON_CHOICE_AUTO:
		make_text(m, "tool_choice", S("auto"));
		return;
	case CANON_CHOICE_NONE:
		make_text(m, "tool_choice", S("none"));
		return;
	case CANON_CHOICE_REQUIRED:
		make_text(m, "tool_choice", has_quirk(w, QUIRK_REQUIRED_IS_ANY) ? S("any") : S("required"));
		return;
	case CANON_CHOICE_ONE:
		make_object(m, "tool_choice");
		make_text(m, "type", S("function"));
		make_object(m, "function");
		make_raw(m, "name", w->r->choice_name);
		make_object_end(m);
		make_object_end(m);
		return;
	}
}

static void put_tools(struct writing *w)
{
	if (!w->r->tools)
		return;
	make_array(&w->m, "tools");
	for (const struct canon_tool *t = w->r->tools; t; t = t->next)
		put_tool(w, t);
	make_array_end(&w->m);
	put_choice(w);
	if (w->r->parallel >= 0 && may_say(w, CANON_HAS(PARALLEL)))
		make_bool(&w->m, "parallel_tool_calls", w->r->parallel == 1);
}

/* ---- the shape of the answer ------------------------------------------------------------------ */

static void put_format(struct writing *w)
{
	struct json_make *m = &w->m;

	if (w->r->format != CANON_FORMAT_JSON && w->r->format != CANON_FORMAT_SCHEMA)
		return;
	make_object(m, "response_format");
	if (w->r->format == CANON_FORMAT_JSON || !may_say(w, CANON_HAS(JSON_SCHEMA))) {
		make_text(m, "type", S("json_object"));
	} else {
		make_text(m, "type", S("json_schema"));
		make_object(m, "json_schema");
		make_raw(m, "name", w->r->schema_name.len ? w->r->schema_name : S("\"answer\""));
		make_given(m, "description", w->r->schema_description);
		make_raw(m, "schema", w->r->schema);
		if (w->r->schema_strict >= 0)
			make_bool(m, "strict", w->r->schema_strict == 1);
		make_object_end(m);
	}
	make_object_end(m);
}

static void put_number(struct writing *w, const char *name, uint64_t feature, struct slice number)
{
	if (may_say(w, feature))
		make_given(&w->m, name, number);
}

static void put_sampling(struct writing *w)
{
	const struct canon_request *r = w->r;
	unsigned left = w->target->vendor->stops_max ? w->target->vendor->stops_max : UINT_MAX;

	put_number(w, "temperature", CANON_HAS(TEMPERATURE), r->temperature);
	put_number(w, "top_p", CANON_HAS(TOP_P), r->top_p);
	put_number(w, "top_k", CANON_HAS(TOP_K), r->top_k);
	put_number(w, "min_p", CANON_HAS(MIN_P), r->min_p);
	put_number(w, "presence_penalty", CANON_HAS(PENALTIES), r->presence_penalty);
	put_number(w, "frequency_penalty", CANON_HAS(PENALTIES), r->frequency_penalty);
	put_number(w, "repetition_penalty", CANON_HAS(REPETITION), r->repetition_penalty);
	put_number(w, has_quirk(w, QUIRK_RANDOM_SEED) ? "random_seed" : "seed", CANON_HAS(SEED), r->seed);
	put_number(w, "logit_bias", CANON_HAS(LOGIT_BIAS), r->logit_bias);
	if (r->choices > 1 && may_say(w, CANON_HAS(CHOICES)))
		make_i64(&w->m, "n", r->choices);
	if (r->logprobs && may_say(w, CANON_HAS(LOGPROBS))) {
		make_bool(&w->m, "logprobs", true);
		if (r->top_logprobs >= 0)
			make_i64(&w->m, "top_logprobs", r->top_logprobs);
	}
	if (r->stop && may_say(w, CANON_HAS(STOP))) {
		make_array(&w->m, "stop");
		for (const struct canon_text *t = r->stop; t && left-- > 0; t = t->next)
			make_raw(&w->m, NULL, t->raw);
		make_array_end(&w->m);
	}
	if (r->max_tokens >= 0)
		make_i64(&w->m, has_quirk(w, QUIRK_MAX_TOKENS) ? "max_tokens" : "max_completion_tokens",
			 r->max_tokens);
}

/* ---- thinking -------------------------------------------------------------------------------------- */

/* A budget in the words that others understand; the borders are Google's for its
 * own compatible API (ai.google.dev/gemini-api/docs/openai: 1,024, 8,192, 24,576). */
static struct slice effort_of(const struct canon_request *r)
{
	if (r->effort.len)
		return slice_eq(r->effort, S("max")) ? S("high") : r->effort;
	if (r->think_budget == 0)
		return S("none");
	if (r->think_budget > 0)
		return r->think_budget <= 1024 ? S("low") : r->think_budget <= 8192 ? S("medium") : S("high");
	return SLICE_NONE;
}

static void put_reasoning(struct writing *w)
{
	struct slice effort = effort_of(w->r);
	struct json_make *m = &w->m;
	bool off = slice_eq(effort, S("none"));

	if (!effort.len || !may_say(w, CANON_HAS(EFFORT)))
		return;
	if (has_quirk(w, QUIRK_REASONING_OBJECT)) {
		make_object(m, "reasoning");
		if (w->r->think_budget > 0 && !w->r->effort.len)
			make_i64(m, "max_tokens", w->r->think_budget);
		else
			make_text(m, "effort", effort);
		make_object_end(m);
	} else if (has_quirk(w, QUIRK_THINKING_OBJECT)) {
		make_object(m, "thinking");
		make_text(m, "type", off ? S("disabled") : S("enabled"));
		make_object_end(m);
	} else if (has_quirk(w, QUIRK_ENABLE_THINKING)) {
		make_bool(m, "enable_thinking", !off);
		if (w->r->think_budget > 0)
			make_i64(m, "thinking_budget", w->r->think_budget);
	} else {
		make_text(m, "reasoning_effort", effort);
	}
}

/* ---- hints -------------------------------------------------------------------------------------------- */

static void put_hints(struct writing *w)
{
	const struct canon_request *r = w->r;

	put_number(w, "user", CANON_HAS(USER), r->user);
	put_number(w, "safety_identifier", CANON_HAS(USER), r->safety_id);
	put_number(w, "prompt_cache_key", CANON_HAS(CACHE_HINT), r->cache_key);
	put_number(w, "metadata", CANON_HAS(METADATA), r->metadata);
	if (may_say(w, CANON_HAS(SERVICE_TIER)))
		make_word(&w->m, "service_tier", r->service_tier);
	if (may_say(w, CANON_HAS(VERBOSITY)))
		make_word(&w->m, "verbosity", r->verbosity);
	if (r->store >= 0 && may_say(w, CANON_HAS(STORE)))
		make_bool(&w->m, "store", r->store == 1);
}

uint64_t openai_chat_lacks(const struct canon_request *r, const struct codec_target *target, uint64_t *softly)
{
	/* What is worth keeping is found without being told. */
	if (losses_cache_marks(r))
		*softly |= CANON_HAS(CACHE_HINT);
	return openai_reasoner_lacks(r, target) |
	       (target->vendor->stops_max && losses_stops(r) > target->vendor->stops_max ? CANON_HAS(STOP) : 0);
}

bool openai_chat_write_request(struct arena *arena, const struct canon_request *r,
			       const struct codec_target *target, struct buf *out)
{
	struct writing w = { .m = json_make_start(out), .arena = arena, .r = r, .target = target };

	make_object(&w.m, NULL);
	make_text(&w.m, "model", target->model);
	put_messages(&w);
	put_tools(&w);
	put_format(&w);
	put_sampling(&w);
	put_reasoning(&w);
	put_hints(&w);
	if (target->stream) {
		make_bool(&w.m, "stream", true);
		/* Usage is wanted for our own counts, whether the client wants it or not. */
		if (!has_quirk(&w, QUIRK_NO_STREAM_OPTIONS)) {
			make_object(&w.m, "stream_options");
			make_bool(&w.m, "include_usage", true);
			make_object_end(&w.m);
		}
	}
	make_object_end(&w.m);
	return json_make_finish(&w.m);
}
