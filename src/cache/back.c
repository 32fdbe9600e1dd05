#include "cache/back.h"

#include "base/check.h"
#include "cache/disk.h"
#include "cache/shared.h"
#include "resilience/breaker.h"

#include <stdio.h>
#include <stdlib.h>

/* A store that fails three times in a row, or is too slow as often, is left alone
 * for a while. */
static const struct breaker_policy breaker_policy = {
	.faults_in_row = 3, .rate_percent = 50, .rate_min = 20, .window_ms = 10000, .open_ms = 1000,
	.open_max_ms = 15000, .lease_ms = 5000,
};

enum task_kind { TASK_ASK, TASK_PUT, TASK_PURGE, TASK_TELL, TASK_RELEASE, TASK_METER };

/* What workers ask for, on its way to the loop. */
struct task {
	struct link link;
	enum task_kind kind;
	struct back_ask *ask;
	struct cache_entry *entry;
	struct cache_purge purge;
	char name[CACHE_NAME_MAX + 1];
	char what[160];               /* TELL */
	int64_t span_ms;
	uint64_t token;               /* RELEASE */
	struct cache_meter *meter;
};

struct place {
	struct store *store;
	const char *name;
	int64_t wait_ms;
	struct breaker breaker;
	atomic_bool works;
	_Atomic(uint64_t) timeouts, skipped;
};

struct back {
	struct back_setup setup;
	struct io *io;
	const struct log *log;
	struct store *shared;         /* among the places; NULL: there is none */
	struct lock lock;             /* over the tasks */
	struct list tasks;
	bool posted, closed;
	struct io_message message;
	struct place places[CACHE_STORES_MAX];
	unsigned place_count;
	struct list trying;
};

/* One store asked on behalf of a question. */
struct trying {
	struct store_get get;
	struct link link;
	uint64_t stamp, token;        /* see struct back_ask */
	struct back_ask *ask;         /* NULL: it has been too slow */
	struct back *back;
	struct place *place;
	struct breaker_pass pass;
	struct io_timer limit;
};

/* ---- asking one after another --------------------------------------------------------- */

static void ask_next(struct back *b, struct back_ask *a);

static void report(struct trying *t, enum breaker_outcome outcome)
{
	struct back *b = t->back;
	struct place *p = t->place;
	mono_ms now = io_now(b->io);
	bool works;

	breaker_report(&p->breaker, &breaker_policy, now, io_random(b->io), &t->pass, outcome);
	works = breaker_state_at(&p->breaker, now) != BREAKER_OPEN;
	if (works != atomic_exchange(&p->works, works))
		log_line(b->log, works ? LOG_INFO : LOG_WARN, works ? "cache_store_back" : "cache_store_off",
			 "store=%s", p->name);
}

static void on_limit(struct io_timer *timer, mono_ms now)
{
	struct trying *t = CONTAINER_OF(timer, struct trying, limit);
	struct back_ask *a = t->ask;

	(void)now;
	t->ask = NULL;                  /* the store still has it */
	atomic_fetch_add(&t->place->timeouts, 1);
	report(t, BREAKER_BAD);
	if (t->token)
		a->done(a, NULL);
	else
		ask_next(t->back, a);
}

/* A lease, or word of whose it is. */
static void on_lease(struct trying *t, struct back_ask *a, enum store_end end)
{
	if (a) {
		a->end = end;
		a->done(a, NULL);
	} else if (end == STORE_FOUND) {
		shared_release(t->place->store, &t->get.key, t->token);
	}
}

static void on_got(struct store_get *g, enum store_end end, struct cache_entry *e)
{
	struct trying *t = CONTAINER_OF(g, struct trying, get);
	struct back_ask *a = t->ask;
	struct back *b = t->back;
	const char *name = t->place->name;

	if (!b->closed) {               /* else there may be no loop any more */
		io_timer_clear(b->io, &t->limit);
		if (a)
			report(t, end == STORE_FAILED ? BREAKER_BAD : BREAKER_GOOD);
		if (e)
			b->setup.found(b->setup.owner, e, t->stamp);
	}
	list_remove(&b->trying, &t->link);
	if (t->token) {
		on_lease(t, a, end);
		free(t);
		return;
	}
	free(t);
	if (!a)
		cache_entry_give(e);
	else if (!e)
		ask_next(b, a);
	else {
		a->store_name = name;
		a->done(a, e);
	}
}

