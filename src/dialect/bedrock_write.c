/* bedrock_write.c: a request, written for Converse, ConverseStream (the same
 * body) and CountTokens. */
#include "dialect/bedrock.h"

#include "base/check.h"
#include "dialect/losses.h"
#include "dialect/vendor.h"
#include "wire/json.h"

/* A name that has been written. */
struct called {
	struct called *next;
	struct slice name;
};

struct writing {
	struct json_make m;
	struct arena *arena;
	const struct canon_request *r;
	const struct codec_target *target;
	enum bedrock_family family;
	enum canon_role open;        /* the message being written; CANON_SYSTEM: none is open */
	struct called *called;
	bool failed;                 /* something that the API cannot say */
};

/* ---- small parts ------------------------------------------------------------------ */

/* A text block must have something to read in it. */
static bool is_blank(struct slice raw)
{
	struct slice inside = canon_inside(raw);

	for (size_t i = 0; i < inside.len; i++) {
		if (inside.at[i] == ' ')
			continue;
		if (inside.at[i] != '\\' || i + 1 == inside.len ||
		    (inside.at[i + 1] != 'n' && inside.at[i + 1] != 't' && inside.at[i + 1] != 'r'))
			return false;
		i++;
	}
	return true;
}

/* Only these know cache points, others refuse a request that has one. */
static void put_cache_point(struct writing *w, bool here, struct slice ttl)
{
	if (!here || (w->family != BEDROCK_CLAUDE && w->family != BEDROCK_NOVA))
		return;
	make_object(&w->m, NULL);
	make_object(&w->m, "cachePoint");
	make_text(&w->m, "type", S("default"));
	make_word(&w->m, "ttl", ttl);
	make_object_end(&w->m);
	make_object_end(&w->m);
}

/* The API wants [a-zA-Z0-9_.:-]{1,64}; others' ids may be anything, and what they
 * become must be the same for a call and its result. */
static void put_id(struct writing *w, struct slice raw, struct slice name)
{
	struct slice id = json_string(w->arena, raw.len > 2 ? raw : name);
	bool fits = id.len >= 1 && id.len <= 64;

	for (size_t i = 0; fits && i < id.len; i++) {
		char c = id.at[i];

		fits = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
		       c == '.' || c == ':' || c == '-';
	}
	if (!fits)
		id = arena_printf(w->arena, "call_%016llx", (unsigned long long)slice_hash(id, 0));
	make_text(&w->m, "toolUseId", id);
}

/* ---- pictures, sounds, films, documents ------------------------------------------------ */

/* False: there is no place for it. */
static bool has_source(const struct canon_media *media)
{
	return media->data.len || slice_starts(canon_inside(media->url), S("s3://"));
}

static void put_source(struct writing *w, const struct canon_media *media)
{
	make_object(&w->m, "source");
	if (media->data.len) {
		make_text(&w->m, "bytes", media->data);
	} else {
		make_object(&w->m, "s3Location");
		make_raw(&w->m, "uri", media->url);
		make_object_end(&w->m);
	}
	make_object_end(&w->m);
}

static void put_media(struct writing *w, const char *name, const struct canon_part *p)
{
	make_object(&w->m, NULL);
	make_object(&w->m, name);
	make_text(&w->m, "format", bedrock_format(p->kind, p->media.mime));
	put_source(w, &p->media);
	make_object_end(&w->m);
	make_object_end(&w->m);
}

static bool fits_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
	       c == '(' || c == ')' || c == '[' || c == ']';
}

static bool is_called(const struct called *list, struct slice name)
{
	while (list && !slice_eq(list->name, name))
		list = list->next;
	return list != NULL;
}

static void call_it(struct writing *w, struct called **list, struct slice name)
{
	struct called *c = arena_new(w->arena, struct called);

	*c = (struct called){ *list, name };
	*list = c;
}

#define NAME_BYTES_MAX 180

/* Letters, digits, single spaces, hyphens, parentheses and brackets are allowed;
 * no two documents may have one name. */
static struct slice document_name(struct writing *w, struct slice raw)
{
	struct slice given = json_string(w->arena, raw), plain, name;
	char *text = arena_alloc(w->arena, given.len + 1);
	size_t len = 0;

