/* openai_chat_read.c: a chat completion's request, as clients send it. */
#include "dialect/openai_chat.h"

#include "base/check.h"

#include <stddef.h>

/* ---- parts of messages ----------------------------------------------------------- */

void openai_read_image(struct request_reading *r, struct canon_part *part, struct slice url)
{
	if (canon_data_url(r->arena, url, &part->media)) {
		r->out->features |= CANON_HAS(IMAGE_DATA);
		return;
	}
	part->media.url = url;
	r->out->features |= CANON_HAS(IMAGE_URL);
}

static void read_image(struct request_reading *r, struct canon_part *part, const struct json *j)
{
	const struct json *image = json_get(j, S("image_url"));
	const struct json *url = image && image->type == JSON_OBJECT ? json_get(image, S("url")) : image;

	if (!url || url->type != JSON_STRING) {
		request_refuse(r, "an \"image_url\" part needs {\"image_url\": {\"url\": \"...\"}}");
		return;
	}
	openai_read_image(r, part, url->raw);
	if (image->type == JSON_OBJECT && json_get(image, S("detail"))) {
		part->media.detail = json_string(r->arena, json_get(image, S("detail"))->raw);
		r->out->features |= CANON_HAS(IMAGE_DETAIL);
	}
}

static void read_audio(struct request_reading *r, struct canon_part *part, const struct json *j)
{
	const struct json *audio = json_get(j, S("input_audio"));
	const struct json *data = json_get(audio, S("data")), *format = json_get(audio, S("format"));

	r->out->features |= CANON_HAS(AUDIO_IN);
	if (!data || data->type != JSON_STRING) {
		request_refuse(r, "an \"input_audio\" part needs {\"data\": BASE64, \"format\": \"wav\"}");
		return;
	}
	part->media.data = canon_inside(data->raw);
	part->media.mime = canon_mime(arena_printf(r->arena, "audio/%.*s",
		SLICE_ARG(format ? json_string(r->arena, format->raw) : S("wav"))));
}

static void read_file(struct request_reading *r, struct canon_part *part, const struct json *j)
{
	const struct json *file = json_get(j, S("file"));
	const struct json *data = json_get(file, S("file_data")), *id = json_get(file, S("file_id"));
	const struct json *name = json_get(file, S("filename"));

	if (name)
		part->media.name = name->raw;
	if (id && id->type == JSON_STRING) {
		part->media.file_id = id->raw;
		r->out->features |= CANON_HAS(FILE_ID);
		return;
	}
	r->out->features |= CANON_HAS(DOCUMENT_DATA);
	if (!data || data->type != JSON_STRING) {
		request_refuse(r, "a \"file\" part needs \"file_data\" or \"file_id\"");
	} else if (!canon_data_url(r->arena, data->raw, &part->media)) {
		part->media.data = canon_inside(data->raw);      /* bare base64 is taken for a PDF */
		part->media.mime = S("application/pdf");
	}
}

static void read_video(struct request_reading *r, struct canon_part *part, const struct json *j)
{
	const struct json *url = json_get(json_get(j, S("video_url")), S("url"));

	r->out->features |= CANON_HAS(VIDEO);
	if (!url || url->type != JSON_STRING)
		request_refuse(r, "a \"video_url\" part needs {\"video_url\": {\"url\": \"...\"}}");
	else if (!canon_data_url(r->arena, url->raw, &part->media))
		part->media.url = url->raw;
}

static void read_text(struct request_reading *r, struct canon_part *part, const struct json *j)
{
	const struct json *text = json_get(j, part->kind == CANON_PART_REFUSAL ? S("refusal") : S("text"));

	if (text && text->type == JSON_STRING)
		part->text = text->raw;
	else
		request_refuse(r, "a text part of a message has no \"text\"");
}

