/* vendors.c: which language a backend speaks, and whose dialect of it. */
#include "config/inside.h"

#include "dialect/dialect.h"
#include "dialect/vendor.h"

void read_dialect(struct reader *r, const struct raw_backend *raw, struct backend_policy *out)
{
	struct slice known[DIALECTS_MAX], text = S("openai");
	const struct node *n = raw->dialect;
	size_t count = dialect_names(known);

	if (n && !scalar_of(r, "dialect", n, &text))
		return;
	out->dialect = dialect_find(text);
	if (!out->dialect)
		complain_at(r, n ? n : raw->url, "unknown dialect %s; %s", quote(r, text),
			    suggestion(r, text, known, count, "known dialects"));
}

/* Paths of a dialect may begin with what people are used to give as the URL's end. */
static struct slice without_tail(struct slice path, struct slice tail)
{
	return tail.len && slice_ends(path, tail) ? slice_sub(path, 0, path.len - tail.len) : path;
}

static const struct vendor *find_vendor(struct reader *r, const struct raw_backend *raw,
					const struct dialect *dialect, const struct origin *o)
{
	struct slice names[VENDORS_MAX], text;
	const struct vendor *v;

	if (!raw->vendor || !scalar_of(r, "vendor", raw->vendor, &text))
		return vendor_find(dialect->name, o->host, o->base_path);
	v = vendor_named(dialect->name, text);
	if (!v)
		complain_at(r, raw->vendor, "unknown vendor %s; %s", quote(r, text),
			    suggestion(r, text, names, vendor_names(dialect->name, names),
				       "vendors of this dialect"));
	return v ? v : vendor_named(dialect->name, dialect->name);
}

static const struct choice endpoint_names[] = {
	{ "chat", ENDPOINT_CHAT }, { "responses", ENDPOINT_RESPONSES },
	{ "completions", ENDPOINT_COMPLETIONS }, { "embeddings", ENDPOINT_EMBEDDINGS },
	{ "count_tokens", ENDPOINT_COUNT_TOKENS }, { NULL, 0 },
};

/* A vendor's row that has just the endpoints which the config names. */
static const struct vendor *with_endpoints(struct reader *r, const struct node *n,
					   const struct vendor *v)
{
	struct vendor *own = arena_new(r->arena, struct vendor);
	unsigned has = 0;
	int one;

	*own = *v;
	if (n->kind != NODE_LIST) {
		complain_at(r, n, "\"endpoints\" needs a list, as in endpoints: [chat, embeddings]");
		return v;
	}
	for (size_t i = 0; i < n->count; i++)
		if (choice_read(r, "endpoints", endpoint_names, n->items[i], &one))
			has |= 1u << one;
	own->lacks_endpoints = 0;
	for (const struct choice *c = endpoint_names; c->name; c++)
		if (!(has >> c->value & 1))
			own->lacks_endpoints |= 1u << c->value;
	return own;
}

static void note_path(struct reader *r, const struct backend_policy *b, const struct origin *o)
{
	const struct vendor *v = b->vendor;

	if (v->base_path.len && v->host.len && v->host.at[0] != '.' &&
	    !slice_starts(o->base_path, v->base_path))
		note(r, "backend %.*s: the API of %.*s is usually at https://%.*s%.*s", SLICE_ARG(b->name),
		     SLICE_ARG(o->host), SLICE_ARG(o->host), SLICE_ARG(v->base_path));
}

static void read_place(struct reader *r, const struct raw_backend *raw, struct backend_policy *out)
{
	struct dialect_place *place;

	if (!raw->api_version.len)
		return;
	place = arena_new(r->arena, struct dialect_place);
	if (out->place)
		*place = *out->place;
	place->api_version = arena_copy(r->arena, raw->api_version);
	out->place = place;
}

void read_vendor(struct reader *r, const struct raw_backend *raw, struct origin *origins,
		 struct backend_policy *out)
{
	if (!out->dialect || !out->origin_count)
		return;
	for (size_t i = 0; i < out->origin_count; i++)
		origins[i].base_path = without_tail(origins[i].base_path, out->dialect->base_tail);
	out->vendor = find_vendor(r, raw, out->dialect, &origins[0]);
	for (size_t i = 0; i < out->origin_count; i++)
		note_path(r, out, &origins[i]);
	if (raw->endpoints)
		out->vendor = with_endpoints(r, raw->endpoints, out->vendor);
	read_place(r, raw, out);
	out->known_to_stream = out->vendor->known;
	out->rate_scope = streams_rate_scope(raw->rate_scope, out->vendor,
					     out->key.len > 0 || out->credential);
}
