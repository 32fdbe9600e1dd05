#include "exchange/credentials.h"

#include "base/check.h"
#include "route/target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FETCH_LIMIT_MS 10000          /* for all questions of one fetch */
#define ANSWER_MAX ((size_t)256 * 1024)
#define RETRY_MIN_MS 1000             /* after a fetch that failed; doubles */
#define RETRY_MAX_MS 60000
/* A token is fetched anew so long before its end, at most; less the jitter.
 * Metadata servers give the same one again until its last five minutes. */
#define AHEAD_MAX_MS (5 * 60 * 1000)
/* In its last moments a token is not used: it must live until the backend has
 * looked at it. */
#define SKEW_MS 5000
/* One that was fetched just now and is refused is not too old. */
#define FRESH_MS 10000
/* A smaller difference of clocks is no reason to refuse a signature. */
#define CLOCK_DIFFERS_MS 60000
#define HEADERS_MAX ((size_t)64 * 1024)

static const struct credential_provider *const providers[CREDENTIAL_KIND_COUNT] = {
	[CREDENTIAL_GOOGLE_KEY] = &credential_google_key,
	[CREDENTIAL_GOOGLE_USER] = &credential_google_user,
	[CREDENTIAL_GOOGLE_METADATA] = &credential_google_metadata,
	[CREDENTIAL_ENTRA] = &credential_entra,
	[CREDENTIAL_AZURE_METADATA] = &credential_azure_metadata,
	[CREDENTIAL_AWS_KEYS] = &credential_aws_keys,
	[CREDENTIAL_AWS_FILE] = &credential_aws_file,
	[CREDENTIAL_AWS_CONTAINER] = &credential_aws_container,
	[CREDENTIAL_AWS_INSTANCE] = &credential_aws_instance,
};

/* A file that is read away from the loop. It outlives a fetch that was stopped. */
struct reading {
	struct io_job job;
	struct entry *entry;          /* NULL: nobody waits for it any more */
	char *path;
	struct buf text;
	bool good;
};

/* What is held of one credential. */
struct entry {
	struct credentials *all;
	struct link link;
	struct config *config;        /* a reference: `policy` is of it */
	const struct credential_policy *policy;
	bool kept;                    /* of the store's config: to be kept fresh */

	struct arena *arena;          /* of `held`; NULL: nothing is there */
	struct credential held;
	mono_ms fetched_at, until;    /* MONO_NEVER: it does not end */
	bool doubted;                 /* refused by a backend: not to be used */
	int64_t ahead_ms;             /* of the clock that signatures are judged by, before ours */

	struct list waiting;          /* of struct credential_wait */
	struct io_timer next;         /* the next fetch */
	unsigned failed_in_row;
	enum fault fault;             /* of the last fetch; FAULT_NONE: it went well */
	char text[256];               /* the same in words */

	/* The fetch under way. */
	bool fetching;
	struct credential_fetch fetch;
	struct upstream_call *call;
	struct reading *reading;      /* instead of a call */
	struct upstream_request request;
	struct slice body_part;
	int status;
	struct buf body;
	struct io_timer limit;
	struct io_deferred told;      /* those who wait are told once a turn, never inside a call */
	struct io_grave grave;
};

struct credentials {
	struct io *io;
	struct upstream_pool *pool;
	const struct log *log;
	struct config *config;
	struct list entries;
	uint64_t fetches, faults, numbers;
};

static struct io *io_of(const struct entry *e)
{
	return e->all->io;
}

static bool is_usable(const struct entry *e, mono_ms now)
{
	return e->arena && !e->doubted && (e->until == MONO_NEVER || now < e->until);
}

/* ---- the end of an entry ------------------------------------------------------------ */

static void bury(struct io_grave *grave)
{
	struct entry *e = CONTAINER_OF(grave, struct entry, grave);

	arena_free(e->arena);
	arena_free(e->fetch.arena);
	buf_free(&e->body);
	config_give(e->config);
	free(e);
}

static void stop_fetch(struct entry *e)
{
	if (e->call)
		upstream_cancel(e->call);
	e->call = NULL;
	if (e->reading)
		e->reading->entry = NULL;
	e->reading = NULL;
	e->fetching = false;
	io_timer_clear(io_of(e), &e->limit);
}

