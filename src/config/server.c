/* server.c: what Backstay itself is told: listeners, admin, keys, logs, mocks. */
#include "config/inside.h"

#include <string.h>

#define LISTENERS_MAX 16
#define MOCKS_MAX 64
#define MOCK_ARGS_MAX 64
#define KEY_SHORT 16
#define ADMIN_HOSTS_MAX 16

/* ---- listeners ---------------------------------------------------------------- */

static bool read_addr(struct reader *r, const char *key, const struct node *n, struct io_addr *out)
{
	struct slice text;
	const char *wrong;

	if (!scalar_of(r, key, n, &text))
		return false;
	wrong = value_listen(r, text, out);
	if (wrong)
		complain_at(r, n, "\"%s\": %s %s", key, quote(r, n->written), wrong);
	return !wrong;
}

static void read_listeners(struct reader *r, const struct node *n)
{
	struct io_addr *addrs = arena_array(r->arena, struct io_addr, LISTENERS_MAX);
	size_t count = 0, given;

	r->config->listen = addrs;
	if (!n) {
		must(io_addr_parse(S("127.0.0.1:8080"), addrs));
		r->config->listen_count = 1;
		return;
	}
	given = n->kind == NODE_LIST ? n->count : 1;
	if (given == 0 || given > LISTENERS_MAX)
		complain_at(r, n, "\"listen\" needs 1 to %d addresses; %s", LISTENERS_MAX,
			    given ? "remove some" : "write one, such as 127.0.0.1:8080");
	for (size_t i = 0; i < given && count < LISTENERS_MAX; i++) {
		const struct node *item = n->kind == NODE_LIST ? n->items[i] : n;

		if (!read_addr(r, "listen", item, &addrs[count]))
			continue;
		for (size_t j = 0; j < count; j++)
			if (io_addr_eq(&addrs[j], &addrs[count]) && addrs[j].port != 0)
				complain_at(r, item, "the address %s stands here twice; remove one",
					    quote(r, item->written));
		count++;
	}
	r->config->listen_count = count;
}

/* A path that must be there; complains and gives NULL otherwise. */
static const char *path_of(struct reader *r, const char *key, const struct node *n)
{
	struct slice text;

	if (!n || !scalar_of(r, key, n, &text))
		return NULL;
	return config_path_of(r, text).at;
}

static void read_listen_tls(struct reader *r, struct node *n)
{
	struct raw_tls raw = { 0 };
	const char *cert, *key;
	char why[256] = "";

	if (!n || !section_read(r, &section_listen_tls, n, &raw))
		return;
	cert = path_of(r, "cert", raw.cert);
	key = path_of(r, "key", raw.key);
	if (!cert || !key)
		return;
	r->config->listen_tls = io_tls_server(cert, key, why, sizeof why);
	if (r->config->listen_tls)
		return;
	if (config_path_reads(r, raw.cert, cert) && config_path_reads(r, raw.key, key))
		complain_at(r, raw.cert, "the certificate cannot be used: %s; check \"cert\" and "
			    "\"key\"", why);
}

static bool says_off(const struct node *n)
{
	bool on = true;

	return n->kind == NODE_SCALAR && !n->bad && !value_bool(n->text, &on) && !on;
}

static void read_admin_hosts(struct reader *r, const struct node *n)
{
	struct slice *hosts, text;
	size_t count = 0;

	if (n->kind != NODE_LIST || n->count > ADMIN_HOSTS_MAX) {
		complain_at(r, n, "\"hosts\" needs a list of at most %d names, as in hosts: "
			    "[backstay.internal]", ADMIN_HOSTS_MAX);
		return;
	}
	hosts = arena_array(r->arena, struct slice, n->count);
	for (size_t i = 0; i < n->count; i++) {
		if (!scalar_of(r, "hosts", n->items[i], &text))
			continue;
		if (!value_is_name(text, ".-", 253))
			complain_at(r, n->items[i], "%s is no host name; write it without scheme and port",
				    quote(r, n->items[i]->written));
		hosts[count++] = lower_copy(r->arena, text);
	}
	r->config->admin.hosts = hosts;
	r->config->admin.host_count = count;
}

