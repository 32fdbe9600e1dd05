/* anthropic_write.c: a request, written for the Messages API. Which generation
 * of models takes what: platform.claude.com/docs/en/about-claude/models
 * (overview, migration guides), build-with-claude (adaptive thinking, effort,
 * extended thinking, structured outputs). */
#include "dialect/anthropic.h"

#include "base/check.h"
#include "dialect/json_make.h"
#include "dialect/losses.h"
#include "dialect/vendor.h"

struct writing {
	struct json_make m;
	struct arena *arena;
	const struct canon_request *r;
	const struct codec_target *target;
	unsigned version;            /* anthropic_version() */
	struct anthropic_plan plan;  /* of its thinking */
};

/* ---- models ----------------------------------------------------------------------- */

/* The next number of a name; false where there is none. */
static bool next_number(struct slice *rest, uint64_t *out)
{
	size_t from = 0, to;

	while (from < rest->len && (rest->at[from] < '0' || rest->at[from] > '9'))
		from++;
	for (to = from; to < rest->len && rest->at[to] >= '0' && rest->at[to] <= '9';)
		to++;
	if (!slice_to_u64(slice_sub(*rest, from, to), out))
		return false;
	*rest = slice_from(*rest, to);
	return true;
}

unsigned anthropic_version(struct slice model)
{
	size_t at = slice_find_slice(model, S("claude"));
	uint64_t major, minor;
	struct slice rest;

	if (at == SLICE_NOT_FOUND)
		return 0;
	rest = slice_from(model, at);
	if (!next_number(&rest, &major) || major > 99)
		return 0;
	/* What follows is the minor version, or already the date. */
	if (rest.len < 2 || (rest.at[0] != '-' && rest.at[0] != '.') || rest.at[1] < '0' ||
	    rest.at[1] > '9' || !next_number(&rest, &minor) || minor > 9)
		minor = 0;
	return (unsigned)(10 * major + minor);
}

static bool may_say(const struct writing *w, uint64_t feature)
{
	return ((w->target->vendor->lacks | anthropic_model_lacks(w->target->model)) & feature) == 0;
}

/* ---- blocks ------------------------------------------------------------------------- */

static void put_cache_control(struct json_make *m, bool here, struct slice ttl)
{
	if (!here)
		return;
	make_object(m, "cache_control");
	make_text(m, "type", S("ephemeral"));
	make_word(m, "ttl", ttl);
	make_object_end(m);
}

/* Blocks of nothing but space are refused. */
static bool is_blank(struct slice raw)
{
	struct slice inside = canon_inside(raw);

	for (size_t i = 0; i < inside.len; i++) {
		char c = inside.at[i];

		if (c == '\\' && i + 1 < inside.len && (inside.at[i + 1] == 'n' || inside.at[i + 1] == 't' ||
							inside.at[i + 1] == 'r'))
			i++;
		else if (c != ' ')
			return false;
	}
	return true;
}

static void put_media(struct writing *w, const struct canon_part *p, struct slice mime)
{
	struct json_make *m = &w->m;
	const struct canon_media *media = &p->media;

	make_object(m, "source");
	if (media->data.len) {
		make_text(m, "type", S("base64"));
		make_text(m, "media_type", media->mime.len ? media->mime : mime);
		make_string(m, "data");
		make_string_piece(m, arena_printf(w->arena, "\"%.*s\"", SLICE_ARG(media->data)));
		make_string_end(m);
	} else if (media->file_id.len) {
		make_text(m, "type", S("file"));
		make_raw(m, "file_id", media->file_id);
	} else if (p->text.len) {
		make_text(m, "type", S("text"));
		make_text(m, "media_type", S("text/plain"));
		make_raw(m, "data", p->text);
	} else {
		make_text(m, "type", S("url"));
		make_raw(m, "url", media->url.len ? media->url : S("\"\""));
	}
	make_object_end(m);
}

static bool is_text_mime(struct slice mime)
{
	return slice_starts_nocase(mime, S("text/"));
}