static void drop(struct entry *e)
{
	must(list_empty(&e->waiting));
	stop_fetch(e);
	io_timer_clear(io_of(e), &e->next);
	list_remove(&e->all->entries, &e->link);
	e->grave.bury = bury;
	io_bury(io_of(e), &e->grave);
}

/* ---- telling ------------------------------------------------------------------------- */

static void on_tell(struct io_deferred *d, mono_ms now)
{
	struct entry *e = CONTAINER_OF(d, struct entry, told);
	enum fault fault = is_usable(e, now) ? FAULT_NONE : e->fault == FAULT_NONE ? FAULT_CREDENTIAL
										    : e->fault;
	struct slice text = slice_of(e->text);

	while (!e->fetching && !list_empty(&e->waiting)) {
		struct credential_wait *w = CONTAINER_OF(e->waiting.head.next, struct credential_wait,
							 link);

		list_remove(&e->waiting, &w->link);
		w->done(w, fault, text);
	}
	if (!e->kept && !e->fetching && list_empty(&e->waiting) && link_on_list(&e->link))
		drop(e);
}

static void tell(struct entry *e)
{
	io_defer(io_of(e), &e->told);
}

/* ---- a fetch --------------------------------------------------------------------------- */

static void begin_fetch(struct entry *e);

static void on_next(struct io_timer *timer, mono_ms now)
{
	struct entry *e = CONTAINER_OF(timer, struct entry, next);

	(void)now;
	if (e->fetching)
		return;
	begin_fetch(e);
}

/* Somewhere in the second half of what may be waited. */
static int64_t with_jitter(const struct entry *e, int64_t ms)
{
	return ms - (int64_t)(io_random(io_of(e)) % (uint64_t)(ms / 2 + 1));
}

static void end_fetch(struct entry *e)
{
	stop_fetch(e);
	arena_free(e->fetch.arena);
	e->fetch = (struct credential_fetch){ 0 };
	buf_free(&e->body);
	tell(e);
}

static void fail(struct entry *e, enum fault why, struct slice text)
{
	int64_t pause = RETRY_MIN_MS;
	mono_ms now = io_now(io_of(e));

	for (unsigned i = 0; i < e->failed_in_row && pause < RETRY_MAX_MS; i++)
		pause *= 2;
	pause = with_jitter(e, pause < RETRY_MAX_MS ? pause : RETRY_MAX_MS);
	e->failed_in_row++;
	e->all->faults++;
	e->fault = why;
	snprintf(e->text, sizeof e->text, "the credential %.*s could not be fetched: %.*s",
		 SLICE_ARG(e->policy->name), SLICE_ARG(text));
	log_line(e->all->log, is_usable(e, now) ? LOG_WARN : LOG_ERROR, "credential_failed",
		 "credential=%.*s fault=%s status=%d usable=%s again_in_ms=%lld text=\"%.*s\"",
		 SLICE_ARG(e->policy->name), fault_row(why)->name, e->status,
		 is_usable(e, now) ? "yes" : "no", (long long)pause, SLICE_ARG(text));
	if (e->kept)
		io_timer_set(io_of(e), &e->next, mono_after(now, pause));
	end_fetch(e);
}

/* Targets that were out of use for want of it are tried again by the next request. */
static void renew_targets(const struct entry *e, mono_ms now)
{
	const struct config *c = e->all->config;

	for (size_t m = 0; m < c->model_count; m++) {
		for (size_t i = 0; i < c->models[m].target_count; i++) {
			const struct target_policy *t = &c->models[m].targets[i];

			if (t->backend->credential && slice_eq(t->backend->credential->key, e->policy->key))
				target_credential_renewed(t->state, now);
		}
	}
}

