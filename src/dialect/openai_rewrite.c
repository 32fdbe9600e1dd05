/* openai_rewrite.c: the events of a continuation as the client is to see them:
 * under the answer's first id, with usage summed, and without the text that it
 * has already. */
#include "dialect/openai.h"

#include "base/check.h"
#include "dialect/json_out.h"
#include "wire/json.h"

enum { ID_ID, ID_CREATED, ID_MODEL, ID_FINGERPRINT, ID_WANTS };

static void want_identity(struct json_want *wants)
{
	wants[ID_ID] = (struct json_want){ .name = S("id") };
	wants[ID_CREATED] = (struct json_want){ .name = S("created") };
	wants[ID_MODEL] = (struct json_want){ .name = S("model") };
	wants[ID_FINGERPRINT] = (struct json_want){ .name = S("system_fingerprint") };
}

void openai_read_identity(struct slice data, struct event_identity *out)
{
	struct json_want wants[ID_WANTS];

	*out = (struct event_identity){ .id = SLICE_NONE };
	want_identity(wants);
	if (json_scan_object(data, wants, ID_WANTS, NULL) != JSON_OK)
		return;
	out->id = wants[ID_ID].value;
	out->created = wants[ID_CREATED].value;
	out->model = wants[ID_MODEL].value;
	out->fingerprint = wants[ID_FINGERPRINT].value;
}

/* ---- usage ----------------------------------------------------------------------------- */

static int64_t more_of(struct slice key, const struct event_rewrite *how)
{
	if (json_string_eq(key, S("prompt_tokens")))
		return how->add_input;
	if (json_string_eq(key, S("completion_tokens")))
		return how->add_output;
	if (json_string_eq(key, S("total_tokens")))
		return how->add_input + how->add_output;
	return 0;
}

static void put_usage(struct json_out *o, struct slice usage, const struct event_rewrite *how)
{
	struct slice key, value;
	bool first = true;

	json_out_puts(o, "{");
	while (json_next(&usage, &key, &value)) {
		int64_t more = more_of(key, how), count;

		if (!first)
			json_out_puts(o, ",");
		first = false;
		json_out_raw(o, key);
		json_out_puts(o, ":");
		if (more > 0 && json_i64(value, &count) && count >= 0 && count < INT64_MAX - more)
			json_out_u64(o, (uint64_t)(count + more));
		else
			json_out_raw(o, value);
	}
	json_out_puts(o, "}");
}

/* ---- the same event under another name --------------------------------------------------- */

static void put_member(struct json_out *o, struct slice key, struct slice value,
		       const struct event_rewrite *how)
{
	const struct event_identity *i = how->identity;
	struct slice ours = SLICE_NONE;

	if (json_string_eq(key, S("id")))
		ours = i->id;
	else if (json_string_eq(key, S("created")))
		ours = i->created;
	else if (json_string_eq(key, S("model")))
		ours = i->model;
	else if (json_string_eq(key, S("system_fingerprint")))
		ours = i->fingerprint.len ? i->fingerprint : S("null");
	json_out_raw(o, key);
	json_out_puts(o, ":");
	if (json_string_eq(key, S("usage")) && json_type_of(value) == JSON_OBJECT)
		put_usage(o, value, how);
	else
		json_out_raw(o, ours.len ? ours : value);
}

/* True if there were any. */
static bool put_members(struct json_out *o, struct slice data, bool without_choices,
			const struct event_rewrite *how)
{
	struct slice key, value;
	bool first = true;

	while (json_next(&data, &key, &value)) {
		if (without_choices && json_string_eq(key, S("choices")))
			continue;
		if (!first)
			json_out_puts(o, ",");
		first = false;
		put_member(o, key, value, how);
	}
	return !first;
}

/* ---- an event told anew -------------------------------------------------------------------- */

static void put_text(struct json_out *o, struct slice name, struct slice text, bool *first)
{
	if (!*first)
		json_out_puts(o, ",");
	*first = false;
	json_out_puts(o, "\"");
	json_out_put(o, name);
	json_out_puts(o, "\":");
	if (!o->failed && !json_try_write_string(o->buf, text))
		o->failed = true;
}

static bool is_for(const struct event_text *t, unsigned choice)
{
	return t->choice == choice && t->text.len > 0;
}