static void try_place(struct back *b, struct place *p, struct back_ask *a, struct breaker_pass pass)
{
	struct trying *t = calloc(1, sizeof *t);

	must(t != NULL);
	t->get.key = a->key;
	t->get.done = on_got;
	t->ask = a;
	t->back = b;
	t->place = p;
	t->pass = pass;
	t->stamp = a->stamp;
	t->token = a->token;
	t->limit.fire = on_limit;
	list_append(&b->trying, &t->link);
	io_timer_set(b->io, &t->limit, mono_after(io_now(b->io), p->wait_ms));
	if (t->token)
		shared_lease(p->store, &t->get, t->token);
	else
		p->store->ops->get(p->store, &t->get);
	/* Which may have told already. */
}

static void ask_next(struct back *b, struct back_ask *a)
{
	while (a->store < b->place_count && !b->closed) {
		struct place *p = &b->places[a->store++];
		struct breaker_pass pass;

		if (breaker_ask(&p->breaker, &breaker_policy, io_now(b->io), io_random(b->io), &pass) ==
		    BREAKER_DENY) {
			atomic_fetch_add(&p->skipped, 1);
			continue;
		}
		try_place(b, p, a, pass);
		return;
	}
	a->done(a, NULL);
}

static void ask_lease(struct back *b, struct back_ask *a)
{
	struct place *p = b->shared ? &b->places[b->place_count - 1] : NULL;
	struct breaker_pass pass;

	a->end = STORE_FAILED;
	if (!p || b->closed ||
	    breaker_ask(&p->breaker, &breaker_policy, io_now(b->io), io_random(b->io), &pass) == BREAKER_DENY) {
		if (p)
			atomic_fetch_add(&p->skipped, 1);
		a->done(a, NULL);
		return;
	}
	try_place(b, p, a, pass);
}

/* ---- tasks ---------------------------------------------------------------------------------- */

static void do_task(struct back *b, struct task *t)
{
	t->purge.name = slice_of(t->name);
	switch (t->kind) {
	case TASK_ASK:
		if (t->ask->token)
			ask_lease(b, t->ask);
		else
			ask_next(b, t->ask);
		break;
	case TASK_PUT:
		for (unsigned i = 0; i < b->place_count && !b->closed; i++)
			b->places[i].store->ops->put(b->places[i].store, t->entry);
		break;
	case TASK_PURGE:
		for (unsigned i = 0; i < b->place_count && !b->closed; i++)
			b->places[i].store->ops->purge(b->places[i].store, &t->purge);
		break;
	case TASK_TELL:
		if (b->shared && !b->closed)
			shared_tell(b->shared, slice_of(t->what), slice_of(t->name), t->span_ms);
		break;
	case TASK_RELEASE:
		if (b->shared && !b->closed)
			shared_release(b->shared, &t->purge.key, t->token);
		break;
	case TASK_METER:
		if (b->shared && !b->closed)
			shared_stir(b->shared, t->meter);
		break;
	}
	cache_entry_give(t->entry);
	free(t);
}

static void do_tasks(struct back *b)
{
	struct link *first;

	lock_take(&b->lock);
	b->posted = false;
	while ((first = list_first(&b->tasks))) {
		list_remove(&b->tasks, first);
		lock_give(&b->lock);
		do_task(b, CONTAINER_OF(first, struct task, link));
		lock_take(&b->lock);
	}
	lock_give(&b->lock);
}

static void deliver(struct io_message *m)
{
	do_tasks(CONTAINER_OF(m, struct back, message));
}

static struct task *task_new(enum task_kind kind)
{
	struct task *t = calloc(1, sizeof *t);

	must(t != NULL);
	t->kind = kind;
	return t;
}

static void post(struct back *b, struct task *t)
{
	bool post;

	lock_take(&b->lock);
	list_append(&b->tasks, &t->link);
	post = !b->posted && !b->closed;
	b->posted = b->posted || post;
	lock_give(&b->lock);
	if (post)
		io_post(b->io, &b->message);
}

void back_ask(struct back *b, struct back_ask *a)
{
	struct task *t = task_new(TASK_ASK);

	a->store = 0;
	t->ask = a;
	post(b, t);
}

void back_release(struct back *b, const struct cache_key *key, uint64_t token)
{
	struct task *t = task_new(TASK_RELEASE);

	t->purge.key = *key;
	t->token = token;
	post(b, t);
}

void back_put(struct back *b, struct cache_entry *e)
{
	struct task *t = task_new(TASK_PUT);

	t->entry = cache_entry_take(e);
	post(b, t);
}

void back_purge(struct back *b, const struct cache_purge *p)
{
	struct task *t = task_new(TASK_PURGE);

	t->purge = *p;
	snprintf(t->name, sizeof t->name, "%.*s", SLICE_ARG(p->name));
	post(b, t);
}

