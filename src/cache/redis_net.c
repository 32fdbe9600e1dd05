#include "cache/redis_net.h"

#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS 16384
#define NODES_MAX 128
#define HOPS_MAX 4
#define HOST_MAX 256
#define STALL_MS 2000
#define RETRY_MS 500                  /* at first; doubles */
#define RETRY_MAX_MS 10000
#define COMMAND_BYTES_MAX ((size_t)80 * 1024 * 1024)
#define NO_NODE 0xff

struct node {
	struct redis_net *net;
	char host[HOST_MAX];
	uint16_t port;
	struct redis *redis;          /* NULL: not connected */
	bool wanted;                  /* the cluster still has it */
};

struct redis_net {
	struct redis_net_setup setup;
	struct node nodes[NODES_MAX];
	unsigned node_count;
	uint8_t slots[SLOTS];         /* CLUSTER: index of a node, or NO_NODE */
	bool up, closed, known;       /* known: where names are kept */
	bool told_down;
	struct redis *guide;          /* whoever is asked for the way: a sentinel, a node */
	struct redis_call asked;
	unsigned guide_at;            /* which address is next */
	struct io_timer retry;
	int64_t retry_ms;
	char trouble[160];
};

/* ---- slots ----------------------------------------------------------------------------- */

/* CRC-16/XMODEM, as the cluster specification has it. */
static unsigned crc16(struct slice s)
{
	unsigned crc = 0;

	for (size_t i = 0; i < s.len; i++) {
		crc ^= (unsigned)(unsigned char)s.at[i] << 8;
		for (int bit = 0; bit < 8; bit++)
			crc = (crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1) & 0xffff;
	}
	return crc;
}

unsigned redis_slot(struct slice name)
{
	size_t open = slice_find(name, '{');

	if (open != SLICE_NOT_FOUND) {
		struct slice rest = slice_from(name, open + 1);
		size_t close = slice_find(rest, '}');

		if (close != SLICE_NOT_FOUND && close > 0)
			name = slice_sub(rest, 0, close);
	}
	return crc16(name) % SLOTS;
}

/* ---- nodes ------------------------------------------------------------------------------- */

static void find_again(struct redis_net *net, const char *why);

static struct node *node_of(struct redis_net *net, struct slice host, uint16_t port)
{
	struct node *n;

	for (unsigned i = 0; i < net->node_count; i++) {
		n = &net->nodes[i];
		if (n->port == port && slice_eq(slice_of(n->host), host))
			return n;
	}
	if (host.len == 0 || host.len >= HOST_MAX || net->node_count == NODES_MAX)
		return NULL;
	n = &net->nodes[net->node_count++];
	*n = (struct node){ .net = net, .port = port };
	memcpy(n->host, host.at, host.len);
	return n;
}

static bool is_cluster(const struct redis_net *net)
{
	return net->setup.policy->mode == SHARED_CLUSTER;
}

static void note_up(struct redis_net *net)
{
	if (net->up || !net->known)
		return;
	net->up = true;
	net->told_down = false;
	net->trouble[0] = 0;
	net->retry_ms = RETRY_MS;
	net->setup.on_up(net->setup.owner);
}

static bool any_ready(const struct redis_net *net)
{
	for (unsigned i = 0; i < net->node_count; i++)
		if (redis_is_ready(net->nodes[i].redis))
			return true;
	return false;
}

static void note_down(struct redis_net *net, const char *why)
{
	snprintf(net->trouble, sizeof net->trouble, "%s", why);
	if (net->told_down || any_ready(net))
		return;
	net->up = false;
	net->told_down = true;
	net->setup.on_down(net->setup.owner, net->trouble);
}

static void on_node_ready(void *owner)
{
	struct node *n = owner;

	note_up(n->net);
}

static void on_node_lost(void *owner, const char *why)
{
	struct node *n = owner;
	struct redis_net *net = n->net;
	char text[160];

	snprintf(text, sizeof text, "%s", why);
	redis_close(n->redis);
	n->redis = NULL;
	if (!net->closed)
		find_again(net, text);
}

