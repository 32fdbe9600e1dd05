/* anthropic_read.c: a request to the Messages API (and to count_tokens), as
 * clients send it. Source: platform.claude.com/docs/en/api/messages/create, and
 * for the beta's members the official SDK's MessageCreateParams. */
#include "dialect/anthropic.h"

#include "base/check.h"
#include "dialect/request_table.h"

#include <stddef.h>

static struct slice raw_of(const struct json *j)
{
	return j && j->type != JSON_NULL ? j->raw : SLICE_NONE;
}

static struct slice string_of(const struct json *j)
{
	return j && j->type == JSON_STRING ? j->raw : SLICE_NONE;
}

static bool is_word(const struct json *j, struct slice word)
{
	return j && json_string_eq(j->raw, word);
}

/* {"type":"ephemeral","ttl":"5m"} on a block or a tool. */
static void read_cache_control(struct request_reading *r, const struct json *j, bool *here,
			       struct slice *ttl)
{
	const struct json *hint = json_get(j, S("cache_control"));

	if (!hint || hint->type != JSON_OBJECT)
		return;
	*here = true;
	*ttl = json_string(r->arena, string_of(json_get(hint, S("ttl"))));
	r->out->features |= CANON_HAS(CACHE_HINT);
}

/* ---- sources: pictures and documents ------------------------------------------------- */

/* Texts of blocks as one raw string, a blank line between them. False where a
 * block is no text. */
static bool join_texts(struct request_reading *r, const struct json *blocks, struct slice *out)
{
	struct slice text = SLICE_NONE;
	size_t len = 2;
	char *at;

	for (const struct json *j = blocks->first; j; j = j->next) {
		if (!is_word(json_get(j, S("type")), S("text")) || !string_of(json_get(j, S("text"))).len)
			return false;
		len += string_of(json_get(j, S("text"))).len + 4;
	}
	text.at = at = arena_alloc(r->arena, len);
	*at++ = '"';
	for (const struct json *j = blocks->first; j; j = j->next) {
		struct slice one = canon_inside(json_get(j, S("text"))->raw);

		for (size_t i = 0; j != blocks->first && i < 4; i++)
			*at++ = "\\n\\n"[i];
		for (size_t i = 0; i < one.len; i++)
			*at++ = one.at[i];
	}
	*at++ = '"';
	text.len = (size_t)(at - text.at);
	*out = text;
	return true;
}

/* {"type": base64 | url | file | text | content, ...} */
static void read_source(struct request_reading *r, struct canon_part *part, const struct json *source)
{
	bool image = part->kind == CANON_PART_IMAGE;
	const struct json *type = json_get(source, S("type")), *content = json_get(source, S("content"));
	struct slice data = string_of(json_get(source, S("data")));

	if (is_word(type, S("base64")) && data.len) {
		part->media.data = canon_inside(data);
		part->media.mime = canon_mime(json_string(r->arena, string_of(json_get(source,
			S("media_type")))));
		r->out->features |= image ? CANON_HAS(IMAGE_DATA) : CANON_HAS(DOCUMENT_DATA);
	} else if (is_word(type, S("url")) && string_of(json_get(source, S("url"))).len) {
		part->media.url = json_get(source, S("url"))->raw;
		r->out->features |= image ? CANON_HAS(IMAGE_URL) : CANON_HAS(DOCUMENT_URL);
	} else if (is_word(type, S("file")) && string_of(json_get(source, S("file_id"))).len) {
		part->media.file_id = json_get(source, S("file_id"))->raw;
		r->out->features |= CANON_HAS(FILE_ID);
	} else if (!image && is_word(type, S("text")) && data.len) {
		part->text = data;
		part->media.mime = S("text/plain");
		r->out->features |= CANON_HAS(DOCUMENT_DATA);
	} else if (!image && is_word(type, S("content")) && content) {
		part->media.mime = S("text/plain");
		r->out->features |= CANON_HAS(DOCUMENT_DATA);
		if (content->type == JSON_STRING)
			part->text = content->raw;
		else if (content->type != JSON_ARRAY || !join_texts(r, content, &part->text))
			request_unknown(r, S("\"source.content\""));
	} else {
		request_refuse(r, "the \"source\" of %s is not one of base64, url%s and file",
			       image ? "an image" : "a document", image ? "" : ", text, content");
	}
}

