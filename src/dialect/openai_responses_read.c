/* openai_responses_read.c: a request of the Responses API, as clients send it.
 * Its flat list of items becomes messages: thinking, texts and calls of the
 * model that follow one another are one message, and so are results. */
#include "dialect/openai_responses.h"

#include "base/check.h"

#include <stddef.h>

/* What is being gathered. */
struct items {
	struct canon_message *last;   /* of the request */
	struct canon_part *last_part; /* of that message */
};

static struct items *items_of(struct request_reading *r)
{
	return r->own;
}

static struct canon_message *message(struct request_reading *r, enum canon_role role, bool fresh)
{
	struct items *items = items_of(r);

	if (!fresh && items->last && items->last->role == role)
		return items->last;
	items->last = canon_add_message(r->arena, r->out, items->last, role);
	items->last_part = NULL;
	return items->last;
}

static struct canon_part *part(struct request_reading *r, enum canon_part_kind kind)
{
	struct items *items = items_of(r);

	items->last_part = canon_add_part(r->arena, &items->last->parts, items->last_part, kind);
	return items->last_part;
}

static struct slice text_of(const struct json *j, struct slice name)
{
	const struct json *member = json_get(j, name);

	return member && member->type == JSON_STRING ? member->raw : SLICE_NONE;
}

/* ---- contents ------------------------------------------------------------------------ */

static void read_image(struct request_reading *r, struct canon_part *p, const struct json *j)
{
	struct slice url = text_of(j, S("image_url")), id = text_of(j, S("file_id"));
	struct slice detail = text_of(j, S("detail"));

	if (url.len) {
		openai_read_image(r, p, url);
	} else {
		p->media.file_id = id;
		r->out->features |= CANON_HAS(FILE_ID);
	}
	if (!url.len && !id.len)
		request_refuse(r, "an \"input_image\" needs an \"image_url\" or a \"file_id\"");
	if (detail.len) {
		p->media.detail = json_string(r->arena, detail);
		r->out->features |= CANON_HAS(IMAGE_DETAIL);
	}
}

static void read_file(struct request_reading *r, struct canon_part *p, const struct json *j)
{
	struct slice data = text_of(j, S("file_data")), url = text_of(j, S("file_url"));
	struct slice id = text_of(j, S("file_id"));

	p->media.name = text_of(j, S("filename"));
	if (data.len) {
		r->out->features |= CANON_HAS(DOCUMENT_DATA);
		if (!canon_data_url(r->arena, data, &p->media)) {
			p->media.data = canon_inside(data);
			p->media.mime = S("application/pdf");
		}
	} else if (url.len) {
		r->out->features |= CANON_HAS(DOCUMENT_URL);
		p->media.url = url;
	} else if (id.len) {
		r->out->features |= CANON_HAS(FILE_ID);
		p->media.file_id = id;
	} else {
		request_refuse(r, "an \"input_file\" needs \"file_data\", \"file_url\" or \"file_id\"");
	}
}

static void read_audio(struct request_reading *r, struct canon_part *p, const struct json *j)
{
	const struct json *audio = json_get(j, S("input_audio"));
	struct slice format = text_of(audio, S("format"));

	r->out->features |= CANON_HAS(AUDIO_IN);
	p->media.data = canon_inside(text_of(audio, S("data")));
	p->media.mime = canon_mime(arena_printf(r->arena, "audio/%.*s",
		SLICE_ARG(format.len ? json_string(r->arena, format) : S("wav"))));
}

static void read_text(struct request_reading *r, struct canon_part *p, const struct json *j)
{
	p->text = text_of(j, p->kind == CANON_PART_REFUSAL ? S("refusal") : S("text"));
	if (!p->text.len)
		request_refuse(r, "a text of an input item has no \"text\"");
}

