/* gemini_read.c: a request of a client of the Gemini API: conversations, counts,
 * embeddings. */
#include "dialect/gemini.h"

#include "base/check.h"
#include "dialect/request_table.h"

#include <stddef.h>

/* A call of the last model's turn that waits for its result. */
struct waiting_call {
	struct waiting_call *next;
	struct canon_part *call;
	bool answered;
};

struct talk {
	struct canon_message *message;
	struct canon_part *part;     /* the message's last */
	struct waiting_call *calls;
	unsigned made_up;            /* ids, so far */
};

static const struct json *get(const struct json *j, const char *name)
{
	const struct json *value = json_get(j, slice_of(name));

	return value && value->type != JSON_NULL ? value : NULL;
}

static struct slice string_of(const struct json *j, const char *name)
{
	const struct json *value = get(j, name);

	return value && value->type == JSON_STRING ? value->raw : SLICE_NONE;
}

static void sets(struct request_reading *r, uint64_t features)
{
	r->out->features |= features;
}

/* Members of `j` that are none of `known` are noted as unknown. */
static void only(struct request_reading *r, const struct json *j, const char *const *known)
{
	for (const struct json *c = j->first; c; c = c->next) {
		size_t i = 0;

		while (known[i] && !json_string_eq(c->key, slice_of(known[i])))
			i++;
		if (!known[i] && c->type != JSON_NULL)
			request_unknown(r, c->key);
	}
}

/* ---- messages ------------------------------------------------------------------------- */

static void turn_to(struct request_reading *r, struct talk *t, enum canon_role role, bool anew)
{
	if (!anew && t->message && t->message->role == role)
		return;
	t->message = canon_add_message(r->arena, r->out, t->message, role);
	t->part = NULL;
}

static struct canon_part *add(struct request_reading *r, struct talk *t, enum canon_part_kind kind)
{
	return t->part = canon_add_part(r->arena, &t->message->parts, t->part, kind);
}

static void take_proof(struct request_reading *r, struct canon_part *p, const struct json *part)
{
	struct slice raw = string_of(part, "thoughtSignature"), vendor;

	if (raw.len <= 2)
		return;
	raw = gemini_proof_read(r->arena, raw, &vendor);
	if (!raw.len)
		return;
	if (slice_starts(vendor, S("sealed-"))) {
		p->encrypted = raw;
		vendor = slice_from(vendor, 7);
	} else {
		p->signature = raw;
	}
	p->vendor = vendor;
	sets(r, CANON_HAS(THINK_PARTS));
}

static enum canon_part_kind kind_of(struct request_reading *r, struct slice mime, bool by_url)
{
	if (slice_starts(mime, S("image/"))) {
		sets(r, by_url ? CANON_HAS(IMAGE_URL) : CANON_HAS(IMAGE_DATA));
		return CANON_PART_IMAGE;
	}
	if (slice_starts(mime, S("audio/"))) {
		sets(r, CANON_HAS(AUDIO_IN));
		return CANON_PART_AUDIO;
	}
	if (slice_starts(mime, S("video/"))) {
		sets(r, CANON_HAS(VIDEO));
		return CANON_PART_VIDEO;
	}
	sets(r, by_url ? CANON_HAS(DOCUMENT_URL) : CANON_HAS(DOCUMENT_DATA));
	return CANON_PART_DOCUMENT;
}

/* {"mimeType","data"} */
static void read_blob(struct request_reading *r, struct canon_part **list, struct canon_part **last,
		      const struct json *blob)
{
	struct slice mime = json_string(r->arena, string_of(blob, "mimeType"));
	struct slice data = json_string(r->arena, string_of(blob, "data"));

	if (!mime.len || !data.len) {
		request_refuse(r, "\"inlineData\" needs a \"mimeType\" and \"data\"");
		return;
	}
	*last = canon_add_part(r->arena, list, *last, kind_of(r, mime, false));
	(*last)->media.mime = mime;
	(*last)->media.data = gemini_base64(r->arena, data);
	(*last)->media.name = string_of(blob, "displayName");
}

