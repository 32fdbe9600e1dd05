/* names.c: the cache of look-ups.
 *
 * An entry lives through: never answered -> good -> expired (its TTL has run
 * out) -> too old (NAMES_STALE_MAX_MS). While DNS fails, expired answers go on
 * being served and the query is repeated, at most once in retry_ms. Nothing is
 * asked unless somebody wants the name: a quiet proxy does not talk to DNS. */
#include "conn/names.h"
#include "base/map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOST_BYTES_MAX 255

struct names {
	struct io *io;
	const struct log *log;
	struct map *entries;
	struct list ready;                    /* look-ups whose answer is due */
	struct io_deferred later;
	struct io_grave grave;
	void (*changed)(void *owner, struct slice host);
	void *changed_owner;
};

struct entry {
	struct names *names;
	struct io_addr addrs[IO_RESOLVE_MAX];
	unsigned count;                       /* 0: never answered */
	mono_ms expires_at, good_until;
	mono_ms retry_at, used_at;
	int64_t retry_ms;
	bool asking, failing;
	const char *why;
	struct io_resolve query;
	struct io_timer patience;
	struct list waiting;
	struct slice host;                    /* lower case, in text[] */
	char text[];
};

static void answer_ready(struct io_deferred *d, mono_ms now);

struct names *names_create(struct io *io, const struct log *log)
{
	struct names *n = calloc(1, sizeof *n);

	must(n != NULL);
	n->io = io;
	n->log = log;
	n->entries = map_create(io_random(io));
	n->later.run = answer_ready;
	list_init(&n->ready);
	return n;
}

static void entry_free(struct entry *e)
{
	must(list_empty(&e->waiting));
	if (e->asking)
		io_resolve_cancel(e->names->io, &e->query);
	io_timer_clear(e->names->io, &e->patience);
	free(e);
}

static void names_bury(struct io_grave *g)
{
	free(CONTAINER_OF(g, struct names, grave));
}

void names_free(struct names *n)
{
	size_t cursor = 0;
	struct slice key;
	void *value;

	if (!n)
		return;
	must(list_empty(&n->ready));
	while (map_next(n->entries, &cursor, &key, &value))
		entry_free(value);
	map_free(n->entries);
	n->entries = NULL;
	n->grave.bury = names_bury;
	io_bury(n->io, &n->grave);
}

void names_watch(struct names *n, void (*changed)(void *owner, struct slice host), void *owner)
{
	n->changed = changed;
	n->changed_owner = owner;
}

/* ---- finding entries ----------------------------------------------------------- */

/* The name in lower case, without the dot of the root; empty if it is no name. */
static struct slice fold(struct slice host, char out[static HOST_BYTES_MAX])
{
	if (slice_ends(host, S(".")))
		host.len--;
	if (host.len > HOST_BYTES_MAX)
		return SLICE_NONE;
	for (size_t i = 0; i < host.len; i++) {
		char c = host.at[i];

		out[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
	}
	return (struct slice){ out, host.len };
}

static struct entry *entry_find(const struct names *n, struct slice host)
{
	char folded[HOST_BYTES_MAX];

	return map_get(n->entries, fold(host, folded));
}

/* Drops the entry that nobody has wanted for the longest. */
static void evict(struct names *n)
{
	struct entry *oldest = NULL;
	size_t cursor = 0;
	struct slice key;
	void *value;

	while (map_next(n->entries, &cursor, &key, &value)) {
		struct entry *e = value;

		if (list_empty(&e->waiting) && (!oldest || e->used_at < oldest->used_at))
			oldest = e;
	}
	if (!oldest)
		return;
	map_remove(n->entries, oldest->host);
	entry_free(oldest);
}

/* NULL: not a name that could be looked up, or too many are wanted at once. */
static struct entry *entry_get(struct names *n, struct slice host)
{
	char folded[HOST_BYTES_MAX];
	struct slice name = fold(host, folded);
	struct entry *e;

