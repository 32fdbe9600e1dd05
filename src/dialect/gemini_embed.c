/* gemini_embed.c: embeddings (ai.google.dev/api/embeddings; of Vertex the older
 * form, cloud.google.com/vertex-ai/generative-ai/docs/model-reference/
 * text-embeddings-api) and counts of tokens. */
#include "dialect/gemini.h"

#include "base/check.h"

static const struct { struct slice purpose, task; } tasks[] = {
	{ S_INIT("query"), S_INIT("RETRIEVAL_QUERY") },
	{ S_INIT("document"), S_INIT("RETRIEVAL_DOCUMENT") },
	{ S_INIT("similarity"), S_INIT("SEMANTIC_SIMILARITY") },
	{ S_INIT("classification"), S_INIT("CLASSIFICATION") },
	{ S_INIT("clustering"), S_INIT("CLUSTERING") },
	{ S_INIT("question_answering"), S_INIT("QUESTION_ANSWERING") },
	{ S_INIT("fact_verification"), S_INIT("FACT_VERIFICATION") },
	{ S_INIT("code_query"), S_INIT("CODE_RETRIEVAL_QUERY") },
};

static struct slice task_of(struct slice purpose)
{
	for (size_t i = 0; i < COUNT_OF(tasks); i++)
		if (slice_eq(purpose, tasks[i].purpose))
			return tasks[i].task;
	return SLICE_NONE;
}

static struct slice purpose_of(struct slice raw_task)
{
	for (size_t i = 0; i < COUNT_OF(tasks); i++)
		if (json_string_eq(raw_task, tasks[i].task))
			return tasks[i].purpose;
	return SLICE_NONE;
}

/* ---- requests in -------------------------------------------------------------------------- */

struct embed_reading {
	struct arena *arena;
	struct canon_request *out;
	struct canon_text *last;
	struct slice *why;
};

/* A content's texts are one input. */
static bool read_content(struct embed_reading *r, const struct json *content)
{
	const struct json *parts = json_get(content, S("parts")), *text;
	struct slice joined = SLICE_NONE;

	for (const struct json *j = parts ? parts->first : NULL; j; j = j->next) {
		text = json_get(j, S("text"));
		if (!text || text->type != JSON_STRING) {
			*r->why = S("only texts can be embedded here");
			return false;
		}
		joined = joined.at ? arena_printf(r->arena, "\"%.*s%.*s\"", SLICE_ARG(canon_inside(joined)),
						  SLICE_ARG(canon_inside(text->raw))) : text->raw;
	}
	if (!joined.at) {
		*r->why = S("a request for an embedding needs \"content\" with \"parts\" that have \"text\"");
		return false;
	}
	r->last = canon_add_text(r->arena, &r->out->inputs, r->last, joined);
	return true;
}

static bool read_one(struct embed_reading *r, const struct json *one)
{
	const struct json *config = json_get(one, S("embedContentConfig"));
	const struct json *task = json_get(one, S("taskType"));
	const struct json *size = json_get(one, S("outputDimensionality"));

	if (config && !task)
		task = json_get(config, S("taskType"));
	if (config && !size)
		size = json_get(config, S("outputDimensionality"));
	if (task)
		r->out->purpose = purpose_of(task->raw);
	if (size && (!json_i64(size->raw, &r->out->dimensions) || r->out->dimensions < 1))
		r->out->dimensions = -1;
	return read_content(r, json_get(one, S("content")));
}

static enum fault read_request(struct arena *arena, struct slice body,
			       const struct request_facts *facts, struct canon_request **out,
			       struct slice *why)
{
	struct json *root = json_parse(arena, body, NULL, NULL);
	struct embed_reading r = { .arena = arena, .out = canon_request_new(arena), .why = why };
	const struct json *requests;

	if (!root || root->type != JSON_OBJECT) {
		*why = S("the request body could not be read as a JSON object");
		return FAULT_CALLER;
	}
	gemini_camel_case(arena, root);
	r.out->task = CANON_EMBED;
	r.out->model = facts->model;
	requests = json_get(root, S("requests"));
	*out = r.out;
	if (!requests)
		return read_one(&r, root) ? FAULT_NONE : FAULT_CALLER;
	for (const struct json *j = requests->first; j; j = j->next)
		if (!read_one(&r, j))
			return FAULT_CALLER;
	if (r.last)
		return FAULT_NONE;
	*why = S("\"requests\" has nothing in it");
	return FAULT_CALLER;
}