	for (size_t i = 0; i < given.len && len < NAME_BYTES_MAX; i++) {
		if (fits_name(given.at[i]))
			text[len++] = given.at[i];
		else if (len > 0 && text[len - 1] != ' ')
			text[len++] = ' ';
	}
	plain = slice_trim((struct slice){ text, len });
	if (plain.len == 0)
		plain = S("document");
	name = plain;
	for (unsigned n = 2; is_called(w->called, name); n++)
		name = arena_printf(w->arena, "%.*s (%u)", SLICE_ARG(plain), n);
	call_it(w, &w->called, name);
	return name;
}

static void put_document(struct writing *w, const struct canon_part *p)
{
	make_object(&w->m, NULL);
	make_object(&w->m, "document");
	make_text(&w->m, "format", p->text.len ? S("txt") : bedrock_format(p->kind, p->media.mime));
	make_text(&w->m, "name", document_name(w, p->media.name));
	if (p->text.len) {
		make_object(&w->m, "source");
		make_raw(&w->m, "text", p->text);
		make_object_end(&w->m);
	} else {
		put_source(w, &p->media);
	}
	if (p->citations) {
		make_object(&w->m, "citations");
		make_bool(&w->m, "enabled", true);
		make_object_end(&w->m);
	}
	make_object_end(&w->m);
	make_object_end(&w->m);
}

static void put_text(struct writing *w, struct slice raw)
{
	make_object(&w->m, NULL);
	make_raw(&w->m, "text", raw);
	make_object_end(&w->m);
}

/* ---- calls, results, thinking ------------------------------------------------------------- */

static void put_call(struct writing *w, const struct canon_part *p)
{
	make_object(&w->m, NULL);
	make_object(&w->m, "toolUse");
	put_id(w, p->id, p->name);
	make_raw(&w->m, "name", p->name);
	make_raw(&w->m, "input", canon_arguments_object(w->arena, p->arguments, p->arguments_text));
	make_object_end(&w->m);
	make_object_end(&w->m);
}

static void put_part(struct writing *w, const struct canon_part *p);
static bool is_said(const struct writing *w, const struct canon_part *p);

static void put_result(struct writing *w, const struct canon_part *p)
{
	make_object(&w->m, NULL);
	make_object(&w->m, "toolResult");
	put_id(w, p->id, p->name);
	make_array(&w->m, "content");
	for (const struct canon_part *c = p->content; c; c = c->next)
		if (is_said(w, c))
			put_part(w, c);
	make_array_end(&w->m);
	if (p->is_error)
		make_text(&w->m, "status", S("error"));
	make_object_end(&w->m);
	make_object_end(&w->m);
}

/* Only what proves itself to this model goes back: Claude's signatures are good
 * with all who serve Claude, what is encrypted only where it came from. */
static bool is_proven(const struct writing *w, const struct canon_part *p)
{
	if (w->family != BEDROCK_CLAUDE && !slice_eq(p->vendor, S("bedrock")))
		return false;
	if (p->encrypted.len)
		return slice_eq(p->vendor, S("bedrock"));
	return p->signature.len && p->text.len &&
	       (slice_eq(p->vendor, S("anthropic")) || slice_eq(p->vendor, S("bedrock")));
}

static void put_reasoning(struct writing *w, const struct canon_part *p)
{
	make_object(&w->m, NULL);
	make_object(&w->m, "reasoningContent");
	if (p->encrypted.len) {
		make_raw(&w->m, "redactedContent", p->encrypted);
	} else {
		make_object(&w->m, "reasoningText");
		make_raw(&w->m, "text", p->text);
		make_raw(&w->m, "signature", p->signature);
		make_object_end(&w->m);
	}
	make_object_end(&w->m);
	make_object_end(&w->m);
}

/* ---- messages -------------------------------------------------------------------------------- */

static bool is_said(const struct writing *w, const struct canon_part *p)
{
	switch (p->kind) {
	case CANON_PART_TEXT: case CANON_PART_REFUSAL:
		return !is_blank(p->text);
	case CANON_PART_REASONING:
		return is_proven(w, p);
	case CANON_PART_IMAGE: case CANON_PART_AUDIO: case CANON_PART_VIDEO:
		return has_source(&p->media);
	case CANON_PART_DOCUMENT:
		return p->text.len || has_source(&p->media);
	case CANON_PART_CALL: case CANON_PART_RESULT:
		break;
	}
	return true;
}