/* Files that were uploaded to Google, or lie in its storage, nobody else can read. */
static bool is_googles(struct slice uri)
{
	return slice_starts(uri, S("gs://")) || slice_starts(uri, S("files/")) ||
	       slice_find_slice(uri, S("googleapis.com/")) != SLICE_NOT_FOUND ||
	       slice_find_slice(uri, S("youtube.com/")) != SLICE_NOT_FOUND ||
	       slice_find_slice(uri, S("youtu.be/")) != SLICE_NOT_FOUND;
}

static void read_file(struct request_reading *r, struct canon_part **list, struct canon_part **last,
		      const struct json *file)
{
	struct slice mime = json_string(r->arena, string_of(file, "mimeType"));
	struct slice raw = string_of(file, "fileUri"), uri = json_string(r->arena, raw);
	uint64_t before = r->out->features;
	enum canon_part_kind kind;

	if (!uri.len) {
		request_refuse(r, "\"fileData\" needs a \"fileUri\"");
		return;
	}
	kind = kind_of(r, mime, true);
	*last = canon_add_part(r->arena, list, *last, kind);
	(*last)->media.mime = mime;
	if (is_googles(uri)) {
		r->out->features = before | CANON_HAS(FILE_ID);
		(*last)->media.file_id = raw;
	} else {
		(*last)->media.url = raw;
	}
}

/* ---- calls and results -------------------------------------------------------------------- */

static void read_call(struct request_reading *r, struct talk *t, const struct json *call,
		      const struct json *part)
{
	struct canon_part *p = add(r, t, CANON_PART_CALL);
	struct waiting_call *w = arena_new(r->arena, struct waiting_call), **at = &t->calls;
	const struct json *args = get(call, "args");

	p->id = string_of(call, "id");
	if (p->id.len <= 2)
		p->id = arena_printf(r->arena, "\"call_%u\"", ++t->made_up);
	p->name = string_of(call, "name");
	if (p->name.len <= 2)
		request_refuse(r, "a \"functionCall\" needs a \"name\"");
	p->arguments = args && args->type == JSON_OBJECT ? args->raw : S("{}");
	take_proof(r, p, part);
	sets(r, CANON_HAS(TOOLS));
	w->call = p;
	while (*at)
		at = &(*at)->next;
	*at = w;
}

/* Which call a result is of: by its id, else the first of that name that waits. */
static struct waiting_call *call_of(const struct talk *t, struct slice id, struct slice name)
{
	for (struct waiting_call *w = t->calls; w; w = w->next)
		if (id.len > 2 && !w->answered && slice_eq(w->call->id, id))
			return w;
	for (struct waiting_call *w = t->calls; w; w = w->next)
		if (!w->answered && slice_eq(w->call->name, name))
			return w;
	return NULL;
}

/* {"output": "text"} and {"error": "text"} are the text itself; whatever else it
 * is, it is told as JSON. */
static struct slice result_text(struct request_reading *r, const struct json *response, bool *failed)
{
	struct slice output = string_of(response, "output"), error = string_of(response, "error");

	*failed = get(response, "error") != NULL;
	if (response && response->count == 1 && (output.len || error.len))
		return output.len ? output : error;
	return canon_quote(r->arena, canon_arguments_object(r->arena, response ? response->raw : SLICE_NONE,
							    false));
}