/* ---- requests out --------------------------------------------------------------------------- */

/* Token numbers are another vendor's: they cannot be said. */
static bool are_texts(const struct canon_request *r)
{
	for (const struct canon_text *t = r->inputs; t; t = t->next)
		if (json_type_of(t->raw) != JSON_STRING)
			return false;
	return r->inputs != NULL;
}

static bool write_batch(struct arena *arena, const struct canon_request *r,
			const struct codec_target *target, struct buf *out)
{
	struct slice model = arena_printf(arena, "models/%.*s", SLICE_ARG(target->model));
	struct json_make m = json_make_start(out);

	if (!are_texts(r))
		return false;
	make_object(&m, NULL);
	make_array(&m, "requests");
	for (const struct canon_text *t = r->inputs; t; t = t->next) {
		make_object(&m, NULL);
		make_text(&m, "model", model);
		make_object(&m, "content");
		make_array(&m, "parts");
		make_object(&m, NULL);
		make_raw(&m, "text", t->raw);
		make_object_end(&m);
		make_array_end(&m);
		make_object_end(&m);
		make_word(&m, "taskType", task_of(r->purpose));
		if (r->dimensions > 0)
			make_i64(&m, "outputDimensionality", r->dimensions);
		make_object_end(&m);
	}
	make_array_end(&m);
	make_object_end(&m);
	return json_make_finish(&m);
}

static bool write_predict(struct arena *arena, const struct canon_request *r,
			  const struct codec_target *target, struct buf *out)
{
	struct json_make m = json_make_start(out);

	(void)arena;
	(void)target;
	if (!are_texts(r))
		return false;
	make_object(&m, NULL);
	make_array(&m, "instances");
	for (const struct canon_text *t = r->inputs; t; t = t->next) {
		make_object(&m, NULL);
		make_raw(&m, "content", t->raw);
		make_word(&m, "task_type", task_of(r->purpose));
		make_object_end(&m);
	}
	make_array_end(&m);
	if (r->dimensions > 0) {
		make_object(&m, "parameters");
		make_i64(&m, "outputDimensionality", r->dimensions);
		make_object_end(&m);
	}
	make_object_end(&m);
	return json_make_finish(&m);
}

/* ---- answers in ----------------------------------------------------------------------------------- */

static bool tell_vector(struct canon_events *out, struct slice values)
{
	if (json_type_of(values) != JSON_ARRAY || values.len <= 2)
		return false;
	canon_add(out, CANON_EVENT_EMBEDDING)->json = values;
	return true;
}

static enum fault begin(struct codec_reader *r, struct slice body, struct canon_events *out)
{
	if (json_validate(body, NULL) != JSON_OK || json_type_of(body) != JSON_OBJECT)
		return FAULT_BAD_ANSWER;
	canon_add(out, CANON_EVENT_START)->created = r->wall_ms / 1000;
	return FAULT_NONE;
}

static enum fault finish(struct codec_reader *r, bool good, struct canon_events *out)
{
	if (!good)
		return FAULT_BAD_ANSWER;
	canon_add(out, CANON_EVENT_DONE);
	r->started = r->content = r->done = true;
	return FAULT_NONE;
}

/* {"embedding": {"values"}} or {"embeddings": [{"values"}, …]} */
static enum fault read_answer(struct codec_reader *r, struct slice body, struct canon_events *out)
{
	struct slice list, one = json_path(body, S("embedding.values"));
	struct usage usage = { .known = false };
	bool good = true, any = false;
	enum fault fault = begin(r, body, out);

	if (fault != FAULT_NONE)
		return fault;
	list = gemini_list(json_member(body, S("embeddings")));
	if (one.len)
		any = good = tell_vector(out, one);
	while (json_next(&list, NULL, &one)) {
		any = true;
		good &= tell_vector(out, json_member(one, S("values")));
	}
	gemini_read_usage(json_member(body, S("usageMetadata")), &usage);
	if (usage.known)
		canon_add(out, CANON_EVENT_USAGE)->usage = usage;
	return finish(r, good && any, out);
}

/* {"predictions": [{"embeddings": {"values", "statistics": {"token_count"}}}, …]} */
static enum fault read_predictions(struct codec_reader *r, struct slice body, struct canon_events *out)
{
	struct usage usage = { .known = false };
	bool good = true, any = false;
	struct slice list, one;
	enum fault fault = begin(r, body, out);
	int64_t n;