	if (name.len == 0)
		return NULL;
	if ((e = map_get(n->entries, name)))
		return e;
	if (map_count(n->entries) >= NAMES_COUNT_MAX)
		evict(n);
	if (map_count(n->entries) >= NAMES_COUNT_MAX)
		return NULL;
	e = calloc(1, sizeof *e + name.len);
	must(e != NULL);
	memcpy(e->text, name.at, name.len);
	e->host = (struct slice){ e->text, name.len };
	e->names = n;
	list_init(&e->waiting);
	map_set(n->entries, e->host, e);
	return e;
}

/* ---- answering ------------------------------------------------------------------ */

static void ready(struct names *n, struct names_lookup *l)
{
	l->private = NULL;
	list_append(&n->ready, &l->link);
	io_defer(n->io, &n->later);
}

static void answer_ready(struct io_deferred *d, mono_ms now)
{
	struct names *n = CONTAINER_OF(d, struct names, later);

	(void)now;
	while (!list_empty(&n->ready)) {
		struct link *first = list_first(&n->ready);

		list_remove(&n->ready, first);
		CONTAINER_OF(first, struct names_lookup, link)->done(
			CONTAINER_OF(first, struct names_lookup, link));
	}
}

static bool has_good(const struct entry *e, mono_ms now)
{
	return e->count > 0 && now < e->good_until;
}

/* What the entry has: its addresses, or its failure. */
static void fill(struct names_lookup *l, const struct entry *e, mono_ms now)
{
	l->count = has_good(e, now) ? e->count : 0;
	l->stale = l->count > 0 && e->failing;
	l->why = l->count > 0 ? NULL : e->why ? e->why : "the name cannot be looked up";
	for (unsigned i = 0; i < l->count; i++) {
		l->addrs[i] = e->addrs[i];
		l->addrs[i].port = l->port;
	}
}

static void answer_waiting(struct entry *e, mono_ms now)
{
	io_timer_clear(e->names->io, &e->patience);
	while (!list_empty(&e->waiting)) {
		struct link *first = list_first(&e->waiting);
		struct names_lookup *l = CONTAINER_OF(first, struct names_lookup, link);

		list_remove(&e->waiting, first);
		fill(l, e, now);
		ready(e->names, l);
	}
}

static bool literal(struct slice host, uint16_t port, struct io_addr *out)
{
	char text[160];
	int len;

	if (slice_starts(host, S("unix:")))
		return io_addr_parse(host, out);
	len = snprintf(text, sizeof text,
		       slice_find(host, ':') != SLICE_NOT_FOUND ? "[%.*s]:0" : "%.*s:0",
		       SLICE_ARG(host));
	if (len < 0 || (size_t)len >= sizeof text || !io_addr_parse(slice_of(text), out))
		return false;
	out->port = port;
	return true;
}

/* ---- asking ---------------------------------------------------------------------- */

static bool among(const struct io_addr *addrs, unsigned count, struct io_addr wanted)
{
	for (unsigned i = 0; i < count; i++) {
		wanted.port = addrs[i].port;
		if (io_addr_eq(&addrs[i], &wanted))
			return true;
	}
	return false;
}

static void take_answer(struct entry *e, const struct io_resolve *r, mono_ms now)
{
	int64_t ttl_ms = r->ttl_ms;
	bool lost = false;

	for (unsigned i = 0; i < e->count; i++)
		lost |= !among(r->addrs, r->count, e->addrs[i]);
	ttl_ms = ttl_ms < NAMES_TTL_MIN_MS ? NAMES_TTL_MIN_MS : ttl_ms;
	ttl_ms = ttl_ms > NAMES_TTL_MAX_MS ? NAMES_TTL_MAX_MS : ttl_ms;
	memcpy(e->addrs, r->addrs, r->count * sizeof *r->addrs);
	e->count = r->count;
	e->expires_at = mono_after(now, ttl_ms);
	e->good_until = mono_after(now, NAMES_STALE_MAX_MS);
	e->retry_at = 0;
	e->retry_ms = 0;
	e->why = NULL;
	if (e->failing)
		log_line(e->names->log, LOG_INFO, "name_back", "host=%.*s", SLICE_ARG(e->host));
	e->failing = false;
	if (lost && e->names->changed)
		e->names->changed(e->names->changed_owner, e->host);
}

/* Where old answers are served meanwhile the pauses grow; where nothing can be
 * served somebody is waiting for the name to come back, and they do not. */
static void take_failure(struct entry *e, const char *why, mono_ms now)
{
	char quoted[128];
	int64_t retry_ms = has_good(e, now) ? e->retry_ms * 2 : NAMES_RETRY_MIN_MS;

	retry_ms = retry_ms < NAMES_RETRY_MIN_MS ? NAMES_RETRY_MIN_MS : retry_ms;
	e->retry_ms = retry_ms > NAMES_RETRY_MAX_MS ? NAMES_RETRY_MAX_MS : retry_ms;
	e->retry_at = mono_after(now, e->retry_ms);
	e->why = why ? why : "no answer";
	if (!e->failing)
		log_line(e->names->log, LOG_WARN, "name_lookup_failed",
			 "host=%.*s why=%s serving_last_good=%s", SLICE_ARG(e->host),
			 log_quote(slice_of(e->why), quoted, sizeof quoted),
			 has_good(e, now) ? "yes" : "no");
	e->failing = true;
}

static void on_answer(struct io_resolve *r)
{
	struct entry *e = CONTAINER_OF(r, struct entry, query);
	mono_ms now = io_now(e->names->io);

	must(e->asking);
	e->asking = false;
	if (r->count > 0)
		take_answer(e, r, now);
	else
		take_failure(e, r->why, now);
	answer_waiting(e, now);
}

/* DNS takes too long; it may still answer. */
static void on_patience(struct io_timer *t, mono_ms now)
{
	struct entry *e = CONTAINER_OF(t, struct entry, patience);

	e->failing = true;
	answer_waiting(e, now);
}

static void ask(struct entry *e, mono_ms now)
{
	if (e->asking || now < e->retry_at)
		return;
	e->asking = true;
	e->query.done = on_answer;
	io_resolve_start(e->names->io, &e->query, e->host, 0);
}

void names_lookup(struct names *n, struct names_lookup *l, struct slice host, uint16_t port)
{
	mono_ms now = io_now(n->io);
	struct entry *e;

	must(l->done != NULL);
	must(!link_on_list(&l->link));
	l->count = 0;
	l->stale = false;
	l->why = "this is not a name that can be looked up";
	l->port = port;
	if (literal(host, port, &l->addrs[0]))
		l->count = 1;
	if (l->count > 0 || !(e = entry_get(n, host))) {
		ready(n, l);
		return;
	}
	e->used_at = now;
	if (e->count == 0 || now >= e->expires_at)
		ask(e, now);
	if (!e->asking ||
	    (has_good(e, now) && (e->failing || now < mono_after(e->expires_at, NAMES_GRACE_MS)))) {
		fill(l, e, now);
		ready(n, l);
		return;
	}
	l->private = e;
	list_append(&e->waiting, &l->link);
	e->patience.fire = on_patience;
	if (has_good(e, now) && e->waiting.count == 1)
		io_timer_set(n->io, &e->patience, mono_after(now, NAMES_PATIENCE_MS));
}

void names_cancel(struct names *n, struct names_lookup *l)
{
	struct entry *e = l->private;

	if (!link_on_list(&l->link))
		return;
	list_remove(e ? &e->waiting : &n->ready, &l->link);
	if (e && list_empty(&e->waiting))
		io_timer_clear(n->io, &e->patience);
}

void names_refresh(struct names *n, struct slice host)
{
	struct entry *e = entry_find(n, host);
	mono_ms now = io_now(n->io);

	if (!e || e->count == 0)
		return;
	e->used_at = now;
	if (now >= e->expires_at)
		ask(e, now);
}

bool names_still_has(const struct names *n, struct slice host, const struct io_addr *addr)
{
	const struct entry *e = entry_find(n, host);

	/* An answer that filled the table may have had more. */
	if (!e || e->count == 0 || e->count == IO_RESOLVE_MAX || e->failing)
		return true;
	if (io_now(n->io) >= e->expires_at)
		return true;
	return among(e->addrs, e->count, *addr);
}
