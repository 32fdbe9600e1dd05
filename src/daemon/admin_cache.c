/* Kept answers on the admin port: numbers, one answer, dropping some. */
#include "daemon/admin_inside.h"

#include "base/check.h"
#include "cache/cache.h"
#include "cache/flight.h"
#include "daemon/doc.h"
#include "wire/json.h"
#include "wire/url.h"

#define JSON_TYPE S("application/json")

/* ---- numbers ------------------------------------------------------------------------- */

static void put_memory(const struct cache_stats *c, struct doc *d)
{
	doc_open(d, "memory");
	doc_number(d, "entries", (int64_t)c->memory.entries);
	doc_number(d, "bytes", (int64_t)c->memory.bytes);
	doc_number(d, "bytes_max", (int64_t)c->memory.bytes_max);
	doc_number(d, "puts", (int64_t)c->memory.puts);
	doc_number(d, "evictions", (int64_t)c->memory.evictions);
	doc_number(d, "too_large", (int64_t)c->memory.too_large);
	doc_close(d);
}

static void put_store(const struct store_stats *s, struct doc *d)
{
	doc_open(d, NULL);
	doc_word(d, "name", s->name);
	doc_bool(d, "works", s->works);
	doc_number(d, "gets", (int64_t)s->gets);
	doc_number(d, "found", (int64_t)s->found);
	doc_number(d, "puts", (int64_t)s->puts);
	doc_number(d, "failures", (int64_t)s->failures);
	doc_number(d, "timeouts", (int64_t)s->timeouts);
	doc_number(d, "skipped", (int64_t)s->skipped);
	doc_number(d, "dropped", (int64_t)s->dropped);
	doc_number(d, "entries", (int64_t)s->entries);
	doc_number(d, "bytes", (int64_t)s->bytes);
	doc_number(d, "bytes_max", (int64_t)s->bytes_max);
	doc_word(d, "trouble", s->trouble);
	doc_close(d);
}

void admin_cache(struct admin *a, const struct admin_request *r)
{
	struct store_stats stores[CACHE_STORES_MAX];
	const struct cache_stats c = cache_stats(a->state->cache);
	const struct flight_counts f = flights_count(a->state->flights);
	size_t count = cache_store_stats(a->state->cache, stores);
	struct doc d = DOC(&a->document);

	doc_open(&d, NULL);
	put_memory(&c, &d);
	doc_open_list(&d, "stores");
	for (size_t i = 0; i < count; i++)
		put_store(&stores[i], &d);
	doc_close_list(&d);
	doc_number(&d, "flights", (int64_t)f.flights);
	doc_number(&d, "followers", (int64_t)f.followers);
	doc_number(&d, "purges", (int64_t)c.purges);
	doc_number(&d, "purged", (int64_t)c.purged);
	doc_number(&d, "kept_out", (int64_t)c.kept_out);
	doc_number(&d, "leases", (int64_t)c.leases);
	doc_number(&d, "lease_waits", (int64_t)c.waits);
	doc_number(&d, "lease_answered", (int64_t)c.waits_answered);
	doc_close(&d);
	admin_answer_document(a, r, JSON_TYPE, doc_good(&d));
}

/* ---- one answer ------------------------------------------------------------------------ */

static void put_entry(const struct cache_entry *e, mono_ms now, bool body, struct doc *d)
{
	const struct cache_facts *f = &e->facts;
	char key[CACHE_KEY_TEXT];

	cache_key_text(&e->key, key);
	doc_open(d, NULL);
	doc_word(d, "key", key);
	doc_text(d, "model", f->model);
	doc_text(d, "served_model", f->served_model);
	doc_text(d, "target", f->target);
	doc_text(d, "path", f->path);
	doc_text(d, "dialect", f->dialect);
	doc_text(d, "tags", f->tags);
	doc_text(d, "finish_reason", f->finish_reason);
	doc_number(d, "age_ms", cache_entry_age_ms(e, now));
	doc_number(d, "kept_ms", f->kept_ms);
	doc_number(d, "bytes", (int64_t)f->body.len);
	if (f->usage_known) {
		doc_number(d, "input_tokens", f->input_tokens);
		doc_number(d, "output_tokens", f->output_tokens);
	}
	if (body)
		doc_raw(d, "answer", f->body);
	doc_close(d);
}

void admin_cache_entry(struct admin *a, const struct admin_request *r)
{
	struct arena *arena = arena_create(0);
	struct slice body = url_query_get(arena, r->query, S("body"));
	struct doc d = DOC(&a->document);
	struct cache_entry *e = NULL;
	struct cache_key key;

	if (!cache_key_parse(url_query_get(arena, r->query, S("key")), &key)) {
		admin_answer_error(a, r, 400, S("say which: ?key= and 64 hex digits, as the access log has them "
						"in \"cache_key\""));
	} else if (!(e = cache_get(a->state->cache, &key))) {
		admin_answer_error(a, r, 404, S("no answer with that key is in memory"));
	} else {
		put_entry(e, io_now(a->io), body.at && !slice_eq(body, S("0")), &d);
		admin_log_action(a, r, "cache_get", e->facts.model, 0);
		admin_answer_document(a, r, JSON_TYPE, doc_good(&d));
	}
	cache_entry_give(e);
	arena_free(arena);
}

/* ---- dropping ----------------------------------------------------------------------------- */

/* False after an answer. */
static bool read_purge(struct admin *a, const struct admin_request *r, struct arena *arena,
		       struct cache_purge *p)
{
	struct slice model = json_string(arena, json_member(r->body, S("model")));
	struct slice tag = json_string(arena, json_member(r->body, S("tag")));
	struct slice key = json_string(arena, json_member(r->body, S("key")));

	*p = (struct cache_purge){ .what = CACHE_PURGE_ALL };
	if (key.len) {
		p->what = CACHE_PURGE_KEY;
		p->name = key;
		if (cache_key_parse(key, &p->key))
			return true;
		admin_answer_error(a, r, 400, S("\"key\" is not 64 hex digits"));
		return false;
	}
	if (model.len || tag.len) {
		p->what = model.len ? CACHE_PURGE_MODEL : CACHE_PURGE_TAG;
		p->name = model.len ? model : tag;
		if (p->name.len <= CACHE_NAME_MAX)
			return true;
		admin_answer_error(a, r, 400, S("the name is too long"));
		return false;
	}
	if (json_is_true(json_member(r->body, S("all"))))
		return true;
	admin_answer_error(a, r, 400, S("say what to drop: {\"all\": true}, {\"model\": NAME}, {\"tag\": NAME} or "
					"{\"key\": HEX}"));
	return false;
}

void admin_cache_purge(struct admin *a, const struct admin_request *r)
{
	static const char *const names[] = { "all", "model", "tag", "key", NULL };
	struct arena *arena = arena_create(0);
	struct doc d = DOC(&a->document);
	struct cache_purge p;

	if (admin_body_is_object(a, r, names) && read_purge(a, r, arena, &p)) {
		admin_log_action(a, r, "cache_purge", p.name, 0);
		doc_open(&d, NULL);
		doc_number(&d, "purged", a->state->cache ? (int64_t)cache_purge(a->state->cache, &p) : 0);
		doc_close(&d);
		admin_answer_document(a, r, JSON_TYPE, doc_good(&d));
	}
	arena_free(arena);
}