/* A text file in base64 is a text here. */
static bool decode_text(struct writing *w, const struct canon_part *p, struct slice *out)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	struct slice data = p->media.data, alphabet = { letters, 64 };
	char *text = arena_alloc(w->arena, data.len / 4 * 3 + 3);
	size_t len = 0, bits = 0;
	uint32_t held = 0;

	for (size_t i = 0; i < data.len && data.at[i] != '='; i++) {
		size_t value = slice_find(alphabet, data.at[i]);

		if (data.at[i] == '\\')          /* "\/" */
			continue;
		if (value == SLICE_NOT_FOUND)
			return false;
		held = held << 6 | (uint32_t)value;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			text[len++] = (char)(held >> bits & 0xff);
		}
	}
	*out = canon_quote(w->arena, (struct slice){ text, len });
	return true;
}

static void put_document(struct writing *w, const struct canon_part *p)
{
	struct json_make *m = &w->m;
	struct canon_part as_text = *p;

	if (p->media.data.len && is_text_mime(p->media.mime) && decode_text(w, p, &as_text.text)) {
		as_text.media.data = SLICE_NONE;
		p = &as_text;
	}
	make_text(m, "type", S("document"));
	put_media(w, p, S("application/pdf"));
	make_given(m, "title", p->media.name);
	if (p->citations) {
		make_object(m, "citations");
		make_bool(m, "enabled", true);
		make_object_end(m);
	}
}

/* Only letters, digits, "_" and "-" may stand in the id of a call. */
static struct slice call_id(struct writing *w, struct slice raw)
{
	struct slice text = json_string(w->arena, raw);
	char *id = arena_cstring(w->arena, text);

	for (size_t i = 0; i < text.len; i++) {
		char c = id[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      c == '_' || c == '-'))
			id[i] = '_';
	}
	return (struct slice){ id, text.len };
}

static void put_call(struct writing *w, const struct canon_part *p)
{
	struct json_make *m = &w->m;

	make_text(m, "type", S("tool_use"));
	make_text(m, "id", call_id(w, p->id.len ? p->id : p->name));
	make_raw(m, "name", p->name);
	make_raw(m, "input", canon_arguments_object(w->arena, p->arguments, p->arguments_text));
}

static bool is_foreign(const struct canon_part *p)
{
	return !slice_eq(p->vendor, S("anthropic"));
}

/* Is there a block to write? Thinking of others would be refused, and so would
 * their own without its signature. */
static bool is_said(const struct canon_part *p)
{
	switch (p->kind) {
	case CANON_PART_TEXT: case CANON_PART_REFUSAL:
		return !is_blank(p->text);
	case CANON_PART_REASONING:
		return !is_foreign(p) && (p->encrypted.len || p->signature.len);
	case CANON_PART_AUDIO: case CANON_PART_VIDEO:
		return false;        /* not carried */
	case CANON_PART_IMAGE: case CANON_PART_DOCUMENT: case CANON_PART_CALL:
	case CANON_PART_RESULT:
		break;
	}
	return true;
}

static void put_block(struct writing *w, const struct canon_part *p);

static void put_result(struct writing *w, const struct canon_part *p)
{
	struct json_make *m = &w->m;
	bool any = false;

	make_text(m, "type", S("tool_result"));
	make_text(m, "tool_use_id", call_id(w, p->id.len ? p->id : p->name));
	for (const struct canon_part *c = p->content; c; c = c->next)
		any |= is_said(c);
	if (any) {
		make_array(m, "content");
		for (const struct canon_part *c = p->content; c; c = c->next)
			if (is_said(c))
				put_block(w, c);
		make_array_end(m);
	}
	if (p->is_error)
		make_bool(m, "is_error", true);
}

static void put_text(struct writing *w, const struct canon_part *p)
{
	make_text(&w->m, "type", S("text"));
	make_raw(&w->m, "text", p->text);
	if (p->cited.len && !is_foreign(p))
		make_raw(&w->m, "citations", p->cited);
}

static void put_thinking(struct writing *w, const struct canon_part *p)
{
	if (p->encrypted.len) {
		make_text(&w->m, "type", S("redacted_thinking"));
		make_raw(&w->m, "data", p->encrypted);
		return;
	}
	make_text(&w->m, "type", S("thinking"));
	make_raw(&w->m, "thinking", p->text.len ? p->text : S("\"\""));
	make_raw(&w->m, "signature", p->signature);
}