	if (fault != FAULT_NONE)
		return fault;
	list = gemini_list(json_member(body, S("predictions")));
	while (json_next(&list, NULL, &one)) {
		any = true;
		good &= tell_vector(out, json_path(one, S("embeddings.values")));
		if (json_i64(json_path(one, S("embeddings.statistics.token_count")), &n) && n > 0) {
			usage.known = true;
			usage.input_tokens += n;
		}
	}
	if (usage.known)
		canon_add(out, CANON_EVENT_USAGE)->usage = usage;
	return finish(r, good && any, out);
}

static enum fault read_count(struct codec_reader *r, struct slice body, struct canon_events *out)
{
	struct canon_event *e;
	int64_t n;
	enum fault fault = begin(r, body, out);

	if (fault != FAULT_NONE)
		return fault;
	if (!json_i64(json_member(body, S("totalTokens")), &n) || n < 0)
		return FAULT_BAD_ANSWER;
	e = canon_add(out, CANON_EVENT_COUNT);
	e->usage = (struct usage){ .known = true, .input_tokens = n };
	if (!json_i64(json_member(body, S("cachedContentTokenCount")), &e->usage.cached_tokens))
		e->usage.cached_tokens = 0;
	return finish(r, true, out);
}

/* ---- answers out ------------------------------------------------------------------------------------ */

static void put_vector(struct json_make *m, const char *name, const struct canon_event *e)
{
	make_object(m, name);
	make_raw(m, "values", json_type_of(e->json) == JSON_ARRAY ? e->json : S("[]"));
	make_object_end(m);
}

static bool write_answers(const struct canon_events *events, bool one, struct buf *out)
{
	struct json_make m = json_make_start(out);

	make_object(&m, NULL);
	if (!one)
		make_array(&m, "embeddings");
	for (size_t i = 0; i < events->count; i++)
		if (events->at[i].kind == CANON_EVENT_EMBEDDING) {
			put_vector(&m, one ? "embedding" : NULL, &events->at[i]);
			if (one)
				break;
		}
	if (!one)
		make_array_end(&m);
	make_object_end(&m);
	return json_make_finish(&m);
}

static bool write_one(struct codec_writer *w, const struct canon_events *events, struct buf *out)
{
	(void)w;
	return write_answers(events, true, out);
}

static bool write_several(struct codec_writer *w, const struct canon_events *events, struct buf *out)
{
	(void)w;
	return write_answers(events, false, out);
}

static bool write_count(struct codec_writer *w, const struct canon_events *events, struct buf *out)
{
	(void)w;
	for (size_t i = 0; i < events->count; i++)
		if (events->at[i].kind == CANON_EVENT_COUNT)
			return buf_printf(out, "{\"totalTokens\":%lld}",
					  (long long)events->at[i].usage.input_tokens);
	return buf_append(out, S("{\"totalTokens\":0}"));
}

/* ---- the rows -------------------------------------------------------------------------------------------- */

const struct codec codec_gemini_embed = {
	.name = S_INIT("gemini batch embed"),
	.task = CANON_EMBED,
	.endpoint = ENDPOINT_EMBEDDINGS,
	.read_request = read_request,
	.write_request = write_batch,
	.read_answer = read_answer,
	.write_answer = write_several,
};

/* The form for one text, which clients ask; backends are asked for several. */
const struct codec codec_gemini_embed_one = {
	.name = S_INIT("gemini embed"),
	.task = CANON_EMBED,
	.endpoint = ENDPOINT_EMBEDDINGS,
	.read_request = read_request,
	.write_answer = write_one,
};

const struct codec codec_vertex_predict = {
	.name = S_INIT("vertex predict"),
	.task = CANON_EMBED,
	.endpoint = ENDPOINT_EMBEDDINGS,
	.write_request = write_predict,
	.read_answer = read_predictions,
};

const struct codec codec_gemini_count = {
	.name = S_INIT("gemini count tokens"),
	.task = CANON_COUNT,
	.endpoint = ENDPOINT_COUNT_TOKENS,
	.carries = GEMINI_CARRIES,
	.read_request = gemini_count_read_request,
	.write_request = gemini_count_write_request,
	.read_answer = read_count,
	.write_answer = write_count,
};