static void read_admin_policy(struct reader *r, const struct raw_admin *raw)
{
	struct admin_policy *p = &r->config->admin;
	struct slice text;

	p->read = raw->read;
	if (raw->hosts)
		read_admin_hosts(r, raw->hosts);
	if (raw->key && scalar_of(r, "key", raw->key, &text)) {
		if (!value_is_visible(text) || !text.len)
			complain_at(r, raw->key, "the admin key is empty, or holds a space or a byte that is "
				    "not ASCII; choose another");
		if (text.len < KEY_SHORT)
			note(r, "the admin key is shorter than %d characters and may be guessed", KEY_SHORT);
		digest_sha256(text, p->key_sha256);
		p->has_key = true;
	}
	if (p->read == ADMIN_READ_KEY && !p->has_key)
		complain(r, raw->listen ? raw->listen->line : 1, raw->listen ? raw->listen->column : 1,
			 "\"admin\" is to be read with the key only, but has no \"key\"; add one");
}

static void read_admin(struct reader *r, struct node *n)
{
	struct config *c = r->config;
	struct raw_admin raw = { 0 };

	c->admin_enabled = true;
	must(io_addr_parse(S("127.0.0.1:9090"), &c->admin_listen));
	if (n && says_off(n)) {
		c->admin_enabled = false;
		return;
	}
	if (n && n->kind == NODE_SCALAR && !n->bad) {
		complain_at(r, n, "\"admin\" is a mapping or off; write admin: {listen: "
			    "127.0.0.1:9090}, or admin: off");
		return;
	}
	section_defaults(&section_admin, &raw);
	if (!n || !section_read(r, &section_admin, n, &raw))
		return;
	read_admin_policy(r, &raw);
	if (raw.listen && !read_addr(r, "listen", raw.listen, &c->admin_listen))
		return;
	for (size_t i = 0; raw.listen && i < c->listen_count; i++)
		if (io_addr_eq(&c->listen[i], &c->admin_listen) && c->listen[i].port != 0)
			complain_at(r, raw.listen, "the admin address is also in \"listen\"; give it a "
				    "port of its own");
}

static void read_workers(struct reader *r, const struct node *n)
{
	struct slice text;
	uint64_t count;

	if (!n || !scalar_of(r, "workers", n, &text) || slice_eq(text, S("auto")))
		return;
	if (slice_to_u64(text, &count) && count >= 1 && count <= 1024)
		r->config->workers = (unsigned)count;
	else
		complain_at(r, n, "\"workers\": %s is no number of workers; write auto, or 1 to 1024",
			    quote(r, n->written));
}

static void read_access_log(struct reader *r, const struct node *n)
{
	struct slice text;
	bool on;

	r->config->access_log = S("stdout");
	if (!n || !scalar_of(r, "access", n, &text))
		return;
	if (says_off(n))
		r->config->access_log = S("off");
	else if (!value_bool(text, &on))
		complain_at(r, n, "\"access\": %s does not say where to; write stdout, stderr, syslog, off or a "
			    "path", quote(r, n->written));
	else if (slice_eq(text, S("stdout")) || slice_eq(text, S("stderr")) || slice_eq(text, S("syslog")))
		r->config->access_log = arena_copy(r->arena, text);
	else
		r->config->access_log = config_path_of(r, text);
}

static void read_syslog(struct reader *r, const struct raw_log *log)
{
	struct slice text;

	r->config->access_sample_milli = log->access_sample_milli;
	must(io_addr_parse(S("unix:/dev/log"), &r->config->syslog));
	if (!log->syslog || !scalar_of(r, "syslog", log->syslog, &text))
		return;
	if (!io_addr_parse(text, &r->config->syslog) ||
	    (r->config->syslog.family != IO_UNIX && r->config->syslog.port == 0))
		complain_at(r, log->syslog, "\"syslog\": %s is no address; write unix:/dev/log, or "
			    "192.0.2.1:514", quote(r, log->syslog->written));
}

/* ---- client keys ---------------------------------------------------------------- */

static bool read_key_value(struct reader *r, const struct node *n, const struct raw_key *raw,
			   struct client_key *k)
{
	struct slice text;

