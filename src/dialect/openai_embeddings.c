/* openai_embeddings.c: OpenAI's embeddings as a codec, both ways
 * (platform.openai.com/docs/api-reference/embeddings). */
#include "dialect/openai_chat.h"

#include "base/check.h"
#include "dialect/usage.h"
#include "dialect/vectors.h"

#include <stddef.h>

/* ---- requests --------------------------------------------------------------------- */

/* A string, a list of strings, one text as token numbers, or a list of such. */
static void read_input(struct request_reading *r, const struct json *input)
{
	bool one = input->type == JSON_STRING ||
		   (input->type == JSON_ARRAY && input->first && input->first->type == JSON_NUMBER);
	struct canon_text *last = NULL;

	if (one) {
		canon_add_text(r->arena, &r->out->inputs, NULL, input->raw);
		return;
	}
	for (const struct json *j = input->type == JSON_ARRAY ? input->first : NULL; j; j = j->next) {
		if (j->type != JSON_STRING && j->type != JSON_ARRAY)
			request_refuse(r, "\"input\" must hold strings or lists of token numbers");
		last = canon_add_text(r->arena, &r->out->inputs, last, j->raw);
	}
	if (!last)
		request_refuse(r, "\"input\" must be a string or a list of strings");
}

static void read_encoding(struct request_reading *r, const struct json *value)
{
	r->out->base64 = json_string_eq(value->raw, S("base64"));
	if (!r->out->base64 && !json_string_eq(value->raw, S("float")))
		request_refuse(r, "\"encoding_format\" must be float or base64");
}

#define AT(member) offsetof(struct canon_request, member)

static const struct request_member members[] = {
	{ S_INIT("model"), TAKE_NOTHING, 0, 0, NULL },
	{ S_INIT("input"), TAKE_BY, 0, 0, read_input },
	{ S_INIT("encoding_format"), TAKE_BY, 0, 0, read_encoding },
	{ S_INIT("dimensions"), TAKE_INTEGER, AT(dimensions), 0, NULL },
	{ S_INIT("user"), TAKE_STRING, AT(user), CANON_HAS(USER), NULL },
	/* What a text is for, as vLLM, Jina and Voyage have it. */
	{ S_INIT("task"), TAKE_WORD, AT(purpose), 0, NULL },
	{ S_INIT("input_type"), TAKE_WORD, AT(purpose), 0, NULL },
};

static enum fault read_request(struct arena *arena, struct slice body,
			       const struct request_facts *facts, struct canon_request **out,
			       struct slice *why)
{
	struct arena *tree = arena_create(0);
	struct request_reading r = { .arena = arena, .out = canon_request_new(arena), .why = why };
	enum json_result result;
	const struct json *root = json_parse(tree, body, &result, NULL);

	r.out->task = CANON_EMBED;
	r.out->model = facts->model;
	if (!root || root->type != JSON_OBJECT)
		request_refuse(&r, "the request body could not be read: %s",
			       json_result_text(root ? JSON_NOT_OBJECT : result));
	else
		request_members(&r, root, members, COUNT_OF(members));
	if (!r.refused && !r.out->inputs)
		request_refuse(&r, "\"input\" must hold something to embed");
	arena_free(tree);
	*out = r.out;
	return r.refused ? FAULT_CALLER : FAULT_NONE;
}

static bool write_request(struct arena *arena, const struct canon_request *r,
			  const struct codec_target *target, struct buf *out)
{
	struct json_make m = json_make_start(out);

	(void)arena;
	make_object(&m, NULL);
	make_text(&m, "model", target->model);
	make_array(&m, "input");
	for (const struct canon_text *t = r->inputs; t; t = t->next)
		make_raw(&m, NULL, t->raw);
	make_array_end(&m);
	make_text(&m, "encoding_format", r->base64 ? S("base64") : S("float"));
	if (r->dimensions >= 0)
		make_i64(&m, "dimensions", r->dimensions);
	if (!(target->vendor->lacks & CANON_HAS(USER)))
		make_given(&m, "user", r->user);
	make_object_end(&m);
	return json_make_finish(&m);
}

/* ---- answers ----------------------------------------------------------------------- */

static enum fault read_answer(struct codec_reader *r, struct slice body, struct canon_events *out)
{
	struct slice data, one;
	struct usage usage = { .known = false };
	struct canon_event *e;
	unsigned count = 0;

	body = slice_trim(body);
	if (json_validate(body, NULL) != JSON_OK || json_type_of(body) != JSON_OBJECT)
		return FAULT_BAD_ANSWER;
	e = canon_add(out, CANON_EVENT_START);
	e->name = json_member(body, S("model"));
	e->created = r->wall_ms / 1000;
	r->started = true;
	data = json_member(body, S("data"));
	while (json_next(&data, NULL, &one)) {
		struct slice vector = json_member(one, S("embedding"));

		if (json_type_of(vector) != JSON_ARRAY && json_type_of(vector) != JSON_STRING)
			return FAULT_BAD_ANSWER;
		e = canon_add(out, CANON_EVENT_EMBEDDING);
		e->choice = count++;
		e->json = vector;
	}
	if (!count)
		return FAULT_BAD_ANSWER;
	usage_read(json_member(body, S("usage")), &usage);
	if (usage.known)
		canon_add(out, CANON_EVENT_USAGE)->usage = usage;
	canon_add(out, CANON_EVENT_DONE);
	r->content = r->done = true;
	return FAULT_NONE;
}

static bool write_answer(struct codec_writer *w, const struct canon_events *events, struct buf *out)
{
	bool base64 = w->request && w->request->base64;
	struct json_make m = json_make_start(out);
	struct slice model = SLICE_NONE;

	make_object(&m, NULL);
	make_text(&m, "object", S("list"));
	make_array(&m, "data");
	for (size_t i = 0; i < events->count; i++) {
		const struct canon_event *e = &events->at[i];

		if (e->kind == CANON_EVENT_START)
			model = e->name;
		if (e->kind == CANON_EVENT_USAGE)
			w->usage = e->usage;
		if (e->kind != CANON_EVENT_EMBEDDING)
			continue;
		make_object(&m, NULL);
		make_text(&m, "object", S("embedding"));
		make_i64(&m, "index", e->choice);
		make_vector(&m, "embedding", e->json, base64);
		make_object_end(&m);
	}
	make_array_end(&m);
	if (model.len)
		make_raw(&m, "model", model);
	else
		make_text(&m, "model", w->request ? w->request->model : SLICE_NONE);
	make_object(&m, "usage");
	make_i64(&m, "prompt_tokens", w->usage.input_tokens);
	make_i64(&m, "total_tokens", w->usage.input_tokens);
	make_object_end(&m);
	make_object_end(&m);
	return json_make_finish(&m);
}

const struct codec codec_openai_embeddings = {
	.name = S_INIT("openai embeddings"),
	.task = CANON_EMBED,
	.endpoint = ENDPOINT_EMBEDDINGS,
	.framing = FRAMING_SSE,
	.carries = CANON_HAS(USER),
	.read_request = read_request,
	.write_request = write_request,
	.read_answer = read_answer,
	.write_answer = write_answer,
};
