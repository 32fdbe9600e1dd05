/* tracing.c: where traces go. */
#include "config/inside.h"

#include "wire/url.h"

#define CONNECT_MS (5 * 1000)
#define IDLE_MS    (50 * 1000)
#define HEADERS_MAX 32
#define HEADER_VALUE_MAX 4096

static void read_endpoint(struct reader *r, const struct node *n, const struct node *proxy)
{
	struct trace_policy *p = &r->config->tracing;
	struct origin *o;
	struct slice text;
	const char *why = "";
	struct url url;

	if (!scalar_of(r, "endpoint", n, &text))
		return;
	if (!url_parse(text, &url, &why)) {
		complain_at(r, n, "%s is not the URL of a collector: %s", quote(r, n->written), why);
		return;
	}
	o = arena_new(r->arena, struct origin);
	o->host = lower_copy(r->arena, url.host);
	o->port = url.port;
	o->tls = url.tls;
	url.host = o->host;
	o->authority = url_authority(r->arena, &url);
	o->connect_ms = CONNECT_MS;
	o->idle_ms = IDLE_MS;
	o->idle_max = 1;
	o->proxy = proxy_for(r, proxy, o->tls, o->host, o->port);
	o->key = origin_key_of(r, o, SLICE_NONE);
	if (o->tls) {
		struct io_tls *tls = origin_system_tls(r, n);

		if (tls)
			o->tls_setup = io_tls_take(tls);
	}
	p->origin = o;
	/* A collector's bare address means its usual path. */
	p->target = url.path.len || url.query.len
		? arena_printf(r->arena, "%.*s%s%.*s", SLICE_ARG(url.path), url.query.len ? "?" : "",
			       SLICE_ARG(url.query)) : S("/v1/traces");
}

static bool is_header_value(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.at[i] < 0x20 || s.at[i] >= 0x7f)
			return false;
	return s.len <= HEADER_VALUE_MAX;
}

static void read_headers(struct reader *r, const struct node *n)
{
	struct buf lines = BUF_INIT(HEADERS_MAX * (HEADER_VALUE_MAX + 256));
	struct slice value;

	if (n->kind != NODE_MAP || n->count > HEADERS_MAX) {
		complain_at(r, n, "\"headers\" needs a mapping of at most %d headers; write headers: {name: "
			    "value}", HEADERS_MAX);
		return;
	}
	for (size_t i = 0; i < n->count; i++) {
		const struct member *m = &n->members[i];

		if (!value_is_name(m->key, "-_", 128)) {
			complain(r, m->line, m->column, "%s is no name for a header; use letters, digits and "
				 "- _", quote(r, m->key));
			continue;
		}
		if (!scalar_of(r, "headers", m->value, &value))
			continue;
		if (!is_header_value(value)) {
			complain_at(r, m->value, "the header's value holds a byte that a header cannot carry; "
				    "check what was copied");
			continue;
		}
		buf_putf(&lines, "%.*s: %.*s\r\n", SLICE_ARG(m->key), SLICE_ARG(value));
	}
	r->config->tracing.headers = arena_copy(r->arena, buf_slice(&lines));
	buf_free(&lines);
}

void build_tracing(struct reader *r, const struct raw_top *top)
{
	struct raw_tracing raw = { 0 };

	if (!top->tracing)
		return;
	section_defaults(&section_tracing, &raw);
	if (!section_read(r, &section_tracing, top->tracing, &raw) || !raw.endpoint)
		return;
	r->config->tracing = (struct trace_policy){
		.service = raw.service, .sample_milli = raw.sample_milli, .every_ms = raw.every_ms,
		.propagate = raw.propagate,
	};
	read_endpoint(r, raw.endpoint, raw.proxy);
	if (raw.headers)
		read_headers(r, raw.headers);
}