static void put_part(struct writing *w, const struct canon_part *p)
{
	switch (p->kind) {
	case CANON_PART_TEXT: case CANON_PART_REFUSAL:
		put_text(w, p->text);
		break;
	case CANON_PART_REASONING:
		put_reasoning(w, p);
		break;
	case CANON_PART_IMAGE:
		put_media(w, "image", p);
		break;
	case CANON_PART_AUDIO:
		put_media(w, "audio", p);
		break;
	case CANON_PART_VIDEO:
		put_media(w, "video", p);
		break;
	case CANON_PART_DOCUMENT:
		put_document(w, p);
		break;
	case CANON_PART_CALL:
		put_call(w, p);
		break;
	case CANON_PART_RESULT:
		put_result(w, p);
		break;
	}
}

static void shut_message(struct writing *w)
{
	if (w->open == CANON_SYSTEM)
		return;
	make_array_end(&w->m);
	make_object_end(&w->m);
	w->open = CANON_SYSTEM;
}

/* Roles must take turns: what one says in several messages is one here. */
static void open_message(struct writing *w, enum canon_role role)
{
	if (w->open == role)
		return;
	shut_message(w);
	make_object(&w->m, NULL);
	make_text(&w->m, "role", role == CANON_ASSISTANT ? S("assistant") : S("user"));
	make_array(&w->m, "content");
	w->open = role;
}

static void put_message(struct writing *w, const struct canon_message *message)
{
	for (const struct canon_part *p = message->parts; p; p = p->next) {
		/* A film by URL is the one thing that its feature does not tell. */
		if (p->kind == CANON_PART_VIDEO && !has_source(&p->media))
			w->failed = true;
		if (!is_said(w, p))
			continue;
		open_message(w, message->role == CANON_ASSISTANT ? CANON_ASSISTANT : CANON_USER);
		put_part(w, p);
		put_cache_point(w, p->cache_here, p->cache_ttl);
	}
}

static bool is_system(const struct canon_message *m)
{
	return m->role == CANON_SYSTEM || m->role == CANON_DEVELOPER;
}

/* The words with which the rest of a broken answer is asked for. */
static void put_sent(struct writing *w)
{
	struct slice sent = canon_quote(w->arena, w->r->sent);

	if (w->r->resume == RESUME_NONE || w->r->resume == RESUME_REPLAY || w->r->sent.len == 0)
		return;
	if (w->r->resume != RESUME_PREFILL && w->r->resume != RESUME_INSTRUCT) {
		w->failed = true;
		return;
	}
	open_message(w, CANON_ASSISTANT);
	put_text(w, sent);
	if (w->r->resume != RESUME_INSTRUCT)
		return;
	open_message(w, CANON_USER);
	put_text(w, S(CANON_GO_ON));
}

static void put_messages(struct writing *w)
{
	bool system = false;

	make_array(&w->m, "messages");
	for (const struct canon_message *m = w->r->messages; m; m = m->next) {
		system = system || is_system(m);
		if (!is_system(m))
			put_message(w, m);
	}
	put_sent(w);
	shut_message(w);
	make_array_end(&w->m);
	if (!system)
		return;
	make_array(&w->m, "system");
	for (const struct canon_message *m = w->r->messages; m; m = m->next)
		for (const struct canon_part *p = is_system(m) ? m->parts : NULL; p; p = p->next)
			if (p->kind == CANON_PART_TEXT && !is_blank(p->text)) {
				put_text(w, p->text);
				put_cache_point(w, p->cache_here, p->cache_ttl);
			}
	make_array_end(&w->m);
}

/* ---- tools -------------------------------------------------------------------------------------- */

static void put_tool(struct writing *w, struct slice name, const struct canon_tool *t)
{
	struct json_make *m = &w->m;

	make_object(m, NULL);
	make_object(m, "toolSpec");
	make_raw(m, "name", name);
	if (t && t->description.len > 2)
		make_raw(m, "description", t->description);
	make_object(m, "inputSchema");
	make_raw(m, "json", t && t->parameters.len ? t->parameters
						   : S("{\"type\":\"object\",\"properties\":{}}"));
	make_object_end(m);
	if (t && t->strict == 1)
		make_bool(m, "strict", true);
	make_object_end(m);
	make_object_end(m);
	if (t)
		put_cache_point(w, t->cache_here, t->cache_ttl);
}