	if (!raw->key == !raw->sha256) {
		complain_at(r, n, raw->key ? "a client key has both \"key\" and \"sha256\"; keep one"
					   : "a client key lacks its \"key\" or \"sha256\"; add one");
		return false;
	}
	if (raw->sha256) {
		if (!scalar_of(r, "sha256", raw->sha256, &text))
			return false;
		if (digest_from_hex(text, k->sha256))
			return true;
		complain_at(r, raw->sha256, "\"sha256\" is not 64 hex digits; make it with: printf %%s "
			    "KEY | sha256sum");
		return false;
	}
	if (!scalar_of(r, "key", raw->key, &text))
		return false;
	if (!value_is_visible(text)) {
		complain_at(r, raw->key, "a client key holds a space or a byte that is not ASCII; "
			    "clients could not send it: choose another");
		return false;
	}
	if (text.len < KEY_SHORT)
		note(r, "client key %.*s is shorter than %d characters and may be guessed",
		     SLICE_ARG(k->name), KEY_SHORT);
	digest_sha256(text, k->sha256);
	return true;
}

static bool read_key(struct reader *r, struct node *n, const struct client_key *before,
		     size_t count, struct client_key *k)
{
	struct raw_key raw = { .priority = PRIORITY_NORMAL };
	struct slice name;

	if (!section_read(r, &section_key, n, &raw))
		return false;
	if (!raw.name || !scalar_of(r, "name", raw.name, &name))
		return false;
	if (!value_is_name(name, "._-@", 64)) {
		complain_at(r, raw.name, "%s is no name for a client key; use letters, digits and "
			    ". _ - @, at most 64", quote(r, raw.name->written));
		return false;
	}
	k->name = arena_copy(r->arena, name);
	k->priority = raw.priority;
	k->may_explain = raw.explain;
	k->requests_per_minute = raw.requests;
	k->tokens_per_minute = raw.tokens;
	if (raw.group && scalar_of(r, "group", raw.group, &name)) {
		if (!value_is_name(name, "._-@", 64))
			complain_at(r, raw.group, "%s is no name for a group; use letters, digits and "
				    ". _ - @, at most 64", quote(r, raw.group->written));
		k->group = arena_copy(r->arena, name);
	}
	name = k->name;
	if (!read_key_value(r, n, &raw, k))
		return false;
	for (size_t i = 0; i < count; i++) {
		if (slice_eq(before[i].name, name))
			complain_at(r, raw.name, "the client key's name %s is there already; choose "
				    "another", quote(r, name));
		else if (memcmp(before[i].sha256, k->sha256, sizeof k->sha256) == 0)
			complain_at(r, n, "this client key is the same as that of %s; remove one",
				    quote(r, before[i].name));
	}
	return true;
}

static void read_keys(struct reader *r, const struct node *n)
{
	struct client_key *keys;
	size_t count = 0;

	if (!n)
		return;
	if (n->kind != NODE_LIST || n->count == 0) {
		complain_at(r, n, "\"keys\" needs a list; write - {name: NAME, key: KEY} for each key, or "
			    "remove it to let everybody in");
		return;
	}
	keys = arena_array(r->arena, struct client_key, n->count);
	for (size_t i = 0; i < n->count; i++)
		if (read_key(r, n->items[i], keys, count, &keys[count]))
			count++;
	r->config->admit.keys = keys;
	r->config->admit.key_count = count;
}

/* ---- mocks ------------------------------------------------------------------------ */

static void read_mock_args(struct reader *r, const struct raw_mock *raw, struct mock_policy *m)
{
	const struct { const char *key; struct slice option; const struct node *n; } easy[] = {
		{ "model", S_INIT("--model"), raw->model }, { "ttft", S_INIT("--ttft"), raw->ttft },
		{ "gap", S_INIT("--gap"), raw->gap }, { "tokens", S_INIT("--tokens"), raw->tokens },
		{ "seed", S_INIT("--seed"), raw->seed }, { "fault", S_INIT("--fault"), raw->fault },
	};
	struct slice *args = arena_array(r->arena, struct slice, 2 * COUNT_OF(easy) + MOCK_ARGS_MAX);
	struct slice text;

	m->args = args;
	for (size_t i = 0; i < COUNT_OF(easy); i++) {
		if (!easy[i].n || !scalar_of(r, easy[i].key, easy[i].n, &text))
			continue;
		args[m->arg_count++] = easy[i].option;
		args[m->arg_count++] = arena_copy(r->arena, text);
	}
	if (!raw->args)
		return;
	if (raw->args->kind != NODE_LIST || raw->args->count > MOCK_ARGS_MAX) {
		complain_at(r, raw->args, "\"args\" needs a list of at most %d options; write "
			    "[\"--ttft\", \"300ms\"], say", MOCK_ARGS_MAX);
		return;
	}
	for (size_t i = 0; i < raw->args->count; i++)
		if (scalar_of(r, "args", raw->args->items[i], &text))
			args[m->arg_count++] = arena_copy(r->arena, text);
}