static void read_result(struct request_reading *r, struct talk *t, const struct json *result)
{
	const struct json *parts = get(result, "parts");
	struct slice id = string_of(result, "id"), name = string_of(result, "name");
	struct waiting_call *w = call_of(t, id, name);
	struct canon_part *p, *last;

	turn_to(r, t, CANON_TOOL, true);
	p = add(r, t, CANON_PART_RESULT);
	p->name = name;
	p->id = w ? w->call->id : id.len > 2 ? id
			       : arena_printf(r->arena, "\"call_%u\"", ++t->made_up);
	if (w)
		w->answered = true;
	if (name.len <= 2 && !w)
		request_refuse(r, "a \"functionResponse\" needs a \"name\"");
	last = canon_add_part(r->arena, &p->content, NULL, CANON_PART_TEXT);
	last->text = result_text(r, get(result, "response"), &p->is_error);
	if (p->is_error)
		sets(r, CANON_HAS(TOOL_ERRORS));
	for (const struct json *j = parts ? parts->first : NULL; j; j = j->next) {
		sets(r, CANON_HAS(RESULT_MEDIA));
		if (get(j, "inlineData"))
			read_blob(r, &p->content, &last, get(j, "inlineData"));
		else if (get(j, "fileData"))
			read_file(r, &p->content, &last, get(j, "fileData"));
	}
	sets(r, CANON_HAS(TOOLS));
}

/* ---- parts ------------------------------------------------------------------------------------ */

/* An empty text has a signature at times, and then is its bearer. */
static void read_text(struct request_reading *r, struct talk *t, const struct json *text,
		      const struct json *part)
{
	const struct json *thought = get(part, "thought");
	bool thinks = thought && thought->type == JSON_TRUE, signs = string_of(part, "thoughtSignature").len > 2;
	struct canon_part *p;

	if (text->type != JSON_STRING) {
		request_refuse(r, "a part's \"text\" must be a string");
		return;
	}
	if (thinks || (signs && text->raw.len <= 2)) {
		p = add(r, t, CANON_PART_REASONING);
		if (text->raw.len > 2)
			p->text = text->raw;
		take_proof(r, p, part);
		return;
	}
	p = add(r, t, CANON_PART_TEXT);
	p->text = text->raw;
	take_proof(r, p, part);
}

static void read_part(struct request_reading *r, struct talk *t, enum canon_role role,
		      const struct json *part)
{
	static const char *const known[] = {
		"text", "thought", "thoughtSignature", "inlineData", "fileData", "functionCall",
		"functionResponse", "executableCode", "codeExecutionResult", "videoMetadata",
		"mediaResolution", "partMetadata", NULL,
	};

	if (part->type != JSON_OBJECT) {
		request_refuse(r, "a part of a content must be an object");
		return;
	}
	only(r, part, known);
	if (get(part, "functionResponse")) {
		read_result(r, t, get(part, "functionResponse"));
		return;
	}
	turn_to(r, t, role, t->message && t->message->role == CANON_TOOL);
	if (get(part, "text"))
		read_text(r, t, get(part, "text"), part);
	else if (get(part, "inlineData"))
		read_blob(r, &t->message->parts, &t->part, get(part, "inlineData"));
	else if (get(part, "fileData"))
		read_file(r, &t->message->parts, &t->part, get(part, "fileData"));
	else if (get(part, "functionCall"))
		read_call(r, t, get(part, "functionCall"), part);
	else if (get(part, "executableCode") || get(part, "codeExecutionResult"))
		sets(r, CANON_HAS(HOSTED_TOOLS));
	if (get(part, "mediaResolution"))
		sets(r, CANON_HAS(IMAGE_DETAIL));
	if (get(part, "videoMetadata"))
		request_unknown(r, S("\"videoMetadata\""));
}

/* A content's parts; one that is a string is what the API's libraries allow. */
static void read_parts(struct request_reading *r, struct talk *t, enum canon_role role,
		       const struct json *content)
{
	const struct json *parts = content->type == JSON_OBJECT ? get(content, "parts") : content;

	if (!parts)
		return;
	if (parts->type == JSON_OBJECT) {        /* one, without its list */
		read_part(r, t, role, parts);
		return;
	}
	if (parts->type != JSON_ARRAY) {
		request_refuse(r, "a content's \"parts\" must be a list");
		return;
	}
	for (const struct json *j = parts->first; j; j = j->next)
		read_part(r, t, role, j);
}