static struct redis_setup setup_for(const struct redis_net *net, const char *host, uint16_t port)
{
	const struct shared_policy *p = net->setup.policy;

	return (struct redis_setup){
		.io = net->setup.io, .host = slice_of(host), .port = port, .tls = p->tls, .user = p->user,
		.password = p->password, .database = is_cluster(net) ? 0 : p->database,
		.connect_ms = p->connect_ms, .stall_ms = STALL_MS,
	};
}

static void connect_node(struct node *n)
{
	struct redis_setup setup = setup_for(n->net, n->host, n->port);

	if (n->redis)
		return;
	setup.on_ready = on_node_ready;
	setup.on_lost = on_node_lost;
	setup.owner = n;
	n->redis = redis_open(&setup);
}

/* ---- the way ---------------------------------------------------------------------------------- */

static void drop_guide(struct redis_net *net)
{
	struct redis *guide = net->guide;

	net->guide = NULL;
	redis_close(guide);
}

static void found_master(struct redis_net *net, struct slice host, uint16_t port)
{
	struct node *n = node_of(net, host, port);

	if (!n)
		return;
	for (unsigned i = 0; i < net->node_count; i++)
		if (&net->nodes[i] != n && net->nodes[i].redis) {
			redis_close(net->nodes[i].redis);
			net->nodes[i].redis = NULL;
		}
	net->slots[0] = (uint8_t)(n - net->nodes);
	net->known = true;
	connect_node(n);
}

static bool number_of(const struct resp_value *v, uint64_t *out)
{
	if (v->type == RESP_INTEGER && v->integer >= 0) {
		*out = (uint64_t)v->integer;
		return true;
	}
	return v->type == RESP_TEXT && slice_to_u64(v->text, out);
}

/* [first, last, [host, port, ...], replicas ...] */
static void read_range(struct redis_net *net, const struct resp_value *range, struct slice asked_host)
{
	const struct resp_value *master;
	uint64_t first, last, port;
	struct slice host;
	struct node *n;

	if (range->type != RESP_LIST || range->count < 3 || !number_of(&range->items[0], &first) ||
	    !number_of(&range->items[1], &last) || last >= SLOTS)
		return;
	master = &range->items[2];
	if (master->type != RESP_LIST || master->count < 2 || !number_of(&master->items[1], &port) ||
	    port == 0 || port > UINT16_MAX)
		return;
	/* A node that does not know its own name means whoever was asked. */
	host = master->items[0].type == RESP_TEXT && master->items[0].text.len ? master->items[0].text
									      : asked_host;
	n = node_of(net, host, (uint16_t)port);
	if (!n)
		return;
	n->wanted = true;
	for (uint64_t slot = first; slot <= last; slot++)
		net->slots[slot] = (uint8_t)(n - net->nodes);
	net->known = true;
}

static void read_slots(struct redis_net *net, const struct resp_value *v, struct slice asked_host)
{
	for (unsigned i = 0; i < net->node_count; i++)
		net->nodes[i].wanted = false;
	memset(net->slots, NO_NODE, sizeof net->slots);
	net->known = false;
	for (size_t i = 0; v->type == RESP_LIST && i < v->count; i++)
		read_range(net, &v->items[i], asked_host);
	for (unsigned i = 0; i < net->node_count; i++) {
		struct node *n = &net->nodes[i];

		if (n->wanted) {
			connect_node(n);
		} else if (n->redis) {
			redis_close(n->redis);
			n->redis = NULL;
		}
	}
	if (net->known && any_ready(net))
		note_up(net);
}

static void try_later(struct redis_net *net)
{
	if (net->closed)
		return;
	io_timer_set(net->setup.io, &net->retry, mono_after(io_now(net->setup.io), net->retry_ms));
	net->retry_ms = net->retry_ms * 2 < RETRY_MAX_MS ? net->retry_ms * 2 : RETRY_MAX_MS;
}

