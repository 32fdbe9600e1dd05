/* openai_to_stream.c: a whole answer retold as a stream (catalogue E34). */
#include "dialect/openai.h"

#include "base/check.h"
#include "dialect/json_out.h"
#include "wire/json.h"

/* ---- chat and completions ---------------------------------------------------------- */

/* What all chunks have alike: id, created, model and whatever else stands
 * beside the choices. */
static void put_chunk_head(struct json_out *o, struct slice body, struct slice object)
{
	const struct json_replace without[] = {
		{ .name = S("object") }, { .name = S("choices") }, { .name = S("usage") },
	};

	json_out_puts(o, "data: {");
	json_out_members(o, body, without, COUNT_OF(without));
	json_out_puts(o, "\"object\":");
	json_out_put(o, object);
	json_out_puts(o, ",");
}

/* In a stream each call says which one of the message's it is. */
static void put_tool_calls(struct json_out *o, struct slice calls)
{
	struct slice call;
	uint64_t index = 0;

	json_out_puts(o, "\"tool_calls\":[");
	while (json_next(&calls, NULL, &call)) {
		const struct json_replace without = { .name = S("index") };

		json_out_put(o, index ? S(",{") : S("{"));
		json_out_members(o, call, &without, 1);
		json_out_puts(o, "\"index\":");
		json_out_u64(o, index++);
		json_out_puts(o, "}");
	}
	json_out_puts(o, "],");
}

static void put_message_chunk(struct json_out *o, struct slice body, struct slice choice,
			      uint64_t index)
{
	const struct json_replace apart[] = { { .name = S("tool_calls") }, { .name = S("role") } };
	const struct json_replace not_here[] = {
		{ .name = S("message") }, { .name = S("index") }, { .name = S("finish_reason") },
	};
	struct slice message = json_member(choice, S("message"));
	struct slice calls = json_member(message, S("tool_calls"));

	put_chunk_head(o, body, S("\"chat.completion.chunk\""));
	json_out_puts(o, "\"choices\":[{");
	json_out_members(o, choice, not_here, COUNT_OF(not_here));
	json_out_puts(o, "\"index\":");
	json_out_u64(o, index);
	json_out_puts(o, ",\"delta\":{");
	json_out_members(o, message, apart, COUNT_OF(apart));
	if (!json_is_nothing(calls) && json_type_of(calls) == JSON_ARRAY)
		put_tool_calls(o, calls);
	/* Members end in a comma; this one closes the list. */
	json_out_puts(o, "\"role\":\"assistant\"},\"finish_reason\":null}]}\n\n");
}

static void put_finish_chunk(struct json_out *o, struct slice body, struct slice choice,
			     uint64_t index)
{
	struct slice reason = json_member(choice, S("finish_reason"));

	put_chunk_head(o, body, S("\"chat.completion.chunk\""));
	json_out_puts(o, "\"choices\":[{\"index\":");
	json_out_u64(o, index);
	json_out_puts(o, ",\"delta\":{},\"finish_reason\":");
	json_out_raw(o, json_is_nothing(reason) ? S("\"stop\"") : reason);
	json_out_puts(o, "}]}\n\n");
}

static void put_choices(struct json_out *o, const struct endpoint *endpoint, struct slice body)
{
	struct slice choices = json_member(body, S("choices")), choice;
	uint64_t index = 0;

	if (endpoint->kind == ENDPOINT_COMPLETIONS) {    /* the same shape in both */
		put_chunk_head(o, body, S("\"text_completion\""));
		json_out_puts(o, "\"choices\":");
		json_out_raw(o, choices);
		json_out_puts(o, "}\n\n");
		return;
	}
	while (json_next(&choices, NULL, &choice)) {
		put_message_chunk(o, body, choice, index);
		put_finish_chunk(o, body, choice, index++);
	}
}