static void read_content(struct request_reading *r, struct talk *t, const struct json *content)
{
	static const char *const known[] = { "role", "parts", NULL };
	const struct json *role = get(content, "role");
	bool model = role && json_string_eq(role->raw, S("model"));

	if (content->type != JSON_OBJECT) {
		request_refuse(r, "an element of \"contents\" must be an object with \"parts\"");
		return;
	}
	only(r, content, known);
	if (role && !model && !json_string_eq(role->raw, S("user")) &&
	    !json_string_eq(role->raw, S("function")) && !json_string_eq(role->raw, S("tool")) &&
	    role->raw.len > 2)
		request_refuse(r, "a content's \"role\" must be \"user\" or \"model\"");
	/* Results follow their calls: what is called in a new turn is called anew. */
	if (model)
		t->calls = NULL;
	if (t->message)
		turn_to(r, t, model ? CANON_ASSISTANT : CANON_USER, false);
	read_parts(r, t, model ? CANON_ASSISTANT : CANON_USER, content);
}

static bool ends_in_call(const struct canon_message *m)
{
	for (const struct canon_part *p = m->parts; p; p = p->next)
		if (p->kind == CANON_PART_CALL)
			return true;
	return false;
}

/* turn_to() may have begun messages that stayed empty. */
static void drop_empty(struct canon_request *out)
{
	struct canon_message **at = &out->messages;

	while (*at)
		if (!(*at)->parts)
			*at = (*at)->next;
		else
			at = &(*at)->next;
}

static void read_contents(struct request_reading *r, const struct json *body)
{
	const struct json *system = get(body, "systemInstruction"), *contents = get(body, "contents");
	struct talk t = { .message = NULL };
	const struct canon_message *last;

	if (system) {
		turn_to(r, &t, CANON_SYSTEM, true);
		if (system->type == JSON_STRING) {
			add(r, &t, CANON_PART_TEXT)->text = system->raw;
		} else {
			read_parts(r, &t, CANON_SYSTEM, system);
		}
		sets(r, CANON_HAS(SYSTEM));
	}
	if (contents && contents->type == JSON_OBJECT)
		read_content(r, &t, contents);
	else if (contents && contents->type == JSON_ARRAY)
		for (const struct json *j = contents->first; j; j = j->next)
			read_content(r, &t, j);
	else
		request_refuse(r, "\"contents\" must be a list of contents");
	drop_empty(r->out);
	for (last = r->out->messages; last && last->next; last = last->next)
		;
	if (!last || last->role == CANON_SYSTEM)
		request_refuse(r, "\"contents\" has nothing in it");
	else if (last->role == CANON_ASSISTANT && !ends_in_call(last))
		sets(r, CANON_HAS(PREFILL));
}

/* ---- tools ------------------------------------------------------------------------------------------ */

static struct canon_tool *read_function(struct request_reading *r, struct canon_tool *last,
					const struct json *f)
{
	static const char *const known[] = {
		"name", "description", "parameters", "parametersJsonSchema", "response",
		"responseJsonSchema", "behavior", NULL,
	};
	const struct json *schema = get(f, "parametersJsonSchema"), *parameters = get(f, "parameters");

	only(r, f, known);
	last = canon_add_tool(r->arena, r->out, last);
	last->name = string_of(f, "name");
	if (last->name.len <= 2)
		request_refuse(r, "a function declaration needs a \"name\"");
	last->description = string_of(f, "description");
	if (schema && schema->type == JSON_OBJECT)
		last->parameters = schema->raw;
	else if (parameters && parameters->type == JSON_OBJECT)
		last->parameters = gemini_to_json_schema(r->arena, parameters->raw);
	sets(r, CANON_HAS(TOOLS));
	return last;
}

