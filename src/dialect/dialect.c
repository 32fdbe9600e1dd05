#include "dialect/dialect.h"

#include "base/check.h"
#include "dialect/codec.h"
#include "dialect/vendor.h"
#include "wire/json.h"

#include <string.h>

static const struct dialect *const dialect_all[] = {
	&dialect_openai, &dialect_azure, &dialect_anthropic, &dialect_gemini, &dialect_vertex,
	&dialect_bedrock, &dialect_cohere,
};

const struct dialect *dialect_find(struct slice name)
{
	for (size_t i = 0; i < COUNT_OF(dialect_all); i++)
		if (slice_eq(dialect_all[i]->name, name))
			return dialect_all[i];
	return NULL;
}

size_t dialect_names(struct slice names[static DIALECTS_MAX])
{
	must(COUNT_OF(dialect_all) <= DIALECTS_MAX);
	for (size_t i = 0; i < COUNT_OF(dialect_all); i++)
		names[i] = dialect_all[i]->name;
	return COUNT_OF(dialect_all);
}

/* ---- endpoints ------------------------------------------------------------ */

static bool ends_in_star(struct slice s)
{
	return s.len > 0 && s.at[s.len - 1] == '*';
}

/* "." or "..", also where dots are percent-encoded. */
static bool is_dots(struct slice segment)
{
	size_t dots = 0;

	while (segment.len > 0) {
		size_t eat = 1;

		if (slice_starts_nocase(segment, S("%2e")))
			eat = 3;
		else if (segment.at[0] != '.')
			return false;
		segment = slice_from(segment, eat);
		dots++;
	}
	return dots == 1 || dots == 2;
}

/* The rest of a path goes to the backend as it is, so it must not be able to
 * climb out of the backend's base path. */
static bool may_stand_for_star(struct slice rest)
{
	struct slice segment;

	if (rest.len == 0 || rest.at[0] == '/')
		return false;
	while (slice_cut(rest, '/', &segment, &rest))
		if (is_dots(segment))
			return false;
	return !is_dots(rest);
}

/* The star stands for the rest of the path, or for what lies between two fixed
 * pieces. */
static bool path_fits(const struct endpoint *e, struct slice path)
{
	size_t star = slice_find(e->path, '*');
	struct slice before, behind;

	if (star == SLICE_NOT_FOUND)
		return slice_eq(e->path, path);
	before = slice_sub(e->path, 0, star);
	behind = slice_from(e->path, star + 1);
	return path.len > before.len + behind.len && slice_starts(path, before) &&
	       slice_ends(path, behind) &&
	       may_stand_for_star(slice_sub(path, before.len, path.len - behind.len));
}

enum { ALLOW_GET = 1, ALLOW_POST = 2, ALLOW_DELETE = 4, ALLOW_COMBINATIONS = 8 };

static unsigned allow_bit(const char *method)
{
	return strcmp(method, "GET") == 0    ? ALLOW_GET
	     : strcmp(method, "POST") == 0   ? ALLOW_POST
	     : strcmp(method, "DELETE") == 0 ? ALLOW_DELETE
					     : 0;
}

static const char *allow_text(unsigned bits)
{
	static const char *const texts[ALLOW_COMBINATIONS] = {
		NULL, "GET", "POST", "GET, POST", "DELETE", "GET, DELETE", "POST, DELETE",
		"GET, POST, DELETE",
	};

	must(bits < ALLOW_COMBINATIONS);
	return texts[bits];
}

static const struct endpoint *endpoint_in(const struct dialect *dialect, struct slice method,
					  struct slice path, unsigned *allowed)
{
	for (size_t i = 0; i < dialect->endpoint_count; i++) {
		const struct endpoint *e = &dialect->endpoints[i];

		if (!path_fits(e, path))
			continue;
		if (slice_eq(slice_of(e->method), method))
			return e;
		*allowed |= allow_bit(e->method);
	}
	return NULL;
}

const struct endpoint *dialect_endpoint_in(const struct dialect *dialect, struct slice method,
					   struct slice path, const char **allow)
{
	unsigned allowed = 0;
	const struct endpoint *e = endpoint_in(dialect, method, path, &allowed);

	*allow = e ? NULL : allow_text(allowed);
	return e;
}

const struct endpoint *dialect_endpoint(struct slice method, struct slice path,
					const struct dialect **dialect, const char **allow)
{
	unsigned allowed = 0;

	*allow = NULL;
	for (size_t i = 0; i < COUNT_OF(dialect_all); i++) {
		const struct endpoint *e = endpoint_in(dialect_all[i], method, path, &allowed);

		if (e) {
			*dialect = dialect_all[i];
			return e;
		}
	}
	*allow = allow_text(allowed);
	return NULL;
}

