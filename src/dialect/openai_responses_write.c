/* openai_responses_write.c: a request, written as one of the Responses API, for
 * backends and models that are asked there only. Nothing is left with the vendor:
 * store is off unless the client wants it. */
#include "dialect/openai_responses.h"

#include "base/check.h"
#include "dialect/losses.h"

struct writing {
	struct json_make m;
	struct arena *arena;
	const struct canon_request *r;
	const struct codec_target *target;
};

static bool may_say(const struct writing *w, uint64_t feature)
{
	return (w->target->vendor->lacks & feature) == 0;
}

/* ---- contents ---------------------------------------------------------------------- */

static void put_data_url(struct json_make *m, const char *name, const struct canon_media *media,
			 struct slice mime)
{
	make_string(m, name);
	json_out_puts(&m->out, "data:");
	json_out_put(&m->out, media->mime.len ? media->mime : mime);
	json_out_puts(&m->out, ";base64,");
	json_out_put(&m->out, media->data);
	make_string_end(m);
}

static void put_image(struct json_make *m, const struct canon_part *p)
{
	make_text(m, "type", S("input_image"));
	make_given(m, "file_id", p->media.file_id);
	make_given(m, "image_url", p->media.url);
	if (p->media.data.len)
		put_data_url(m, "image_url", &p->media, S("image/png"));
	make_text(m, "detail", p->media.detail.len ? p->media.detail : S("auto"));
}

static void put_document(struct json_make *m, const struct canon_part *p)
{
	make_text(m, "type", S("input_file"));
	make_given(m, "file_id", p->media.file_id);
	make_given(m, "file_url", p->media.url);
	if (!p->media.data.len)
		return;
	make_raw(m, "filename", p->media.name.len ? p->media.name : S("\"document.pdf\""));
	put_data_url(m, "file_data", &p->media, S("application/pdf"));
}

static void put_text(struct json_make *m, const struct canon_part *p, bool by_model)
{
	bool refusal = p->kind == CANON_PART_REFUSAL;

	make_text(m, "type", refusal ? S("refusal") : by_model ? S("output_text") : S("input_text"));
	make_raw(m, refusal ? "refusal" : "text", p->text);
}

static bool is_content(const struct canon_part *p)
{
	switch (p->kind) {
	case CANON_PART_TEXT: case CANON_PART_REFUSAL: case CANON_PART_IMAGE: case CANON_PART_DOCUMENT:
	case CANON_PART_AUDIO:
		return true;
	default:
		return false;
	}
}

static void put_content(struct json_make *m, const struct canon_part *p, bool by_model)
{
	make_object(m, NULL);
	if (p->kind == CANON_PART_IMAGE) {
		put_image(m, p);
	} else if (p->kind == CANON_PART_DOCUMENT && !p->text.len) {
		put_document(m, p);
	} else if (p->kind == CANON_PART_AUDIO) {
		make_text(m, "type", S("input_audio"));
		make_object(m, "input_audio");
		make_text(m, "data", p->media.data);
		make_text(m, "format", slice_eq(p->media.mime, S("audio/mpeg")) ? S("mp3") : S("wav"));
		make_object_end(m);
	} else {
		put_text(m, p, by_model);
	}
	make_object_end(m);
}

/* ---- items ----------------------------------------------------------------------------- */

static struct slice role_word(enum canon_role role)
{
	switch (role) {
	case CANON_SYSTEM: return S("system");
	case CANON_DEVELOPER: return S("developer");
	case CANON_ASSISTANT: return S("assistant");
	case CANON_USER: case CANON_TOOL: break;
	}
	return S("user");
}

/* A run of contents is a message item; gives the part behind it. */
static const struct canon_part *put_message(struct writing *w, enum canon_role role,
					    const struct canon_part *p)
{
	struct json_make *m = &w->m;

	make_object(m, NULL);
	make_text(m, "type", S("message"));
	make_text(m, "role", role_word(role));
	make_array(m, "content");
	for (; p && is_content(p); p = p->next)
		put_content(m, p, role == CANON_ASSISTANT);
	make_array_end(m);
	make_object_end(m);
	return p;
}