static const struct {
	struct slice type;
	enum canon_part_kind kind;
	void (*read)(struct request_reading *r, struct canon_part *part, const struct json *j);
} part_types[] = {
	{ S_INIT("text"), CANON_PART_TEXT, read_text },
	{ S_INIT("image_url"), CANON_PART_IMAGE, read_image },
	{ S_INIT("input_audio"), CANON_PART_AUDIO, read_audio },
	{ S_INIT("file"), CANON_PART_DOCUMENT, read_file },
	{ S_INIT("refusal"), CANON_PART_REFUSAL, read_text },
	{ S_INIT("video_url"), CANON_PART_VIDEO, read_video },      /* vLLM, OpenRouter, Alibaba */
};

/* OpenRouter and Alibaba take Anthropic's hint here. */
static void read_cache_hint(struct request_reading *r, struct canon_part *part, const struct json *j)
{
	const struct json *hint = json_get(j, S("cache_control"));

	if (!hint || hint->type != JSON_OBJECT)
		return;
	part->cache_here = true;
	if (json_get(hint, S("ttl")))
		part->cache_ttl = json_string(r->arena, json_get(hint, S("ttl"))->raw);
	r->out->features |= CANON_HAS(CACHE_HINT);
}

static struct canon_part *read_part(struct request_reading *r, struct canon_part **list,
				    struct canon_part *last, const struct json *j)
{
	const struct json *type = json_get(j, S("type"));

	for (size_t i = 0; type && i < COUNT_OF(part_types); i++) {
		if (!json_string_eq(type->raw, part_types[i].type))
			continue;
		last = canon_add_part(r->arena, list, last, part_types[i].kind);
		part_types[i].read(r, last, j);
		read_cache_hint(r, last, j);
		return last;
	}
	request_unknown(r, type ? type->raw : S("\"type\""));
	return last;
}

static struct canon_part *read_content(struct request_reading *r, struct canon_part **list,
				       struct canon_part *last, const struct json *content)
{
	if (!content || content->type == JSON_NULL)
		return last;
	if (content->type == JSON_STRING) {
		if (content->raw.len > 2 || !last) {
			last = canon_add_part(r->arena, list, last, CANON_PART_TEXT);
			last->text = content->raw;
		}
		return last;
	}
	if (content->type != JSON_ARRAY) {
		request_refuse(r, "a message's \"content\" must be a string or a list of parts");
		return last;
	}
	for (const struct json *j = content->first; j; j = j->next)
		last = read_part(r, list, last, j);
	return last;
}

/* ---- calls and thinking of an assistant's message ---------------------------------- */

static struct canon_part *read_call(struct request_reading *r, struct canon_part **list,
				    struct canon_part *last, const struct json *call)
{
	const struct json *function = json_get(call, S("function"));
	const struct json *custom = json_get(call, S("custom"));
	const struct json *from = function ? function : custom;
	const struct json *id = json_get(call, S("id")), *name = json_get(from, S("name"));
	const struct json *arguments = json_get(from, custom && !function ? S("input") : S("arguments"));

	if (!name || name->type != JSON_STRING) {
		request_refuse(r, "a tool call of a message has no function with a name");
		return last;
	}
	last = canon_add_part(r->arena, list, last, CANON_PART_CALL);
	last->id = id && id->type == JSON_STRING ? id->raw : SLICE_NONE;
	last->name = name->raw;
	last->custom = from == custom;
	last->arguments = arguments ? arguments->raw : S("\"\"");
	last->arguments_text = json_type_of(last->arguments) == JSON_STRING;
	if (last->custom)
		r->out->features |= CANON_HAS(CUSTOM_TOOLS);
	r->out->features |= CANON_HAS(TOOLS);
	return last;
}

/* DeepSeek, xAI, Moonshot, Alibaba: reasoning_content; OpenRouter, Groq, vLLM:
 * reasoning. It proves nothing, so whoever gets it may do without. */
static struct canon_part *read_thinking(struct request_reading *r, struct canon_part **list,
					struct canon_part *last, const struct json *message)
{
	static const struct slice names[] = { S_INIT("reasoning_content"), S_INIT("reasoning") };