static void read_image(struct request_reading *r, struct canon_part *part, const struct json *j)
{
	read_source(r, part, json_get(j, S("source")));
}

static void read_citations_switch(struct request_reading *r, struct canon_part *part,
				  const struct json *j)
{
	const struct json *on = json_get(json_get(j, S("citations")), S("enabled"));

	part->citations = on && on->type == JSON_TRUE;
	if (part->citations)
		r->out->features |= CANON_HAS(CITATIONS);
}

static void read_document(struct request_reading *r, struct canon_part *part, const struct json *j)
{
	read_source(r, part, json_get(j, S("source")));
	part->media.name = string_of(json_get(j, S("title")));
	read_citations_switch(r, part, j);
	if (raw_of(json_get(j, S("context"))).len)
		request_unknown(r, S("\"context\""));
}

/* A hit of the caller's own search: a document with a title and a place. */
static void read_search_result(struct request_reading *r, struct canon_part *part, const struct json *j)
{
	const struct json *content = json_get(j, S("content"));
	struct slice text;

	part->media.mime = S("text/plain");
	part->media.name = string_of(json_get(j, S("title")));
	r->out->features |= CANON_HAS(DOCUMENT_DATA);
	read_citations_switch(r, part, j);
	if (!content || content->type != JSON_ARRAY || !join_texts(r, content, &text)) {
		request_refuse(r, "a \"search_result\" needs \"content\" of text blocks");
		return;
	}
	part->text = arena_printf(r->arena, "\"%.*s\\n\\n%.*s\"",
				  SLICE_ARG(canon_inside(string_of(json_get(j, S("source"))))),
				  SLICE_ARG(canon_inside(text)));
}

/* ---- texts and thinking ------------------------------------------------------------------ */

static void read_text(struct request_reading *r, struct canon_part *part, const struct json *j)
{
	const struct json *cited = json_get(j, S("citations"));

	part->text = string_of(json_get(j, S("text")));
	if (!part->text.len)
		request_refuse(r, "a \"text\" block has no \"text\"");
	if (!cited || cited->type != JSON_ARRAY || !cited->first)
		return;
	part->cited = cited->raw;
	part->vendor = S("anthropic");
	r->out->features |= CANON_HAS(CITATIONS);
}

static void read_thinking(struct request_reading *r, struct canon_part *part, const struct json *j)
{
	struct slice signature = string_of(json_get(j, S("signature")));

	part->text = string_of(json_get(j, S("thinking")));
	if (!anthropic_unmark(r->arena, signature, &part->vendor, &part->signature)) {
		part->signature = signature;
		part->vendor = S("anthropic");
	}
	r->out->features |= CANON_HAS(THINK_PARTS);
}

static void read_redacted(struct request_reading *r, struct canon_part *part, const struct json *j)
{
	struct slice data = string_of(json_get(j, S("data")));

	if (!anthropic_unmark(r->arena, data, &part->vendor, &part->encrypted)) {
		part->encrypted = data;
		part->vendor = S("anthropic");
	}
	r->out->features |= CANON_HAS(THINK_PARTS);
}

/* ---- calls and results --------------------------------------------------------------------- */

static void read_call(struct request_reading *r, struct canon_part *part, const struct json *j)
{
	const struct json *input = json_get(j, S("input")), *caller = json_get(j, S("caller"));

	part->id = string_of(json_get(j, S("id")));
	part->name = string_of(json_get(j, S("name")));
	part->arguments = input && input->type == JSON_OBJECT ? input->raw : S("{}");
	if (!part->id.len || !part->name.len)
		request_refuse(r, "a \"tool_use\" block needs an \"id\" and a \"name\"");
	if (caller && !is_word(json_get(caller, S("type")), S("direct")))
		r->out->features |= CANON_HAS(HOSTED_TOOLS);
	r->out->features |= CANON_HAS(TOOLS);
}

