/* models.c: models, their targets for each URL, and what they fall back to. */
#include "config/inside.h"

#include "observe/price.h"

#include <string.h>

#define TARGETS_MAX 256               /* as written; several URLs give more */
#define FALLBACKS_MAX 16
#define UPSTREAM_NAME_MAX 256

/* A target as written, before it is spread over the backend's URLs. */
struct target_draft {
	const struct node *n;
	const struct backend_policy *backend;
	struct slice model;
	unsigned weight, priority;
	bool lacks_said;
	unsigned lacks;
	int64_t context_window;
	int resume;                   /* enum resume_way */
};

struct model_reading {
	struct reader *r;
	const struct member *member;
	struct model_policy *out;
	const struct node *targets, *fallbacks;
	struct node *last_resort, *embeddings;
};

/* ---- targets ---------------------------------------------------------------------- */

static const struct backend_policy *backend_named(struct reader *r, const struct node *n,
						  struct slice name)
{
	const struct config *c = r->config;
	struct slice *names;

	for (size_t i = 0; i < c->backend_count; i++)
		if (slice_eq(c->backends[i].name, name))
			return &c->backends[i];
	if (c->backend_count == 0)
		return NULL;                  /* the lack of backends is complaint enough */
	names = arena_array(r->scratch, struct slice, c->backend_count);
	for (size_t i = 0; i < c->backend_count; i++)
		names[i] = c->backends[i].name;
	complain_at(r, n, "unknown backend %s; %s", quote(r, name),
		    suggestion(r, name, names, c->backend_count, "backends here"));
	return NULL;
}

static bool check_upstream_name(struct model_reading *m, const struct node *n, struct slice name)
{
	size_t star = slice_find(name, '*');

	for (size_t i = 0; i < name.len; i++) {
		if (name.at[i] > 0x20 && name.at[i] < 0x7f && name.at[i] != '"' && name.at[i] != '\\')
			continue;
		complain_at(m->r, n, "the model name %s holds a space, a quote or a byte that is not "
			    "ASCII; check the spelling", quote(m->r, name));
		return false;
	}
	if (name.len == 0 || name.len > UPSTREAM_NAME_MAX) {
		complain_at(m->r, n, "a target's model name is 1 to %d bytes long; shorten it",
			    UPSTREAM_NAME_MAX);
		return false;
	}
	if (star == SLICE_NOT_FOUND)
		return true;
	if (!m->out->is_pattern) {
		complain_at(m->r, n, "%s has a star, but the model %s is no pattern; write the full name",
			    quote(m->r, name), quote(m->r, m->out->name));
		return false;
	}
	if (star + 1 == name.len)
		return true;
	complain_at(m->r, n, "the star of %s must be its last byte", quote(m->r, name));
	return false;
}

static void target_short(struct model_reading *m, const struct node *n, struct target_draft *d)
{
	struct slice text, backend, model;

	if (!scalar_of(m->r, "targets", n, &text))
		return;
	backend = text;
	model = m->out->name;
	slice_cut(text, '/', &backend, &model);
	d->weight = d->priority = 1;
	if (check_upstream_name(m, n, model))
		d->model = arena_copy(m->r->arena, model);
	d->backend = backend_named(m->r, n, backend);
}

static void target_long(struct model_reading *m, struct node *n, struct target_draft *d)
{
	struct raw_target raw = { 0 };
	struct slice text;

	section_defaults(&section_target, &raw);
	if (!section_read(m->r, &section_target, n, &raw))
		return;
	d->weight = raw.weight;
	d->priority = raw.priority;
	d->resume = raw.resume;
	d->context_window = raw.context_window;
	if (raw.capabilities) {
		d->lacks = read_capabilities(m->r, raw.capabilities);
		d->lacks_said = true;
	}
	text = m->out->name;
	if (!raw.model || scalar_of(m->r, "model", raw.model, &text))
		if (check_upstream_name(m, raw.model ? raw.model : n, text))
			d->model = arena_copy(m->r->arena, text);
	if (raw.backend && scalar_of(m->r, "backend", raw.backend, &text))
		d->backend = backend_named(m->r, raw.backend, text);
}

static void check_twice(struct model_reading *m, const struct target_draft *drafts, size_t count,
			const struct target_draft *d)
{
	for (size_t i = 0; i < count; i++) {
		if (drafts[i].backend != d->backend || !slice_eq(drafts[i].model, d->model))
			continue;
		complain_at(m->r, d->n, "the target %.*s/%.*s stands here twice; remove one, or give the "
			    "other a larger weight", SLICE_ARG(d->backend->name), SLICE_ARG(d->model));
		return;
	}
}

/* The target's word counts, else the backend's; where neither is said, route/
 * knows some models by their names. */