static void keep_result(struct entry *e)
{
	const struct credential_fetch *f = &e->fetch;
	mono_ms now = io_now(io_of(e));
	int64_t ahead = f->lives_ms / 4 < AHEAD_MAX_MS ? f->lives_ms / 4 : AHEAD_MAX_MS;

	if (!is_usable(e, now))
		renew_targets(e, now);
	arena_free(e->arena);
	e->arena = arena_create(0);
	e->held = (struct credential){
		.token = arena_copy(e->arena, f->result.token),
		.account = arena_copy(e->arena, f->result.account),
		.secret = arena_copy(e->arena, f->result.secret),
		.ahead_ms = e->ahead_ms,
		.number = ++e->all->numbers,
	};
	e->fetched_at = now;
	e->until = MONO_NEVER;
	e->doubted = false;
	e->fault = FAULT_NONE;
	e->failed_in_row = 0;
	e->text[0] = '\0';
	io_timer_clear(io_of(e), &e->next);
	if (f->lives_ms >= 0) {
		e->until = mono_after(now, f->lives_ms > 2 * SKEW_MS ? f->lives_ms - SKEW_MS
								      : f->lives_ms);
		/* Never at once again, however short it lives. */
		if (e->kept)
			io_timer_set(io_of(e), &e->next,
				     mono_after(now, f->lives_ms - with_jitter(e, ahead) > RETRY_MIN_MS
							     ? f->lives_ms - with_jitter(e, ahead)
							     : RETRY_MIN_MS));
	}
	log_line(e->all->log, LOG_INFO, "credential_fetched", "credential=%.*s lives_ms=%lld",
		 SLICE_ARG(e->policy->name), (long long)f->lives_ms);
	end_fetch(e);
}

static const struct upstream_events call_events;
static void go_on(struct entry *e, enum credential_step step);

/* On a background thread: nothing of the entry may be touched. */
static void read_file(struct io_job *job)
{
	struct reading *r = CONTAINER_OF(job, struct reading, job);
	FILE *file = fopen(r->path, "rb");
	char *room;
	size_t n;

	if (!file)
		return;
	while ((room = buf_room(&r->text, 4096)) && (n = fread(room, 1, 4096, file)) > 0)
		buf_added(&r->text, n);
	r->good = room && !ferror(file);
	fclose(file);
}

static void on_file(struct io_job *job)
{
	struct reading *r = CONTAINER_OF(job, struct reading, job);
	struct entry *e = r->entry;

	if (e) {
		e->reading = NULL;
		e->status = r->good ? 200 : 404;
		go_on(e, providers[e->policy->kind]->answer(&e->fetch, e->status, buf_slice(&r->text)));
	}
	if (r->text.bytes)
		explicit_bzero(r->text.bytes, r->text.size);
	buf_free(&r->text);
	free(r->path);
	free(r);
}

static void ask_file(struct entry *e)
{
	struct reading *r = calloc(1, sizeof *r);

	must(r != NULL);
	*r = (struct reading){
		.job = { .work = read_file, .done = on_file },
		.entry = e,
		.path = slice_to_cstring(e->fetch.path),
		.text = BUF_INIT(ANSWER_MAX),
	};
	e->reading = r;
	io_background(io_of(e), &r->job);
}

static void ask(struct entry *e)
{
	struct credential_fetch *f = &e->fetch;

	e->status = 0;
	buf_clear(&e->body);
	e->body_part = f->body;
	e->request = (struct upstream_request){
		.method = f->method,
		.target = f->path,
		.headers = f->headers,
		.body = &e->body_part,
		.body_parts = f->body.len ? 1 : 0,
		.has_body = f->body.len > 0,
		.body_max = ANSWER_MAX,
	};
	e->call = upstream_start(e->all->pool, e->policy->origin, &e->request, &call_events, e);
}

static void go_on(struct entry *e, enum credential_step step)
{
	bool asks = step == CREDENTIAL_ASK || step == CREDENTIAL_FILE;

	if (asks && e->fetch.asked++ >= CREDENTIAL_ASKS_MAX) {
		fail(e, FAULT_CONNECT, S("its server asks for more and more questions"));
		return;
	}
	switch (step) {
	case CREDENTIAL_ASK:
		ask(e);
		return;
	case CREDENTIAL_FILE:
		ask_file(e);
		return;
	case CREDENTIAL_HAVE:
		keep_result(e);
		return;
	case CREDENTIAL_REFUSED:
		fail(e, FAULT_CREDENTIAL, e->fetch.why);
		return;
	case CREDENTIAL_BROKEN:
		fail(e, FAULT_CONNECT, e->fetch.why);
		return;
	}
}

