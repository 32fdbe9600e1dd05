/* What this node says of itself to those that share its store, and what it knows of
 * them. */
#include "daemon/admin.h"

#include "cache/cache.h"
#include "daemon/doc.h"
#include "daemon/machine_name.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIGEST_SHOWN 4                /* bytes of a config's digest: to tell some apart */

/* As alerts are sent: by the name in the config, or the machine's. */
static void put_name(const struct config *c, char *out, size_t size)
{
	struct slice given = c->alerts.source;
	size_t len = given.len < size ? given.len : size - 1;

	while (len && len < given.len && ((unsigned char)given.at[len] & 0xc0) == 0x80)
		len--;                  /* no half of a character */
	snprintf(out, size, "%.*s", SLICE_ARG(slice_sub(given, 0, len)));
	if (!*out)
		machine_name(out, size);
}

void admin_describe(const struct admin_state *s, mono_ms now, struct cache_node *out)
{
	const struct config *c = s->config, *first = s->first_config;
	char text[IO_ADDR_TEXT_MAX];

	*out = (struct cache_node){
		.generation = (int64_t)atomic_load(&s->shared->generation),
		.config_ms = now - s->config_at,
		.uptime_ms = now - s->started_at,
		.workers = s->workers,
		.in_flight = (int64_t)metrics_pool_sum(s->metrics).exchanges,
		.connections = (int64_t)atomic_load(&s->clients->connections),
		.draining = s->draining,
		.state = s->draining ? CACHE_NODE_DRAINING : CACHE_NODE_READY,
	};
	put_name(c, out->name, sizeof out->name);
	snprintf(out->version, sizeof out->version, "%s", BACKSTAY_VERSION);
	/* A running process keeps the addresses it began with. */
	if (first->listen_count)
		snprintf(out->listen, sizeof out->listen, "%s", io_addr_text(&first->listen[0], text));
	if (first->admin_enabled)
		snprintf(out->admin, sizeof out->admin, "%s", io_addr_text(&first->admin_listen, text));
	for (size_t i = 0; i < DIGEST_SHOWN; i++)
		snprintf(out->config + 2 * i, 3, "%02x", c->sha256[i]);
}

static void put_node(struct doc *d, const struct cache_node *n, bool self)
{
	doc_open(d, NULL);
	doc_word(d, "id", n->id);
	doc_word(d, "name", n->name);
	doc_bool(d, "self", self);
	doc_word(d, "state", cache_node_state_name(n->state));
	doc_number(d, "seen_ms", n->seen_ms);
	doc_word(d, "version", n->version);
	doc_word(d, "listen", n->listen);
	doc_word(d, "admin", n->admin);
	doc_word(d, "config", n->config);
	doc_number(d, "generation", n->generation);
	doc_number(d, "config_ms", n->config_ms);
	doc_number(d, "uptime_ms", n->uptime_ms);
	doc_number(d, "workers", n->workers);
	doc_number(d, "in_flight", n->in_flight);
	doc_number(d, "connections", n->connections);
	doc_close(d);
}

/* By name, so that the list stays as it is while it is looked at. */
static int by_name(const void *a, const void *b)
{
	const struct cache_node *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	if (!order)
		order = strcmp(x->listen, y->listen);
	return order ? order : strcmp(x->id, y->id);
}

/* Itself, and the others, which the caller frees. */
static struct cache_cluster *look(const struct admin_state *s, mono_ms now, struct cache_node *self)
{
	struct cache_cluster *c = calloc(1, sizeof *c);

	must(c != NULL);
	if (s->cache)
		cache_cluster(s->cache, now, c);
	admin_describe(s, now, self);
	memcpy(self->id, c->id, sizeof self->id);
	return c;
}

void admin_put_cluster(const struct admin_state *s, mono_ms now, struct doc *d)
{
	struct cache_node self;
	struct cache_cluster *c = look(s, now, &self);

	qsort(c->nodes, c->count, sizeof c->nodes[0], by_name);
	doc_open(d, "cluster");
	doc_bool(d, "shared", c->shared);
	doc_bool(d, "alone", c->alone);
	doc_word(d, "why", c->why);
	doc_number(d, "more", c->more);
	doc_close(d);
	doc_open_list(d, "nodes");
	put_node(d, &self, true);
	for (size_t i = 0; i < c->count; i++)
		put_node(d, &c->nodes[i], false);
	doc_close_list(d);
	free(c);
}

/* Whether its config is one that has not been met among the nodes before it. */
static bool is_new_config(const struct cache_cluster *c, size_t i, const char *own)
{
	if (strcmp(c->nodes[i].config, own) == 0)
		return false;
	for (size_t k = 0; k < i; k++)
		if (c->nodes[k].state <= CACHE_NODE_DRAINING && strcmp(c->nodes[k].config, c->nodes[i].config) == 0)
			return false;
	return true;
}

void admin_count_cluster(const struct admin_state *s, mono_ms now, struct admin_cluster_counts *out)
{
	struct cache_node self;
	struct cache_cluster *c = look(s, now, &self);

	*out = (struct admin_cluster_counts){ .alone = c->alone, .configs = 1 };
	out->nodes[self.state]++;
	for (size_t i = 0; i < c->count; i++) {
		out->nodes[c->nodes[i].state]++;
		out->configs += c->nodes[i].state <= CACHE_NODE_DRAINING && is_new_config(c, i, self.config);
	}
	free(c);
}
