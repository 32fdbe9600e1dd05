#include "daemon/find_config.h"

#include "base/check.h"
#include "daemon/discover.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SYSTEM_PATH "/etc/backstay/backstay.yaml"
#define ERRORS_MAX ((size_t)1024 * 1024)
#define FILE_MAX ((size_t)16 * 1024 * 1024)

/* ---- options ------------------------------------------------------------------ */

bool find_config_options(int argc, char **argv, const char **path, bool *live, char *why,
			 size_t why_size)
{
	*path = NULL;
	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "-c") == 0 || strcmp(argv[i], "--config") == 0) {
			if (i + 1 == argc) {
				snprintf(why, why_size, "%s needs a file", argv[i]);
				return false;
			}
			*path = argv[++i];
		} else if (strncmp(argv[i], "--config=", 9) == 0) {
			*path = argv[i] + 9;
		} else if (live && strcmp(argv[i], "--live") == 0) {
			*live = true;
		} else {
			snprintf(why, why_size, "there is no option '%s'%s", argv[i],
				 argv[i][0] == '-' ? "" : "; a config is named with -c");
			return false;
		}
	}
	return true;
}

/* ---- files ---------------------------------------------------------------------- */

static bool read_whole(const char *path, struct buf *text, struct buf *why)
{
	return config_source_process.read_file(config_source_process.owner, path, text, why);
}

static void forget(struct buf *text)
{
	if (text->bytes)
		explicit_bzero(text->bytes, text->size);
	buf_free(text);
}

struct config *find_config_load(const char *path, uint8_t sha256[static DIGEST_SHA256_BYTES],
				struct buf *errors)
{
	struct buf text = BUF_INIT(FILE_MAX), why = BUF_INIT(4096);
	struct config *c = NULL;

	if (read_whole(path, &text, &why)) {
		digest_sha256(buf_slice(&text), sha256);
		c = config_parse(slice_of(path), buf_slice(&text), &config_source_process, errors);
	} else {
		struct slice reason = buf_slice(&why);

		(void)!buf_printf(errors, "%s: the file cannot be read (%.*s); check path and "
				  "permissions\n", path, SLICE_ARG(reason));
	}
	forget(&text);
	buf_free(&why);
	return c;
}

bool find_config_digest(const char *path, uint8_t sha256[static DIGEST_SHA256_BYTES])
{
	struct buf text = BUF_INIT(FILE_MAX), why = BUF_INIT(4096);
	bool ok = read_whole(path, &text, &why);

	if (ok)
		digest_sha256(buf_slice(&text), sha256);
	forget(&text);
	buf_free(&why);
	return ok;
}

/* ---- the search -------------------------------------------------------------------- */

static void print(const char *before, struct slice text)
{
	fprintf(stderr, "%s%.*s", before, SLICE_ARG(text));
}

static struct config *from_environment(struct buf *errors)
{
	const struct config_local_server *answering[DISCOVER_MAX];
	struct buf found = BUF_INIT(ERRORS_MAX);
	size_t count = discover_local_servers(answering);
	struct config *c = config_from_environment(&config_source_process, answering, count, &found,
						   errors);
	struct slice rest = buf_slice(&found), line;

	if (c && rest.len)
		print("No config file; found in the environment and on this machine:\n", SLICE_NONE);
	while (c && slice_cut(rest, '\n', &line, &rest))
		fprintf(stderr, "  %.*s\n", SLICE_ARG(line));
	buf_free(&found);
	return c;
}

static void explain_beginning(void)
{
	fputs("backstay: there is nothing to serve yet.\n"
	      "\n"
	      "No config file was named, and neither an API key is in the environment nor does\n"
	      "a local model server answer. One of these will do:\n"
	      "\n"
	      "  OPENAI_API_KEY=sk-... backstay run      a key of any vendor (backstay help run)\n"
	      "  ollama serve & backstay run             a local model server\n"
	      "  backstay run -c backstay.yaml           a file such as this:\n"
	      "\n"
	      "    backends:\n"
	      "      one: {url: https://api.openai.com/v1, key: \"${OPENAI_API_KEY}\"}\n"
	      "      two: {url: http://gpu1:8000/v1}\n"
	      "    models:\n"
	      "      chat:\n"
	      "        targets:\n"
	      "          - {backend: one, model: gpt-6-luna}\n"
	      "          - {backend: two, model: qwen3-32b}\n"
	      "\n"
	      "To try it without any model: examples/demo.yaml starts three simulated ones.\n", stderr);
}

static bool environment_is_empty(struct slice errors)
{
	return slice_starts(errors, S("no config file was given"));
}

bool find_config(const char *path, struct found_config *out)
{
	struct buf errors = BUF_INIT(ERRORS_MAX);
	const char *named = getenv("BACKSTAY_CONFIG");

	*out = (struct found_config){ .path = path };
	if (!out->path && named && *named)
		out->path = named;
	if (!out->path && access(SYSTEM_PATH, F_OK) == 0)
		out->path = SYSTEM_PATH;
	if (out->path)
		out->config = find_config_load(out->path, out->sha256, &errors);
	else
		out->config = from_environment(&errors);
	if (!out->config && !out->path && environment_is_empty(buf_slice(&errors)))
		explain_beginning();
	else
		print("", buf_slice(&errors));
	buf_free(&errors);
	if (out->config)
		out->config->generation = 1;
	return out->config != NULL;
}