static void on_told(struct redis_call *c, const struct resp_value *v)
{
	struct redis_net *net = CONTAINER_OF(c, struct redis_net, asked);
	const struct shared_policy *p = net->setup.policy;
	struct slice host = p->addresses[net->guide_at % p->address_count].host;
	uint64_t port;

	if (!v)
		return;                 /* on_guide_lost() follows */
	if (is_cluster(net))
		read_slots(net, v, host);
	else if (v->type == RESP_LIST && v->count == 2 && v->items[0].type == RESP_TEXT &&
		 number_of(&v->items[1], &port) && port > 0 && port <= UINT16_MAX)
		found_master(net, v->items[0].text, (uint16_t)port);
	if (v->type == RESP_ERROR)
		note_down(net, is_cluster(net) ? "it is no cluster" : "the sentinel does not know the master");
	if (!net->known || v->type == RESP_ERROR) {
		net->guide_at++;
		try_later(net);
	}
	drop_guide(net);
}

static void on_guide_ready(void *owner)
{
	struct redis_net *net = owner;
	const struct slice slots[] = { S("CLUSTER"), S("SLOTS") };
	const struct slice master[] = { S("SENTINEL"), S("get-master-addr-by-name"), net->setup.policy->master };

	net->asked.done = on_told;
	if (is_cluster(net))
		redis_call(net->guide, &net->asked, slots, COUNT_OF(slots));
	else
		redis_call(net->guide, &net->asked, master, COUNT_OF(master));
}

static void on_guide_lost(void *owner, const char *why)
{
	struct redis_net *net = owner;

	note_down(net, why);
	net->guide_at++;
	if (net->guide)
		drop_guide(net);
	try_later(net);
}

/* Asks somebody who knows; in a cluster any node does. */
static void ask_the_way(struct redis_net *net)
{
	const struct shared_policy *p = net->setup.policy;
	const struct shared_address *a = &p->addresses[net->guide_at % p->address_count];
	struct redis_setup setup = setup_for(net, "", a->port);

	if (net->guide)
		return;
	setup.host = a->host;
	if (p->mode == SHARED_SENTINEL) {
		setup.user = p->sentinel_user;
		setup.password = p->sentinel_password;
		setup.database = 0;
	}
	setup.on_ready = on_guide_ready;
	setup.on_lost = on_guide_lost;
	setup.owner = net;
	net->guide = redis_open(&setup);
}

static void find(struct redis_net *net)
{
	const struct shared_policy *p = net->setup.policy;
	const struct shared_address *a = &p->addresses[net->guide_at % p->address_count];

	if (p->mode == SHARED_SINGLE)
		found_master(net, a->host, a->port);
	else
		ask_the_way(net);
}

static void find_again(struct redis_net *net, const char *why)
{
	note_down(net, why);
	if (net->setup.policy->mode == SHARED_SINGLE)
		net->guide_at++;
	try_later(net);
}

static void on_retry(struct io_timer *t, mono_ms now)
{
	(void)now;
	find(CONTAINER_OF(t, struct redis_net, retry));
}

/* ---- commands ------------------------------------------------------------------------------------ */

static struct node *keeper(const struct redis_net *net, struct slice name)
{
	uint8_t at = net->slots[is_cluster(net) ? redis_slot(name) : 0];

	return net->known && at != NO_NODE ? (struct node *)(uintptr_t)&net->nodes[at] : NULL;
}

static void end_call(struct net_call *c, const struct resp_value *v)
{
	buf_free(&c->command);
	c->done(c, v);
}

static void on_asking(struct redis_call *call, const struct resp_value *v)
{
	(void)call, (void)v;            /* the command behind it tells */
}

static void on_reply(struct redis_call *call, const struct resp_value *v);

static void send_to(struct node *n, struct net_call *c, bool asking)
{
	const struct slice word = S("ASKING");

	if (!n || !redis_is_ready(n->redis)) {
		end_call(c, NULL);
		return;
	}
	if (asking) {
		c->asking.done = on_asking;
		redis_call(n->redis, &c->asking, &word, 1);
	}
	c->call.done = on_reply;
	redis_call_written(n->redis, &c->call, buf_slice(&c->command));
}