static struct canon_part *read_block(struct request_reading *r, struct canon_part **list,
				     struct canon_part *last, const struct json *j);

static void read_result(struct request_reading *r, struct canon_part *part, const struct json *j)
{
	const struct json *content = json_get(j, S("content")), *failed = json_get(j, S("is_error"));
	struct canon_part *last = NULL;

	part->id = string_of(json_get(j, S("tool_use_id")));
	part->is_error = failed && failed->type == JSON_TRUE;
	r->out->features |= CANON_HAS(TOOLS);
	if (part->is_error)
		r->out->features |= CANON_HAS(TOOL_ERRORS);
	if (!part->id.len)
		request_refuse(r, "a \"tool_result\" block needs a \"tool_use_id\"");
	if (content && content->type == JSON_STRING) {
		last = canon_add_part(r->arena, &part->content, NULL, CANON_PART_TEXT);
		last->text = content->raw;
	} else if (content && content->type == JSON_ARRAY) {
		for (const struct json *k = content->first; k; k = k->next)
			last = read_block(r, &part->content, last, k);
	}
	for (const struct canon_part *p = part->content; p; p = p->next) {
		if (p->kind == CANON_PART_RESULT || p->kind == CANON_PART_CALL)
			request_refuse(r, "a \"tool_result\" cannot hold calls or results");
		if (p->kind != CANON_PART_TEXT)
			r->out->features |= CANON_HAS(RESULT_MEDIA);
	}
}

/* ---- blocks ---------------------------------------------------------------------------------- */

static const struct {
	struct slice type;
	enum canon_part_kind kind;
	void (*read)(struct request_reading *r, struct canon_part *part, const struct json *j);
} block_types[] = {
	{ S_INIT("text"), CANON_PART_TEXT, read_text },
	{ S_INIT("tool_use"), CANON_PART_CALL, read_call },
	{ S_INIT("tool_result"), CANON_PART_RESULT, read_result },
	{ S_INIT("thinking"), CANON_PART_REASONING, read_thinking },
	{ S_INIT("redacted_thinking"), CANON_PART_REASONING, read_redacted },
	{ S_INIT("image"), CANON_PART_IMAGE, read_image },
	{ S_INIT("document"), CANON_PART_DOCUMENT, read_document },
	{ S_INIT("search_result"), CANON_PART_DOCUMENT, read_search_result },
};

/* Blocks of the vendor's own tools, told by how their types end. */
static bool is_hosted(struct slice type)
{
	static const struct slice endings[] = {
		S_INIT("server_tool_use"), S_INIT("mcp_tool_use"), S_INIT("_tool_result"),
		S_INIT("container_upload"), S_INIT("tool_reference"), S_INIT("compaction"),
	};

	for (size_t i = 0; i < COUNT_OF(endings); i++)
		if (slice_ends(type, endings[i]))
			return true;
	return false;
}

static struct canon_part *read_block(struct request_reading *r, struct canon_part **list,
				     struct canon_part *last, const struct json *j)
{
	const struct json *type = json_get(j, S("type"));

	for (size_t i = 0; i < COUNT_OF(block_types); i++) {
		if (!is_word(type, block_types[i].type))
			continue;
		last = canon_add_part(r->arena, list, last, block_types[i].kind);
		block_types[i].read(r, last, j);
		read_cache_control(r, j, &last->cache_here, &last->cache_ttl);
		return last;
	}
	if (!type || type->type != JSON_STRING)
		request_refuse(r, "a block of a message's \"content\" has no \"type\"");
	else if (is_hosted(json_string(r->arena, type->raw)))
		r->out->features |= CANON_HAS(HOSTED_TOOLS);
	else
		request_unknown(r, type->raw);
	return last;
}

