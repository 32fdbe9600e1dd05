/* The admin port's HTTP: who may, and what is answered. */
#include "daemon/admin_inside.h"

#include "base/check.h"
#include "wire/json.h"
#include "wire/url.h"

#include <stdlib.h>

#define DOCUMENT_MAX ((size_t)16 * 1024 * 1024)
#define PLAIN_TEXT S("text/plain; charset=utf-8")
#define JSON_TYPE  S("application/json")

/* Small and local, so that nobody can use the admin port to tie us up. */
static const struct client_limits limits = {
	.header_bytes = 16 * 1024,
	.body_bytes = 64 * 1024,
	.header_ms = 5000,
	.body_idle_ms = 5000,
	.keep_alive_ms = 60000,
	.write_stall_ms = 10000,
	.connections = 256,
};

/* ---- who may ------------------------------------------------------------------------- */

static struct slice bearer(const struct h1_head *head)
{
	return admit_presented_key(h1_get(head, S("authorization")), SLICE_NONE);
}

static bool is_key(const struct admin_policy *policy, struct slice presented)
{
	uint8_t digest[DIGEST_SHA256_BYTES];

	digest_sha256(presented, digest);
	return slice_eq_constant_time((struct slice){ (const char *)digest, sizeof digest },
				      (struct slice){ (const char *)policy->key_sha256,
						      sizeof policy->key_sha256 });
}

/* A Host header without its port. */
static struct slice host_of(struct slice authority)
{
	size_t colon;

	if (authority.len && authority.at[0] == '[') {
		colon = slice_find(authority, ']');
		return colon == SLICE_NOT_FOUND ? authority : slice_sub(authority, 0, colon + 1);
	}
	colon = slice_find(authority, ':');
	return colon == SLICE_NOT_FOUND ? authority : slice_sub(authority, 0, colon);
}

/* A page's own name may be made to point to us (DNS rebinding); an address, or a
 * name that we were told, cannot be anybody else's. */
static bool is_our_name(const struct admin_policy *policy, struct slice authority)
{
	struct slice host = host_of(authority);
	struct io_addr addr;
	char text[300];

	if (host.len == 0 || slice_eq_nocase(host, S("localhost")))
		return true;
	if (host.len < sizeof text - 2) {
		struct buf with_port = BUF_INIT(sizeof text);
		bool is_address;

		buf_putf(&with_port, "%.*s:1", SLICE_ARG(host));
		is_address = io_addr_parse(buf_slice(&with_port), &addr);
		buf_free(&with_port);
		if (is_address)
			return true;
	}
	for (size_t i = 0; i < policy->host_count; i++)
		if (slice_eq_nocase(policy->hosts[i], host))
			return true;
	return false;
}

/* Browsers say whose page sends what changes something. */
static bool is_foreign_page(const struct h1_head *head)
{
	struct slice origin = h1_get(head, S("origin")), site = h1_get(head, S("sec-fetch-site"));
	size_t at = slice_find_slice(origin, S("://"));

	if (site.len && !slice_eq(site, S("same-origin")) && !slice_eq(site, S("none")))
		return true;
	if (!origin.len)
		return false;
	return at == SLICE_NOT_FOUND ||
	       !slice_eq_nocase(slice_from(origin, at + 3), h1_get(head, S("host")));
}

static bool all_may_read(const struct admin_policy *policy, bool loopback)
{
	return policy->read == ADMIN_READ_ALL ||
	       (policy->read == ADMIN_READ_AUTO && (loopback || !policy->has_key));
}

enum admin_verdict admin_judge(const struct admin_policy *policy, bool loopback,
			       enum admin_access access, const struct h1_head *head)
{
	struct slice presented = bearer(head);
	bool right = policy->has_key && presented.len && is_key(policy, presented);

	if (access == ADMIN_OPEN)
		return ADMIN_YES;
	if (access == ADMIN_ACT && !policy->has_key)
		return ADMIN_NO_ACTIONS;
	if (access == ADMIN_ACT && is_foreign_page(head))
		return ADMIN_FOREIGN_PAGE;
	if (right)
		return ADMIN_YES;
	if (policy->has_key && presented.len)
		return ADMIN_WRONG_KEY;
	if (access == ADMIN_ACT || !all_may_read(policy, loopback))
		return ADMIN_NO_KEY;
	return is_our_name(policy, h1_get(head, S("host"))) ? ADMIN_YES : ADMIN_FOREIGN_HOST;
}

static const struct { int status; struct slice text; } refusals[ADMIN_VERDICT_COUNT] = {
	[ADMIN_NO_KEY] = { 401, S_INIT("the admin key is needed: send it as Authorization: Bearer KEY") },
	[ADMIN_WRONG_KEY] = { 401, S_INIT("this is not the admin key") },
	[ADMIN_NO_ACTIONS] = { 403, S_INIT("there are no actions without an admin key: add \"key\" to \"admin\" "
					   "in the config and reload") },
	[ADMIN_FOREIGN_HOST] = { 403, S_INIT("the port is not known by that host name: call it by an address, or "
					     "add the name to admin.hosts") },
	[ADMIN_FOREIGN_PAGE] = { 403, S_INIT("actions are taken from the dashboard's own page only") },
};