static void put_usage_chunk(struct json_out *o, const struct endpoint *endpoint, struct slice body)
{
	struct slice usage = json_member(body, S("usage"));

	if (json_is_nothing(usage))
		return;
	put_chunk_head(o, body, endpoint->kind == ENDPOINT_CHAT ? S("\"chat.completion.chunk\"")
								: S("\"text_completion\""));
	json_out_puts(o, "\"choices\":[],\"usage\":");
	json_out_raw(o, usage);
	json_out_puts(o, "}\n\n");
}

/* ---- responses ------------------------------------------------------------------------ */

struct retelling {
	struct json_out *o;
	uint64_t sequence;
	struct slice item_id;        /* raw; of the item that is told */
	uint64_t output_index, content_index;
};

/* Up to the members that only this event has. */
static void put_event_head(struct retelling *r, struct slice type)
{
	json_out_puts(r->o, "event: ");
	json_out_put(r->o, type);
	json_out_puts(r->o, "\ndata: {\"type\":\"");
	json_out_put(r->o, type);
	json_out_puts(r->o, "\",\"sequence_number\":");
	json_out_u64(r->o, r->sequence++);
	json_out_puts(r->o, ",");
}

static void put_event_end(struct retelling *r)
{
	json_out_puts(r->o, "}\n\n");
}

static void put_object(struct json_out *o, struct slice object, const struct json_replace *replace,
		       size_t count)
{
	/* The type stands last, so that the members' commas come out even. */
	struct slice type = json_member(object, S("type"));
	struct json_replace all[4];

	must(count < COUNT_OF(all));
	for (size_t i = 0; i < count; i++)
		all[i] = replace[i];
	all[count] = (struct json_replace){ .name = S("type") };
	json_out_puts(o, "{");
	json_out_members(o, object, all, count + 1);
	json_out_puts(o, "\"type\":");
	json_out_raw(o, type.len ? type : S("null"));
	json_out_puts(o, "}");
}

static void put_item_event(struct retelling *r, struct slice type, struct slice item,
			   const struct json_replace *replace, size_t count)
{
	put_event_head(r, type);
	json_out_puts(r->o, "\"output_index\":");
	json_out_u64(r->o, r->output_index);
	json_out_puts(r->o, ",\"item\":");
	put_object(r->o, item, replace, count);
	put_event_end(r);
}

/* {"item_id":…,"output_index":…,"content_index":…, NAME: VALUE} */
static void put_part_event(struct retelling *r, struct slice type, struct slice name,
			   struct slice value)
{
	put_event_head(r, type);
	json_out_puts(r->o, "\"item_id\":");
	json_out_raw(r->o, r->item_id.len ? r->item_id : S("\"\""));
	json_out_puts(r->o, ",\"output_index\":");
	json_out_u64(r->o, r->output_index);
	json_out_puts(r->o, ",\"content_index\":");
	json_out_u64(r->o, r->content_index);
	json_out_puts(r->o, ",\"");
	json_out_put(r->o, name);
	json_out_puts(r->o, "\":");
	json_out_raw(r->o, value);
	put_event_end(r);
}

static void put_part(struct retelling *r, struct slice part)
{
	const struct json_replace blank[] = {
		{ S("text"), S("\"\"") }, { S("refusal"), S("\"\"") }, { S("annotations"), S("[]") },
	};
	struct slice text = json_member(part, S("text")), refusal = json_member(part, S("refusal"));

	put_event_head(r, S("response.content_part.added"));
	json_out_puts(r->o, "\"item_id\":");
	json_out_raw(r->o, r->item_id.len ? r->item_id : S("\"\""));
	json_out_puts(r->o, ",\"output_index\":");
	json_out_u64(r->o, r->output_index);
	json_out_puts(r->o, ",\"content_index\":");
	json_out_u64(r->o, r->content_index);
	json_out_puts(r->o, ",\"part\":");
	put_object(r->o, part, blank, COUNT_OF(blank));
	put_event_end(r);
	if (!json_is_nothing(text)) {
		put_part_event(r, S("response.output_text.delta"), S("delta"), text);
		put_part_event(r, S("response.output_text.done"), S("text"), text);
	} else if (!json_is_nothing(refusal)) {
		put_part_event(r, S("response.refusal.delta"), S("delta"), refusal);
		put_part_event(r, S("response.refusal.done"), S("refusal"), refusal);
	}
	put_part_event(r, S("response.content_part.done"), S("part"), part);
	r->content_index++;
}

