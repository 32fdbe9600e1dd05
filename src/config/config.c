#include "config/inside.h"

#include "exchange/policy.h"

#include <string.h>

static void build(struct reader *r, struct node *root)
{
	struct raw_top *top = arena_new(r->scratch, struct raw_top);

	section_defaults(&section_top, top);
	if (!section_read(r, &section_top, root, top))
		return;
	r->config->drain_ms = top->drain_ms;
	r->config->limits = top->limits;
	r->config->log_level = top->log.level;
	read_cache_store(r, &top->cache, &r->config->cache);
	build_server(r, top);
	build_mocks(r, top);
	build_backends(r, top);
	build_prices(r, top);
	build_tracing(r, top);
	build_models(r, top);
	build_spending(r, top);
	build_alerts(r, top);
}

/* The tree held secrets: nothing of it stays in freed memory. */
static void wipe(struct node *n)
{
	if (n->kind == NODE_SCALAR && n->text.len)
		explicit_bzero((char *)(uintptr_t)n->text.at, n->text.len);
	for (size_t i = 0; i < n->count; i++)
		wipe(n->kind == NODE_MAP ? n->members[i].value : n->items[i]);
}

static struct slice directory_of(struct slice file)
{
	for (size_t i = file.len; i > 0; i--)
		if (file.at[i - 1] == '/')
			return slice_sub(file, 0, i);
	return SLICE_NONE;
}

static void keep_notes(struct reader *r)
{
	struct slice *notes = arena_array(r->arena, struct slice, r->note_count);

	memcpy(notes, r->notes, r->note_count * sizeof *notes);
	r->config->notes = notes;
	r->config->note_count = r->note_count;
}

struct config *config_parse(struct slice file, struct slice text,
			    const struct config_source *source, struct buf *errors)
{
	struct arena *arena = arena_create(0), *scratch = arena_create(0);
	struct config *c = arena_new(arena, struct config);
	struct reader *r = arena_new(scratch, struct reader);
	struct node *root;

	refcount_init(&c->refs);
	c->arena = arena;
	c->path = arena_copy(arena, file);
	digest_sha256(text, c->sha256);
	r->arena = arena;
	r->scratch = scratch;
	r->file = c->path;
	r->directory = directory_of(c->path);
	r->source = source;
	r->config = c;
	root = yaml_read(r, text);
	if (root) {
		substitute(r, root);
		build(r, root);
		wipe(root);
	}
	keep_notes(r);
	io_tls_give(r->system_tls);
	if (r->complaint_count) {
		complaints_write(r, errors);
		config_give(c);
		c = NULL;
	}
	arena_free(scratch);
	return c;
}

struct config *config_load(const char *path, const struct config_source *source,
			   struct buf *errors)
{
	struct buf text = BUF_INIT(CONFIG_BYTES_MAX + 1), why = BUF_INIT(1024);
	struct config *c = NULL;

	if (source->read_file(source->owner, path, &text, &why)) {
		c = config_parse(slice_of(path), buf_slice(&text), source, errors);
	} else {
		struct slice reason = buf_slice(&why);

		if (!buf_printf(errors, "%s:1:1: the file cannot be read (%.*s); check path and "
				"permissions\n", path, SLICE_ARG(reason)))
			buf_clear(errors);
	}
	if (text.bytes)
		explicit_bzero(text.bytes, text.size);
	buf_free(&text);
	buf_free(&why);
	return c;
}

struct config *config_take(struct config *c)
{
	refcount_take(&c->refs);
	return c;
}

void config_give(struct config *c)
{
	if (!c || !refcount_give(&c->refs))
		return;
	io_tls_give(c->listen_tls);
	io_tls_give(c->cache.shared.tls);
	if (c->tracing.origin)
		io_tls_give(c->tracing.origin->tls_setup);
	for (size_t i = 0; i < c->alerts.sink_count; i++)
		io_tls_give(c->alerts.sinks[i].origin->tls_setup);
	for (size_t i = 0; i < c->backend_count; i++) {
		const struct credential_policy *credential = c->backends[i].credential;

		for (size_t j = 0; j < c->backends[i].origin_count; j++)
			io_tls_give(c->backends[i].origins[j].tls_setup);
		if (credential && credential->origin)
			io_tls_give(credential->origin->tls_setup);
	}
	arena_free(c->arena);
}

const struct model_policy *config_model(const struct config *c, struct slice name,
					struct slice *star)
{
	const struct model_policy *best = NULL;

	*star = SLICE_NONE;
	for (size_t i = 0; i < c->model_count; i++) {
		const struct model_policy *m = &c->models[i];

		if (!m->is_pattern && slice_eq(m->name, name))
			return m;
		if (!m->is_pattern || name.len < m->name.len)
			continue;             /* a star stands for at least one byte */
		if (best && best->name.len >= m->name.len)
			continue;
		if (slice_starts(name, slice_sub(m->name, 0, m->name.len - 1)))
			best = m;
	}
	if (best)
		*star = slice_from(name, best->name.len - 1);
	return best;
}

struct slice config_nearest_model(const struct config *c, struct slice name)
{
	size_t best = SIZE_MAX;
	struct slice nearest = SLICE_NONE;

	for (size_t i = 0; i < c->model_count; i++) {
		const struct model_policy *m = &c->models[i];
		size_t distance = m->is_pattern ? SIZE_MAX : slice_edit_distance(m->name, name);

		if (distance < best) {
			best = distance;
			nearest = m->name;
		}
	}
	return best <= 1 + name.len / 4 ? nearest : SLICE_NONE;
}