static void say_abilities(const struct target_draft *d, struct target_policy *t)
{
	const struct backend_policy *b = d->backend;

	t->lacks_said = d->lacks_said || b->lacks_said;
	t->lacks = d->lacks_said ? d->lacks : b->lacks_said ? b->lacks : 0;
	t->context_window = d->context_window ? d->context_window : b->context_window;
}

/* Of an input three times as long as the output, as conversations have it. */
static int64_t dearness(const struct price *p)
{
	return p ? 3 * p->input_pico + p->output_pico : ROUTE_DEAREST;
}

/* One target for each URL of each draft's backend. */
static void spread(struct model_reading *m, const struct target_draft *drafts, size_t count)
{
	struct target_policy *targets;
	size_t total = 0, at = 0;

	for (size_t i = 0; i < count; i++)
		total += drafts[i].backend->origin_count;
	targets = arena_array(m->r->arena, struct target_policy, total);
	for (size_t i = 0; i < count; i++) {
		const struct target_draft *d = &drafts[i];
		struct slice name = d->backend->name;

		for (size_t u = 0; u < d->backend->origin_count; u++) {
			struct slice number = u ? arena_printf(m->r->scratch, "#%zu", u + 1) : SLICE_NONE;

			const struct origin *o = &d->backend->origins[u];

			targets[at] = (struct target_policy){
				.name = arena_printf(m->r->arena, "%.*s%.*s/%.*s", SLICE_ARG(name),
						     SLICE_ARG(number), SLICE_ARG(d->model)),
				.backend = d->backend,
				.origin = o,
				.host_key = arena_printf(m->r->arena, "%.*s %.*s%.*s",
							 SLICE_ARG(name), SLICE_ARG(o->key),
							 SLICE_ARG(o->base_path)),
				.machine_key = o->key,
				.model = d->model,
				.weight = d->weight,
				.priority = d->priority,
				.resume = streams_resume(d->resume, d->backend, d->model),
			};
			if (slice_find(d->model, '*') == SLICE_NOT_FOUND)
				targets[at].price = price_find(&m->r->config->prices, name, d->model);
			targets[at].dearness = dearness(targets[at].price);
			say_abilities(d, &targets[at++]);
		}
	}
	m->out->targets = targets;
	m->out->target_count = total;
}

static void read_targets(struct model_reading *m)
{
	const struct node *n = m->targets;
	struct target_draft *drafts;
	size_t count = 0;

	if (!n)
		return;                       /* complained about as a required key */
	if (n->kind != NODE_LIST || n->count == 0 || n->count > TARGETS_MAX) {
		complain_at(m->r, n, "\"targets\" needs a list of 1 to %d targets; write targets: "
			    "[backend/model] or [{backend: NAME, model: NAME}]", TARGETS_MAX);
		return;
	}
	drafts = arena_array(m->r->scratch, struct target_draft, n->count);
	for (size_t i = 0; i < n->count; i++) {
		struct target_draft *d = &drafts[count];

		*d = (struct target_draft){ .n = n->items[i] };
		if (n->items[i]->kind == NODE_SCALAR)
			target_short(m, n->items[i], d);
		else
			target_long(m, n->items[i], d);
		if (!d->backend || !d->model.len)
			continue;
		check_twice(m, drafts, count, d);
		count++;
	}
	spread(m, drafts, count);
}

/* ---- models ------------------------------------------------------------------------ */

static bool check_model_name(struct reader *r, const struct member *member, struct model_policy *out)
{
	struct slice name = member->key, fixed = name;

	out->name = arena_copy(r->arena, name);
	out->is_pattern = name.len && name.at[name.len - 1] == '*';
	if (out->is_pattern)
		fixed.len--;
	if (name.len <= 128 && (value_is_name(fixed, "._:/@+-", 128) || (out->is_pattern && !fixed.len)))
		return true;
	if (slice_find(fixed, '*') != SLICE_NOT_FOUND)
		complain(r, member->line, member->column, "the star of the pattern %s must be its last "
			 "byte", quote(r, name));
	else
		complain(r, member->line, member->column, "%s is no name for a model; use letters, digits "
			 "and . _ : / @ + -, at most 128", quote(r, name));
	return false;
}

/* A trial is given anew when it has not reported for that long. */
#define LEASE_MS 15000

static struct breaker_policy breaker_of(const struct raw_breaker *raw)
{
	return (struct breaker_policy){
		.faults_in_row = raw->faults,
		.rate_percent = (unsigned)((raw->rate_milli + 999) / 1000),
		.rate_min = raw->rate_milli ? raw->requests : 0,
		.window_ms = raw->window_ms,
		.open_ms = raw->open_ms < raw->open_max_ms ? raw->open_ms : raw->open_max_ms,
		.open_max_ms = raw->open_max_ms,
		.lease_ms = LEASE_MS,
		.ramp_ms = raw->ramp_ms,
	};
}

