#include "dialect/request_scan.h"

enum fault scan_refuse(struct scan_refusal to, struct slice why, struct slice param)
{
	*to.why = why;
	*to.param = param;
	return FAULT_CALLER;
}

/* Which one it is that appears twice: asked again, one by one. */
static struct slice find_duplicate(struct slice body, const struct json_want *wants, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct json_want one = { .name = wants[i].name };

		if (json_scan_object(body, &one, 1, NULL) == JSON_DUPLICATE)
			return wants[i].name;
	}
	return SLICE_NONE;
}

enum fault scan_request(struct arena *arena, struct slice body, struct json_want *wants, size_t count,
			struct scan_refusal to)
{
	struct slice name;
	size_t at = 0;
	enum json_result r = json_scan_object(body, wants, count, &at);

	switch (r) {
	case JSON_OK:
		return FAULT_NONE;
	case JSON_EMPTY:
		return scan_refuse(to, S("the request body is empty; a JSON object is expected"), SLICE_NONE);
	case JSON_NOT_OBJECT:
		return scan_refuse(to, S("the request body must be a JSON object"), SLICE_NONE);
	case JSON_DUPLICATE:
		name = find_duplicate(body, wants, count);
		return scan_refuse(to, arena_printf(arena, "the request body has \"%.*s\" twice (at byte %zu)",
						    SLICE_ARG(name), at), name);
	default:
		return scan_refuse(to, arena_printf(arena,
			"the request body could not be read as JSON: %s (at byte %zu)",
			json_result_text(r), at), SLICE_NONE);
	}
}

enum fault scan_model(struct arena *arena, const struct json_want *want, bool needed,
		      struct request_facts *out, struct scan_refusal to)
{
	bool given = want->found && want->type != JSON_NULL;

	if (given && want->type != JSON_STRING)
		return scan_refuse(to, S("\"model\" must be a string"), S("model"));
	if (given) {
		out->model = json_string(arena, want->value);
		out->model_raw = want->value;
	}
	if (out->model.len > SCAN_MODEL_BYTES_MAX)
		return scan_refuse(to, S("\"model\" is too long to be the name of a model"), S("model"));
	if (needed && out->model.len == 0)
		return scan_refuse(to, S("you must provide a model"), S("model"));
	if (out->model.len == 0)
		out->model = out->model_raw = SLICE_NONE;
	return FAULT_NONE;
}

enum fault scan_stream(const struct json_want *want, struct request_facts *out,
		       struct scan_refusal to)
{
	if (want->found && want->type != JSON_TRUE && want->type != JSON_FALSE && want->type != JSON_NULL)
		return scan_refuse(to, S("\"stream\" must be true or false"), S("stream"));
	out->stream = out->endpoint->may_stream && json_is_true(want->value);
	return FAULT_NONE;
}

bool scan_has_elements(const struct json_want *want)
{
	struct slice rest = want->value, first;

	return want->found && want->type == JSON_ARRAY && json_next(&rest, NULL, &first);
}