/* ---- messages ---------------------------------------------------------------------------------- */

/* Where messages are added: blocks of one message may become several, since
 * results and instructions have roles of their own. */
struct talk {
	struct canon_message *message;
	struct canon_part *part;
	bool fresh;                  /* the next block begins a message */
};

static void turn_to(struct request_reading *r, struct talk *t, enum canon_role role)
{
	if (!t->fresh && t->message->role == role)
		return;
	t->message = canon_add_message(r->arena, r->out, t->message, role);
	t->part = NULL;
	t->fresh = false;
}

static void read_system_blocks(struct request_reading *r, struct talk *t, const struct json *content)
{
	t->message = canon_add_message(r->arena, r->out, t->message, CANON_SYSTEM);
	t->part = NULL;
	t->fresh = true;
	r->out->features |= CANON_HAS(SYSTEM);
	if (content->type == JSON_STRING) {
		t->part = canon_add_part(r->arena, &t->message->parts, NULL, CANON_PART_TEXT);
		t->part->text = content->raw;
		return;
	}
	for (const struct json *j = content->first; j; j = j->next)
		t->part = read_block(r, &t->message->parts, t->part, j);
}

static void read_message_block(struct request_reading *r, struct talk *t, enum canon_role role,
			       const struct json *j)
{
	const struct json *type = json_get(j, S("type")), *content = json_get(j, S("content"));

	if (is_word(type, S("mid_conv_system")) && content) {
		read_system_blocks(r, t, content);
		return;
	}
	turn_to(r, t, is_word(type, S("tool_result")) && role == CANON_USER ? CANON_TOOL : role);
	t->part = read_block(r, &t->message->parts, t->part, j);
}

static void read_message(struct request_reading *r, struct talk *t, const struct json *j)
{
	const struct json *said = json_get(j, S("role")), *content = json_get(j, S("content"));
	enum canon_role role = is_word(said, S("assistant")) ? CANON_ASSISTANT : CANON_USER;

	if (!is_word(said, S("user")) && !is_word(said, S("assistant")) && !is_word(said, S("system"))) {
		request_refuse(r, "a message's \"role\" must be \"user\", \"assistant\" or \"system\"");
		return;
	}
	if (!content || (content->type != JSON_STRING && content->type != JSON_ARRAY)) {
		request_refuse(r, "a message's \"content\" must be a string or a list of blocks");
		return;
	}
	if (is_word(said, S("system"))) {
		read_system_blocks(r, t, content);
		return;
	}
	t->fresh = true;
	if (content->type == JSON_STRING) {
		turn_to(r, t, role);
		t->part = canon_add_part(r->arena, &t->message->parts, NULL, CANON_PART_TEXT);
		t->part->text = content->raw;
		return;
	}
	for (const struct json *k = content->first; k; k = k->next)
		read_message_block(r, t, role, k);
}

/* A redacted_thinking that is the mark of another vendor's call belongs to the
 * call behind it (anthropic_tell.c writes them so). */
static void give_calls_their_signatures(struct canon_message *m)
{
	struct canon_part **at = &m->parts;

	while (*at) {
		struct canon_part *p = *at, *next = p->next;

		if (p->kind != CANON_PART_REASONING || !slice_starts(p->vendor, S("call-"))) {
			at = &p->next;
			continue;
		}
		if (next && next->kind == CANON_PART_CALL) {
			next->signature = p->encrypted;
			next->vendor = slice_from(p->vendor, sizeof "call-" - 1);
		}
		*at = next;
	}
}

static bool ends_in_call(const struct canon_message *m)
{
	const struct canon_part *p = m->parts;

	while (p && p->next)
		p = p->next;
	return p && p->kind == CANON_PART_CALL;
}