/* ---- answers --------------------------------------------------------------------------- */

static void answer(const struct admin_request *r, int status, struct slice type, struct slice body)
{
	const struct h1_header headers[] = {
		{ S("content-type"), type },
		{ S("cache-control"), S("no-store") },
		{ S("x-content-type-options"), S("nosniff") },
		{ S("referrer-policy"), S("no-referrer") },
		{ S("content-security-policy"),
		  S("default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
		    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
		    "frame-ancestors 'none'") },
		{ S("www-authenticate"), S("Bearer realm=\"backstay\"") },
	};

	client_respond_whole(r->conn, status, headers, COUNT_OF(headers) - (status != 401), body);
}

void admin_answer_text(const struct admin_request *r, int status, struct slice text)
{
	answer(r, status, PLAIN_TEXT, text);
}

void admin_answer_bytes(const struct admin_request *r, struct slice type, struct slice bytes)
{
	answer(r, 200, type, bytes);
}

void admin_answer_document(struct admin *a, const struct admin_request *r, struct slice type, bool ok)
{
	if (ok)
		answer(r, 200, type, buf_slice(&a->document));
	else
		admin_answer_text(r, 500, S("the document has become too large\n"));
	buf_free(&a->document);
}

void admin_answer_error(struct admin *a, const struct admin_request *r, int status, struct slice message)
{
	buf_clear(&a->document);
	buf_puts(&a->document, "{\"error\":{\"message\":");
	json_write_string(&a->document, message);
	buf_puts(&a->document, "}}\n");
	answer(r, status, JSON_TYPE, buf_slice(&a->document));
	buf_free(&a->document);
}

/* ---- requests ------------------------------------------------------------------------------ */

static bool method_fits(const struct admin_route *route, struct slice method)
{
	struct slice own = slice_of(route->method);

	return slice_eq(method, own) || (slice_eq(own, S("GET")) && slice_eq(method, S("HEAD")));
}

/* What is not there: either the path, or the method at it. */
static void answer_none(struct admin *a, const struct admin_request *r, struct slice path)
{
	for (const struct admin_route *route = admin_routes; route->path; route++)
		if (slice_eq(path, slice_of(route->path))) {
			admin_answer_error(a, r, 405, S("this method is not understood here; /admin/openapi.json "
							"lists what is"));
			return;
		}
	admin_answer_error(a, r, 404, S("there is nothing here; /admin/openapi.json lists what there is"));
}

static void serve(struct admin *a, const struct admin_route *route, const struct admin_request *r)
{
	enum admin_verdict v = admin_judge(&a->state->config->admin, a->loopback, route->access, r->head);

	if (v == ADMIN_YES) {
		route->answer(a, r);
		return;
	}
	if (v == ADMIN_WRONG_KEY)
		log_line(a->log, LOG_WARN, "admin_wrong_key", "path=%s", route->path);
	admin_answer_error(a, r, refusals[v].status, refusals[v].text);
}

static void on_request(void *owner, struct client_conn *c, const struct h1_head *head,
		       struct buf *body)
{
	struct admin *a = owner;
	struct admin_request r = { .conn = c, .head = head, .body = buf_slice(body) };
	struct slice path;

	if (!url_split_target(head->target, &path, &r.query)) {
		admin_answer_error(a, &r, 400, S("the path is malformed"));
		return;
	}
	for (const struct admin_route *route = admin_routes; route->path; route++)
		if (slice_eq(path, slice_of(route->path)) && method_fits(route, head->method)) {
			serve(a, route, &r);
			return;
		}
	answer_none(a, &r, path);
}

static struct slice write_error(void *owner, int status, struct slice sentence, struct buf *out)
{
	(void)owner, (void)status;
	buf_put(out, sentence);
	buf_puts(out, "\n");
	return PLAIN_TEXT;
}

static const struct client_door_events events = {
	.on_request = on_request,
	.write_error = write_error,
};

/* ---- life ----------------------------------------------------------------------------------- */

struct admin *admin_create(struct io *io, struct io_socket *socket, const struct admin_state *state,
			   const struct log *log)
{
	struct admin *a = calloc(1, sizeof *a);
	struct io_addr at = io_socket_addr(socket);

	must(a != NULL);
	a->io = io;
	a->state = state;
	a->log = log;
	a->limits = limits;
	a->loopback = io_addr_is_loopback(&at);
	a->document = BUF_INIT(DOCUMENT_MAX);
	a->door = client_door_create(io, &a->limits, &a->counters, log, &events, a);
	client_door_listen(a->door, socket, NULL);
	admin_events_begin(a);
	return a;
}

void admin_free(struct admin *a)
{
	if (!a)
		return;
	admin_events_end(a);
	client_door_free(a->door);
	buf_free(&a->document);
	free(a);
}