static void begin_fetch(struct entry *e)
{
	must(!e->fetching);
	io_timer_clear(io_of(e), &e->next);
	e->all->fetches++;
	e->fetching = true;
	e->status = 0;
	e->fetch = (struct credential_fetch){
		.policy = e->policy,
		.arena = arena_create(0),
		.wall_ms = io_wall_ms(io_of(e)),
		.lives_ms = -1,
	};
	io_timer_set(io_of(e), &e->limit, mono_after(io_now(io_of(e)), FETCH_LIMIT_MS));
	go_on(e, providers[e->policy->kind]->begin(&e->fetch));
}

static void on_limit(struct io_timer *timer, mono_ms now)
{
	(void)now;
	fail(CONTAINER_OF(timer, struct entry, limit), FAULT_CONNECT,
	     S("its server did not answer in time"));
}

static void on_connected(void *owner, bool reused)
{
	(void)owner;
	(void)reused;
}

static void on_head(void *owner, const struct h1_head *head)
{
	struct entry *e = owner;

	e->status = head->status;
}

static void on_body(void *owner, struct slice bytes)
{
	struct entry *e = owner;

	/* Longer ones have been refused already: what is cut is no JSON. */
	if (!buf_append(&e->body, bytes))
		buf_clear(&e->body);
}

static void on_end(void *owner, bool until_close)
{
	struct entry *e = owner;

	(void)until_close;
	e->call = NULL;
	go_on(e, providers[e->policy->kind]->answer(&e->fetch, e->status, buf_slice(&e->body)));
}

static void on_fault(void *owner, enum fault why, const char *text)
{
	struct entry *e = owner;

	(void)why;
	e->call = NULL;
	fail(e, FAULT_CONNECT, slice_of(text));
}

static const struct upstream_events call_events = {
	.on_connected = on_connected, .on_head = on_head, .on_body = on_body, .on_end = on_end,
	.on_fault = on_fault,
};

/* ---- the store --------------------------------------------------------------------------- */

static struct entry *find(const struct credentials *all, struct slice key)
{
	for (struct link *l = all->entries.head.next; l != &all->entries.head; l = l->next) {
		struct entry *e = CONTAINER_OF(l, struct entry, link);

		if (slice_eq(e->policy->key, key))
			return e;
	}
	return NULL;
}

static struct entry *entry_for(struct credentials *all, struct config *config,
			       const struct credential_policy *policy)
{
	struct entry *e = find(all, policy->key);

	if (e)
		return e;
	e = calloc(1, sizeof *e);
	must(e != NULL);
	e->all = all;
	e->config = config_take(config);
	e->policy = policy;
	e->next.fire = on_next;
	e->limit.fire = on_limit;
	e->told.run = on_tell;
	e->body = BUF_INIT(ANSWER_MAX);
	list_init(&e->waiting);
	list_append(&all->entries, &e->link);
	return e;
}

/* The policy of a new snapshot says the same: it takes the old one's place, so
 * that the old snapshot can go. A fetch under way still names the old one. */
static void move_to(struct entry *e, struct config *config, const struct credential_policy *policy)
{
	struct config *old = e->config;

	if (e->fetching)
		return;
	e->config = config_take(config);
	e->policy = policy;
	config_give(old);
}

static void use_config(struct credentials *all)
{
	const struct config *c = all->config;

	LIST_EACH(&all->entries, link, after)
		CONTAINER_OF(link, struct entry, link)->kept = false;
	for (size_t i = 0; i < c->backend_count; i++) {
		const struct credential_policy *policy = c->backends[i].credential;
		struct entry *e;

		if (!policy)
			continue;
		e = entry_for(all, all->config, policy);
		if (!e->kept)
			move_to(e, all->config, policy);
		e->kept = true;
		if (!e->fetching && !is_usable(e, io_now(all->io)))
			begin_fetch(e);
	}
	LIST_EACH(&all->entries, link, after) {
		struct entry *e = CONTAINER_OF(link, struct entry, link);

		if (e->kept)
			continue;
		io_timer_clear(all->io, &e->next);
		tell(e);
	}
}