/* The system's part comes first, wherever it stands in the body. */
static void read_messages(struct request_reading *r, const struct json *body)
{
	const struct json *system = json_get(body, S("system")), *messages = json_get(body, S("messages"));
	struct talk t = { .fresh = true };

	if (system && system->type != JSON_NULL) {
		if (system->type != JSON_STRING && system->type != JSON_ARRAY)
			request_refuse(r, "\"system\" must be a string or a list of text blocks");
		else if (system->type == JSON_ARRAY ? system->first != NULL : system->raw.len > 2)
			read_system_blocks(r, &t, system);
	}
	if (!messages || messages->type != JSON_ARRAY || !messages->first) {
		request_refuse(r, "\"messages\" must be a list of at least one message");
		return;
	}
	for (const struct json *j = messages->first; j; j = j->next)
		read_message(r, &t, j);
	for (struct canon_message *m = r->out->messages; m; m = m->next)
		give_calls_their_signatures(m);
	if (t.message && t.message->role == CANON_ASSISTANT && !ends_in_call(t.message))
		r->out->features |= CANON_HAS(PREFILL);
}

/* ---- tools --------------------------------------------------------------------------------------- */

/* What else a tool may say: how its input is streamed changes nothing; who may
 * call it and when it is loaded does. */
static void read_tool_extras(struct request_reading *r, const struct json *j)
{
	const struct json *callers = json_get(j, S("allowed_callers")), *late = json_get(j, S("defer_loading"));

	if (late && late->type == JSON_TRUE)
		r->out->features |= CANON_HAS(HOSTED_TOOLS);
	for (const struct json *k = callers ? callers->first : NULL; k; k = k->next)
		if (!is_word(k, S("direct")))
			r->out->features |= CANON_HAS(HOSTED_TOOLS);
	if (raw_of(json_get(j, S("input_examples"))).len)
		request_unknown(r, S("\"input_examples\""));
}

static void read_tools(struct request_reading *r, const struct json *tools)
{
	struct canon_tool *last = NULL;

	for (const struct json *j = tools->first; j; j = j->next) {
		const struct json *type = json_get(j, S("type")), *strict = json_get(j, S("strict"));
		const struct json *schema = json_get(j, S("input_schema"));

		if (raw_of(type).len && !is_word(type, S("custom"))) {
			r->out->features |= CANON_HAS(HOSTED_TOOLS);
			continue;
		}
		last = canon_add_tool(r->arena, r->out, last);
		last->name = string_of(json_get(j, S("name")));
		last->description = string_of(json_get(j, S("description")));
		last->parameters = schema && schema->type == JSON_OBJECT ? schema->raw : SLICE_NONE;
		if (!last->name.len)
			request_refuse(r, "a tool needs a \"name\"");
		if (strict && (strict->type == JSON_TRUE || strict->type == JSON_FALSE))
			last->strict = strict->type == JSON_TRUE;
		if (last->strict == 1)
			r->out->features |= CANON_HAS(STRICT_TOOLS);
		read_cache_control(r, j, &last->cache_here, &last->cache_ttl);
		read_tool_extras(r, j);
	}
	if (last)
		r->out->features |= CANON_HAS(TOOLS);
}

static void read_tool_choice(struct request_reading *r, const struct json *value)
{
	static const struct { struct slice word; enum canon_choice choice; } words[] = {
		{ S_INIT("auto"), CANON_CHOICE_AUTO }, { S_INIT("none"), CANON_CHOICE_NONE },
		{ S_INIT("any"), CANON_CHOICE_REQUIRED }, { S_INIT("tool"), CANON_CHOICE_ONE },
	};
	const struct json *alone = json_get(value, S("disable_parallel_tool_use"));

	for (size_t i = 0; i < COUNT_OF(words); i++)
		if (is_word(json_get(value, S("type")), words[i].word))
			r->out->choice = words[i].choice;
	r->out->choice_name = string_of(json_get(value, S("name")));
	if (r->out->choice == CANON_CHOICE_UNSAID ||
	    (r->out->choice == CANON_CHOICE_ONE && !r->out->choice_name.len))
		request_refuse(r, "\"tool_choice\" must be of type auto, any, none, or tool with a \"name\"");
	else if (r->out->choice != CANON_CHOICE_AUTO)
		r->out->features |= CANON_HAS(TOOL_CHOICE);
	if (alone && (alone->type == JSON_TRUE || alone->type == JSON_FALSE))
		r->out->parallel = alone->type == JSON_FALSE;
	if (r->out->parallel == 0)
		r->out->features |= CANON_HAS(PARALLEL);
}