/* The next call that the conversation holds, behind *m and *p. */
static const struct canon_part *next_call(const struct canon_message **m, const struct canon_part *p)
{
	for (p = p ? p->next : *m ? (*m)->parts : NULL; *m; p = *m ? (*m)->parts : NULL) {
		for (; p; p = p->next)
			if (p->kind == CANON_PART_CALL)
				return p;
		*m = (*m)->next;
	}
	return NULL;
}

static bool has_calls(const struct canon_request *r)
{
	const struct canon_message *m = r->messages;

	return next_call(&m, NULL) != NULL;
}

/* A conversation with calls in it is refused where no tool is defined, so tools
 * that were taken out of the request meanwhile are named. */
static void put_called_tools(struct writing *w)
{
	const struct canon_message *m = w->r->messages;
	struct called *put = NULL;

	for (const struct canon_part *p = NULL; (p = next_call(&m, p));) {
		if (is_called(put, p->name))
			continue;
		call_it(w, &put, p->name);
		put_tool(w, p->name, NULL);
	}
}

static void put_choice(struct writing *w)
{
	struct json_make *m = &w->m;

	switch (w->r->choice) {
	case CANON_CHOICE_UNSAID: case CANON_CHOICE_NONE:
		return;
	case CANON_CHOICE_AUTO:
		make_raw(m, "toolChoice", S("{\"auto\":{}}"));
		return;
	case CANON_CHOICE_REQUIRED:
		make_raw(m, "toolChoice", S("{\"any\":{}}"));
		return;
	case CANON_CHOICE_ONE:
		if (!w->r->choice_name.len)     /* something else than a function: lost */
			return;
		make_object(m, "toolChoice");
		make_object(m, "tool");
		make_raw(m, "name", w->r->choice_name);
		make_object_end(m);
		make_object_end(m);
		return;
	}
}

static void put_tools(struct writing *w)
{
	bool none = w->r->choice == CANON_CHOICE_NONE, called = has_calls(w->r);

	if ((!w->r->tools || none) && !called)
		return;
	/* That no tool may be called can only be said by defining none. */
	if (none && called) {
		w->failed = true;
		return;
	}
	make_object(&w->m, "toolConfig");
	make_array(&w->m, "tools");
	for (const struct canon_tool *t = w->r->tools; t; t = t->next)
		put_tool(w, t->name, t);
	if (!w->r->tools)
		put_called_tools(w);
	make_array_end(&w->m);
	if (w->r->tools)
		put_choice(w);
	make_object_end(&w->m);
}

/* ---- how to answer -------------------------------------------------------------------------------- */

static void put_inference(struct writing *w)
{
	const struct canon_request *r = w->r;
	struct json_make *m = &w->m;
	uint64_t lost = 0, lacks = bedrock_lacks(r, w->target, &lost);
	struct slice top_p = lacks & CANON_HAS(TOP_P) ? SLICE_NONE : r->top_p, temperature = r->temperature;

	/* Here the scale ends at 1. */
	if (losses_outside(temperature, 0, 1000))
		temperature = S("1");
	if (bedrock_refuses_temperature(r, w->target->model))
		temperature = SLICE_NONE;
	if (r->max_tokens < 0 && !temperature.len && !top_p.len && !r->stop)
		return;
	make_object(m, "inferenceConfig");
	if (r->max_tokens >= 0)
		make_i64(m, "maxTokens", r->max_tokens);
	make_given(m, "temperature", temperature);
	make_given(m, "topP", top_p);
	if (r->stop) {
		make_array(m, "stopSequences");
		for (const struct canon_text *t = r->stop; t; t = t->next)
			make_raw(m, NULL, t->raw);
		make_array_end(m);
	}
	make_object_end(m);
}

static bool says_top_k(const struct writing *w)
{
	uint64_t softly = 0;

	return w->r->top_k.len && !(bedrock_lacks(w->r, w->target, &softly) & CANON_HAS(TOP_K));
}

static void put_top_k(struct writing *w)
{
	struct json_make *m = &w->m;

	if (!says_top_k(w))
		return;
	if (w->family == BEDROCK_NOVA) {
		make_object(m, "inferenceConfig");
		make_raw(m, "topK", w->r->top_k);
		make_object_end(m);
	} else {
		make_raw(m, w->family == BEDROCK_COHERE ? "k" : "top_k", w->r->top_k);
	}
}

