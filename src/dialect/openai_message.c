/* openai_message.c: an answer of our own, in the form that clients know. */
#include "dialect/openai.h"

#include "wire/json.h"

struct saying {
	struct buf *out;
	bool room;
};

static void put(struct saying *s, struct slice text)
{
	s->room = s->room && buf_append(s->out, text);
}

static void put_string(struct saying *s, struct slice text)
{
	s->room = s->room && json_try_write_string(s->out, text);
}

/* {"id":"…","object":"…","created":…,"model":"…", */
static void put_head(struct saying *s, const char *prefix, const char *object, const char *when,
		     struct slice model, struct slice id, int64_t now_s)
{
	s->room = s->room && buf_printf(s->out, "{\"id\":\"%s%.*s\",\"object\":\"%s\",\"%s\":%lld,\"model\":",
					prefix, SLICE_ARG(id), object, when, (long long)now_s);
	put_string(s, model);
}

/* No token was computed for it. */
#define NO_USAGE "\"usage\":{\"prompt_tokens\":0,\"completion_tokens\":0,\"total_tokens\":0}"
#define NO_RESPONSES_USAGE "\"usage\":{\"input_tokens\":0,\"input_tokens_details\":{\"cached_tokens\":0},"    \
			   "\"output_tokens\":0,\"output_tokens_details\":{\"reasoning_tokens\":0}," \
			   "\"total_tokens\":0}"

bool openai_write_message(const struct endpoint *endpoint, struct slice text, struct slice model,
			  struct slice id, int64_t now_s, struct buf *out)
{
	struct saying s = { out, true };

	switch (endpoint->kind) {
	case ENDPOINT_CHAT:
		put_head(&s, "chatcmpl-", "chat.completion", "created", model, id, now_s);
		put(&s, S(",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":"));
		put_string(&s, text);
		put(&s, S(",\"refusal\":null},\"logprobs\":null,\"finish_reason\":\"stop\"}]," NO_USAGE "}"));
		break;
	case ENDPOINT_COMPLETIONS:
		put_head(&s, "cmpl-", "text_completion", "created", model, id, now_s);
		put(&s, S(",\"choices\":[{\"index\":0,\"text\":"));
		put_string(&s, text);
		put(&s, S(",\"logprobs\":null,\"finish_reason\":\"stop\"}]," NO_USAGE "}"));
		break;
	case ENDPOINT_RESPONSES:
		put_head(&s, "resp_", "response", "created_at", model, id, now_s);
		s.room = s.room && buf_printf(out, ",\"status\":\"completed\",\"error\":null,"
			"\"incomplete_details\":null,\"output\":[{\"id\":\"msg_%.*s\",\"type\":\"message\","
			"\"status\":\"completed\",\"role\":\"assistant\",\"content\":[{\"type\":\"output_text\","
			"\"annotations\":[],\"text\":", SLICE_ARG(id));
		put_string(&s, text);
		put(&s, S("}]}],\"parallel_tool_calls\":true,\"tool_choice\":\"auto\",\"tools\":[],"
			  NO_RESPONSES_USAGE "}"));
		break;
	case ENDPOINT_EMBEDDINGS:
	case ENDPOINT_COUNT_TOKENS:
	case ENDPOINT_PASS:
	case ENDPOINT_MODELS:
		return false;
	}
	return s.room;
}