	for (size_t i = 0; i < COUNT_OF(names); i++) {
		const struct json *text = json_get(message, names[i]);

		if (!text || text->type != JSON_STRING || text->raw.len <= 2)
			continue;
		last = canon_add_part(r->arena, list, last, CANON_PART_REASONING);
		last->text = text->raw;
		return last;
	}
	return last;
}

static struct canon_part *read_refusal(struct request_reading *r, struct canon_part **list,
				       struct canon_part *last, const struct json *message)
{
	const struct json *refusal = json_get(message, S("refusal"));

	if (!refusal || refusal->type != JSON_STRING)
		return last;
	last = canon_add_part(r->arena, list, last, CANON_PART_REFUSAL);
	last->text = refusal->raw;
	return last;
}

static void read_assistant(struct request_reading *r, struct canon_message *m, const struct json *j)
{
	const struct json *calls = json_get(j, S("tool_calls")), *old = json_get(j, S("function_call"));
	struct canon_part *last = read_thinking(r, &m->parts, NULL, j);

	last = read_content(r, &m->parts, last, json_get(j, S("content")));
	last = read_refusal(r, &m->parts, last, j);
	if (calls && calls->type == JSON_ARRAY)
		for (const struct json *call = calls->first; call; call = call->next)
			last = read_call(r, &m->parts, last, call);
	if (old && old->type == JSON_OBJECT && json_get(old, S("name"))) {
		last = canon_add_part(r->arena, &m->parts, last, CANON_PART_CALL);
		last->id = last->name = json_get(old, S("name"))->raw;
		last->arguments = json_get(old, S("arguments")) ? json_get(old, S("arguments"))->raw
								 : S("\"\"");
		last->arguments_text = true;
		r->out->features |= CANON_HAS(TOOLS);
	}
	if (json_get(j, S("audio")) && json_get(j, S("audio"))->type == JSON_OBJECT)
		r->out->features |= CANON_HAS(STATE);    /* audio kept by the vendor under an id */
}

static void read_result(struct request_reading *r, struct canon_message *m, const struct json *j)
{
	const struct json *id = json_get(j, S("tool_call_id"));
	struct canon_part *result = canon_add_part(r->arena, &m->parts, NULL, CANON_PART_RESULT);

	if (!id)
		id = json_get(j, S("name"));     /* a "function" message of old */
	if (!id || id->type != JSON_STRING) {
		request_refuse(r, "a message of role \"tool\" needs a \"tool_call_id\"");
		return;
	}
	result->id = id->raw;
	if (json_get(j, S("name")))
		result->name = json_get(j, S("name"))->raw;
	read_content(r, &result->content, NULL, json_get(j, S("content")));
	for (const struct canon_part *p = result->content; p; p = p->next)
		if (p->kind != CANON_PART_TEXT)
			r->out->features |= CANON_HAS(RESULT_MEDIA);
	r->out->features |= CANON_HAS(TOOLS);
}

/* ---- messages ------------------------------------------------------------------------ */

static const struct { struct slice name; enum canon_role role; } roles[] = {
	{ S_INIT("system"), CANON_SYSTEM }, { S_INIT("developer"), CANON_DEVELOPER },
	{ S_INIT("user"), CANON_USER }, { S_INIT("assistant"), CANON_ASSISTANT },
	{ S_INIT("tool"), CANON_TOOL }, { S_INIT("function"), CANON_TOOL },
};

static struct canon_message *read_message(struct request_reading *r, struct canon_message *last,
					  const struct json *j)
{
	const struct json *role = json_get(j, S("role")), *name = json_get(j, S("name"));
	size_t i = 0;

	while (role && i < COUNT_OF(roles) && !json_string_eq(role->raw, roles[i].name))
		i++;
	if (!role || i == COUNT_OF(roles)) {
		request_refuse(r, "a message's \"role\" must be system, developer, user, assistant or tool");
		return last;
	}
	last = canon_add_message(r->arena, r->out, last, roles[i].role);
	if (last->role == CANON_SYSTEM || last->role == CANON_DEVELOPER)
		r->out->features |= CANON_HAS(SYSTEM);
	if (name && name->type == JSON_STRING && last->role != CANON_TOOL) {
		last->name = name->raw;
		r->out->features |= CANON_HAS(NAMES);
	}
	if (last->role == CANON_TOOL)
		read_result(r, last, j);
	else if (last->role == CANON_ASSISTANT)
		read_assistant(r, last, j);
	else
		read_content(r, &last->parts, NULL, json_get(j, S("content")));
	return last;
}

