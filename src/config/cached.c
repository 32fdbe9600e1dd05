/* cached.c: kept answers and the last resort. */
#include "config/inside.h"

#define MESSAGE_MAX 4096
#define TEMPERATURE_MAX_MILLI 2000

static void read_embeddings(struct reader *r, struct node *n, struct cache_policy *p)
{
	struct raw_embeddings raw = { 0 };
	struct slice text;

	section_defaults(&section_cache_embeddings, &raw);
	if (!section_read(r, &section_cache_embeddings, n, &raw))
		return;
	if (raw.model && scalar_of(r, "model", raw.model, &text))
		p->embed_model = arena_copy(r->arena, text);
	p->embed_milli = raw.least_milli;
	p->embed_wait_ms = raw.wait_ms;
}

const struct cache_policy *read_cache(struct reader *r, const struct raw_cache *raw)
{
	struct cache_policy *p = arena_new(r->arena, struct cache_policy);
	struct slice text;

	*p = (struct cache_policy){
		.fresh_ms = raw->fresh_ms, .stale_ms = raw->stale_ms, .refresh_ms = raw->refresh_ms,
		.temperature_milli = 1000, .scope = raw->scope, .tools = raw->tools != 0,
		.resumed = raw->resumed != 0, .coalesce = raw->coalesce != 0, .pace_ms = raw->pace_ms,
		.near_milli = raw->near_milli,
	};
	if (raw->temperature && scalar_of(r, "temperature", raw->temperature, &text)) {
		if (!slice_to_milli(text, &p->temperature_milli))
			complain_at(r, raw->temperature, "\"temperature\": %s is no number; write one "
				    "such as 0 or 0.7", quote(r, text));
		else if (p->temperature_milli > TEMPERATURE_MAX_MILLI)
			complain_at(r, raw->temperature, "\"temperature\": %s is out of range; write 0 to 2",
				    quote(r, text));
	}
	if (raw->embeddings)
		read_embeddings(r, raw->embeddings, p);
	return cache_policy_on(p) ? p : NULL;
}

static void read_disk(struct reader *r, struct node *n, struct cache_store_policy *out)
{
	struct raw_cache_disk raw = { 0 };
	struct slice text;

	section_defaults(&section_cache_disk, &raw);
	if (!section_read(r, &section_cache_disk, n, &raw))
		return;
	if (raw.path && scalar_of(r, "path", raw.path, &text))
		out->disk_path = config_path_of(r, text);
	out->disk_bytes = raw.bytes;
	out->disk_wait_ms = raw.wait_ms;
}

void read_cache_store(struct reader *r, const struct raw_cache_store *raw, struct cache_store_policy *out)
{
	out->memory_bytes = raw->memory_bytes;
	out->entry_bytes = raw->entry_bytes;
	if (raw->disk)
		read_disk(r, raw->disk, out);
	if (raw->shared)
		read_cache_shared(r, raw->shared, &out->shared);
}

const struct last_resort_policy *read_last_resort(struct reader *r, struct node *n)
{
	struct last_resort_policy *p = arena_new(r->arena, struct last_resort_policy);
	struct raw_last_resort raw = { 0 };
	struct slice text;

	if (!n || !section_read(r, &section_last_resort, n, &raw))
		return NULL;
	if (raw.message && scalar_of(r, "message", raw.message, &text)) {
		if (text.len > MESSAGE_MAX)
			complain_at(r, raw.message, "\"message\" has more than %d bytes; shorten it",
				    MESSAGE_MAX);
		p->message = arena_copy(r->arena, text);
	}
	if (raw.model && scalar_of(r, "model", raw.model, &text))
		p->model = arena_copy(r->arena, text);
	if (!raw.message && !raw.model)
		complain_at(r, n, "\"last_resort\" says nothing; write a message, a model or both");
	return p->message.len || p->model.len ? p : NULL;
}

void check_embeddings(struct reader *r, struct node *const *nodes)
{
	const struct config *c = r->config;
	struct slice star;

	for (size_t i = 0; i < c->model_count; i++) {
		const struct cache_policy *p = c->models[i].cache;

		if (p && nodes[i] && p->embed_model.len && !config_model(c, p->embed_model, &star))
			complain_at(r, node_get(nodes[i], "model"), "unknown model %s; name one of \"models\" "
				    "that makes embeddings", quote(r, p->embed_model));
	}
}

void check_last_resorts(struct reader *r, struct node *const *nodes)
{
	const struct config *c = r->config;
	struct slice *names = arena_array(r->scratch, struct slice, c->model_count);
	size_t count = 0;

	for (size_t i = 0; i < c->model_count; i++)
		if (!c->models[i].is_pattern)
			names[count++] = c->models[i].name;
	for (size_t i = 0; i < c->model_count; i++) {
		const struct last_resort_policy *p = c->models[i].last_resort;
		bool known = false;

		if (!p || !p->model.len)
			continue;
		for (size_t k = 0; k < count; k++)
			known |= slice_eq(names[k], p->model);
		if (!known)
			complain_at(r, node_get(nodes[i], "model"), "unknown model %s; %s",
				    quote(r, p->model),
				    suggestion(r, p->model, names, count, "models here"));
		else if (slice_eq(p->model, c->models[i].name))
			complain_at(r, node_get(nodes[i], "model"), "the model %s is its own last resort; "
				    "name another", quote(r, p->model));
	}
}

uint64_t cache_epoch_of(const struct model_policy *m)
{
	uint64_t epoch = slice_hash(m->name, 1);

	/* Weights, limits and order change nothing of an answer. */
	for (size_t i = 0; i < m->target_count; i++)
		epoch += slice_hash(m->targets[i].model, slice_hash(m->targets[i].host_key, 2));
	return epoch;
}
