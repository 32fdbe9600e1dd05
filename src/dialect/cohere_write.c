/* cohere_write.c: a request, written for Cohere's v2 chat. */
#include "dialect/cohere.h"

#include "base/check.h"
#include "dialect/losses.h"
#include "wire/json.h"

struct writing {
	struct json_make m;
	struct arena *arena;
	const struct canon_request *r;
	bool failed;                 /* something that the API cannot say */
};

static const struct canon_part *find(const struct canon_part *parts, enum canon_part_kind kind)
{
	while (parts && parts->kind != kind)
		parts = parts->next;
	return parts;
}

/* ---- content --------------------------------------------------------------------- */

static void put_text(struct writing *w, struct slice raw)
{
	make_object(&w->m, NULL);
	make_text(&w->m, "type", S("text"));
	make_raw(&w->m, "text", raw);
	make_object_end(&w->m);
}

static void put_image(struct writing *w, const struct canon_media *media)
{
	struct slice mime = media->mime.len ? media->mime : S("image/png");

	make_object(&w->m, NULL);
	make_text(&w->m, "type", S("image_url"));
	make_object(&w->m, "image_url");
	if (media->url.len)
		make_raw(&w->m, "url", media->url);
	else
		make_raw(&w->m, "url", arena_printf(w->arena, "\"data:%.*s;base64,%.*s\"",
						    SLICE_ARG(mime), SLICE_ARG(media->data)));
	if (!slice_eq(media->detail, S("original")))
		make_word(&w->m, "detail", media->detail);
	make_object_end(&w->m);
	make_object_end(&w->m);
}

static void put_content(struct writing *w, const struct canon_part *parts)
{
	make_array(&w->m, "content");
	for (const struct canon_part *p = parts; p; p = p->next) {
		if (p->kind == CANON_PART_TEXT || p->kind == CANON_PART_REFUSAL)
			put_text(w, p->text);
		else if (p->kind == CANON_PART_IMAGE && (p->media.url.len || p->media.data.len))
			put_image(w, &p->media);
	}
	make_array_end(&w->m);
}

/* ---- messages --------------------------------------------------------------------- */

static void put_calls(struct writing *w, const struct canon_part *parts)
{
	struct json_make *m = &w->m;

	make_array(m, "tool_calls");
	for (const struct canon_part *p = find(parts, CANON_PART_CALL); p;
	     p = find(p->next, CANON_PART_CALL)) {
		struct slice object = canon_arguments_object(w->arena, p->arguments, p->arguments_text);

		make_object(m, NULL);
		make_raw(m, "id", p->id.len ? p->id : p->name);
		make_text(m, "type", S("function"));
		make_object(m, "function");
		make_raw(m, "name", p->name);
		make_text(m, "arguments", object);
		make_object_end(m);
		make_object_end(m);
	}
	make_array_end(m);
}

/* Cohere signs nothing: thinking that another vendor signed or encrypted is of no
 * use to it. */
static const struct canon_part *own_thinking(const struct canon_part *parts)
{
	const struct canon_part *p = find(parts, CANON_PART_REASONING);

	while (p && (p->signature.len || p->encrypted.len || p->text.len <= 2))
		p = find(p->next, CANON_PART_REASONING);
	return p;
}

static void put_assistant(struct writing *w, const struct canon_part *parts)
{
	const struct canon_part *thinking = own_thinking(parts), *p;
	bool calls = find(parts, CANON_PART_CALL) != NULL;
	bool text = find(parts, CANON_PART_TEXT) || find(parts, CANON_PART_REFUSAL);
	struct json_make *m = &w->m;

	if (calls) {
		/* Before calls Cohere's models write down a plan. */
		if (thinking)
			make_raw(m, "tool_plan", thinking->text);
		put_calls(w, parts);
		thinking = NULL;
	}
	if (!text && !thinking && calls)
		return;
	make_array(m, "content");
	if (thinking) {
		make_object(m, NULL);
		make_text(m, "type", S("thinking"));
		make_raw(m, "thinking", thinking->text);
		make_object_end(m);
	}
	for (p = parts; p; p = p->next)
		if (p->kind == CANON_PART_TEXT || p->kind == CANON_PART_REFUSAL)
			put_text(w, p->text);
	make_array_end(m);
}

/* A document among the things a tool found. */
static void put_found(struct writing *w, const struct canon_part *p)
{
	make_object(&w->m, NULL);
	make_text(&w->m, "type", S("document"));
	make_object(&w->m, "document");
	make_object(&w->m, "data");
	make_given(&w->m, "title", p->media.name);
	make_raw(&w->m, "text", p->text);
	make_object_end(&w->m);
	make_object_end(&w->m);
	make_object_end(&w->m);
}