static void read_messages(struct request_reading *r, const struct json *messages)
{
	struct canon_message *last = NULL;

	if (messages->type != JSON_ARRAY) {
		request_refuse(r, "\"messages\" must be a list");
		return;
	}
	for (const struct json *j = messages->first; j; j = j->next)
		last = read_message(r, last, j);
	if (last && last->role == CANON_ASSISTANT)
		r->out->features |= CANON_HAS(PREFILL);
}

/* ---- tools ------------------------------------------------------------------------------ */

void openai_read_function(struct request_reading *r, struct canon_tool *tool,
			  const struct json *function)
{
	const struct json *name = json_get(function, S("name")), *strict = json_get(function, S("strict"));
	const struct json *description = json_get(function, S("description"));
	const struct json *parameters = json_get(function, S("parameters"));

	if (!name || name->type != JSON_STRING) {
		request_refuse(r, "a tool's function needs a \"name\"");
		return;
	}
	tool->name = name->raw;
	tool->description = description && description->type == JSON_STRING ? description->raw : SLICE_NONE;
	tool->parameters = parameters && parameters->type == JSON_OBJECT ? parameters->raw : SLICE_NONE;
	if (strict && strict->type == JSON_TRUE) {
		tool->strict = 1;
		r->out->features |= CANON_HAS(STRICT_TOOLS);
	} else if (strict && strict->type == JSON_FALSE) {
		tool->strict = 0;
	}
}

static void read_custom(struct request_reading *r, struct canon_tool *tool, const struct json *custom)
{
	const struct json *name = json_get(custom, S("name"));
	const struct json *description = json_get(custom, S("description"));
	const struct json *format = json_get(custom, S("format"));

	r->out->features |= CANON_HAS(CUSTOM_TOOLS);
	tool->custom = true;
	if (!name || name->type != JSON_STRING) {
		request_refuse(r, "a custom tool needs a \"name\"");
		return;
	}
	tool->name = name->raw;
	tool->description = description ? description->raw : SLICE_NONE;
	tool->parameters = format ? format->raw : SLICE_NONE;
}

static void read_tools(struct request_reading *r, const struct json *tools)
{
	struct canon_tool *last = NULL;

	for (const struct json *j = tools->first; j; j = j->next) {
		const struct json *type = json_get(j, S("type"));

		if (type && json_string_eq(type->raw, S("function"))) {
			last = canon_add_tool(r->arena, r->out, last);
			openai_read_function(r, last, json_get(j, S("function")));
		} else if (type && json_string_eq(type->raw, S("custom"))) {
			last = canon_add_tool(r->arena, r->out, last);
			read_custom(r, last, json_get(j, S("custom")));
		} else {
			r->out->features |= CANON_HAS(HOSTED_TOOLS);
		}
	}
	if (last)
		r->out->features |= CANON_HAS(TOOLS);
}

static void read_functions(struct request_reading *r, const struct json *functions)
{
	struct canon_tool *last = NULL;

	for (const struct json *j = functions->first; j; j = j->next) {
		last = canon_add_tool(r->arena, r->out, last);
		openai_read_function(r, last, j);
	}
	if (last)
		r->out->features |= CANON_HAS(TOOLS);
}

/* {"type":"function","function":{"name"}}, flat in Responses, bare in old requests. */
static struct slice named_tool(const struct json *value)
{
	const struct json *inner = json_get(value, S("function"));
	const struct json *name;

	if (!inner)
		inner = json_get(value, S("custom"));
	name = json_get(inner && inner->type == JSON_OBJECT ? inner : value, S("name"));
	return name && name->type == JSON_STRING ? name->raw : SLICE_NONE;
}

