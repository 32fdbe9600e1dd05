/* environment.c: a config without a file. It is written as the YAML that a
 * person would have written, with ${NAME} where values of the environment
 * belong, and read like any other. */
#include "config/inside.h"

#include <stdio.h>

const struct config_local_server config_local_servers[] = {
	{ "ollama", 11434 }, { "vllm", 8000 }, { "llamacpp", 8080 }, { "lmstudio", 1234 },
};
const size_t config_local_server_count = COUNT_OF(config_local_servers);

#define TEXT_MAX (64 * 1024)
#define PREFIXES_MAX 6
#define OWN_LISTEN "127.0.0.1:8080"

/* A vendor whose API takes a key, OpenAI's where no dialect is said. In the order
 * in which the model `chat` prefers them. */
struct vendor {
	const char *name;             /* backend, and variable part of BACKSTAY_CHAT_MODEL_… */
	const char *upper;
	const char *keys[2];          /* variables that hold the key; the first one set is used */
	const char *url;
	const char *dialect;          /* NULL: openai */
	const char *chat_model;       /* for the model `chat` */
	const char *prefixes[PREFIXES_MAX];   /* names that are this vendor's without doubt */
};

static const struct vendor vendors[] = {
	{ "openai", "OPENAI", { "OPENAI_API_KEY", NULL }, "https://api.openai.com/v1", NULL,
	  "gpt-6-luna", { "gpt-*", "chatgpt-*", "text-embedding-3-*" } },
	{ "anthropic", "ANTHROPIC", { "ANTHROPIC_API_KEY", NULL }, "https://api.anthropic.com", "anthropic",
	  "claude-sonnet-5-5", { "claude-*" } },
	{ "gemini", "GEMINI", { "GEMINI_API_KEY", "GOOGLE_API_KEY" },
	  "https://generativelanguage.googleapis.com/v1beta/openai", NULL, "gemini-3.8-flash",
	  { "gemini-*" } },
	{ "mistral", "MISTRAL", { "MISTRAL_API_KEY", NULL }, "https://api.mistral.ai/v1", NULL,
	  "mistral-small-latest", { "mistral-*", "codestral-*", "ministral-*" } },
	{ "deepseek", "DEEPSEEK", { "DEEPSEEK_API_KEY", NULL }, "https://api.deepseek.com/v1", NULL,
	  "deepseek-flash", { "deepseek-*" } },
	{ "groq", "GROQ", { "GROQ_API_KEY", NULL }, "https://api.groq.com/openai/v1", NULL,
	  "openai/gpt-oss-120b", { NULL } },
	{ "openrouter", "OPENROUTER", { "OPENROUTER_API_KEY", NULL }, "https://openrouter.ai/api/v1", NULL,
	  "openrouter/auto", { NULL } },
};

struct environment {
	const struct config_source *source;
	struct buf backends, models, chat, *found;
};

static const char *env_of(const struct environment *e, const char *name)
{
	const char *value = e->source->env(e->source->owner, name);

	return value && *value ? value : NULL;
}

/* One pattern: the name's prefix, and the model's name asked for there. */
static void put_pattern(struct environment *e, const char *pattern, const char *backend,
			const char *model)
{
	buf_putf(&e->models, "  \"%s\": [{backend: %s, model: \"%s\"}]\n", pattern, backend, model);
}

static void put_chat(struct environment *e, const char *backend, const char *model)
{
	buf_putf(&e->chat, "      - {backend: %s, model: \"%s\", priority: %u}\n", backend, model,
		 (unsigned)(buf_len(&e->chat) ? 2 : 1));
}

static void add_vendor(struct environment *e, const struct vendor *v)
{
	const char *key = env_of(e, v->keys[0]) ? v->keys[0] : v->keys[1];
	char model[128], name_star[64];

	if (!key || !env_of(e, key))
		return;
	buf_putf(&e->backends, "  %s: {key: \"${%s}\", url: \"%s\"%s%s}\n", v->name, key, v->url,
		 v->dialect ? ", dialect: " : "", v->dialect ? v->dialect : "");
	snprintf(name_star, sizeof name_star, "%s/*", v->name);
	put_pattern(e, name_star, v->name, "*");
	for (size_t i = 0; i < PREFIXES_MAX && v->prefixes[i]; i++)
		put_pattern(e, v->prefixes[i], v->name, v->prefixes[i]);
	snprintf(model, sizeof model, "${BACKSTAY_CHAT_MODEL_%s:-%s}", v->upper, v->chat_model);
	put_chat(e, v->name, model);
	buf_putf(e->found, "%s (%s): models %s", v->name, key, name_star);
	for (size_t i = 0; i < PREFIXES_MAX && v->prefixes[i]; i++)
		buf_putf(e->found, ", %s", v->prefixes[i]);
	buf_puts(e->found, "\n");
}