static void put_call(struct writing *w, const struct canon_part *p)
{
	struct json_make *m = &w->m;

	make_object(m, NULL);
	make_text(m, "type", p->custom ? S("custom_tool_call") : S("function_call"));
	make_raw(m, "call_id", p->id.len ? p->id : p->name);
	make_raw(m, "name", p->name);
	make_raw(m, p->custom ? "input" : "arguments",
		 canon_arguments_text(w->arena, p->arguments, p->arguments_text));
	make_object_end(m);
}

static bool only_text(const struct canon_part *parts)
{
	for (const struct canon_part *p = parts; p; p = p->next)
		if (p->kind != CANON_PART_TEXT)
			return false;
	return true;
}

static void put_result(struct writing *w, const struct canon_part *p)
{
	struct json_make *m = &w->m;

	make_object(m, NULL);
	make_text(m, "type", p->custom ? S("custom_tool_call_output") : S("function_call_output"));
	make_raw(m, "call_id", p->id.len ? p->id : p->name);
	if (only_text(p->content)) {
		make_string(m, "output");
		for (const struct canon_part *c = p->content; c; c = c->next)
			make_string_piece(m, c->text);
		make_string_end(m);
	} else {
		make_array(m, "output");
		for (const struct canon_part *c = p->content; c; c = c->next)
			if (is_content(c))
				put_content(m, c, false);
		make_array_end(m);
	}
	make_object_end(m);
}

/* Thinking goes back only to the vendor whose it is. */
static void put_reasoning(struct writing *w, const struct canon_part *p)
{
	struct json_make *m = &w->m;

	if (!p->encrypted.len || !slice_eq(p->vendor, S("openai")))
		return;
	make_object(m, NULL);
	make_text(m, "type", S("reasoning"));
	make_array(m, "summary");
	make_array_end(m);
	make_raw(m, "encrypted_content", p->encrypted);
	make_object_end(m);
}

static void put_items(struct writing *w, const struct canon_message *message)
{
	const struct canon_part *p = message->parts;

	while (p) {
		if (is_content(p)) {
			p = put_message(w, message->role, p);
			continue;
		}
		if (p->kind == CANON_PART_CALL)
			put_call(w, p);
		else if (p->kind == CANON_PART_RESULT)
			put_result(w, p);
		else if (p->kind == CANON_PART_REASONING)
			put_reasoning(w, p);
		p = p->next;
	}
}

static void put_input(struct writing *w)
{
	make_array(&w->m, "input");
	for (const struct canon_message *message = w->r->messages; message; message = message->next)
		put_items(w, message);
	make_array_end(&w->m);
}

/* ---- tools -------------------------------------------------------------------------------- */

static void put_tool(struct writing *w, const struct canon_tool *t)
{
	struct json_make *m = &w->m;

	make_object(m, NULL);
	make_text(m, "type", t->custom ? S("custom") : S("function"));
	make_raw(m, "name", t->name);
	make_given(m, "description", t->description);
	if (t->custom) {
		make_given(m, "format", t->parameters);
	} else {
		make_raw(m, "parameters", t->parameters.len ? t->parameters
			 : S("{\"type\":\"object\",\"properties\":{}}"));
		/* Strict is what the API takes for said where nothing is. */
		make_bool(m, "strict", t->strict == 1);
	}
	make_object_end(m);
}

static void put_choice(struct writing *w)
{
	struct json_make *m = &w->m;

	switch (w->r->choice) {
	case CANON_CHOICE_UNSAID: return;
	case CANON_CHOICE_AUTO: make_text(m, "tool_choice", S("auto")); return;
	case CANON_CHOICE_NONE: make_text(m, "tool_choice", S("none")); return;
	case CANON_CHOICE_REQUIRED: make_text(m, "tool_choice", S("required")); return;
	case CANON_CHOICE_ONE: break;
	}
	make_object(m, "tool_choice");
	make_text(m, "type", S("function"));
	make_raw(m, "name", w->r->choice_name);
	make_object_end(m);
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
	if (w->r->parallel >= 0)
		make_bool(&w->m, "parallel_tool_calls", w->r->parallel == 1);
}

/* ---- the rest --------------------------------------------------------------------------------- */