void openai_read_tool_choice(struct request_reading *r, const struct json *value)
{
	static const struct { struct slice word; enum canon_choice choice; } words[] = {
		{ S_INIT("auto"), CANON_CHOICE_AUTO }, { S_INIT("none"), CANON_CHOICE_NONE },
		{ S_INIT("required"), CANON_CHOICE_REQUIRED }, { S_INIT("any"), CANON_CHOICE_REQUIRED },
	};

	for (size_t i = 0; i < COUNT_OF(words); i++)
		if (json_string_eq(value->raw, words[i].word))
			r->out->choice = words[i].choice;
	if (value->type == JSON_OBJECT) {
		const struct json *type = json_get(value, S("type"));

		r->out->choice_name = named_tool(value);
		if (r->out->choice_name.len) {
			r->out->choice = CANON_CHOICE_ONE;
		} else if (type && !json_string_eq(type->raw, S("function")) &&
			   !json_string_eq(type->raw, S("custom"))) {
			r->out->choice = CANON_CHOICE_AUTO;      /* allowed_tools, hosted tools */
			request_unknown(r, S("\"tool_choice\""));
		}
	}
	if (r->out->choice == CANON_CHOICE_UNSAID)
		request_refuse(r, "\"tool_choice\" must be auto, none, required or name a function");
	else if (r->out->choice != CANON_CHOICE_AUTO)
		r->out->features |= CANON_HAS(TOOL_CHOICE);
}

/* ---- the shape of the answer ---------------------------------------------------------------- */

void openai_read_schema(struct request_reading *r, const struct json *schema)
{
	const struct json *name = json_get(schema, S("name")), *strict = json_get(schema, S("strict"));
	const struct json *description = json_get(schema, S("description"));
	const struct json *inner = json_get(schema, S("schema"));

	r->out->format = CANON_FORMAT_SCHEMA;
	r->out->features |= CANON_HAS(JSON_SCHEMA);
	r->out->schema_name = name ? name->raw : S("\"answer\"");
	r->out->schema_description = description ? description->raw : SLICE_NONE;
	r->out->schema = inner && inner->type == JSON_OBJECT ? inner->raw : S("{}");
	if (strict && strict->type != JSON_NULL)
		r->out->schema_strict = strict->type == JSON_TRUE;
}

static void read_format(struct request_reading *r, const struct json *format)
{
	const struct json *type = json_get(format, S("type"));

	if (type && json_string_eq(type->raw, S("json_schema"))) {
		openai_read_schema(r, json_get(format, S("json_schema")));
	} else if (type && json_string_eq(type->raw, S("json_object"))) {
		r->out->format = CANON_FORMAT_JSON;
		r->out->features |= CANON_HAS(JSON_MODE);
	} else if (type && json_string_eq(type->raw, S("text"))) {
		r->out->format = CANON_FORMAT_TEXT;
	} else {
		request_unknown(r, S("\"response_format\""));
	}
}