/* "MOVED 3999 host:port", "ASK 3999 host:port" */
static struct node *redirected(struct redis_net *net, struct slice text, bool moved)
{
	struct slice slot = SLICE_NONE, where = SLICE_NONE, rest = SLICE_NONE;
	uint64_t number, port;
	struct node *n;
	size_t colon = 0;

	if (!slice_cut(text, ' ', &rest, &text) || !slice_cut(text, ' ', &slot, &where))
		return NULL;
	for (size_t i = 0; i < where.len; i++)
		if (where.at[i] == ':')
			colon = i;
	if (!slice_to_u64(slot, &number) || number >= SLOTS || !colon ||
	    !slice_to_u64(slice_from(where, colon + 1), &port) || port == 0 || port > UINT16_MAX)
		return NULL;
	n = node_of(net, slice_sub(where, 0, colon), (uint16_t)port);
	if (n && moved)
		net->slots[number] = (uint8_t)(n - net->nodes);
	if (n)
		connect_node(n);
	return n;
}

static void on_reply(struct redis_call *call, const struct resp_value *v)
{
	struct net_call *c = CONTAINER_OF(call, struct net_call, call);
	struct redis_net *net = c->net;
	bool moved = v && v->type == RESP_ERROR && slice_starts(v->text, S("MOVED "));
	bool ask = v && v->type == RESP_ERROR && slice_starts(v->text, S("ASK "));

	if ((moved || ask) && is_cluster(net) && ++c->hops < HOPS_MAX && !net->closed) {
		if (moved)
			io_timer_set(net->setup.io, &net->retry, io_now(net->setup.io));  /* others have too */
		send_to(redirected(net, v->text, moved), c, ask);
		return;
	}
	/* The master has become a replica: the sentinels know of another. */
	if (v && v->type == RESP_ERROR && slice_starts(v->text, S("READONLY")) && !net->closed &&
	    !is_cluster(net))
		io_timer_set(net->setup.io, &net->retry, io_now(net->setup.io));
	end_call(c, v);
}

void redis_net_call(struct redis_net *net, struct net_call *c, struct slice name,
		    const struct slice *words, size_t count)
{
	c->net = net;
	c->hops = 0;
	c->command = BUF_INIT(COMMAND_BYTES_MAX);
	if (net->closed || !net->up || !resp_write(&c->command, words, count))
		end_call(c, NULL);
	else
		send_to(keeper(net, name), c, false);
}

bool redis_net_where(const struct redis_net *net, struct slice name, struct slice *host, uint16_t *port)
{
	const struct node *n = keeper(net, name);

	if (!n)
		return false;
	*host = slice_of(n->host);
	*port = n->port;
	return true;
}

bool redis_net_is_up(const struct redis_net *net)
{
	return net->up;
}

const char *redis_net_trouble(const struct redis_net *net)
{
	return net->up ? "" : net->trouble;
}

/* ---- life ------------------------------------------------------------------------------------------ */

struct redis_net *redis_net_create(const struct redis_net_setup *setup)
{
	struct redis_net *net = calloc(1, sizeof *net);

	must(net != NULL);
	must(setup->policy->address_count > 0);
	net->setup = *setup;
	net->retry.fire = on_retry;
	net->retry_ms = RETRY_MS;
	memset(net->slots, NO_NODE, sizeof net->slots);
	find(net);
	return net;
}

void redis_net_close(struct redis_net *net)
{
	net->closed = true;
	net->up = false;
	io_timer_clear(net->setup.io, &net->retry);
	if (net->guide)
		drop_guide(net);
	for (unsigned i = 0; i < net->node_count; i++) {
		struct redis *r = net->nodes[i].redis;

		net->nodes[i].redis = NULL;
		redis_close(r);
	}
}

void redis_net_free(struct redis_net *net)
{
	free(net);
}