static const struct {
	struct slice type;
	enum canon_part_kind kind;
	void (*read)(struct request_reading *r, struct canon_part *p, const struct json *j);
} contents[] = {
	{ S_INIT("input_text"), CANON_PART_TEXT, read_text },
	{ S_INIT("output_text"), CANON_PART_TEXT, read_text },
	{ S_INIT("text"), CANON_PART_TEXT, read_text },
	{ S_INIT("refusal"), CANON_PART_REFUSAL, read_text },
	{ S_INIT("input_image"), CANON_PART_IMAGE, read_image },
	{ S_INIT("input_file"), CANON_PART_DOCUMENT, read_file },
	{ S_INIT("input_audio"), CANON_PART_AUDIO, read_audio },
};

/* One part of a content list, appended to `list`; gives the last of it. */
static struct canon_part *read_content(struct request_reading *r, struct canon_part **list,
				       struct canon_part *last, const struct json *j)
{
	const struct json *type = json_get(j, S("type"));

	for (size_t i = 0; type && i < COUNT_OF(contents); i++) {
		if (!json_string_eq(type->raw, contents[i].type))
			continue;
		last = canon_add_part(r->arena, list, last, contents[i].kind);
		contents[i].read(r, last, j);
		return last;
	}
	request_unknown(r, type ? type->raw : S("\"type\""));
	return last;
}

static struct canon_part *read_contents(struct request_reading *r, struct canon_part **list,
					struct canon_part *last, const struct json *content)
{
	if (!content || content->type == JSON_NULL)
		return last;
	if (content->type == JSON_STRING) {
		last = canon_add_part(r->arena, list, last, CANON_PART_TEXT);
		last->text = content->raw;
		return last;
	}
	for (const struct json *j = content->first; j; j = j->next)
		last = read_content(r, list, last, j);
	return last;
}

/* ---- items --------------------------------------------------------------------------------- */

static void read_message(struct request_reading *r, const struct json *item)
{
	static const struct { struct slice name; enum canon_role role; } roles[] = {
		{ S_INIT("user"), CANON_USER }, { S_INIT("assistant"), CANON_ASSISTANT },
		{ S_INIT("system"), CANON_SYSTEM }, { S_INIT("developer"), CANON_DEVELOPER },
	};
	const struct json *role = json_get(item, S("role"));
	struct items *items = items_of(r);
	size_t i = 0;

	while (role && i < COUNT_OF(roles) && !json_string_eq(role->raw, roles[i].name))
		i++;
	if (!role || i == COUNT_OF(roles)) {
		request_refuse(r, "an input message's \"role\" must be user, assistant, system or developer");
		return;
	}
	/* A user may say several things in a row; the model's are one turn. */
	message(r, roles[i].role, roles[i].role != CANON_ASSISTANT);
	if (roles[i].role == CANON_SYSTEM || roles[i].role == CANON_DEVELOPER)
		r->out->features |= CANON_HAS(SYSTEM);
	items->last_part = read_contents(r, &items->last->parts, items->last_part,
					 json_get(item, S("content")));
}

static void read_call(struct request_reading *r, const struct json *item)
{
	struct slice name = text_of(item, S("name"));
	struct canon_part *p;

	message(r, CANON_ASSISTANT, false);
	p = part(r, CANON_PART_CALL);
	p->custom = json_string_eq(json_get(item, S("type"))->raw, S("custom_tool_call"));
	p->id = text_of(item, S("call_id"));
	p->name = name;
	p->arguments = text_of(item, p->custom ? S("input") : S("arguments"));
	p->arguments_text = true;
	if (!p->arguments.len)
		p->arguments = S("\"\"");
	if (!name.len || !p->id.len)
		request_refuse(r, "a function call among the input needs a \"name\" and a \"call_id\"");
	r->out->features |= CANON_HAS(TOOLS) | (p->custom ? CANON_HAS(CUSTOM_TOOLS) : 0);
}

