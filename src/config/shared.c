/* shared.c: the store that several machines share. */
#include "config/inside.h"

#include "wire/url.h"

#define ADDRESSES_MAX 16
#define REDIS_PORT 6379
#define SENTINEL_PORT 26379

struct shared_reading {
	struct reader *r;
	struct raw_cache_shared raw;
	struct shared_policy *out;
};

static struct slice text_of(struct shared_reading *s, const char *key, const struct node *n)
{
	struct slice text;

	return n && scalar_of(s->r, key, n, &text) ? arena_copy(s->r->arena, text) : SLICE_NONE;
}

static void read_address(struct shared_reading *s, const struct node *n, struct shared_address *out)
{
	struct slice text;
	const char *why;
	struct url url;

	if (!scalar_of(s->r, "addresses", n, &text))
		return;
	/* The same strictness as for URLs: no guessing. */
	if (!url_parse(arena_printf(s->r->scratch, "http://%.*s", SLICE_ARG(text)), &url, &why) ||
	    url.path.len || url.query.len) {
		complain_at(s->r, n, "%s is no address; write host:port, such as redis1:6379",
			    quote(s->r, n->written));
		return;
	}
	out->host = lower_copy(s->r->arena, url.host);
	out->port = url.port_given ? url.port : s->out->mode == SHARED_SENTINEL ? SENTINEL_PORT : REDIS_PORT;
}

static void read_addresses(struct shared_reading *s)
{
	const struct node *n = s->raw.addresses;
	size_t count = n && n->kind == NODE_LIST ? n->count : 1;
	struct shared_address *out;

	if (!n)
		return;                       /* complained about as a required key */
	if (n->kind == NODE_MAP || count == 0 || count > ADDRESSES_MAX) {
		complain_at(s->r, n, "\"addresses\" needs an address or a list of 1 to %d; write addresses: "
			    "[host:port]", ADDRESSES_MAX);
		return;
	}
	out = arena_array(s->r->arena, struct shared_address, count);
	for (size_t i = 0; i < count; i++)
		read_address(s, n->kind == NODE_LIST ? n->items[i] : n, &out[i]);
	s->out->addresses = out;
	s->out->address_count = count;
}

static const char *path_of(struct shared_reading *s, const char *key, const struct node *n)
{
	struct slice text;

	return n && scalar_of(s->r, key, n, &text) ? config_path_of(s->r, text).at : NULL;
}

static void read_own_tls(struct shared_reading *s)
{
	struct raw_tls raw = { 0 };
	struct io_tls_client_options options;
	char why[256] = "";

	if (!section_read(s->r, &section_backend_tls, s->raw.tls, &raw))
		return;
	if (!raw.cert != !raw.key) {
		complain_at(s->r, raw.cert ? raw.cert : raw.key, "a client certificate needs both "
			    "\"cert\" and \"key\"; add the other one");
		return;
	}
	options = (struct io_tls_client_options){
		.ca_file = path_of(s, "ca", raw.ca), .cert_file = path_of(s, "cert", raw.cert),
		.key_file = path_of(s, "key", raw.key),
	};
	s->out->tls = io_tls_client(&options, why, sizeof why);
	if (!s->out->tls && config_path_reads(s->r, raw.ca, options.ca_file) &&
	    config_path_reads(s->r, raw.cert, options.cert_file) &&
	    config_path_reads(s->r, raw.key, options.key_file))
		complain_at(s->r, s->raw.tls, "the tls of the shared store cannot be set up: %s; check the "
			    "files", why);
}

static void read_tls(struct shared_reading *s)
{
	struct slice text;
	struct io_tls *tls;
	const char *wrong;
	bool on = false;

	if (!s->raw.tls)
		return;
	if (s->raw.tls->kind == NODE_MAP) {
		read_own_tls(s);
		return;
	}
	if (!scalar_of(s->r, "tls", s->raw.tls, &text))
		return;
	wrong = value_bool(text, &on);
	if (wrong) {
		complain_at(s->r, s->raw.tls, "\"tls\": %s %s", quote(s->r, s->raw.tls->written), wrong);
		return;
	}
	tls = on ? origin_system_tls(s->r, s->raw.tls) : NULL;
	if (tls)
		s->out->tls = io_tls_take(tls);
}

static void read_prefix(struct shared_reading *s)
{
	s->out->prefix = S("backstay");
	if (!s->raw.prefix)
		return;
	s->out->prefix = text_of(s, "prefix", s->raw.prefix);
	if (s->out->prefix.len && !value_is_name(s->out->prefix, "._-:", 64))
		complain_at(s->r, s->raw.prefix, "%s is no prefix; use letters, digits and . _ - :, at most 64",
			    quote(s->r, s->raw.prefix->written));
}

static void check(struct shared_reading *s)
{
	const struct shared_policy *p = s->out;

	if (p->mode == SHARED_SENTINEL && !p->master.len)
		complain_at(s->r, s->raw.addresses, "with mode: sentinel, \"master\" says what the sentinels "
			    "call the server; add it");
	if (p->mode != SHARED_SENTINEL && s->raw.master)
		complain_at(s->r, s->raw.master, "\"master\" is for mode: sentinel; remove it or set the mode");
	if (p->mode == SHARED_CLUSTER && p->database)
		complain_at(s->r, s->raw.addresses, "a cluster has no databases; remove \"database\"");
	for (size_t i = 0; i < p->address_count; i++)
		if (!p->tls && p->addresses[i].host.len && !host_is_loopback(p->addresses[i].host)) {
			note(s->r, "answers go to the shared store at %.*s unencrypted; add tls: on",
			     SLICE_ARG(p->addresses[i].host));
			break;
		}
}

void read_cache_shared(struct reader *r, struct node *n, struct shared_policy *out)
{
	struct shared_reading s = { .r = r, .out = out };

	section_defaults(&section_cache_shared, &s.raw);
	if (!section_read(r, &section_cache_shared, n, &s.raw))
		return;
	out->mode = (enum shared_mode)s.raw.mode;
	out->database = s.raw.database;
	out->wait_ms = s.raw.wait_ms;
	out->connect_ms = s.raw.connect_ms;
	out->lease_ms = s.raw.lease_ms;
	out->master = text_of(&s, "master", s.raw.master);
	out->user = text_of(&s, "user", s.raw.user);
	out->password = text_of(&s, "password", s.raw.password);
	out->sentinel_user = text_of(&s, "sentinel_user", s.raw.sentinel_user);
	out->sentinel_password = text_of(&s, "sentinel_password", s.raw.sentinel_password);
	read_prefix(&s);
	read_addresses(&s);
	read_tls(&s);
	check(&s);
}
