/* cohere_embed.c: texts become vectors by Cohere's v2 embed. */
#include "dialect/cohere.h"

#include "base/check.h"
#include "wire/json.h"

/* What a text is for must be said; most who do not say it keep documents. */
static struct slice input_type(const struct canon_request *r)
{
	static const struct { struct slice purpose, word; } rows[] = {
		{ S_INIT("query"), S_INIT("search_query") },
		{ S_INIT("question_answering"), S_INIT("search_query") },
		{ S_INIT("fact_verification"), S_INIT("search_query") },
		{ S_INIT("code_query"), S_INIT("search_query") },
		{ S_INIT("classification"), S_INIT("classification") },
		{ S_INIT("clustering"), S_INIT("clustering") },
		{ S_INIT("similarity"), S_INIT("clustering") },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (slice_eq(r->purpose, rows[i].purpose))
			return rows[i].word;
	return S("search_document");
}

void cohere_put_texts(struct json_make *m, const struct canon_request *r, bool base64)
{
	make_text(m, "input_type", input_type(r));
	make_array(m, "texts");
	for (const struct canon_text *t = r->inputs; t; t = t->next) {
		/* Numbers of another model's tokens mean nothing here. */
		if (json_type_of(t->raw) != JSON_STRING)
			m->out.failed = true;
		make_raw(m, NULL, t->raw);
	}
	make_array_end(m);
	make_raw(m, "embedding_types", base64 ? S("[\"base64\"]") : S("[\"float\"]"));
	if (r->dimensions >= 0)
		make_i64(m, "output_dimension", r->dimensions);
}

static bool write_request(struct arena *arena, const struct canon_request *r,
			  const struct codec_target *target, struct buf *out)
{
	struct json_make m = json_make_start(out);

	(void)arena;
	make_object(&m, NULL);
	make_text(&m, "model", target->model);
	cohere_put_texts(&m, r, r->base64);
	make_object_end(&m);
	return json_make_finish(&m);
}

enum fault cohere_read_vectors(struct codec_reader *r, struct slice body, struct canon_events *out)
{
	struct slice vectors, vector, id;
	struct usage usage = { .known = false };
	struct canon_event *e;
	unsigned count = 0;

	if (json_validate(body, NULL) != JSON_OK || json_type_of(body) != JSON_OBJECT)
		return FAULT_BAD_ANSWER;
	body = slice_trim(body);
	vectors = json_path(body, S("embeddings.float"));
	if (json_is_nothing(vectors))
		vectors = json_path(body, S("embeddings.base64"));
	if (json_is_nothing(vectors))
		vectors = json_member(body, S("embeddings"));
	if (json_is_nothing(vectors) || json_type_of(vectors) != JSON_ARRAY)
		return FAULT_BAD_ANSWER;
	id = json_member(body, S("id"));
	e = canon_add(out, CANON_EVENT_START);
	e->id = json_type_of(id) == JSON_STRING ? id : SLICE_NONE;
	e->created = r->wall_ms / 1000;
	r->started = true;
	while (json_next(&vectors, NULL, &vector)) {
		enum json_type type = json_type_of(vector);

		if (type != JSON_ARRAY && type != JSON_STRING)
			return FAULT_BAD_ANSWER;
		e = canon_add(out, CANON_EVENT_EMBEDDING);
		e->choice = count++;
		e->json = vector;
	}
	if (!count)
		return FAULT_BAD_ANSWER;
	cohere_read_usage(json_member(body, S("meta")), &usage);
	if (usage.known)
		canon_add(out, CANON_EVENT_USAGE)->usage = usage;
	canon_add(out, CANON_EVENT_DONE);
	r->content = r->done = true;
	return FAULT_NONE;
}

const struct codec codec_cohere_embed = {
	.name = S_INIT("cohere embed"),
	.task = CANON_EMBED,
	.endpoint = ENDPOINT_EMBEDDINGS,
	.write_request = write_request,
	.read_answer = cohere_read_vectors,
};