static void read_result(struct request_reading *r, const struct json *item)
{
	struct canon_part *p;

	message(r, CANON_TOOL, false);
	p = part(r, CANON_PART_RESULT);
	p->id = text_of(item, S("call_id"));
	if (!p->id.len)
		request_refuse(r, "a function call's output among the input needs a \"call_id\"");
	read_contents(r, &p->content, NULL, json_get(item, S("output")));
	for (const struct canon_part *c = p->content; c; c = c->next)
		if (c->kind != CANON_PART_TEXT)
			r->out->features |= CANON_HAS(RESULT_MEDIA);
	r->out->features |= CANON_HAS(TOOLS);
}

#define MARK "backstay."

void openai_read_encrypted(struct arena *arena, struct slice raw, struct canon_part *p)
{
	struct slice text = canon_inside(raw), vendor, kind, rest;

	if (!slice_starts(text, S(MARK))) {
		p->encrypted = raw;
		p->vendor = S("openai");
		return;
	}
	text = slice_from(text, sizeof MARK - 1);
	if (!slice_cut(text, '.', &vendor, &rest) || !slice_cut(rest, '.', &kind, &rest))
		return;
	rest = arena_printf(arena, "\"%.*s\"", SLICE_ARG(rest));
	p->vendor = vendor;
	if (slice_eq(kind, S("s")))
		p->signature = rest;
	else
		p->encrypted = rest;
}

static void read_reasoning(struct request_reading *r, const struct json *item)
{
	const struct json *content = json_get(item, S("content"));
	const struct json *summary = json_get(item, S("summary"));
	const struct json *from = content && content->first ? content : summary;
	struct slice encrypted = text_of(item, S("encrypted_content"));
	struct buf text = BUF_INIT(item->raw.len + 64);
	struct canon_part *p;
	bool put;

	message(r, CANON_ASSISTANT, false);
	p = part(r, CANON_PART_REASONING);
	put = buf_append(&text, S("\""));
	for (const struct json *j = from ? from->first : NULL; j && put; j = j->next) {
		if (buf_len(&text) > 1)
			put = buf_append(&text, S("\\n\\n"));
		put = put && buf_append(&text, canon_inside(text_of(j, S("text"))));
	}
	put = put && buf_append(&text, S("\""));
	if (put && buf_len(&text) > 2)
		p->text = arena_copy(r->arena, buf_slice(&text));
	buf_free(&text);
	if (encrypted.len) {
		openai_read_encrypted(r->arena, encrypted, p);
		r->out->features |= CANON_HAS(THINK_PARTS);
	}
}

static const struct {
	struct slice type;
	void (*read)(struct request_reading *r, const struct json *item);
} item_types[] = {
	{ S_INIT("message"), read_message },
	{ S_INIT("function_call"), read_call }, { S_INIT("custom_tool_call"), read_call },
	{ S_INIT("function_call_output"), read_result }, { S_INIT("custom_tool_call_output"), read_result },
	{ S_INIT("reasoning"), read_reasoning },
};

static void read_item(struct request_reading *r, const struct json *item)
{
	const struct json *type = json_get(item, S("type"));

	if (!type && json_get(item, S("role"))) {
		read_message(r, item);
		return;
	}
	for (size_t i = 0; type && i < COUNT_OF(item_types); i++)
		if (json_string_eq(type->raw, item_types[i].type)) {
			item_types[i].read(r, item);
			return;
		}
	/* Items of hosted tools, and names of items that only their vendor keeps. */
	r->out->features |= type && json_string_eq(type->raw, S("item_reference")) ? CANON_HAS(STATE)
										   : CANON_HAS(HOSTED_TOOLS);
}

static void read_input(struct request_reading *r, const struct json *input)
{
	if (input->type == JSON_STRING) {
		message(r, CANON_USER, true);
		part(r, CANON_PART_TEXT)->text = input->raw;
	} else if (input->type == JSON_ARRAY) {
		for (const struct json *j = input->first; j; j = j->next)
			read_item(r, j);
	} else {
		request_refuse(r, "\"input\" must be a string or a list of items");
	}
}