/* ---- thinking and the shape of the answer ----------------------------------------------------------- */

static void read_thinking_config(struct request_reading *r, const struct json *value)
{
	const struct json *type = json_get(value, S("type"));

	if (is_word(type, S("disabled"))) {
		r->out->think_budget = 0;        /* as without: no model must be left out for it */
	} else if (is_word(type, S("adaptive"))) {
		r->out->think_auto = true;
		r->out->think_shown = true;
	} else if (is_word(type, S("enabled")) &&
		   json_i64(raw_of(json_get(value, S("budget_tokens"))), &r->out->think_budget)) {
		r->out->features |= CANON_HAS(THINK_BUDGET);
		r->out->think_shown = true;
	} else {
		request_refuse(r, "\"thinking\" must be of type disabled, adaptive, or enabled with "
			       "\"budget_tokens\"");
	}
	if (is_word(json_get(value, S("display")), S("omitted")))
		r->out->summary = S("omitted");
	else if (is_word(json_get(value, S("display")), S("summarized")))
		r->out->summary = S("auto");
	if (r->out->summary.len)
		r->out->features |= CANON_HAS(SUMMARY);
}

static void read_output_format(struct request_reading *r, const struct json *value)
{
	const struct json *schema = json_get(value, S("schema"));

	if (!is_word(json_get(value, S("type")), S("json_schema")) || !schema ||
	    schema->type != JSON_OBJECT) {
		request_refuse(r, "the output's format must be of type json_schema with a \"schema\"");
		return;
	}
	r->out->format = CANON_FORMAT_SCHEMA;
	r->out->schema = schema->raw;
	r->out->features |= CANON_HAS(JSON_SCHEMA);
}

static void read_output_config(struct request_reading *r, const struct json *value)
{
	for (const struct json *j = value->first; j; j = j->next) {
		if (j->type == JSON_NULL)
			continue;
		if (json_string_eq(j->key, S("format"))) {
			read_output_format(r, j);
		} else if (json_string_eq(j->key, S("effort")) && j->type == JSON_STRING) {
			r->out->effort = json_string(r->arena, j->raw);
			r->out->features |= CANON_HAS(EFFORT);
		} else {
			request_unknown(r, j->key);
		}
	}
}

static void read_stop(struct request_reading *r, const struct json *list)
{
	struct canon_text *last = NULL;

	for (const struct json *j = list->first; j; j = j->next)
		if (j->type == JSON_STRING)
			last = canon_add_text(r->arena, &r->out->stop, last, j->raw);
	if (last)
		r->out->features |= CANON_HAS(STOP);
}

/* ---- hints --------------------------------------------------------------------------------------------- */

static void read_metadata(struct request_reading *r, const struct json *value)
{
	for (const struct json *j = value->first; j; j = j->next) {
		if (json_string_eq(j->key, S("user_id"))) {
			r->out->user = string_of(j);
			if (r->out->user.len)
				r->out->features |= CANON_HAS(USER);
		} else {
			request_unknown(r, j->key);
		}
	}
}

static void read_service_tier(struct request_reading *r, const struct json *value)
{
	r->out->service_tier = is_word(value, S("standard_only")) ? S("default")
								  : json_string(r->arena, value->raw);
}