/* Azure names deployments, not models, so `chat` needs one to be named. With
 * OPENAI_API_VERSION the dated API is meant, whose deployment is in the URL. */
static void add_azure(struct environment *e)
{
	const char *endpoint = env_of(e, "AZURE_OPENAI_ENDPOINT");
	bool deployment = env_of(e, "AZURE_OPENAI_DEPLOYMENT") != NULL;
	bool dated = deployment && env_of(e, "OPENAI_API_VERSION") != NULL;
	const char *slash;

	if (!endpoint || !env_of(e, "AZURE_OPENAI_API_KEY"))
		return;
	slash = slice_ends(slice_of(endpoint), S("/")) ? "" : "/";
	buf_putf(&e->backends, "  azure: {key: \"${AZURE_OPENAI_API_KEY}\", auth: api-key, url: "
		 "\"${AZURE_OPENAI_ENDPOINT}%sopenai/%s\"", slash,
		 dated ? "deployments/${AZURE_OPENAI_DEPLOYMENT}" : "v1");
	if (dated)
		buf_puts(&e->backends, ", query: {api-version: \"${OPENAI_API_VERSION}\"}");
	buf_puts(&e->backends, "}\n");
	put_pattern(e, "azure/*", "azure", dated ? "${AZURE_OPENAI_DEPLOYMENT}" : "*");
	if (deployment)
		put_chat(e, "azure", "${AZURE_OPENAI_DEPLOYMENT}");
	buf_puts(e->found, "azure (AZURE_OPENAI_API_KEY): models azure/*\n");
}

/* Will Backstay itself listen on that port? Then no server of another kind is there. */
static bool is_own_port(const struct environment *e, uint16_t port)
{
	const char *listen = env_of(e, "BACKSTAY_LISTEN");
	char ending[8];
	int len = snprintf(ending, sizeof ending, ":%u", (unsigned)port);

	must(len > 0 && (size_t)len < sizeof ending);
	return slice_ends(slice_of(listen ? listen : OWN_LISTEN), slice_of(ending));
}

static void add_local(struct environment *e, const struct config_local_server *s)
{
	if (is_own_port(e, s->port))
		return;
	buf_putf(&e->backends, "  %s: {url: \"http://127.0.0.1:%u/v1\"}\n", s->name,
		 (unsigned)s->port);
	buf_putf(&e->models, "  \"%s/*\": [{backend: %s, model: \"*\"}]\n", s->name, s->name);
	if (env_of(e, "BACKSTAY_LOCAL_MODEL"))
		put_chat(e, s->name, "${BACKSTAY_LOCAL_MODEL}");
	buf_putf(e->found, "%s (127.0.0.1:%u): models %s/*\n", s->name, (unsigned)s->port, s->name);
}

static void write_text(struct environment *e, struct buf *out)
{
	buf_puts(out, "listen: \"${BACKSTAY_LISTEN:-" OWN_LISTEN "}\"\n");
	if (env_of(e, "BACKSTAY_ADMIN"))
		buf_puts(out, "admin: {listen: \"${BACKSTAY_ADMIN}\"}\n");
	if (env_of(e, "BACKSTAY_KEY"))
		buf_puts(out, "keys:\n  - {name: environment, key: \"${BACKSTAY_KEY}\"}\n");
	buf_puts(out, "backends:\n");
	buf_put(out, buf_slice(&e->backends));
	buf_puts(out, "models:\n");
	if (buf_len(&e->chat)) {
		buf_puts(out, "  chat:\n    targets:\n");
		buf_put(out, buf_slice(&e->chat));
	}
	buf_put(out, buf_slice(&e->models));
}

struct config *config_from_environment(const struct config_source *source,
				       const struct config_local_server *const *answering,
				       size_t answering_count, struct buf *found,
				       struct buf *errors)
{
	struct environment e = {
		.source = source, .found = found,
		.backends = BUF_INIT(TEXT_MAX), .models = BUF_INIT(TEXT_MAX), .chat = BUF_INIT(TEXT_MAX),
	};
	struct buf text = BUF_INIT(4 * TEXT_MAX);
	struct config *c = NULL;

	for (size_t i = 0; i < COUNT_OF(vendors); i++)
		add_vendor(&e, &vendors[i]);
	add_azure(&e);
	for (size_t i = 0; i < answering_count; i++)
		add_local(&e, answering[i]);
	if (buf_len(&e.backends)) {
		write_text(&e, &text);
		c = config_parse(S("environment"), buf_slice(&text), source, errors);
	} else {
		buf_puts(errors,
			 "no config file was given and nothing to work with was found; set an API key "
			 "such as OPENAI_API_KEY, start a local model server (Ollama on port 11434, "
			 "say), or write a config file and name it with -c\n");
	}
	buf_free(&e.backends);
	buf_free(&e.models);
	buf_free(&e.chat);
	buf_free(&text);
	return c;
}