/* ---- tools ------------------------------------------------------------------------------------- */

static void read_tool(struct request_reading *r, struct canon_tool **last, const struct json *j)
{
	const struct json *type = json_get(j, S("type"));
	bool custom = type && json_string_eq(type->raw, S("custom"));

	if (!type || (!custom && !json_string_eq(type->raw, S("function")))) {
		r->out->features |= CANON_HAS(HOSTED_TOOLS);
		return;
	}
	*last = canon_add_tool(r->arena, r->out, *last);
	r->out->features |= CANON_HAS(TOOLS);
	if (!custom) {
		openai_read_function(r, *last, j);
		return;
	}
	(*last)->custom = true;
	(*last)->name = text_of(j, S("name"));
	if (!(*last)->name.len)
		request_refuse(r, "a custom tool needs a \"name\"");
	(*last)->description = text_of(j, S("description"));
	(*last)->parameters = json_get(j, S("format")) ? json_get(j, S("format"))->raw : SLICE_NONE;
	r->out->features |= CANON_HAS(CUSTOM_TOOLS);
}

static void read_tools(struct request_reading *r, const struct json *tools)
{
	struct canon_tool *last = NULL;

	for (const struct json *j = tools->first; j; j = j->next)
		read_tool(r, &last, j);
}

/* ---- the rest -------------------------------------------------------------------------------------- */

static void read_parallel(struct request_reading *r, const struct json *value)
{
	r->out->parallel = value->type == JSON_TRUE;
	if (value->type == JSON_FALSE)
		r->out->features |= CANON_HAS(PARALLEL);
}

static void read_text_config(struct request_reading *r, const struct json *text)
{
	const struct json *format = json_get(text, S("format")), *verbosity = json_get(text, S("verbosity"));
	const struct json *type = json_get(format, S("type"));

	if (verbosity && verbosity->type == JSON_STRING) {
		r->out->verbosity = json_string(r->arena, verbosity->raw);
		r->out->features |= CANON_HAS(VERBOSITY);
	}
	if (!type)
		return;
	if (json_string_eq(type->raw, S("json_schema"))) {
		openai_read_schema(r, format);
	} else if (json_string_eq(type->raw, S("json_object"))) {
		r->out->format = CANON_FORMAT_JSON;
		r->out->features |= CANON_HAS(JSON_MODE);
	} else if (json_string_eq(type->raw, S("text"))) {
		r->out->format = CANON_FORMAT_TEXT;
	} else {
		request_unknown(r, S("\"text.format\""));
	}
}

static void read_thinking(struct request_reading *r, const struct json *value)
{
	struct slice effort = text_of(value, S("effort")), summary = text_of(value, S("summary"));

	if (!summary.len)
		summary = text_of(value, S("generate_summary"));
	if (effort.len) {
		r->out->effort = json_string(r->arena, effort);
		r->out->features |= CANON_HAS(EFFORT);
	}
	if (summary.len) {
		r->out->summary = json_string(r->arena, summary);
		r->out->features |= CANON_HAS(SUMMARY);
	}
}

static void read_top_logprobs(struct request_reading *r, const struct json *value)
{
	if (!json_i64(value->raw, &r->out->top_logprobs) || r->out->top_logprobs <= 0)
		return;
	r->out->logprobs = true;
	r->out->features |= CANON_HAS(LOGPROBS);
}

static void read_background(struct request_reading *r, const struct json *value)
{
	if (value->type == JSON_TRUE)
		r->out->features |= CANON_HAS(STATE);
}

static void read_truncation(struct request_reading *r, const struct json *value)
{
	if (json_string_eq(value->raw, S("auto")))
		request_unknown(r, S("\"truncation\""));
}