static struct outlier_policy ejection_of(const struct raw_ejection *raw)
{
	return (struct outlier_policy){
		.share_percent = (unsigned)(raw->share_milli / 1000),
		.factor = raw->factor,
		.slack_ms = raw->slack_ms,
		.samples_min = 5,
		.eject_ms = raw->time_ms,
		.eject_max_ms = raw->time_ms > 300000 ? raw->time_ms : 300000,
	};
}

static void read_model(struct reader *r, const struct raw_top *top, const struct member *member,
		       struct model_reading *m)
{
	struct raw_model raw = {
		.balance = top->defaults.balance,
		.timeouts = top->defaults.timeouts.policy,
		.retry = top->defaults.retry,
		.sticky = top->defaults.sticky,
		.breaker = top->defaults.breaker,
		.ejection = top->defaults.ejection,
		.queue = top->defaults.queue,
		.streams = top->defaults.streams,
		.hedge = top->defaults.hedge,
		.cache = top->defaults.cache,
	};

	m->r = r;
	m->member = member;
	check_model_name(r, member, m->out);
	if (member->value->kind == NODE_LIST) {
		raw.targets = member->value;
	} else if (!section_read(r, &section_model, member->value, &raw)) {
		return;
	}
	m->targets = raw.targets;
	m->fallbacks = raw.fallbacks;
	m->out->balance = raw.balance;
	m->out->timeouts = raw.timeouts;
	m->out->retry = raw.retry;
	m->out->retry.fast_ms = 1000;
	m->out->sticky = slice_eq_nocase(raw.sticky, S("off")) ? SLICE_NONE
							       : lower_copy(r->arena, raw.sticky);
	m->out->breaker = breaker_of(&raw.breaker);
	m->out->ejection = ejection_of(&raw.ejection);
	m->out->queue = raw.queue;
	m->out->resume = raw.streams.resume != 0;
	m->out->stream_upstream = raw.streams.stream_upstream;
	m->out->comments_ms = raw.streams.comments_ms;
	m->out->may_lose = read_may_lose(r, raw.streams.may_lose);
	read_hedge(r, &raw.hedge, &m->out->hedge);
	m->last_resort = raw.last_resort;
	m->embeddings = raw.cache.embeddings;
	m->out->cache = read_cache(r, &raw.cache);
	m->out->last_resort = read_last_resort(r, raw.last_resort);
	if (raw.timeouts.total_ms < raw.timeouts.first_token_ms)
		note(r, "model %.*s: the total time ends before the time for the first token",
		     SLICE_ARG(m->out->name));
	read_targets(m);
	m->out->cache_epoch = cache_epoch_of(m->out);
}

/* ---- fallbacks ----------------------------------------------------------------------- */

static const struct model_policy *fallback_named(struct model_reading *m, const struct node *n,
						 struct slice name)
{
	const struct config *c = m->r->config;
	struct slice *names = arena_array(m->r->scratch, struct slice, c->model_count);
	size_t count = 0;

	for (size_t i = 0; i < c->model_count; i++) {
		if (!slice_eq(c->models[i].name, name)) {
			if (!c->models[i].is_pattern)
				names[count++] = c->models[i].name;
			continue;
		}
		if (!c->models[i].is_pattern)
			return &c->models[i];
		complain_at(m->r, n, "the pattern %s cannot be a fallback, as nothing says what its star "
			    "is; write a model with a full name", quote(m->r, name));
		return NULL;
	}
	complain_at(m->r, n, "unknown model %s; %s", quote(m->r, name),
		    suggestion(m->r, name, names, count, "models here"));
	return NULL;
}

static void read_fallbacks(struct model_reading *m)
{
	const struct node *n = m->fallbacks;
	const struct model_policy **list;
	size_t count = 0;
	struct slice text;

	if (!n)
		return;
	if (n->kind != NODE_LIST || n->count > FALLBACKS_MAX) {
		complain_at(m->r, n, "\"fallbacks\" needs a list of at most %d models; write fallbacks: "
			    "[NAME]", FALLBACKS_MAX);
		return;
	}
	list = arena_array(m->r->arena, const struct model_policy *, n->count);
	for (size_t i = 0; i < n->count; i++) {
		const struct model_policy *found;

		if (!scalar_of(m->r, "fallbacks", n->items[i], &text))
			continue;
		found = fallback_named(m, n->items[i], text);
		for (size_t j = 0; j < count && found; j++) {
			if (list[j] == found) {
				complain_at(m->r, n->items[i], "the fallback %s stands here twice; remove "
					    "one", quote(m->r, text));
				found = NULL;
			}
		}
		if (found)
			list[count++] = found;
	}
	m->out->fallbacks = list;
	m->out->fallback_count = count;
}