static void put_item(struct retelling *r, struct slice item)
{
	const struct json_replace blank[] = {
		{ S("status"), S("\"in_progress\"") }, { S("content"), S("[]") },
		{ S("arguments"), S("\"\"") },
	};
	struct slice type = json_member(item, S("type")), parts = json_member(item, S("content")), part;
	struct slice arguments = json_member(item, S("arguments"));
	bool message = json_string_eq(type, S("message")), call = json_string_eq(type, S("function_call"));

	r->item_id = json_member(item, S("id"));
	r->content_index = 0;
	put_item_event(r, S("response.output_item.added"), item, blank,
		       message || call ? COUNT_OF(blank) : 0);
	if (message && json_type_of(parts) == JSON_ARRAY)
		while (json_next(&parts, NULL, &part))
			put_part(r, part);
	if (call && !json_is_nothing(arguments)) {
		put_part_event(r, S("response.function_call_arguments.delta"), S("delta"), arguments);
		put_part_event(r, S("response.function_call_arguments.done"), S("arguments"), arguments);
	}
	put_item_event(r, S("response.output_item.done"), item, NULL, 0);
	r->output_index++;
}

static void put_response_event(struct retelling *r, struct slice type, struct slice response,
			       bool begins)
{
	const struct json_replace blank[] = {
		{ S("status"), S("\"in_progress\"") }, { S("output"), S("[]") }, { S("usage"), S("null") },
		{ .name = S("object") },
	};

	put_event_head(r, type);
	json_out_puts(r->o, "\"response\":{");
	json_out_members(r->o, response, begins ? blank : &blank[3], begins ? COUNT_OF(blank) : 1);
	json_out_puts(r->o, "\"object\":\"response\"}");
	put_event_end(r);
}

/* False for one that is not finished: there is no end to tell. */
static bool retell_response(struct json_out *o, struct slice response)
{
	struct slice status = json_member(response, S("status")), end = SLICE_NONE;
	struct slice output = json_member(response, S("output")), item;
	struct retelling r = { .o = o };

	if (json_string_eq(status, S("completed")) || json_is_nothing(status))
		end = S("response.completed");
	else if (json_string_eq(status, S("incomplete")))
		end = S("response.incomplete");
	else
		return false;
	put_response_event(&r, S("response.created"), response, true);
	put_response_event(&r, S("response.in_progress"), response, true);
	while (json_next(&output, NULL, &item))
		put_item(&r, item);
	put_response_event(&r, end, response, false);
	return true;
}

/* ---- the whole ------------------------------------------------------------------------- */

bool openai_answer_to_stream(struct arena *arena, const struct endpoint *endpoint,
			     const struct request_facts *facts, struct slice body, struct buf *out)
{
	struct json_out o = json_out_start(out);

	(void)arena;
	if (json_validate(body, NULL) != JSON_OK || json_type_of(body) != JSON_OBJECT)
		return false;
	switch (endpoint->kind) {
	case ENDPOINT_CHAT:
	case ENDPOINT_COMPLETIONS:
		if (json_type_of(json_member(body, S("choices"))) != JSON_ARRAY)
			return false;
		put_choices(&o, endpoint, body);
		if (facts->asks_usage)
			put_usage_chunk(&o, endpoint, body);
		json_out_puts(&o, "data: [DONE]\n\n");
		break;
	case ENDPOINT_RESPONSES:
		if (!retell_response(&o, body))
			return false;
		break;
	case ENDPOINT_EMBEDDINGS:
	case ENDPOINT_COUNT_TOKENS: case ENDPOINT_PASS:
	case ENDPOINT_MODELS:
		return false;
	}
	return json_out_finish(&o);
}