struct credentials *credentials_create(struct io *io, struct upstream_pool *pool,
				       const struct log *log, struct config *config)
{
	struct credentials *all = calloc(1, sizeof *all);

	must(all != NULL);
	all->io = io;
	all->pool = pool;
	all->log = log;
	all->config = config_take(config);
	list_init(&all->entries);
	use_config(all);
	return all;
}

void credentials_set_config(struct credentials *all, struct config *config)
{
	struct config *old = all->config;

	all->config = config_take(config);
	use_config(all);
	config_give(old);
}

void credentials_free(struct credentials *all)
{
	if (!all)
		return;
	LIST_EACH(&all->entries, link, after)
		drop(CONTAINER_OF(link, struct entry, link));
	config_give(all->config);
	free(all);
}

size_t credentials_fetching(const struct credentials *all)
{
	size_t count = 0;

	for (struct link *l = all->entries.head.next; l != &all->entries.head; l = l->next)
		count += CONTAINER_OF(l, struct entry, link)->fetching;
	return count;
}

void credentials_count(const struct credentials *all, struct credential_counters *out)
{
	*out = (struct credential_counters){ .fetches = all->fetches, .faults = all->faults };
	for (struct link *l = all->entries.head.next; l != &all->entries.head; l = l->next) {
		const struct entry *e = CONTAINER_OF(l, struct entry, link);

		if (is_usable(e, io_now(all->io)))
			out->held++;
		else
			out->missing++;
	}
}

bool credentials_now(struct credentials *all, struct config *config,
		     const struct credential_policy *policy, struct credential *out)
{
	struct entry *e = find(all, policy->key);

	(void)config;
	if (!e || !is_usable(e, io_now(all->io)))
		return false;
	*out = e->held;
	return true;
}

void credentials_await(struct credentials *all, struct config *config,
		       const struct credential_policy *policy, struct credential_wait *w)
{
	struct entry *e = entry_for(all, config, policy);
	mono_ms now = io_now(all->io);
	bool failed_just_now = e->kept && e->fault != FAULT_NONE;

	list_append(&e->waiting, &w->link);
	if (e->fetching)
		return;
	/* While a pause lasts nobody waits it out: others may serve. */
	if (is_usable(e, now) || failed_just_now)
		tell(e);
	else
		begin_fetch(e);
}

void credentials_forget(struct credentials *all, struct credential_wait *w)
{
	if (!link_on_list(&w->link))
		return;
	for (struct link *l = all->entries.head.next; l != &all->entries.head; l = l->next) {
		struct entry *e = CONTAINER_OF(l, struct entry, link);

		for (struct link *m = e->waiting.head.next; m != &e->waiting.head; m = m->next) {
			if (m != &w->link)
				continue;
			list_remove(&e->waiting, m);
			if (!e->kept)
				tell(e);
			return;
		}
	}
	must(false);
}

bool credentials_refused(struct credentials *all, const struct credential_policy *policy,
			 uint64_t number)
{
	struct entry *e = find(all, policy->key);
	mono_ms now = io_now(all->io);

	if (!e || !e->arena)
		return false;
	/* Others have seen it before, and the new one is there or on its way. */
	if (e->held.number != number)
		return true;
	if (e->doubted)
		return e->fetching;
	if (now - e->fetched_at < FRESH_MS)
		return false;
	e->doubted = true;
	log_line(all->log, LOG_WARN, "credential_refused", "credential=%.*s held_for_ms=%lld",
		 SLICE_ARG(policy->name), (long long)(now - e->fetched_at));
	if (!e->fetching)
		begin_fetch(e);
	return true;
}

bool credentials_clock(struct credentials *all, const struct credential_policy *policy, int64_t ahead_ms)
{
	struct entry *e = find(all, policy->key);
	int64_t change;

	if (!e || !e->arena)
		return false;
	change = ahead_ms - e->ahead_ms;
	if (change > -CLOCK_DIFFERS_MS && change < CLOCK_DIFFERS_MS)
		return false;
	log_line(all->log, LOG_WARN, "credential_clock", "credential=%.*s server_ahead_ms=%lld "
		 "text=\"this machine's clock is wrong, or the server's: check its time service\"",
		 SLICE_ARG(policy->name), (long long)ahead_ms);
	e->ahead_ms = ahead_ms;
	e->held.ahead_ms = ahead_ms;
	return true;
}