/* What only the model's family understands. Gives the effort for outputConfig. */
static struct slice put_additional(struct writing *w)
{
	const struct canon_request *r = w->r;
	bool thinks = bedrock_says_thinking(r, w->target->model);
	struct slice effort = SLICE_NONE;

	if (thinks && (w->family == BEDROCK_OTHER || w->family == BEDROCK_COHERE)) {
		effort = bedrock_put_thinking(&w->m, r, w->target->model);
		thinks = false;
	}
	if (thinks || says_top_k(w)) {
		make_object(&w->m, "additionalModelRequestFields");
		put_top_k(w);
		if (thinks)
			effort = bedrock_put_thinking(&w->m, r, w->target->model);
		make_object_end(&w->m);
	}
	/* Which of several words ended the answer. */
	if (r->stop && w->family == BEDROCK_CLAUDE)
		make_raw(&w->m, "additionalModelResponseFieldPaths",
			 w->target->stream ? S("[\"/delta/stop_sequence\"]") : S("[\"/stop_sequence\"]"));
	return effort;
}

static void put_output(struct writing *w, struct slice effort)
{
	const struct canon_request *r = w->r;
	struct json_make *m = &w->m;

	if (r->format != CANON_FORMAT_SCHEMA && !effort.len)
		return;
	make_object(m, "outputConfig");
	if (r->format == CANON_FORMAT_SCHEMA) {
		make_object(m, "textFormat");
		make_text(m, "type", S("json_schema"));
		make_object(m, "structure");
		make_object(m, "jsonSchema");
		make_text(m, "schema", r->schema.len ? r->schema : S("{}"));
		make_given(m, "name", r->schema_name);
		make_given(m, "description", r->schema_description);
		make_object_end(m);
		make_object_end(m);
		make_object_end(m);
	}
	make_word(m, "effort", effort);
	make_object_end(m);
}

static void put_metadata(struct writing *w)
{
	struct slice rest = w->r->metadata, key, value;
	size_t count = 0;

	if (!rest.len || json_type_of(rest) != JSON_OBJECT)
		return;
	while (json_next(&rest, &key, &value)) {
		if (!bedrock_fits_metadata(key, value) || count == BEDROCK_METADATA_MAX)
			continue;
		if (count++ == 0)
			make_object(&w->m, "requestMetadata");
		make_raw(&w->m, arena_cstring(w->arena, canon_inside(key)), value);
	}
	if (count)
		make_object_end(&w->m);
}

static void put_tier(struct writing *w)
{
	if (!bedrock_knows_tier(w->r->service_tier))
		return;
	make_object(&w->m, "serviceTier");
	make_text(&w->m, "type", w->r->service_tier);
	make_object_end(&w->m);
}

/* ---- the bodies ------------------------------------------------------------------------------------ */

static struct writing writing_of(struct arena *arena, const struct canon_request *r,
				 const struct codec_target *target, struct buf *out)
{
	return (struct writing){
		.m = json_make_start(out), .arena = arena, .r = r, .target = target,
		.family = bedrock_family_of(target->model), .open = CANON_SYSTEM,
	};
}

static bool finish(struct writing *w)
{
	if (w->failed)
		w->m.out.failed = true;
	return json_make_finish(&w->m);
}

bool bedrock_write_request(struct arena *arena, const struct canon_request *r,
			   const struct codec_target *target, struct buf *out)
{
	struct writing w = writing_of(arena, r, target, out);
	struct slice effort;

	make_object(&w.m, NULL);
	put_messages(&w);
	put_inference(&w);
	put_tools(&w);
	effort = put_additional(&w);
	put_output(&w, effort);
	put_metadata(&w);
	put_tier(&w);
	make_members(&w.m, target->more_members);
	make_object_end(&w.m);
	return finish(&w);
}

bool bedrock_write_count(struct arena *arena, const struct canon_request *r,
			 const struct codec_target *target, struct buf *out)
{
	struct writing w = writing_of(arena, r, target, out);

	make_object(&w.m, NULL);
	make_object(&w.m, "input");
	make_object(&w.m, "converse");
	put_messages(&w);
	put_tools(&w);
	make_object_end(&w.m);
	make_object_end(&w.m);
	make_object_end(&w.m);
	return finish(&w);
}