static void put_block(struct writing *w, const struct canon_part *p)
{
	struct json_make *m = &w->m;

	make_object(m, NULL);
	switch (p->kind) {
	case CANON_PART_TEXT: case CANON_PART_REFUSAL:
		put_text(w, p);
		break;
	case CANON_PART_REASONING:
		put_thinking(w, p);
		break;
	case CANON_PART_IMAGE:
		make_text(m, "type", S("image"));
		put_media(w, p, S("image/png"));
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
	case CANON_PART_AUDIO: case CANON_PART_VIDEO:
		never("is_said() has left it out");
	}
	/* What a hint on thinking would be refused for. */
	if (p->kind != CANON_PART_REASONING)
		put_cache_control(m, p->cache_here, p->cache_ttl);
	make_object_end(m);
}

/* ---- messages ------------------------------------------------------------------------- */

static bool is_instruction(const struct canon_message *m)
{
	return m->role == CANON_SYSTEM || m->role == CANON_DEVELOPER;
}

static bool says_something(const struct canon_message *m)
{
	for (const struct canon_part *p = m->parts; p; p = p->next)
		if (is_said(p))
			return true;
	return false;
}

static void put_parts(struct writing *w, const struct canon_part *parts)
{
	for (const struct canon_part *p = parts; p; p = p->next)
		if (is_said(p))
			put_block(w, p);
}

/* There is one place for instructions: they are gathered there. Without anything
 * else they are what the user says. */
static bool put_system(struct writing *w)
{
	bool any = false, talk = false;

	for (const struct canon_message *m = w->r->messages; m; m = m->next) {
		any |= is_instruction(m) && says_something(m);
		talk |= !is_instruction(m) && says_something(m);
	}
	if (!any || !talk)
		return talk;
	make_array(&w->m, "system");
	for (const struct canon_message *m = w->r->messages; m; m = m->next)
		if (is_instruction(m))
			put_parts(w, m->parts);
	make_array_end(&w->m);
	return true;
}

static void open_message(struct writing *w, struct slice role)
{
	make_object(&w->m, NULL);
	make_text(&w->m, "role", role);
	make_array(&w->m, "content");
}

static void close_message(struct writing *w)
{
	make_array_end(&w->m);
	make_object_end(&w->m);
}

static void put_plain(struct writing *w, struct slice raw)
{
	make_object(&w->m, NULL);
	make_text(&w->m, "type", S("text"));
	make_raw(&w->m, "text", raw);
	make_object_end(&w->m);
}

/* The end of an answer begun must not be space: anthropic_read_event() makes
 * good for it. */
struct slice anthropic_sent(const struct canon_request *r)
{
	struct slice sent = r->sent;

	while (sent.len && slice_find(S(" \t\r\n"), sent.at[sent.len - 1]) != SLICE_NOT_FOUND)
		sent.len--;
	return sent;
}

static bool has_call(const struct canon_message *m)
{
	for (const struct canon_part *p = m->parts; p; p = p->next)
		if (p->kind == CANON_PART_CALL)
			return true;
	return false;
}

/* An answer begun by the client, where the model takes none and the config lets
 * it be lost. */
static bool is_lost_prefill(const struct writing *w, const struct canon_message *m)
{
	return !m->next && m->role == CANON_ASSISTANT && !has_call(m) && !may_say(w, CANON_HAS(PREFILL));
}

/* Messages of one side that follow each other become one: all results of a turn
 * must stand in one message. */
static void put_messages(struct writing *w, bool talk)
{
	const struct canon_request *r = w->r;
	bool rest = r->resume != RESUME_NONE && r->resume != RESUME_REPLAY;
	int open = -1;               /* 1: an assistant's message, 0: a user's */

	make_array(&w->m, "messages");
	for (const struct canon_message *m = r->messages; m; m = m->next) {
		int side = m->role == CANON_ASSISTANT;

		if ((talk && is_instruction(m)) || !says_something(m) || is_lost_prefill(w, m))
			continue;
		if (open != side) {
			if (open >= 0)
				close_message(w);
			open_message(w, side ? S("assistant") : S("user"));
			open = side;
		}
		put_parts(w, m->parts);
	}
	if (rest && open != 1) {
		if (open >= 0)
			close_message(w);
		open_message(w, S("assistant"));
		open = 1;
	}
	if (rest)
		put_plain(w, canon_quote(w->arena, anthropic_sent(r)));
	if (open >= 0)
		close_message(w);
	if (r->resume == RESUME_INSTRUCT) {
		open_message(w, S("user"));
		put_plain(w, S(CANON_GO_ON));
		close_message(w);
	}
	make_array_end(&w->m);
}

/* ---- tools ------------------------------------------------------------------------------ */