static void read_tools(struct request_reading *r, const struct json *tools)
{
	struct canon_tool *last = NULL;

	for (const struct json *j = tools->first; j; j = j->next) {
		const struct json *functions = get(j, "functionDeclarations");

		/* Search, code, maps: the vendor's own. */
		if (j->type == JSON_OBJECT && j->count > (functions ? 1u : 0u))
			sets(r, CANON_HAS(HOSTED_TOOLS));
		if (functions && functions->type == JSON_ARRAY)
			for (const struct json *f = functions->first; f; f = f->next)
				last = read_function(r, last, f);
	}
}

static void hold_to_schemas(struct request_reading *r)
{
	for (struct canon_tool *t = r->out->tools; t; t = t->next)
		t->strict = 1;
	if (r->out->tools)
		sets(r, CANON_HAS(STRICT_TOOLS));
}

static void read_allowed(struct request_reading *r, const struct json *names)
{
	size_t all = 0;

	for (const struct canon_tool *t = r->out->tools; t; t = t->next)
		all++;
	if (names->count == 1) {
		r->out->choice = CANON_CHOICE_ONE;
		r->out->choice_name = names->first->raw;
	} else if (names->count < all) {
		request_unknown(r, S("\"allowedFunctionNames\""));
	}
}

static void read_tool_config(struct request_reading *r, const struct json *config)
{
	static const char *const known[] = { "functionCallingConfig", NULL };
	const struct json *calling = get(config, "functionCallingConfig");
	const struct json *mode = get(calling, "mode"), *names = get(calling, "allowedFunctionNames");

	only(r, config, known);
	if (!mode)
		return;
	if (json_string_eq(mode->raw, S("ANY")))
		r->out->choice = CANON_CHOICE_REQUIRED;
	else if (json_string_eq(mode->raw, S("NONE")))
		r->out->choice = CANON_CHOICE_NONE;
	else if (json_string_eq(mode->raw, S("AUTO")) || json_string_eq(mode->raw, S("VALIDATED")))
		r->out->choice = CANON_CHOICE_AUTO;
	if (json_string_eq(mode->raw, S("VALIDATED")))
		hold_to_schemas(r);
	if (names && names->type == JSON_ARRAY && names->count && r->out->choice == CANON_CHOICE_REQUIRED)
		read_allowed(r, names);
	sets(r, CANON_HAS(TOOL_CHOICE));
}

/* ---- generationConfig ------------------------------------------------------------------------------ */

static void read_stop(struct request_reading *r, const struct json *list)
{
	struct canon_text *last = NULL;

	for (const struct json *j = list->first; j; j = j->next)
		if (j->type == JSON_STRING)
			last = canon_add_text(r->arena, &r->out->stop, last, j->raw);
	if (last)
		sets(r, CANON_HAS(STOP));
}

static void read_candidates(struct request_reading *r, const struct json *count)
{
	int64_t n;

	if (!json_i64(count->raw, &n) || n < 1 || n > GEMINI_CHOICES_MAX) {
		request_refuse(r, "\"candidateCount\" must be a number from 1 to %d", GEMINI_CHOICES_MAX);
		return;
	}
	r->out->choices = (unsigned)n;
	if (n > 1)
		sets(r, CANON_HAS(CHOICES));
}

static void read_mime(struct request_reading *r, const struct json *mime)
{
	if (json_string_eq(mime->raw, S("application/json"))) {
		if (r->out->format != CANON_FORMAT_SCHEMA)
			r->out->format = CANON_FORMAT_JSON;
		sets(r, CANON_HAS(JSON_MODE));
	} else if (!json_string_eq(mime->raw, S("text/plain"))) {
		sets(r, CANON_HAS(GRAMMAR));         /* text/x.enum */
	}
}

static void set_schema(struct request_reading *r, struct slice schema)
{
	r->out->format = CANON_FORMAT_SCHEMA;
	r->out->schema = schema;
	r->out->schema_strict = 1;
	sets(r, CANON_HAS(JSON_SCHEMA));
}

static void read_schema(struct request_reading *r, const struct json *schema)
{
	set_schema(r, gemini_to_json_schema(r->arena, schema->raw));
}

static void read_json_schema(struct request_reading *r, const struct json *schema)
{
	set_schema(r, schema->raw);
}

