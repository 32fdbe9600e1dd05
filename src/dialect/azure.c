/* azure.c: Azure OpenAI's classic form: OpenAI's requests and answers at paths
 * that name a deployment, with the API's version in the query (learn.microsoft.com,
 * "Azure OpenAI in Foundry Models REST API reference"). Its newer form, /openai/v1,
 * is OpenAI's dialect as it is. */
#include "dialect/openai.h"

#include "base/check.h"
#include "dialect/codec.h"
#include "wire/url.h"

#define VERSION_DEFAULT "2024-10-21"          /* the latest that is not a preview */

static struct slice tail_of(enum endpoint_kind kind)
{
	switch (kind) {
	case ENDPOINT_CHAT: return S("/chat/completions");
	case ENDPOINT_COMPLETIONS: return S("/completions");
	case ENDPOINT_EMBEDDINGS: return S("/embeddings");
	default: return SLICE_NONE;
	}
}

static struct slice upstream_path(struct arena *arena, const struct dialect_ask *ask)
{
	struct slice version = ask->place && ask->place->api_version.len ? ask->place->api_version
									 : S(VERSION_DEFAULT);
	struct slice tail = tail_of(ask->codec ? ask->codec->endpoint : ask->endpoint->kind);

	if (tail.len)
		return arena_printf(arena, "/openai/deployments/%.*s%.*s?api-version=%.*s",
				    SLICE_ARG(url_encode(arena, ask->model)), SLICE_ARG(tail),
				    SLICE_ARG(version));
	return arena_printf(arena, "/openai%.*s?api-version=%.*s",
			    SLICE_ARG(ask->codec ? S("/responses")
					: dialect_upstream_path(arena, ask->endpoint, ask->path)),
			    SLICE_ARG(version));
}

static const struct codec *const codecs[] = {
	&codec_openai_chat, &codec_openai_responses, &codec_openai_embeddings, NULL,
};

const struct dialect dialect_azure = {
	.name = S_INIT("azure"),
	.passes = &dialect_openai,
	.codecs = codecs,
	.base_tail = S_INIT("/openai"),
	.upstream_path = upstream_path,
	.judge_answer = openai_judge_answer,
	.judge_event = openai_judge_event,
	.judge_end = openai_judge_end,
};