static void put_call(struct json_out *o, unsigned choice, int call, const struct event_rewrite *how)
{
	bool first = true;

	json_out_puts(o, "{\"index\":");
	json_out_u64(o, (uint64_t)call);
	for (unsigned i = 0; i < how->text_count; i++) {
		const struct event_text *t = &how->texts[i];
		bool unused = false;

		if (!is_for(t, choice) || t->call != call || !slice_eq(t->name, S("id")))
			continue;
		json_out_puts(o, ",");
		unused = true;
		put_text(o, t->name, t->text, &unused);
		json_out_puts(o, ",\"type\":\"function\"");
	}
	json_out_puts(o, ",\"function\":{");
	for (unsigned i = 0; i < how->text_count; i++) {
		const struct event_text *t = &how->texts[i];

		if (is_for(t, choice) && t->call == call && !slice_eq(t->name, S("id")))
			put_text(o, t->name, t->text, &first);
	}
	json_out_puts(o, "}}");
}

static void put_calls(struct json_out *o, unsigned choice, const struct event_rewrite *how,
		      bool *first_member)
{
	bool first = true;

	for (unsigned i = 0; i < how->text_count; i++) {
		const struct event_text *t = &how->texts[i];
		bool told = false;

		if (!is_for(t, choice) || t->call == EVENT_NO_CALL)
			continue;
		for (unsigned k = 0; k < i; k++)
			told |= is_for(&how->texts[k], choice) && how->texts[k].call == t->call;
		if (told)
			continue;
		if (first && !*first_member)
			json_out_puts(o, ",");
		json_out_put(o, first ? S("\"tool_calls\":[") : S(","));
		first = false;
		put_call(o, choice, t->call, how);
	}
	if (!first) {
		json_out_puts(o, "]");
		*first_member = false;
	}
}

static void put_choice(struct json_out *o, bool chat, unsigned choice, struct slice finish,
		       const struct event_rewrite *how)
{
	bool first = true;

	json_out_puts(o, "{\"index\":");
	json_out_u64(o, choice);
	json_out_put(o, chat ? S(",\"delta\":{") : S(","));
	for (unsigned i = 0; i < how->text_count; i++)
		if (is_for(&how->texts[i], choice) && how->texts[i].call == EVENT_NO_CALL)
			put_text(o, how->texts[i].name, how->texts[i].text, &first);
	if (chat)
		put_calls(o, choice, how, &first);
	else if (first)
		json_out_puts(o, "\"text\":\"\"");
	json_out_put(o, chat ? S("},\"logprobs\":null,\"finish_reason\":")
			     : S(",\"logprobs\":null,\"finish_reason\":"));
	json_out_raw(o, json_is_nothing(finish) ? S("null") : finish);
	json_out_puts(o, "}");
}

/* The finish reason that the event has for a choice, unless it is muted. */
static struct slice finish_of(struct slice data, unsigned choice, const struct event_rewrite *how)
{
	struct slice choices = json_member(data, S("choices")), one;
	int64_t position = 0, index;

	if (choice < 64 && (how->mute_finished >> choice & 1))
		return SLICE_NONE;
	if (json_type_of(choices) != JSON_ARRAY)
		return SLICE_NONE;
	while (json_next(&choices, NULL, &one)) {
		if (!json_i64(json_member(one, S("index")), &index))
			index = position;
		position++;
		if (index == (int64_t)choice)
			return json_member(one, S("finish_reason"));
	}
	return SLICE_NONE;
}

static bool has_text(const struct event_rewrite *how, unsigned choice)
{
	for (unsigned i = 0; i < how->text_count; i++)
		if (is_for(&how->texts[i], choice))
			return true;
	return false;
}

/* Choices are told in the order of their index; 64 are more than a server gives. */
static void put_choices(struct json_out *o, bool chat, struct slice data,
			const struct event_rewrite *how)
{
	bool first = true;

	json_out_puts(o, "\"choices\":[");
	for (unsigned choice = 0; choice < 64; choice++) {
		struct slice finish = finish_of(data, choice, how);

		if (json_is_nothing(finish) && !has_text(how, choice))
			continue;
		if (!first)
			json_out_puts(o, ",");
		first = false;
		put_choice(o, chat, choice, finish, how);
	}
	json_out_puts(o, "]");
}

bool openai_rewrite_event(const struct endpoint *endpoint, struct slice data,
			  const struct event_rewrite *how, struct buf *out)
{
	struct json_out o = json_out_start(out);
	bool any;

	json_out_puts(&o, "{");
	any = put_members(&o, data, how->retold, how);
	if (how->retold) {
		if (any)
			json_out_puts(&o, ",");
		put_choices(&o, endpoint->kind == ENDPOINT_CHAT, data, how);
	}
	json_out_puts(&o, "}");
	return json_out_finish(&o);
}