/* Depth-first over "falls back to". A model on the way to itself is a circle. */
struct walk {
	struct reader *r;
	struct model_reading *models;
	enum { UNSEEN, ON_PATH, DONE } *state;
	size_t *path;
	size_t depth;
};

static const struct node *fallback_node(const struct model_reading *m, struct slice name)
{
	const struct node *n = m->fallbacks;

	for (size_t i = 0; i < n->count; i++)
		if (n->items[i]->kind == NODE_SCALAR && slice_eq(n->items[i]->text, name))
			return n->items[i];
	return n;
}

static void complain_circle(struct walk *w, size_t from, size_t to)
{
	struct buf text = BUF_INIT(64 * 1024);
	const struct model_policy *first = w->models[to].out;
	size_t at = 0;
	bool room = true;

	while (w->path[at] != to)
		at++;
	for (; at < w->depth && room; at++)
		room = buf_printf(&text, "%.*s -> ", SLICE_ARG(w->models[w->path[at]].out->name));
	(void)room;                   /* a cut circle still names its beginning */
	complain_at(w->r, fallback_node(&w->models[from], first->name), "fallbacks go round in a "
		    "circle: %.*s%.*s; remove one of them", SLICE_ARG(buf_slice(&text)),
		    SLICE_ARG(first->name));
	buf_free(&text);
}

/* Recursion is bounded by WALK_DEPTH_MAX. */
#define WALK_DEPTH_MAX 64

static void walk_from(struct walk *w, size_t at)
{
	const struct model_policy *m = w->models[at].out;

	w->state[at] = ON_PATH;
	w->path[w->depth++] = at;
	for (size_t i = 0; i < m->fallback_count; i++) {
		size_t next = (size_t)(m->fallbacks[i] - w->r->config->models);

		if (w->state[next] == ON_PATH)
			complain_circle(w, at, next);
		else if (w->state[next] == UNSEEN && w->depth >= WALK_DEPTH_MAX)
			complain_at(w->r, w->models[at].fallbacks, "more than %d models fall back to one "
				    "another in a row; shorten the chain", WALK_DEPTH_MAX);
		else if (w->state[next] == UNSEEN)
			walk_from(w, next);
	}
	w->depth--;
	w->state[at] = DONE;
}

static void check_circles(struct reader *r, struct model_reading *models)
{
	struct walk w = { .r = r, .models = models };
	size_t count = r->config->model_count;

	w.state = arena_alloc_array(r->scratch, sizeof *w.state, count);
	w.path = arena_array(r->scratch, size_t, WALK_DEPTH_MAX + 1);
	for (size_t i = 0; i < count; i++)
		if (w.state[i] == UNSEEN)
			walk_from(&w, i);
}

/* ---- all of it ----------------------------------------------------------------------- */

static void note_unused_backends(struct reader *r)
{
	const struct config *c = r->config;

	for (size_t i = 0; i < c->backend_count; i++) {
		bool used = false;

		for (size_t m = 0; m < c->model_count && !used; m++)
			for (size_t t = 0; t < c->models[m].target_count && !used; t++)
				used = c->models[m].targets[t].backend == &c->backends[i];
		if (!used)
			note(r, "backend %.*s is used by no model", SLICE_ARG(c->backends[i].name));
	}
}

static void check_resorts(struct reader *r, const struct model_reading *models)
{
	size_t count = r->config->model_count;
	struct node **nodes = arena_array(r->scratch, struct node *, count);

	for (size_t i = 0; i < count; i++)
		nodes[i] = models[i].last_resort;
	check_last_resorts(r, nodes);
	for (size_t i = 0; i < count; i++)
		nodes[i] = models[i].embeddings;
	check_embeddings(r, nodes);
}

void build_models(struct reader *r, const struct raw_top *top)
{
	const struct node *n = top->models;
	struct model_reading *models;

	if (!n)
		return;                       /* complained about as a required key */
	if (n->kind != NODE_MAP || n->count == 0) {
		complain_at(r, n, "\"models\" needs a mapping with at least one model; write models: {chat: "
			    "[backend/model]}");
		return;
	}
	r->config->models = arena_array(r->arena, struct model_policy, n->count);
	r->config->model_count = n->count;
	models = arena_array(r->scratch, struct model_reading, n->count);
	for (size_t i = 0; i < n->count; i++) {
		models[i].out = &r->config->models[i];
		read_model(r, top, &n->members[i], &models[i]);
	}
	for (size_t i = 0; i < n->count; i++)
		read_fallbacks(&models[i]);
	check_circles(r, models);
	check_resorts(r, models);
	note_unused_backends(r);
}