static void put_text_config(struct writing *w)
{
	const struct canon_request *r = w->r;
	struct json_make *m = &w->m;
	bool schema = r->format == CANON_FORMAT_SCHEMA, json = r->format == CANON_FORMAT_JSON;

	if (!schema && !json && !r->verbosity.len)
		return;
	make_object(m, "text");
	if (schema || json) {
		make_object(m, "format");
		make_text(m, "type", schema ? S("json_schema") : S("json_object"));
		if (schema) {
			make_raw(m, "name", r->schema_name.len ? r->schema_name : S("\"answer\""));
			make_given(m, "description", r->schema_description);
			make_raw(m, "schema", r->schema);
			if (r->schema_strict >= 0)
				make_bool(m, "strict", r->schema_strict == 1);
		}
		make_object_end(m);
	}
	make_word(m, "verbosity", r->verbosity);
	make_object_end(m);
}

static struct slice effort_of(const struct canon_request *r)
{
	if (r->effort.len)
		return slice_eq(r->effort, S("max")) ? S("xhigh") : r->effort;
	if (r->think_budget == 0)
		return S("none");
	if (r->think_budget > 0)
		return r->think_budget <= 1024 ? S("low") : r->think_budget <= 8192 ? S("medium") : S("high");
	return SLICE_NONE;
}

static void put_thinking(struct writing *w)
{
	struct slice effort = effort_of(w->r), summary = w->r->summary;
	struct json_make *m = &w->m;

	if (!summary.len && w->r->think_shown)
		summary = S("auto");
	if (slice_eq(summary, S("omitted")))
		summary = SLICE_NONE;
	if (!effort.len && !summary.len)
		return;
	make_object(m, "reasoning");
	make_word(m, "effort", effort);
	make_word(m, "summary", summary);
	make_object_end(m);
}

static void put_hints(struct writing *w)
{
	const struct canon_request *r = w->r;
	struct json_make *m = &w->m;

	if (may_say(w, CANON_HAS(USER))) {
		make_given(m, "user", r->user);
		make_given(m, "safety_identifier", r->safety_id);
	}
	if (may_say(w, CANON_HAS(CACHE_HINT)))
		make_given(m, "prompt_cache_key", r->cache_key);
	if (may_say(w, CANON_HAS(METADATA)))
		make_given(m, "metadata", r->metadata);
	if (may_say(w, CANON_HAS(SERVICE_TIER)))
		make_word(m, "service_tier", r->service_tier);
	if (may_say(w, CANON_HAS(STORE)))
		make_bool(m, "store", r->store == 1);
}

uint64_t openai_responses_lacks(const struct canon_request *r, const struct codec_target *target,
				uint64_t *softly)
{
	if (losses_cache_marks(r))
		*softly |= CANON_HAS(CACHE_HINT);
	if (losses_foreign_thinking(r, S("openai")))
		*softly |= CANON_HAS(THINK_PARTS);
	return openai_reasoner_lacks(r, target);
}

bool openai_responses_write_request(struct arena *arena, const struct canon_request *r,
				    const struct codec_target *target, struct buf *out)
{
	struct writing w = { .m = json_make_start(out), .arena = arena, .r = r, .target = target };
	uint64_t lost = openai_reasoner_lacks(r, target);

	/* There is no way to say how an answer begins. */
	if (r->resume != RESUME_NONE && r->resume != RESUME_REPLAY)
		return false;
	make_object(&w.m, NULL);
	make_text(&w.m, "model", target->model);
	put_input(&w);
	put_tools(&w);
	put_text_config(&w);
	put_thinking(&w);
	if (!(lost & CANON_HAS(TEMPERATURE)))
		make_given(&w.m, "temperature", r->temperature);
	if (!(lost & CANON_HAS(TOP_P)))
		make_given(&w.m, "top_p", r->top_p);
	if (r->max_tokens >= 0)
		make_i64(&w.m, "max_output_tokens", r->max_tokens);
	if (r->logprobs && !(lost & CANON_HAS(LOGPROBS))) {
		make_i64(&w.m, "top_logprobs", r->top_logprobs > 0 ? r->top_logprobs : 0);
		make_raw(&w.m, "include", S("[\"message.output_text.logprobs\"]"));
	}
	put_hints(&w);
	if (target->stream)
		make_bool(&w.m, "stream", true);
	make_object_end(&w.m);
	return json_make_finish(&w.m);
}