/* Each result is a message of its own. */
static void put_results(struct writing *w, const struct canon_part *parts)
{
	struct json_make *m = &w->m;

	for (const struct canon_part *p = find(parts, CANON_PART_RESULT); p;
	     p = find(p->next, CANON_PART_RESULT)) {
		make_object(m, NULL);
		make_text(m, "role", S("tool"));
		make_raw(m, "tool_call_id", p->id.len ? p->id : p->name);
		make_array(m, "content");
		for (const struct canon_part *c = p->content; c; c = c->next) {
			if (c->kind == CANON_PART_TEXT)
				put_text(w, c->text);
			else if (c->kind == CANON_PART_DOCUMENT && c->text.len)
				put_found(w, c);
		}
		make_array_end(m);
		make_object_end(m);
	}
}

static struct slice role_of(enum canon_role role)
{
	if (role == CANON_SYSTEM || role == CANON_DEVELOPER)
		return S("system");
	return role == CANON_ASSISTANT ? S("assistant") : S("user");
}

static void put_message(struct writing *w, const struct canon_message *message)
{
	bool rest = false;

	put_results(w, message->parts);
	for (const struct canon_part *p = message->parts; p; p = p->next)
		rest = rest || (p->kind != CANON_PART_RESULT && p->kind != CANON_PART_DOCUMENT);
	if (!rest && message->parts)
		return;
	make_object(&w->m, NULL);
	make_text(&w->m, "role", role_of(message->role));
	if (message->role == CANON_ASSISTANT)
		put_assistant(w, message->parts);
	else
		put_content(w, message->parts);
	make_object_end(&w->m);
}

static void put_turn(struct writing *w, struct slice role, struct slice raw)
{
	make_object(&w->m, NULL);
	make_text(&w->m, "role", role);
	make_array(&w->m, "content");
	put_text(w, raw);
	make_array_end(&w->m);
	make_object_end(&w->m);
}

static void put_messages(struct writing *w)
{
	const struct canon_request *r = w->r;

	make_array(&w->m, "messages");
	for (const struct canon_message *m = r->messages; m; m = m->next)
		put_message(w, m);
	if (r->resume == RESUME_INSTRUCT && r->sent.len) {
		put_turn(w, S("assistant"), canon_quote(w->arena, r->sent));
		put_turn(w, S("user"), S(CANON_GO_ON));
	} else if (r->resume != RESUME_NONE && r->resume != RESUME_REPLAY && r->sent.len) {
		w->failed = true;        /* no answer begun is gone on with */
	}
	make_array_end(&w->m);
}

/* ---- documents ------------------------------------------------------------------------ */

/* Documents stand beside the conversation, and are text. */
static void put_documents(struct writing *w)
{
	struct json_make *m = &w->m;
	bool any = false;

	for (const struct canon_message *message = w->r->messages; message; message = message->next) {
		for (const struct canon_part *p = message->parts; p; p = p->next) {
			if (p->kind != CANON_PART_DOCUMENT)
				continue;
			if (!p->text.len) {
				w->failed = true;
				continue;
			}
			if (!any)
				make_array(m, "documents");
			any = true;
			make_object(m, NULL);
			make_object(m, "data");
			make_given(m, "title", p->media.name);
			make_raw(m, "text", p->text);
			make_object_end(m);
			make_object_end(m);
		}
	}
	if (any)
		make_array_end(m);
}

/* ---- tools ------------------------------------------------------------------------------ */

static void put_tool(struct writing *w, const struct canon_tool *t)
{
	struct json_make *m = &w->m;

	make_object(m, NULL);
	make_text(m, "type", S("function"));
	make_object(m, "function");
	make_raw(m, "name", t->name);
	make_given(m, "description", t->description);
	make_raw(m, "parameters", t->parameters.len ? t->parameters
						    : S("{\"type\":\"object\",\"properties\":{}}"));
	make_object_end(m);
	make_object_end(m);
}

static void put_tools(struct writing *w)
{
	const struct canon_request *r = w->r;
	bool one = r->choice == CANON_CHOICE_ONE && r->choice_name.len > 0, strict = false;

	if (!r->tools)
		return;
	make_array(&w->m, "tools");
	for (const struct canon_tool *t = r->tools; t; t = t->next) {
		/* That this one must be called is said by offering no other. */
		if (one && !slice_eq(t->name, r->choice_name))
			continue;
		put_tool(w, t);
		strict = strict || t->strict == 1;
	}
	make_array_end(&w->m);
	if (strict)
		make_bool(&w->m, "strict_tools", true);
	if (r->choice == CANON_CHOICE_NONE)
		make_text(&w->m, "tool_choice", S("NONE"));
	else if (r->choice == CANON_CHOICE_REQUIRED || one)
		make_text(&w->m, "tool_choice", S("REQUIRED"));
}