static void read_modalities(struct request_reading *r, const struct json *list)
{
	for (const struct json *j = list->first; j; j = j->next) {
		if (json_string_eq(j->raw, S("AUDIO")))
			sets(r, CANON_HAS(AUDIO_OUT));
		if (json_string_eq(j->raw, S("IMAGE")))
			sets(r, CANON_HAS(IMAGE_OUT));
	}
}

static void read_level(struct request_reading *r, struct slice level)
{
	static const struct { struct slice word, effort; } levels[] = {
		{ S_INIT("MINIMAL"), S_INIT("minimal") }, { S_INIT("LOW"), S_INIT("low") },
		{ S_INIT("MEDIUM"), S_INIT("medium") }, { S_INIT("HIGH"), S_INIT("high") },
		{ S_INIT("XHIGH"), S_INIT("xhigh") },
	};

	for (size_t i = 0; i < COUNT_OF(levels); i++)
		if (slice_eq_nocase(level, levels[i].word)) {
			r->out->effort = levels[i].effort;
			sets(r, CANON_HAS(EFFORT));
		}
}

static void read_thinking(struct request_reading *r, const struct json *config)
{
	static const char *const known[] = { "thinkingBudget", "thinkingLevel", "includeThoughts", NULL };
	const struct json *budget = get(config, "thinkingBudget"), *show = get(config, "includeThoughts");
	int64_t n;

	only(r, config, known);
	read_level(r, json_string(r->arena, string_of(config, "thinkingLevel")));
	if (budget && json_i64(budget->raw, &n)) {
		if (n < 0)
			r->out->think_auto = true;
		else
			r->out->think_budget = n;
		sets(r, CANON_HAS(THINK_BUDGET));
	}
	if (show && show->type == JSON_TRUE) {
		r->out->summary = S("auto");
		sets(r, CANON_HAS(SUMMARY));
	}
}