static void put_tool(struct writing *w, const struct canon_tool *t)
{
	struct json_make *m = &w->m;

	make_object(m, NULL);
	make_raw(m, "name", t->name);
	make_given(m, "description", t->description);
	make_raw(m, "input_schema",
		 t->parameters.len ? t->parameters : S("{\"type\":\"object\",\"properties\":{}}"));
	if (t->strict == 1 && may_say(w, CANON_HAS(STRICT_TOOLS)))
		make_bool(m, "strict", true);
	put_cache_control(m, t->cache_here, t->cache_ttl);
	make_object_end(m);
}

static bool has_tools(const struct canon_request *r)
{
	for (const struct canon_tool *t = r->tools; t; t = t->next)
		if (!t->custom)
			return true;
	return false;
}

static void put_json_tool(struct json_make *m)
{
	make_object(m, NULL);
	make_text(m, "name", S(ANTHROPIC_JSON_TOOL));
	make_text(m, "description", S("Gives the whole answer to the user as one JSON object, with the members that "
				      "were asked for."));
	make_raw(m, "input_schema", S("{\"type\":\"object\"}"));
	make_object_end(m);
}

/* Either the answer or, where it may, another call. */
static void put_json_choice(struct writing *w)
{
	const struct canon_request *r = w->r;
	bool others = has_tools(r) && r->choice != CANON_CHOICE_NONE;
	struct json_make *m = &w->m;

	make_object(m, "tool_choice");
	make_text(m, "type", others ? S("any") : S("tool"));
	if (!others)
		make_text(m, "name", S(ANTHROPIC_JSON_TOOL));
	if (r->parallel >= 0)
		make_bool(m, "disable_parallel_tool_use", r->parallel == 0);
	make_object_end(m);
}

static void put_choice(struct writing *w)
{
	static const struct slice types[] = {
		[CANON_CHOICE_UNSAID] = S_INIT("auto"), [CANON_CHOICE_AUTO] = S_INIT("auto"),
		[CANON_CHOICE_NONE] = S_INIT("none"), [CANON_CHOICE_REQUIRED] = S_INIT("any"),
		[CANON_CHOICE_ONE] = S_INIT("tool"),
	};
	const struct canon_request *r = w->r;
	struct json_make *m = &w->m;

	if (r->choice == CANON_CHOICE_UNSAID && r->parallel < 0)
		return;
	make_object(m, "tool_choice");
	make_text(m, "type", types[r->choice]);
	if (r->choice == CANON_CHOICE_ONE)
		make_raw(m, "name", r->choice_name);
	if (r->parallel >= 0 && r->choice != CANON_CHOICE_NONE)
		make_bool(m, "disable_parallel_tool_use", r->parallel == 0);
	make_object_end(m);
}

static void put_tools(struct writing *w)
{
	bool json = anthropic_asks_json(w->r);

	if (!json && !has_tools(w->r))
		return;
	make_array(&w->m, "tools");
	for (const struct canon_tool *t = w->r->tools; t; t = t->next)
		if (!t->custom)
			put_tool(w, t);
	if (json)
		put_json_tool(&w->m);
	make_array_end(&w->m);
	if (json)
		put_json_choice(w);
	else
		put_choice(w);
}

/* ---- thinking ------------------------------------------------------------------------------ */

static void put_display(struct writing *w)
{
	if (slice_eq(w->r->summary, S("omitted")))
		make_text(&w->m, "display", S("omitted"));
	else if (w->r->summary.len)
		make_text(&w->m, "display", S("summarized"));
}

static void put_thinking_config(struct writing *w)
{
	struct json_make *m = &w->m;

	switch (w->plan.way) {
	case ANTHROPIC_THINK_UNSAID:
		return;
	case ANTHROPIC_THINK_OFF:
		make_raw(m, "thinking", S("{\"type\":\"disabled\"}"));
		return;
	case ANTHROPIC_THINK_BUDGET:
		make_object(m, "thinking");
		make_text(m, "type", S("enabled"));
		make_i64(m, "budget_tokens", w->plan.budget);
		break;
	case ANTHROPIC_THINK_ADAPTIVE:
		make_object(m, "thinking");
		make_text(m, "type", S("adaptive"));
		break;
	}
	put_display(w);
	make_object_end(m);
}

/* ---- the rest --------------------------------------------------------------------------------- */