/* ---- how to answer ------------------------------------------------------------------------ */

static void put_format(struct writing *w)
{
	const struct canon_request *r = w->r;

	if (r->format != CANON_FORMAT_JSON && r->format != CANON_FORMAT_SCHEMA)
		return;
	make_object(&w->m, "response_format");
	make_text(&w->m, "type", S("json_object"));
	if (r->format == CANON_FORMAT_SCHEMA)
		make_raw(&w->m, "json_schema", r->schema.len ? r->schema : S("{}"));
	make_object_end(&w->m);
}

/* Thinking is on or off, within a budget: words become the budgets that are
 * usual for them. */
static void put_thinking(struct writing *w)
{
	static const struct { struct slice word; int64_t budget; } rows[] = {
		{ S_INIT("minimal"), 512 }, { S_INIT("low"), 2048 }, { S_INIT("medium"), 8192 },
	};
	const struct canon_request *r = w->r;
	int64_t budget = r->think_budget;
	bool off = budget == 0 || slice_eq(r->effort, S("none"));

	if (!r->effort.len && budget < 0 && !r->think_auto)
		return;
	for (size_t i = 0; budget < 0 && i < COUNT_OF(rows); i++)
		if (slice_eq(r->effort, rows[i].word))
			budget = rows[i].budget;
	make_object(&w->m, "thinking");
	make_text(&w->m, "type", off ? S("disabled") : S("enabled"));
	if (!off && budget > 0)
		make_i64(&w->m, "token_budget", budget);
	make_object_end(&w->m);
}

#define STOPS_MAX 5

/* p lies between 0.01 and 0.99, penalties between 0 and 1, and a token's
 * probability comes without those of the others (docs.cohere.com/reference/chat). */
uint64_t cohere_lacks(const struct canon_request *r, const struct codec_target *target, uint64_t *softly)
{
	uint64_t lacks = 0;

	(void)target;
	if (losses_outside(r->top_p, 10, 1000))
		lacks |= CANON_HAS(TOP_P);
	if (losses_outside(r->presence_penalty, 0, 1000) || losses_outside(r->frequency_penalty, 0, 1000))
		lacks |= CANON_HAS(PENALTIES);
	if (losses_stops(r) > STOPS_MAX)
		lacks |= CANON_HAS(STOP);
	if (r->top_logprobs > 0)
		lacks |= CANON_HAS(LOGPROBS);
	if (r->schema_description.len)
		*softly |= CANON_HAS(JSON_SCHEMA);
	if (losses_outside(r->top_p, 10, 990))
		*softly |= CANON_HAS(TOP_P);
	return lacks;
}

static struct slice within(struct slice number, int64_t min, int64_t max, struct slice lowest,
			   struct slice highest)
{
	if (!losses_outside(number, min, max))
		return number;
	return number.at[0] == '-' || losses_outside(number, min, INT64_MAX) ? lowest : highest;
}

static void put_sampling(struct writing *w)
{
	int left = STOPS_MAX;
	const struct canon_request *r = w->r;
	struct json_make *m = &w->m;

	if (r->max_tokens >= 0)
		make_i64(m, "max_tokens", r->max_tokens);
	make_given(m, "temperature", r->temperature);
	make_given(m, "p", within(r->top_p, 10, 990, S("0.01"), S("0.99")));
	make_given(m, "k", r->top_k);
	make_given(m, "presence_penalty", within(r->presence_penalty, 0, 1000, S("0"), S("1")));
	make_given(m, "frequency_penalty", within(r->frequency_penalty, 0, 1000, S("0"), S("1")));
	make_given(m, "seed", r->seed);
	if (r->logprobs)
		make_bool(m, "logprobs", true);
	if (!r->stop)
		return;
	make_array(m, "stop_sequences");
	for (const struct canon_text *t = r->stop; t && left-- > 0; t = t->next)
		make_raw(m, NULL, t->raw);
	make_array_end(m);
}

bool cohere_write_request(struct arena *arena, const struct canon_request *r,
			  const struct codec_target *target, struct buf *out)
{
	struct writing w = { .m = json_make_start(out), .arena = arena, .r = r };

	make_object(&w.m, NULL);
	make_text(&w.m, "model", target->model);
	make_bool(&w.m, "stream", target->stream);
	put_messages(&w);
	put_documents(&w);
	put_tools(&w);
	put_format(&w);
	put_sampling(&w);
	put_thinking(&w);
	make_object_end(&w.m);
	if (w.failed)
		w.m.out.failed = true;
	return json_make_finish(&w.m);
}