#define AT(member) offsetof(struct canon_request, member)
#define ROW(name_, take_, member_, feature_) \
	{ S_INIT(name_), TAKE_##take_, AT(member_), feature_, NULL }
#define BY(name_, function_) { S_INIT(name_), TAKE_BY, 0, 0, function_ }
#define KNOWN(name_, feature_) { S_INIT(name_), TAKE_NOTHING, 0, feature_, NULL }

static const struct request_member members[] = {
	KNOWN("model", 0), KNOWN("stream", 0), KNOWN("stream_options", 0),
	KNOWN("instructions", 0),                       /* first of all; see below */
	KNOWN("include", 0),                            /* more of what is not asked for here */
	BY("input", read_input),
	BY("tools", read_tools), BY("tool_choice", openai_read_tool_choice),
	BY("parallel_tool_calls", read_parallel),
	KNOWN("max_tool_calls", 0),                     /* of hosted tools */
	BY("text", read_text_config), BY("reasoning", read_thinking),
	ROW("temperature", NUMBER, temperature, CANON_HAS(TEMPERATURE)),
	ROW("top_p", NUMBER, top_p, CANON_HAS(TOP_P)),
	ROW("max_output_tokens", INTEGER, max_tokens, 0),
	BY("top_logprobs", read_top_logprobs),
	KNOWN("previous_response_id", CANON_HAS(STATE)), KNOWN("conversation", CANON_HAS(STATE)),
	KNOWN("prompt", CANON_HAS(STATE)), BY("background", read_background),
	BY("truncation", read_truncation),
	ROW("store", SWITCH, store, CANON_HAS(STORE)),
	ROW("user", STRING, user, CANON_HAS(USER)),
	ROW("safety_identifier", STRING, safety_id, CANON_HAS(USER)),
	ROW("prompt_cache_key", STRING, cache_key, CANON_HAS(CACHE_HINT)),
	KNOWN("prompt_cache_retention", CANON_HAS(CACHE_HINT)),
	ROW("metadata", RAW, metadata, CANON_HAS(METADATA)),
	ROW("service_tier", WORD, service_tier, CANON_HAS(SERVICE_TIER)),
};

static void read_root(struct request_reading *r, const struct json *root)
{
	struct slice instructions = text_of(root, S("instructions"));

	if (instructions.len) {
		message(r, CANON_SYSTEM, true);
		part(r, CANON_PART_TEXT)->text = instructions;
		r->out->features |= CANON_HAS(SYSTEM);
	}
	request_members(r, root, members, COUNT_OF(members));
	if (r->out->choice != CANON_CHOICE_UNSAID && !r->out->tools &&
	    !(r->out->features & CANON_HAS(HOSTED_TOOLS))) {
		r->out->choice = CANON_CHOICE_UNSAID;
		r->out->features &= ~CANON_HAS(TOOL_CHOICE);
	}
	if (!r->refused && !r->out->messages && !(r->out->features & CANON_HAS(STATE)))
		request_refuse(r, "\"input\" must hold something to answer");
}

enum fault openai_responses_read_request(struct arena *arena, struct slice body,
					 const struct request_facts *facts,
					 struct canon_request **out, struct slice *why)
{
	struct items items = { .last = NULL };
	struct arena *tree = arena_create(0);
	struct request_reading r = {
		.arena = arena, .out = canon_request_new(arena), .why = why, .own = &items,
	};
	enum json_result result;
	const struct json *root = json_parse(tree, body, &result, NULL);

	r.out->task = CANON_CHAT;
	r.out->model = facts->model;
	r.out->stream = facts->stream;
	r.out->include_usage = true;
	if (!root || root->type != JSON_OBJECT)
		request_refuse(&r, "the request body could not be read: %s",
			       json_result_text(root ? JSON_NOT_OBJECT : result));
	else
		read_root(&r, root);
	arena_free(tree);
	*out = r.out;
	return r.refused ? FAULT_CALLER : FAULT_NONE;
}
