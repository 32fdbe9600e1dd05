/* bedrock_embed.c: texts become vectors by InvokeModel, which has the words of each
 * model's maker. Sources: Bedrock User Guide, "Amazon Titan Embeddings models" and
 * "Cohere Embed models". How many tokens there were stands in a header, and of
 * Titan in the body. */
#include "dialect/bedrock.h"

#include "base/check.h"
#include "dialect/cohere.h"
#include "wire/json.h"

/* Titan takes one text at a time; how long vectors are is chosen since its second
 * version. */
static void put_titan(struct json_make *m, const struct canon_request *r, struct slice model)
{
	bool chooses = slice_find_slice(model, S("-v1")) == SLICE_NOT_FOUND;

	if (!r->inputs || r->inputs->next || json_type_of(r->inputs->raw) != JSON_STRING ||
	    (r->dimensions >= 0 && !chooses)) {
		m->out.failed = true;
		return;
	}
	make_raw(m, "inputText", r->inputs->raw);
	if (r->dimensions >= 0)
		make_i64(m, "dimensions", r->dimensions);
}

static bool write_request(struct arena *arena, const struct canon_request *r,
			  const struct codec_target *target, struct buf *out)
{
	struct json_make m = json_make_start(out);

	(void)arena;
	make_object(&m, NULL);
	if (bedrock_family_of(target->model) == BEDROCK_COHERE)
		cohere_put_texts(&m, r, false);
	else
		put_titan(&m, r, target->model);
	make_object_end(&m);
	return json_make_finish(&m);
}

static enum fault read_answer(struct codec_reader *r, struct slice body, struct canon_events *out)
{
	struct slice vector;
	struct canon_event *e;
	int64_t n;

	if (json_validate(body, NULL) != JSON_OK || json_type_of(body) != JSON_OBJECT)
		return FAULT_BAD_ANSWER;
	vector = json_member(body, S("embedding"));
	if (json_is_nothing(vector))
		return cohere_read_vectors(r, body, out);
	if (json_type_of(vector) != JSON_ARRAY)
		return FAULT_BAD_ANSWER;
	canon_add(out, CANON_EVENT_START)->created = r->wall_ms / 1000;
	canon_add(out, CANON_EVENT_EMBEDDING)->json = vector;
	if (json_i64(json_member(body, S("inputTextTokenCount")), &n) && n >= 0) {
		e = canon_add(out, CANON_EVENT_USAGE);
		e->usage = (struct usage){ .known = true, .input_tokens = n };
	}
	canon_add(out, CANON_EVENT_DONE);
	r->started = r->content = r->done = true;
	return FAULT_NONE;
}

const struct codec codec_bedrock_embed = {
	.name = S_INIT("bedrock embed"),
	.task = CANON_EMBED,
	.endpoint = ENDPOINT_EMBEDDINGS,
	.write_request = write_request,
	.read_answer = read_answer,
};