const struct dialect *dialect_of_client(const struct h1_head *head)
{
	for (size_t i = 0; i < COUNT_OF(dialect_all); i++)
		if (dialect_all[i]->client_header.len && h1_get(head, dialect_all[i]->client_header).at)
			return dialect_all[i];
	return NULL;
}

int dialect_error_status(const struct dialect *dialect, const struct error_answer *e)
{
	if (e->status)
		return e->status;
	return dialect->error_status ? dialect->error_status(e) : fault_row(e->fault)->status;
}

bool dialect_json_is_due(const struct h1_head *head)
{
	struct slice type = h1_get(head, S("content-type"));

	return slice_starts_nocase(type, S("application/json")) ||
	       slice_starts_nocase(type, S("text/html"));
}

struct slice dialect_upstream_path(struct arena *arena, const struct endpoint *endpoint,
				   struct slice path)
{
	struct slice to = endpoint->upstream_path, rest;

	if (!ends_in_star(to))
		return to;
	must(ends_in_star(endpoint->path));
	must(path.len >= endpoint->path.len);
	rest = slice_from(path, endpoint->path.len - 1);
	return arena_printf(arena, "%.*s%.*s", slice_int_len(to) - 1, to.at, SLICE_ARG(rest));
}

/* ---- between dialects -------------------------------------------------------- */

static bool has(const struct vendor *vendor, enum endpoint_kind kind)
{
	return (vendor->lacks_endpoints & (1u << kind)) == 0;
}

const struct codec *dialect_codec(const struct dialect *from, const struct endpoint *endpoint,
				  const struct dialect *to, const struct vendor *vendor, bool *pass)
{
	const struct dialect *like = to->passes ? to->passes : to;

	/* Kin differ in everything but conversations. */
	*pass = (from == like || (from == to->kin && endpoint->kind == ENDPOINT_CHAT)) &&
		has(vendor, endpoint->kind);
	if (*pass || !endpoint->codec || !to->codecs)
		return NULL;
	for (const struct codec *const *c = to->codecs; *c; c++)
		if ((*c)->task == endpoint->codec->task && (*c)->write_request && has(vendor, (*c)->endpoint))
			return *c;
	return NULL;
}

struct slice dialect_ask_path(struct arena *arena, const struct dialect *dialect,
			      const struct dialect_ask *ask)
{
	if (dialect->upstream_path)
		return dialect->upstream_path(arena, ask);
	if (!ask->codec)
		return dialect_upstream_path(arena, ask->endpoint, ask->path);
	for (size_t i = 0; i < dialect->endpoint_count; i++)
		if (dialect->endpoints[i].codec == ask->codec)
			return dialect->endpoints[i].upstream_path;
	never("a codec is spoken at no endpoint of its dialect");
}

/* ---- the model's name in a body --------------------------------------------- */

/* A form field is plain text: a line break in it would end the field early. */
static struct slice plain_name(struct arena *arena, struct slice name)
{
	char *text = arena_alloc(arena, name.len);
	size_t len = 0;

	for (size_t i = 0; i < name.len; i++)
		if ((unsigned char)name.at[i] >= 0x20)
			text[len++] = name.at[i];
	return (struct slice){ text, len };
}

static struct slice json_name(struct arena *arena, struct slice name)
{
	struct buf quoted = BUF_INIT(name.len * 6 + 2);
	struct slice copy;

	json_write_string(&quoted, name);
	copy = arena_copy(arena, buf_slice(&quoted));
	buf_free(&quoted);
	return copy;
}

size_t dialect_splice_model(struct arena *arena, const struct request_facts *facts,
			    struct slice body, struct slice new_model,
			    struct slice parts[static DIALECT_BODY_PARTS])
{
	struct slice raw = facts->model_raw;
	size_t from, count = 0;

	parts[0] = body;
	if (raw.len == 0 || slice_eq(facts->model, new_model))
		return 1;
	if (facts->model_place != MODEL_IN_JSON && facts->model_place != MODEL_IN_MULTIPART)
		return 1;
	must(raw.at >= body.at);
	from = (size_t)(raw.at - body.at);
	must(from + raw.len <= body.len);
	if (from > 0)
		parts[count++] = slice_sub(body, 0, from);
	parts[count++] = facts->model_place == MODEL_IN_JSON ? json_name(arena, new_model)
							     : plain_name(arena, new_model);
	if (from + raw.len < body.len)
		parts[count++] = slice_from(body, from + raw.len);
	return count;
}