static void read_stop(struct request_reading *r, const struct json *stop)
{
	struct canon_text *last = NULL;

	if (stop->type == JSON_STRING)
		canon_add_text(r->arena, &r->out->stop, NULL, stop->raw);
	else if (stop->type == JSON_ARRAY)
		for (const struct json *j = stop->first; j; j = j->next)
			if (j->type == JSON_STRING)
				last = canon_add_text(r->arena, &r->out->stop, last, j->raw);
	if (r->out->stop)
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

static void read_logprobs(struct request_reading *r, const struct json *value)
{
	r->out->logprobs = value->type == JSON_TRUE;
	if (r->out->logprobs)
		r->out->features |= CANON_HAS(LOGPROBS);
}

static void read_modalities(struct request_reading *r, const struct json *list)
{
	for (const struct json *j = list->first; j; j = j->next) {
		if (json_string_eq(j->raw, S("audio")))
			r->out->features |= CANON_HAS(AUDIO_OUT);
		if (json_string_eq(j->raw, S("image")))
			r->out->features |= CANON_HAS(IMAGE_OUT);
	}
}

static void read_parallel(struct request_reading *r, const struct json *value)
{
	r->out->parallel = value->type == JSON_TRUE;
	/* That several may come is what all are used to. */
	if (value->type == JSON_FALSE)
		r->out->features |= CANON_HAS(PARALLEL);
}

/* ---- thinking ----------------------------------------------------------------------------------- */

static void set_effort(struct request_reading *r, struct slice word)
{
	r->out->effort = word;
	if (word.len)
		r->out->features |= CANON_HAS(EFFORT);
}

static void set_budget(struct request_reading *r, int64_t tokens)
{
	r->out->think_budget = tokens;
	r->out->features |= CANON_HAS(THINK_BUDGET);
}

static void read_effort(struct request_reading *r, const struct json *value)
{
	set_effort(r, json_string(r->arena, value->raw));
}

/* OpenRouter: {"effort", "max_tokens", "enabled", "exclude"}. */
static void read_reasoning(struct request_reading *r, const struct json *value)
{
	const struct json *effort = json_get(value, S("effort")), *tokens = json_get(value, S("max_tokens"));
	const struct json *on = json_get(value, S("enabled"));
	int64_t budget;

	if (effort && effort->type == JSON_STRING)
		set_effort(r, json_string(r->arena, effort->raw));
	else if (tokens && json_i64(tokens->raw, &budget))
		set_budget(r, budget);
	else if (on && on->type == JSON_TRUE)
		set_effort(r, S("medium"));
	else if (on && on->type == JSON_FALSE)
		set_effort(r, S("none"));
}

/* DeepSeek, Moonshot, Zhipu: {"type": "enabled" | "disabled" | "auto"}. */
static void read_thinking_switch(struct request_reading *r, const struct json *value)
{
	const struct json *type = json_get(value, S("type")), *tokens = json_get(value, S("budget_tokens"));
	int64_t budget;

	if (tokens && json_i64(tokens->raw, &budget))
		set_budget(r, budget);
	else if (type && json_string_eq(type->raw, S("disabled")))
		set_effort(r, S("none"));
	else if (type && json_string_eq(type->raw, S("enabled")))
		set_effort(r, S("medium"));
}

static void read_enable_thinking(struct request_reading *r, const struct json *value)
{
	set_effort(r, value->type == JSON_TRUE ? S("medium") : S("none"));
}

/* ---- the whole ------------------------------------------------------------------------------------ */

#define AT(member) offsetof(struct canon_request, member)
#define ROW(name_, take_, member_, feature_) \
	{ S_INIT(name_), TAKE_##take_, AT(member_), feature_, NULL }
#define BY(name_, function_, feature_) { S_INIT(name_), TAKE_BY, 0, feature_, function_ }
#define KNOWN(name_, feature_) { S_INIT(name_), TAKE_NOTHING, 0, feature_, NULL }

static const struct request_member members[] = {
	KNOWN("model", 0), KNOWN("stream", 0), KNOWN("stream_options", 0),
	BY("messages", read_messages, 0),
	BY("tools", read_tools, 0), BY("functions", read_functions, 0),
	BY("tool_choice", openai_read_tool_choice, 0), BY("function_call", openai_read_tool_choice, 0),
	BY("parallel_tool_calls", read_parallel, 0),
	BY("response_format", read_format, 0),
	ROW("temperature", NUMBER, temperature, CANON_HAS(TEMPERATURE)),
	ROW("top_p", NUMBER, top_p, CANON_HAS(TOP_P)),
	ROW("top_k", NUMBER, top_k, CANON_HAS(TOP_K)),
	ROW("min_p", NUMBER, min_p, CANON_HAS(MIN_P)),
	ROW("presence_penalty", NUMBER, presence_penalty, CANON_HAS(PENALTIES)),
	ROW("frequency_penalty", NUMBER, frequency_penalty, CANON_HAS(PENALTIES)),
	ROW("repetition_penalty", NUMBER, repetition_penalty, CANON_HAS(REPETITION)),
	ROW("seed", NUMBER, seed, CANON_HAS(SEED)),
	ROW("random_seed", NUMBER, seed, CANON_HAS(SEED)),              /* Mistral */
	ROW("max_tokens", INTEGER, max_tokens, 0),
	ROW("max_completion_tokens", INTEGER, max_tokens, 0),
	BY("stop", read_stop, 0),
	BY("n", read_choices, 0),
	BY("logprobs", read_logprobs, 0),
	ROW("top_logprobs", INTEGER, top_logprobs, 0),
	ROW("logit_bias", RAW, logit_bias, CANON_HAS(LOGIT_BIAS)),
	BY("reasoning_effort", read_effort, 0),
	BY("reasoning", read_reasoning, 0),
	BY("thinking", read_thinking_switch, 0),
	BY("enable_thinking", read_enable_thinking, 0),
	ROW("thinking_budget", INTEGER, think_budget, CANON_HAS(THINK_BUDGET)),  /* Alibaba */
	ROW("user", STRING, user, CANON_HAS(USER)),
	ROW("safety_identifier", STRING, safety_id, CANON_HAS(USER)),
	ROW("prompt_cache_key", STRING, cache_key, CANON_HAS(CACHE_HINT)),
	KNOWN("prompt_cache_retention", CANON_HAS(CACHE_HINT)),
	ROW("metadata", RAW, metadata, CANON_HAS(METADATA)),
	ROW("service_tier", WORD, service_tier, CANON_HAS(SERVICE_TIER)),
	ROW("store", SWITCH, store, CANON_HAS(STORE)),
	ROW("verbosity", WORD, verbosity, CANON_HAS(VERBOSITY)),
	KNOWN("prediction", CANON_HAS(PREDICTION)),
	BY("modalities", read_modalities, 0),
	KNOWN("audio", CANON_HAS(AUDIO_OUT)),
	KNOWN("web_search_options", CANON_HAS(HOSTED_TOOLS)),
	KNOWN("guided_json", CANON_HAS(GRAMMAR)), KNOWN("guided_regex", CANON_HAS(GRAMMAR)),
	KNOWN("guided_choice", CANON_HAS(GRAMMAR)), KNOWN("guided_grammar", CANON_HAS(GRAMMAR)),
	KNOWN("structured_outputs", CANON_HAS(GRAMMAR)), KNOWN("grammar", CANON_HAS(GRAMMAR)),
	KNOWN("safety_settings", CANON_HAS(SAFETY)), KNOWN("safe_prompt", CANON_HAS(SAFETY)),
};

static bool is_zero(struct slice number)
{
	for (size_t i = 0; i < number.len; i++)
		if (number.at[i] != '0' && number.at[i] != '.' && number.at[i] != '-')
			return false;
	return true;
}

/* Frameworks like to spell out what is so anyway. */
static void forget_defaults(struct canon_request *r)
{
	if (is_zero(r->presence_penalty) && is_zero(r->frequency_penalty)) {
		r->presence_penalty = r->frequency_penalty = SLICE_NONE;
		r->features &= ~CANON_HAS(PENALTIES);
	}
	if (slice_eq(slice_trim(r->logit_bias), S("{}"))) {
		r->logit_bias = SLICE_NONE;
		r->features &= ~CANON_HAS(LOGIT_BIAS);
	}
	if (r->choice != CANON_CHOICE_UNSAID && !r->tools && !(r->features & CANON_HAS(HOSTED_TOOLS))) {
		r->choice = CANON_CHOICE_UNSAID;
		r->features &= ~CANON_HAS(TOOL_CHOICE);
	}
}

enum fault openai_chat_read_request(struct arena *arena, struct slice body,
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
	forget_defaults(r.out);
	if (!r.refused && !r.out->messages)
		request_refuse(&r, "\"messages\" must hold at least one message");
	arena_free(tree);
	*out = r.out;
	return r.refused ? FAULT_CALLER : FAULT_NONE;
}
