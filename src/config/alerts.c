/* alerts.c: who is told of trouble. */
#include "config/inside.h"

#include "wire/url.h"

#define CONNECT_MS  (5 * 1000)
#define IDLE_MS     (50 * 1000)
#define SECRET_SHORT 16

struct sink_reading {
	struct reader *r;
	struct node *node;
	struct raw_alert_sink raw;
	struct alert_sink_policy *out;
};

/* A secret that a header or a JSON text can carry. */
static struct slice secret_of(struct sink_reading *s, const char *key, const struct node *n)
{
	struct slice text;

	if (!n || !scalar_of(s->r, key, n, &text))
		return SLICE_NONE;
	if (!text.len || !value_is_visible(text)) {
		complain_at(s->r, n, "\"%s\" is empty, or holds a space or a byte that is not ASCII; check "
			    "what was copied", key);
		return SLICE_NONE;
	}
	return arena_copy(s->r->arena, text);
}

/* Path and query as they stand in the URL: a slash at the end may matter. */
static struct slice target_of(struct reader *r, struct slice url)
{
	size_t at = slice_find_slice(url, S("://"));
	struct slice rest = slice_from(url, at + 3);

	for (size_t i = 0; i < rest.len; i++) {
		if (rest.at[i] == '/')
			return arena_copy(r->arena, slice_from(rest, i));
		if (rest.at[i] == '?')
			return arena_printf(r->arena, "/%.*s", SLICE_ARG(slice_from(rest, i)));
	}
	return S("/");
}

static struct slice manager_target(struct reader *r, const struct url *url)
{
	if (slice_ends(url->path, S("/api/v2/alerts")))
		return arena_copy(r->arena, url->path);
	return arena_printf(r->arena, "%.*s/api/v2/alerts", SLICE_ARG(url->path));
}

static void read_sink_url(struct sink_reading *s)
{
	struct origin *o = arena_new(s->r->arena, struct origin);
	const struct node *at = s->raw.url ? s->raw.url : s->node;
	struct slice text = S("https://events.pagerduty.com/v2/enqueue");
	struct io_tls *tls = NULL;
	const char *why = "";
	struct url url;

	s->out->origin = o;
	if (s->raw.url && !scalar_of(s->r, "url", s->raw.url, &text))
		return;
	if (!s->raw.url && s->out->kind != ALERT_PAGERDUTY) {
		complain_at(s->r, s->node, "a sink of alerts lacks its \"url\"; add it");
		return;
	}
	/* The URL itself may be the secret, so it is not repeated. */
	if (!url_parse(text, &url, &why)) {
		complain_at(s->r, at, "this is not the URL of a sink: %s", why);
		return;
	}
	o->host = lower_copy(s->r->arena, url.host);
	o->port = url.port;
	o->tls = url.tls;
	url.host = o->host;
	o->authority = url_authority(s->r->arena, &url);
	o->connect_ms = CONNECT_MS;
	o->idle_ms = IDLE_MS;
	o->idle_max = 1;
	o->proxy = proxy_for(s->r, s->raw.proxy, o->tls, o->host, o->port);
	o->key = origin_key_of(s->r, o, SLICE_NONE);
	s->out->target = s->out->kind == ALERT_ALERTMANAGER ? manager_target(s->r, &url)
							   : target_of(s->r, text);
	if (o->tls)
		tls = origin_system_tls(s->r, at);
	if (tls)
		o->tls_setup = io_tls_take(tls);
	else if (!host_is_loopback(o->host))
		note(s->r, "alerts go to sink %.*s unencrypted (http)", SLICE_ARG(s->out->name));
}

static void read_secrets(struct sink_reading *s)
{
	struct alert_sink_policy *out = s->out;

	out->secret = secret_of(s, "secret", s->raw.secret);
	out->bearer = secret_of(s, "bearer", s->raw.bearer);
	if (out->kind == ALERT_PAGERDUTY && !s->raw.secret)
		complain_at(s->r, s->node, "PagerDuty needs the integration's routing key; add secret: "
			    "${NAME}");
	if (s->raw.secret && (out->kind == ALERT_SLACK || out->kind == ALERT_ALERTMANAGER))
		complain_at(s->r, s->raw.secret, "this kind of sink has no \"secret\"; remove it%s",
			    out->kind == ALERT_ALERTMANAGER ? ", or write \"bearer\"" : "");
	if (out->kind == ALERT_WEBHOOK && out->secret.len && out->secret.len < SECRET_SHORT)
		note(s->r, "the secret of alert sink %.*s is shorter than %d characters and may be guessed",
		     SLICE_ARG(out->name), SECRET_SHORT);
}

static void read_sink(struct reader *r, const struct member *m, struct alert_sink_policy *out)
{
	struct sink_reading s = { .r = r, .node = m->value, .out = out };

	out->name = arena_copy(r->arena, m->key);
	out->origin = arena_new(r->arena, struct origin);
	if (!value_is_name(m->key, "._-", 64))
		complain(r, m->line, m->column, "%s is no name for a sink; use letters, digits and . _ -, at "
			 "most 64", quote(r, m->key));
	section_defaults(&section_alert_sink, &s.raw);
	if (!section_read(r, &section_alert_sink, m->value, &s.raw))
		return;
	out->kind = s.raw.kind;
	out->least = s.raw.least;
	read_sink_url(&s);
	read_secrets(&s);
}

static void read_sinks(struct reader *r, const struct node *n)
{
	struct alert_sink_policy *sinks;

	if (n->kind != NODE_MAP || n->count == 0 || n->count > ALERT_SINKS_MAX) {
		complain_at(r, n, "\"sinks\" needs a mapping of 1 to %d sinks; write sinks: {ops: {kind: slack, "
			    "url: \"${SLACK_URL}\"}}, say", ALERT_SINKS_MAX);
		return;
	}
	sinks = arena_array(r->arena, struct alert_sink_policy, n->count);
	r->config->alerts.sinks = sinks;
	r->config->alerts.sink_count = n->count;
	for (size_t i = 0; i < n->count; i++)
		read_sink(r, &n->members[i], &sinks[i]);
}

static struct slice link_of(struct reader *r, const struct node *n)
{
	const char *why = "";
	struct slice text;
	struct url url;

	if (!n || !scalar_of(r, "link", n, &text))
		return SLICE_NONE;
	if (!url_parse(text, &url, &why))
		complain_at(r, n, "%s is not a URL: %s", quote(r, n->written), why);
	return arena_copy(r->arena, text);
}

void build_alerts(struct reader *r, const struct raw_top *top)
{
	struct alert_policy *out = &r->config->alerts;
	struct raw_alerts raw = { 0 };
	struct slice text;

	section_defaults(&section_alerts, &raw);
	if (top->alerts && !section_read(r, &section_alerts, top->alerts, &raw))
		return;
	*out = (struct alert_policy){
		.wait_ms = raw.wait_ms,
		.calm_ms = raw.calm_ms,
		.repeat_ms = raw.repeat_ms,
		.link = link_of(r, raw.link),
	};
	if (raw.source && scalar_of(r, "source", raw.source, &text))
		out->source = arena_copy(r->arena, text);
	if (raw.state && scalar_of(r, "state", raw.state, &text))
		out->state_path = config_path_of(r, text);
	if (raw.sinks)
		read_sinks(r, raw.sinks);
	if (out->sink_count && !out->state_path.len)
		note(r, "alerts that nobody has taken yet are lost at a restart; add \"state\" to \"alerts\"");
}
