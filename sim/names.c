/* names.c: the simulated resolver, and the links to addresses. */
#include "sim/inside.h"

#include <stdlib.h>
#include <string.h>

struct lookup {
	struct link link;
	struct sim_event event;
	struct io_resolve *r;
	char host[SIM_NAME_MAX];
	uint16_t port;
};

struct sim_host *sim_host(struct sim *sim, const char *name)
{
	struct sim_name *made;

	LIST_EACH(&sim->names, n, after) {
		struct sim_name *each = CONTAINER_OF(n, struct sim_name, link);

		if (slice_eq_nocase(slice_of(each->host.name), slice_of(name)))
			return &each->host;
	}
	made = calloc(1, sizeof *made);
	must(made != NULL);
	must(strlen(name) < sizeof made->host.name);
	snprintf(made->host.name, sizeof made->host.name, "%s", name);
	made->host.ttl_ms = 30000;
	made->host.delay_ms = 1;
	list_append(&sim->names, &made->link);
	return &made->host;
}

/* An address without port; false if `text` is none. */
static bool literal(struct slice text, uint16_t port, struct io_addr *out)
{
	bool six = slice_find(text, ':') != SLICE_NOT_FOUND;
	char full[96];
	int len;

	len = snprintf(full, sizeof full, six ? "[%.*s]:0" : "%.*s:0", SLICE_ARG(text));
	if (len <= 0 || (size_t)len >= sizeof full || slice_starts(text, S("unix:")))
		return false;
	if (!io_addr_parse(slice_of(full), out))
		return false;
	out->port = port;
	return true;
}

struct sim_host *sim_host_add(struct sim *sim, const char *name, const char *addr)
{
	struct sim_host *h = sim_host(sim, name);

	must(h->count < IO_RESOLVE_MAX);
	must(literal(slice_of(addr), 0, &h->addrs[h->count]));
	h->count++;
	return h;
}

struct io_addr sim_addr(const char *text)
{
	struct io_addr a;

	must(io_addr_parse(slice_of(text), &a));
	return a;
}

/* ---- looking up -------------------------------------------------------------- */

static void answer_from(struct io_resolve *r, struct sim_host *h, uint16_t port)
{
	unsigned first = h->rotate && h->count ? (unsigned)((h->lookups - 1) % h->count) : 0;

	for (unsigned i = 0; i < h->count; i++) {
		r->addrs[i] = h->addrs[(first + i) % h->count];
		r->addrs[i].port = port;
	}
	r->count = h->count;
	r->ttl_ms = h->count ? h->ttl_ms : 0;
}

static void answer(struct sim_event *e)
{
	struct lookup *l = CONTAINER_OF(e, struct lookup, event);
	struct io *io = e->io;
	struct io_resolve *r = l->r;
	struct sim_host *h;

	r->count = 0;
	r->ttl_ms = 0;
	r->why = "no such host";
	r->private = NULL;
	if (literal(slice_of(l->host), l->port, &r->addrs[0])) {
		r->count = 1;
		r->ttl_ms = INT64_MAX;
	} else {
		h = sim_host(io->sim, l->host);
		if (h->fails)
			r->why = h->fails;
		else
			answer_from(r, h, l->port);
	}
	sim_trace(io->sim, io->name, "resolved %s: %u addresses", l->host, r->count);
	list_remove(&io->lookups, &l->link);
	free(l);
	r->done(r);
}

void io_resolve_start(struct io *io, struct io_resolve *r, struct slice host, uint16_t port)
{
	struct lookup *l = calloc(1, sizeof *l);
	struct io_addr a;
	struct sim_host *h;

	must(l != NULL);
	must(r->done != NULL);
	l->r = r;
	l->port = port;
	l->event.io = io;
	l->event.run = answer;
	snprintf(l->host, sizeof l->host, "%.*s", SLICE_ARG(host));
	r->private = l;
	list_append(&io->lookups, &l->link);
	if (literal(host, port, &a)) {
		sim_event_set(io->sim, &l->event, io->sim->now_us);
		return;
	}
	h = sim_host(io->sim, l->host);
	h->lookups++;
	sim_trace(io->sim, io->name, "resolve %s", l->host);
	if (!h->silent)
		sim_event_set(io->sim, &l->event, io->sim->now_us + h->delay_ms * 1000);
}

void io_resolve_cancel(struct io *io, struct io_resolve *r)
{
	struct lookup *l = r->private;

	if (!l)
		return;
	sim_event_clear(io->sim, &l->event);
	list_remove(&io->lookups, &l->link);
	free(l);
	r->private = NULL;
}

struct io_resolve *sim_lookup_of(struct link *n)
{
	return CONTAINER_OF(n, struct lookup, link)->r;
}

/* ---- links --------------------------------------------------------------------- */

struct sim_link *sim_link_default(struct sim *sim)
{
	return &sim->link_default;
}

struct sim_link *sim_link_to(struct sim *sim, const struct io_addr *addr)
{
	struct sim_route *made;

	LIST_EACH(&sim->routes, n, after) {
		struct sim_route *each = CONTAINER_OF(n, struct sim_route, link);

		if (io_addr_eq(&each->to, addr))
			return &each->way;
	}
	made = calloc(1, sizeof *made);
	must(made != NULL);
	made->to = *addr;
	made->way = sim->link_default;
	made->way.connects = 0;
	list_append(&sim->routes, &made->link);
	return &made->way;
}

void sim_link_plan(struct sim_link *link, struct sim_plan plan)
{
	if (link->plan_count == SIM_PLANS_MAX) {
		memmove(link->plans, link->plans + 1, (SIM_PLANS_MAX - 1) * sizeof *link->plans);
		link->plan_count--;
	}
	link->plans[link->plan_count++] = plan;
}