void back_tell(struct back *b, struct slice what, struct slice about, int64_t span_ms)
{
	struct task *t;

	if (!b->shared)
		return;
	t = task_new(TASK_TELL);
	snprintf(t->what, sizeof t->what, "%.*s", SLICE_ARG(what));
	snprintf(t->name, sizeof t->name, "%.*s", SLICE_ARG(about));
	t->span_ms = span_ms;
	post(b, t);
}

void back_meter(struct back *b, struct cache_meter *m)
{
	struct task *t = task_new(TASK_METER);

	t->meter = m;
	post(b, t);
}

/* ---- the machines that share the store ---------------------------------------------------------- */

void back_meet(struct back *b, void (*describe)(void *owner, struct cache_node *out), void *owner)
{
	if (b->shared)
		shared_meet(b->shared, describe, owner);
}

void back_leave(struct back *b, void (*done)(void *owner), void *owner)
{
	if (b->shared && !b->closed)
		shared_leave(b->shared, done, owner);
	else
		done(owner);
}

void back_cluster(struct back *b, mono_ms now, struct cache_cluster *out)
{
	if (b->shared)
		shared_cluster(b->shared, now, out);
	else
		*out = (struct cache_cluster){ .shared = false };
}

/* ---- life --------------------------------------------------------------------------------------- */

static void add_place(struct back *b, struct store *store, const char *name, int64_t wait_ms)
{
	struct place *p = &b->places[b->place_count++];

	p->store = store;
	p->name = name;
	p->wait_ms = wait_ms;
	atomic_store(&p->works, true);
}

/* What other machines say: here it holds for everything that is not shared. */
static void on_purge(void *owner, const struct cache_purge *p)
{
	struct back *b = owner;

	for (unsigned i = 0; i < b->place_count && !b->closed; i++)
		if (b->places[i].store != b->shared)
			b->places[i].store->ops->purge(b->places[i].store, p);
	b->setup.purged(b->setup.owner, p);
}

static void on_news(void *owner, struct slice what, struct slice about, int64_t span_ms)
{
	struct back *b = owner;

	b->setup.news(b->setup.owner, what, about, span_ms);
}

struct back *back_create(const struct back_setup *setup)
{
	const struct cache_store_policy *p = setup->policy;
	struct back *b;

	if (!p->disk_path.len && !p->shared.address_count)
		return NULL;
	b = calloc(1, sizeof *b);
	must(b != NULL);
	b->setup = *setup;
	b->io = setup->io;
	b->log = setup->log;
	b->message.deliver = deliver;
	lock_init(&b->lock);
	list_init(&b->tasks);
	list_init(&b->trying);
	if (p->disk_path.len)
		add_place(b, disk_create(b->io, p, b->log), "disk", p->disk_wait_ms);
	if (p->shared.address_count) {
		const struct shared_setup shared = {
			.io = b->io, .policy = &p->shared, .entry_max = p->entry_bytes, .log = b->log,
			.on_purge = on_purge, .on_news = on_news, .owner = b,
		};

		b->shared = shared_create(&shared);     /* the last of the places */
		add_place(b, b->shared, "shared", p->shared.wait_ms);
	}
	return b;
}

void back_close(struct back *b)
{
	do_tasks(b);
	lock_take(&b->lock);
	b->closed = true;
	lock_give(&b->lock);
	LIST_EACH(&b->trying, l, after)
		io_timer_clear(b->io, &CONTAINER_OF(l, struct trying, link)->limit);
	for (unsigned i = 0; i < b->place_count; i++)
		b->places[i].store->ops->close(b->places[i].store);
}

void back_free(struct back *b)
{
	if (!b)
		return;
	must(b->closed);
	do_tasks(b);
	for (unsigned i = 0; i < b->place_count; i++)
		b->places[i].store->ops->free(b->places[i].store);
	must(list_empty(&b->trying));
	lock_destroy(&b->lock);
	free(b);
}

bool back_works(const struct back *b)
{
	for (unsigned i = 0; i < b->place_count; i++)
		if (atomic_load(&b->places[i].works))
			return true;
	return false;
}

int64_t back_wait_ms(const struct back *b)
{
	int64_t ms = 0;

	for (unsigned i = 0; i < b->place_count; i++)
		ms += b->places[i].wait_ms;
	return ms;
}

size_t back_stats(struct back *b, struct store_stats out[static CACHE_STORES_MAX])
{
	for (unsigned i = 0; i < b->place_count; i++) {
		struct place *p = &b->places[i];

		p->store->ops->stats(p->store, &out[i]);
		out[i].works = atomic_load(&p->works);
		out[i].timeouts = atomic_load(&p->timeouts);
		out[i].skipped = atomic_load(&p->skipped);
	}
	return b->place_count;
}