static void put_output_config(struct writing *w)
{
	const struct canon_request *r = w->r;
	struct slice effort = w->plan.effort;
	bool schema = r->format == CANON_FORMAT_SCHEMA && may_say(w, CANON_HAS(JSON_SCHEMA));
	bool word = effort.len > 0;

	if (!schema && !word)
		return;
	make_object(&w->m, "output_config");
	if (word)
		make_text(&w->m, "effort", effort);
	if (schema) {
		make_object(&w->m, "format");
		make_text(&w->m, "type", S("json_schema"));
		make_raw(&w->m, "schema", r->schema);
		make_object_end(&w->m);
	}
	make_object_end(&w->m);
}

/* Here the scale ends at 1. */
static struct slice temperature_of(const struct canon_request *r)
{
	int64_t milli;

	if (slice_to_milli(r->temperature, &milli) && milli > 1000)
		return S("1");
	return r->temperature;
}

static void put_sampling(struct writing *w)
{
	const struct canon_request *r = w->r;
	struct json_make *m = &w->m;
	bool thinks = w->plan.way == ANTHROPIC_THINK_BUDGET || w->plan.way == ANTHROPIC_THINK_ADAPTIVE;
	uint64_t refused = thinks ? losses_beside_thinking(r) | CANON_HAS(TEMPERATURE) : 0;

	if (may_say(w, CANON_HAS(TEMPERATURE)) && !(refused & CANON_HAS(TEMPERATURE)))
		make_given(m, "temperature", temperature_of(r));
	if (may_say(w, CANON_HAS(TOP_P)) && !(refused & CANON_HAS(TOP_P)))
		make_given(m, "top_p", r->top_p);
	if (may_say(w, CANON_HAS(TOP_K)) && !(refused & CANON_HAS(TOP_K)))
		make_given(m, "top_k", r->top_k);
	if (!r->stop)
		return;
	make_array(m, "stop_sequences");
	for (const struct canon_text *t = r->stop; t; t = t->next)
		make_raw(m, NULL, t->raw);
	make_array_end(m);
}

static void put_hints(struct writing *w)
{
	const struct canon_request *r = w->r;
	struct slice user = r->user.len ? r->user : r->safety_id, tier = r->service_tier;
	struct json_make *m = &w->m;

	if (user.len && may_say(w, CANON_HAS(USER))) {
		make_object(m, "metadata");
		make_raw(m, "user_id", user);
		make_object_end(m);
	}
	if (!tier.len || !may_say(w, CANON_HAS(SERVICE_TIER)))
		return;
	if (slice_eq(tier, S("auto")) || slice_eq(tier, S("priority")))
		make_text(m, "service_tier", S("auto"));
	else
		make_text(m, "service_tier", S("standard_only"));
}

/* Which ways there are to go on: an answer begun, unless the model is known to
 * refuse it, or to be asked in words. */
static bool can_resume(const struct writing *w)
{
	switch (w->r->resume) {
	case RESUME_PREFILL:
		return !anthropic_asks_json(w->r) && may_say(w, CANON_HAS(PREFILL)) && anthropic_sent(w->r).len > 0;
	case RESUME_CONTINUE_FINAL: case RESUME_PREFIX: case RESUME_AUTO:
		return false;
	case RESUME_INSTRUCT:
		return !anthropic_asks_json(w->r);
	case RESUME_NONE: case RESUME_REPLAY:
		break;
	}
	return true;
}

bool anthropic_codec_write_request(struct arena *arena, const struct canon_request *r,
				   const struct codec_target *target, struct buf *out)
{
	struct writing w = { .m = json_make_start(out), .arena = arena, .r = r, .target = target,
			     .version = anthropic_version(target->model) };
	bool counts = r->task == CANON_COUNT, talk;

	if (!can_resume(&w))
		return false;
	anthropic_plan_thinking(r, w.version, &w.plan);
	make_object(&w.m, NULL);
	make_text(&w.m, "model", target->model);
	if (!counts)
		make_i64(&w.m, "max_tokens", w.plan.max_tokens);
	talk = put_system(&w);
	put_messages(&w, talk);
	put_tools(&w);
	put_thinking_config(&w);
	put_output_config(&w);
	if (!counts) {
		put_sampling(&w);
		put_hints(&w);
		if (target->stream)
			make_bool(&w.m, "stream", true);
	}
	make_object_end(&w.m);
	return json_make_finish(&w.m);
}