#define AT(member) offsetof(struct canon_request, member)
#define ROW(name_, take_, member_, feature_) \
	{ .name = S_INIT(name_), .take = TAKE_##take_, .offset = AT(member_), .feature = feature_ }
#define BY(name_, by_, feature_) \
	{ .name = S_INIT(name_), .take = TAKE_BY, .feature = feature_, .by = by_ }

static void read_logprobs(struct request_reading *r, const struct json *on)
{
	r->out->logprobs = on->type == JSON_TRUE;
	if (r->out->logprobs)
		sets(r, CANON_HAS(LOGPROBS));
}

static void ignore(struct request_reading *r, const struct json *value)
{
	(void)r;
	(void)value;
}

static const struct request_member config_rows[] = {
	ROW("temperature", NUMBER, temperature, CANON_HAS(TEMPERATURE)),
	ROW("topP", NUMBER, top_p, CANON_HAS(TOP_P)),
	ROW("topK", NUMBER, top_k, CANON_HAS(TOP_K)),
	ROW("maxOutputTokens", INTEGER, max_tokens, 0),
	ROW("seed", NUMBER, seed, CANON_HAS(SEED)),
	ROW("presencePenalty", NUMBER, presence_penalty, CANON_HAS(PENALTIES)),
	ROW("frequencyPenalty", NUMBER, frequency_penalty, CANON_HAS(PENALTIES)),
	ROW("logprobs", INTEGER, top_logprobs, 0),
	BY("responseLogprobs", read_logprobs, 0),
	BY("candidateCount", read_candidates, 0),
	BY("stopSequences", read_stop, 0),
	BY("responseMimeType", read_mime, 0),
	BY("responseSchema", read_schema, 0),
	BY("responseJsonSchema", read_json_schema, 0),
	BY("_responseJsonSchema", read_json_schema, 0),
	BY("responseModalities", read_modalities, 0),
	BY("thinkingConfig", read_thinking, 0),
	BY("mediaResolution", ignore, CANON_HAS(IMAGE_DETAIL)),
	BY("speechConfig", ignore, CANON_HAS(AUDIO_OUT)),
	BY("imageConfig", ignore, CANON_HAS(IMAGE_OUT)),
	BY("audioTimestamp", ignore, CANON_HAS(AUDIO_IN)),
	BY("enableEnhancedCivicAnswers", ignore, CANON_HAS(SAFETY)),
};

static void read_config(struct request_reading *r, const struct json *config)
{
	if (config->type != JSON_OBJECT) {
		request_refuse(r, "\"generationConfig\" must be an object");
		return;
	}
	request_members(r, config, config_rows, COUNT_OF(config_rows));
	/* A schema without the type that goes with it is refused by the API, too. */
	if (r->out->format == CANON_FORMAT_SCHEMA)
		r->out->features &= ~CANON_HAS(JSON_MODE);
}

/* ---- the whole ----------------------------------------------------------------------------------------- */

static void read_service_tier(struct request_reading *r, const struct json *tier)
{
	(void)tier;
	sets(r, CANON_HAS(SERVICE_TIER));
}

static const struct request_member rows[] = {
	BY("contents", ignore, 0),
	BY("systemInstruction", ignore, 0),
	BY("model", ignore, 0),
	BY("tools", read_tools, 0),
	BY("toolConfig", ignore, 0),
	BY("generationConfig", read_config, 0),
	BY("safetySettings", ignore, CANON_HAS(SAFETY)),
	BY("cachedContent", ignore, CANON_HAS(STATE)),
	BY("serviceTier", read_service_tier, 0),
	ROW("labels", RAW, metadata, CANON_HAS(METADATA)),
	ROW("store", SWITCH, store, CANON_HAS(STORE)),
};

static void read_body(struct request_reading *r, const struct json *body)
{
	request_members(r, body, rows, COUNT_OF(rows));
	read_contents(r, body);
	/* After the tools, which it names. */
	if (get(body, "toolConfig"))
		read_tool_config(r, get(body, "toolConfig"));
}

static enum fault begin(struct arena *arena, struct slice body, const struct request_facts *facts,
			enum canon_task task, struct request_reading *r, struct slice *why,
			struct json **root)
{
	enum json_result result;

	*r = (struct request_reading){ .arena = arena, .out = canon_request_new(arena), .why = why };
	*root = json_parse(arena, body, &result, NULL);
	if (!*root || (*root)->type != JSON_OBJECT) {
		*why = arena_printf(arena, "the request body could not be read: %s",
				    *root ? "it is no object" : json_result_text(result));
		return FAULT_CALLER;
	}
	gemini_camel_case(arena, *root);
	r->out->task = task;
	r->out->model = facts->model;
	r->out->stream = facts->stream;
	r->out->include_usage = true;
	return FAULT_NONE;
}

enum fault gemini_codec_read_request(struct arena *arena, struct slice body,
				     const struct request_facts *facts,
				     struct canon_request **out, struct slice *why)
{
	struct request_reading r;
	struct json *root;
	enum fault fault = begin(arena, body, facts, CANON_CHAT, &r, why, &root);

	if (fault != FAULT_NONE)
		return fault;
	read_body(&r, root);
	*out = r.out;
	return r.refused ? FAULT_CALLER : FAULT_NONE;
}

/* {"contents"}, or {"generateContentRequest": {…}} with all that would be asked. */
enum fault gemini_count_read_request(struct arena *arena, struct slice body,
				     const struct request_facts *facts,
				     struct canon_request **out, struct slice *why)
{
	const struct json *inner;
	struct request_reading r;
	struct json *root;
	enum fault fault = begin(arena, body, facts, CANON_COUNT, &r, why, &root);

	if (fault != FAULT_NONE)
		return fault;
	inner = get(root, "generateContentRequest");
	read_body(&r, inner && inner->type == JSON_OBJECT ? inner : root);
	*out = r.out;
	return r.refused ? FAULT_CALLER : FAULT_NONE;
}