/* At the top: up to the last block of the conversation. */
static void read_top_cache_control(struct request_reading *r, const struct json *value)
{
	const struct canon_message *m = r->out->messages;
	struct canon_part *p;

	if (value->type != JSON_OBJECT)
		return;
	while (m && m->next)
		m = m->next;
	for (p = m ? m->parts : NULL; p && p->next;)
		p = p->next;
	if (!p)
		return;
	p->cache_here = true;
	p->cache_ttl = json_string(r->arena, string_of(json_get(value, S("ttl"))));
	r->out->features |= CANON_HAS(CACHE_HINT);
}

/* What only one vendor can do, wherever it stands. */
static void read_hosted(struct request_reading *r, const struct json *value)
{
	if (value->type == JSON_ARRAY ? value->first != NULL : true)
		r->out->features |= CANON_HAS(HOSTED_TOOLS);
}

/* ---- the whole --------------------------------------------------------------------------------------------- */

#define AT(member) offsetof(struct canon_request, member)
#define ROW(name_, take_, member_, feature_) \
	{ S_INIT(name_), TAKE_##take_, AT(member_), feature_, NULL }
#define BY(name_, function_, feature_) { S_INIT(name_), TAKE_BY, 0, feature_, function_ }
#define KNOWN(name_, feature_) { S_INIT(name_), TAKE_NOTHING, 0, feature_, NULL }

static const struct request_member members[] = {
	KNOWN("model", 0), KNOWN("stream", 0), KNOWN("messages", 0), KNOWN("system", 0),
	ROW("max_tokens", INTEGER, max_tokens, 0),
	BY("tools", read_tools, 0),
	BY("tool_choice", read_tool_choice, 0),
	ROW("temperature", NUMBER, temperature, CANON_HAS(TEMPERATURE)),
	ROW("top_p", NUMBER, top_p, CANON_HAS(TOP_P)),
	ROW("top_k", NUMBER, top_k, CANON_HAS(TOP_K)),
	BY("stop_sequences", read_stop, 0),
	BY("thinking", read_thinking_config, 0),
	BY("output_config", read_output_config, 0),
	BY("output_format", read_output_format, 0),           /* the beta's place for it */
	BY("metadata", read_metadata, 0),
	BY("service_tier", read_service_tier, CANON_HAS(SERVICE_TIER)),
	KNOWN("speed", CANON_HAS(SERVICE_TIER)),
	KNOWN("diagnostics", CANON_HAS(METADATA)),
	BY("cache_control", read_top_cache_control, 0),
	BY("mcp_servers", read_hosted, 0),
	BY("container", read_hosted, 0),
};

static enum fault read_whole(struct arena *arena, struct slice body, const struct request_facts *facts,
			     enum canon_task task, struct canon_request **out, struct slice *why)
{
	struct request_reading r = { .arena = arena, .out = canon_request_new(arena), .why = why };
	enum json_result result;
	const struct json *j = json_parse(arena, body, &result, NULL);

	*out = r.out;
	if (!j || j->type != JSON_OBJECT) {
		*why = j ? S("the request body must be a JSON object")
			 : arena_printf(arena, "the request body could not be read as JSON: %s",
					json_result_text(result));
		return FAULT_CALLER;
	}
	r.out->task = task;
	r.out->model = facts->model;
	r.out->stream = facts->stream;
	r.out->include_usage = true;             /* a stream always tells it */
	read_messages(&r, j);
	request_members(&r, j, members, COUNT_OF(members));
	if (task == CANON_CHAT && r.out->max_tokens < 0)
		request_refuse(&r, "you must provide \"max_tokens\"");
	return r.refused ? FAULT_CALLER : FAULT_NONE;
}

enum fault anthropic_codec_read_request(struct arena *arena, struct slice body,
					const struct request_facts *facts,
					struct canon_request **out, struct slice *why)
{
	return read_whole(arena, body, facts, CANON_CHAT, out, why);
}

enum fault anthropic_count_read_request(struct arena *arena, struct slice body,
					const struct request_facts *facts,
					struct canon_request **out, struct slice *why)
{
	return read_whole(arena, body, facts, CANON_COUNT, out, why);
}