/* Is the address taken by a listener, the admin port or an earlier mock? */
static const char *taken_by(struct reader *r, const struct io_addr *at, const struct mock_policy *mocks,
			    size_t count)
{
	const struct config *c = r->config;

	if (at->port == 0 && at->family != IO_UNIX)
		return NULL;
	for (size_t i = 0; i < c->listen_count; i++)
		if (io_addr_eq(&c->listen[i], at))
			return "\"listen\"";
	if (c->admin_enabled && io_addr_eq(&c->admin_listen, at))
		return "the admin port";
	for (size_t i = 0; i < count; i++)
		if (io_addr_eq(&mocks[i].listen, at))
			return quote(r, mocks[i].name);
	return NULL;
}

static void read_mock(struct reader *r, const struct member *member, struct mock_policy *mocks,
		      size_t *count)
{
	struct mock_policy *m = &mocks[*count];
	struct raw_mock raw = { 0 };
	const char *taken;

	if (!value_is_name(member->key, "._-", 64)) {
		complain(r, member->line, member->column, "%s is no name for a mock; use letters, digits "
			 "and . _ -, at most 64", quote(r, member->key));
		return;
	}
	section_defaults(&section_mock, &raw);
	if (!section_read(r, &section_mock, member->value, &raw))
		return;
	m->name = arena_copy(r->arena, member->key);
	m->restart_ms = raw.restart_ms;
	read_mock_args(r, &raw, m);
	if (!raw.listen || !read_addr(r, "listen", raw.listen, &m->listen))
		return;
	taken = taken_by(r, &m->listen, mocks, *count);
	if (taken)
		complain_at(r, raw.listen, "the address %s is already used by %s; choose another port",
			    quote(r, raw.listen->written), taken);
	(*count)++;
}

void build_mocks(struct reader *r, const struct raw_top *top)
{
	const struct node *n = top->mocks;
	struct mock_policy *mocks;
	size_t count = 0;

	if (!n)
		return;
	if (n->kind != NODE_MAP || n->count > MOCKS_MAX) {
		complain_at(r, n, "\"mocks\" needs a mapping of at most %d mocks; write mocks: {a: "
			    "{listen: 127.0.0.1:8101}}, say", MOCKS_MAX);
		return;
	}
	mocks = arena_array(r->arena, struct mock_policy, n->count);
	for (size_t i = 0; i < n->count; i++)
		read_mock(r, &n->members[i], mocks, &count);
	r->config->mocks = mocks;
	r->config->mock_count = count;
}

/* ---- all of it ---------------------------------------------------------------------- */

static void note_exposure(struct reader *r)
{
	const struct config *c = r->config;
	char text[IO_ADDR_TEXT_MAX];

	for (size_t i = 0; i < c->listen_count; i++)
		if (!io_addr_is_loopback(&c->listen[i]) && c->admit.key_count == 0)
			note(r, "%s can be reached from other machines and asks for no client key: "
			     "whoever reaches it can spend your backends' money; add \"keys\"",
			     io_addr_text(&c->listen[i], text));
	if (c->admin_enabled && !io_addr_is_loopback(&c->admin_listen) &&
	    (!c->admin.has_key || c->admin.read == ADMIN_READ_ALL))
		note(r, "the admin port %s can be reached from other machines and asks for no key; add "
		     "\"key\" to \"admin\"",
		     io_addr_text(&c->admin_listen, text));
}

void build_server(struct reader *r, const struct raw_top *top)
{
	read_listeners(r, top->listen);
	read_listen_tls(r, top->tls);
	read_admin(r, top->admin);
	read_workers(r, top->workers);
	read_keys(r, top->keys);
	read_access_log(r, top->log.access);
	read_syslog(r, &top->log);
	note_exposure(r);
}
