#include "observe/alert_text.h"

#include "base/check.h"
#include "base/digest.h"
#include "base/log.h"
#include "wire/json.h"

/* PagerDuty's limits, in characters; ours are bytes, so they are kept. */
#define PAGER_SUMMARY_MAX 1024
/* Alertmanager takes an alert for over when it has not been told of it for so long. */
#define MANAGER_LASTS_MS ((int64_t)4 * 60 * 1000)

/* ---- pieces -------------------------------------------------------------------------- */

static void put_text(struct buf *out, const char *name, struct slice text)
{
	buf_putf(out, "\"%s\":", name);
	json_write_string(out, text);
}

static void put_time(struct buf *out, const char *name, int64_t wall_ms)
{
	char stamp[25];

	log_stamp(wall_ms, stamp);
	buf_putf(out, "\"%s\":\"%s\"", name, stamp);
}

static const char *severity_of(const struct alert_note *n)
{
	return alert_severity_name(alert_kind_row(n->kind)->severity);
}

/* "a target is out: openai/gpt" */
static void put_headline(const struct alert_note *n, struct buf *out)
{
	buf_putf(out, "%s%s%s", alert_kind_row(n->kind)->title, *n->subject ? ": " : "", n->subject);
	if (n->flapping)
		buf_puts(out, " (it comes and goes)");
}

static void put_duration(int64_t ms, struct buf *out)
{
	if (ms < 0)
		ms = 0;
	if (ms < 120 * 1000)
		buf_putf(out, "%lld s", (long long)ms / 1000);
	else if (ms < (int64_t)120 * 60 * 1000)
		buf_putf(out, "%lld min", (long long)ms / 60000);
	else
		buf_putf(out, "%lld h", (long long)ms / 3600000);
}

void alert_text_line(const struct alert_note *n, struct buf *out)
{
	buf_putf(out, "%s %s %s %s: %s", n->firing ? "FIRING" : "RESOLVED", severity_of(n),
		 alert_kind_row(n->kind)->name, n->subject, n->text);
}

/* Tells the same alert again wherever it is told of: source, kind and subject. */
static void put_fingerprint(const struct alert_letter *l, const struct alert_note *n, struct buf *out)
{
	struct buf text = BUF_INIT(1024);
	uint8_t digest[DIGEST_SHA256_BYTES];
	char hex[2 * DIGEST_SHA256_BYTES + 1];

	buf_putf(&text, "%.*s\n%s\n%s", SLICE_ARG(l->source), alert_kind_row(n->kind)->name, n->subject);
	digest_sha256(buf_slice(&text), digest);
	digest_to_hex(digest, hex);
	buf_putf(out, "backstay-%.32s", hex);
	buf_free(&text);
}

/* ---- our own JSON ----------------------------------------------------------------------- */

static void put_webhook_alert(const struct alert_letter *l, const struct alert_note *n, struct buf *out)
{
	buf_puts(out, "{\"id\":\"");
	put_fingerprint(l, n, out);
	buf_putf(out, "\",\"status\":\"%s\",\"kind\":\"%s\",\"severity\":\"%s\",",
		 n->firing ? "firing" : "resolved", alert_kind_row(n->kind)->name, severity_of(n));
	put_text(out, "subject", slice_of(n->subject));
	buf_puts(out, ",");
	put_text(out, "title", slice_of(alert_kind_row(n->kind)->title));
	buf_puts(out, ",");
	put_text(out, "text", slice_of(n->text));
	buf_putf(out, ",\"flapping\":%s,\"repeated\":%s,", n->flapping ? "true" : "false",
		 n->repeated ? "true" : "false");
	put_time(out, "started_at", n->since_wall_ms);
	buf_puts(out, ",");
	if (n->firing)
		buf_puts(out, "\"ended_at\":null");
	else
		put_time(out, "ended_at", n->until_wall_ms);
	buf_puts(out, "}");
}

static void write_webhook(const struct alert_letter *l, const struct alert_note *notes, size_t count,
			  struct buf *out)
{
	bool firing = false;

	for (size_t i = 0; i < count; i++)
		firing = firing || notes[i].firing;
	buf_putf(out, "{\"version\":\"1\",\"status\":\"%s\",", firing ? "firing" : "resolved");
	put_text(out, "source", l->source);
	buf_puts(out, ",");
	put_time(out, "sent_at", l->wall_ms);
	buf_puts(out, ",");
	put_text(out, "link", l->link);
	buf_puts(out, ",\"alerts\":[");
	for (size_t i = 0; i < count; i++) {
		if (i)
			buf_puts(out, ",");
		put_webhook_alert(l, &notes[i], out);
	}
	buf_puts(out, "]}\n");
}

/* ---- Slack ---------------------------------------------------------------------------------- */

/* Slack's own three escapes; everything else is text. */
static void put_escaped(struct slice s, struct buf *out)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.at[i] == '&')
			buf_puts(out, "&amp;");
		else if (s.at[i] == '<')
			buf_puts(out, "&lt;");
		else if (s.at[i] == '>')
			buf_puts(out, "&gt;");
		else
			buf_put(out, slice_sub(s, i, i + 1));
	}
}

static void put_slack_line(const struct alert_note *n, struct buf *out)
{
	struct buf line = BUF_INIT(4096);
	const char *mark = !n->firing ? ":white_check_mark:"
			 : alert_kind_row(n->kind)->severity == ALERT_CRITICAL ? ":red_circle:"
			 : alert_kind_row(n->kind)->severity == ALERT_WARNING ? ":large_orange_circle:"
			 : ":information_source:";

	put_headline(n, &line);
	buf_putf(out, "%s *%s* ", mark, n->firing ? n->repeated ? "Still" : "Trouble" : "Over");
	put_escaped(buf_slice(&line), out);
	if (!n->firing) {
		buf_puts(out, ", after ");
		put_duration(n->until_wall_ms - n->since_wall_ms, out);
	}
	if (*n->text && n->firing) {
		buf_puts(out, "\n>");
		put_escaped(slice_of(n->text), out);
	}
	buf_free(&line);
}

static void write_slack(const struct alert_letter *l, const struct alert_note *notes, size_t count,
			struct buf *out)
{
	struct buf text = BUF_INIT(ALERT_MESSAGE_MAX / 2);

	for (size_t i = 0; i < count; i++) {
		if (i)
			buf_puts(&text, "\n");
		put_slack_line(&notes[i], &text);
	}
	buf_puts(&text, "\n_Backstay on ");
	put_escaped(l->source, &text);
	buf_puts(&text, "_");
	if (l->link.len) {
		buf_puts(&text, " <");
		put_escaped(l->link, &text);
		buf_puts(&text, "|status>");
	}
	buf_puts(out, "{");
	put_text(out, "text", buf_slice(&text));
	buf_puts(out, "}\n");
	buf_free(&text);
}

/* ---- PagerDuty ------------------------------------------------------------------------------- */

static void put_pager_payload(const struct alert_letter *l, const struct alert_note *n, struct buf *out)
{
	struct buf summary = BUF_INIT(4096);
	struct slice s;

	put_headline(n, &summary);
	s = buf_slice(&summary);
	buf_puts(out, ",\"payload\":{");
	put_text(out, "summary", s.len > PAGER_SUMMARY_MAX ? slice_sub(s, 0, PAGER_SUMMARY_MAX) : s);
	buf_puts(out, ",");
	put_text(out, "source", l->source);
	buf_putf(out, ",\"severity\":\"%s\",", severity_of(n));
	put_time(out, "timestamp", n->since_wall_ms);
	buf_puts(out, ",");
	put_text(out, "component", slice_of(n->subject));
	buf_putf(out, ",\"group\":\"backstay\",\"class\":\"%s\",\"custom_details\":{",
		 alert_kind_row(n->kind)->name);
	put_text(out, "text", slice_of(n->text));
	buf_putf(out, ",\"flapping\":%s}}", n->flapping ? "true" : "false");
	buf_free(&summary);
}

static void write_pagerduty(const struct alert_letter *l, const struct alert_note *n, struct buf *out)
{
	buf_puts(out, "{");
	put_text(out, "routing_key", l->routing_key);
	buf_putf(out, ",\"event_action\":\"%s\",\"dedup_key\":\"", n->firing ? "trigger" : "resolve");
	put_fingerprint(l, n, out);
	buf_puts(out, "\"");
	if (n->firing) {
		put_pager_payload(l, n, out);
		buf_puts(out, ",\"client\":\"Backstay\"");
		if (l->link.len) {
			buf_puts(out, ",");
			put_text(out, "client_url", l->link);
		}
	}
	buf_puts(out, "}\n");
}

/* ---- Alertmanager --------------------------------------------------------------------------- */

static void put_manager_alert(const struct alert_letter *l, const struct alert_note *n, struct buf *out)
{
	buf_putf(out, "{\"labels\":{\"alertname\":\"backstay_%s\",\"severity\":\"%s\",",
		 alert_kind_row(n->kind)->name, severity_of(n));
	put_text(out, "subject", slice_of(n->subject));
	buf_puts(out, ",");
	put_text(out, "instance", l->source);
	buf_puts(out, "},\"annotations\":{");
	put_text(out, "summary", slice_of(alert_kind_row(n->kind)->title));
	buf_puts(out, ",");
	put_text(out, "description", slice_of(n->text));
	buf_puts(out, "},");
	put_time(out, "startsAt", n->since_wall_ms);
	buf_puts(out, ",");
	put_time(out, "endsAt", n->firing ? l->wall_ms + MANAGER_LASTS_MS : n->until_wall_ms);
	if (l->link.len) {
		buf_puts(out, ",");
		put_text(out, "generatorURL", l->link);
	}
	buf_puts(out, "}");
}

static void write_alertmanager(const struct alert_letter *l, const struct alert_note *notes,
			       size_t count, struct buf *out)
{
	buf_puts(out, "[");
	for (size_t i = 0; i < count; i++) {
		if (i)
			buf_puts(out, ",");
		put_manager_alert(l, &notes[i], out);
	}
	buf_puts(out, "]\n");
}

/* ---- all of them ------------------------------------------------------------------------------ */

void alert_text_write(enum alert_sink_kind kind, const struct alert_letter *letter,
		      const struct alert_note *notes, size_t count, struct buf *out)
{
	switch (kind) {
	case ALERT_WEBHOOK:
		write_webhook(letter, notes, count, out);
		return;
	case ALERT_SLACK:
		write_slack(letter, notes, count, out);
		return;
	case ALERT_PAGERDUTY:
		must(count == 1);
		write_pagerduty(letter, notes, out);
		return;
	case ALERT_ALERTMANAGER:
		write_alertmanager(letter, notes, count, out);
		return;
	}
}

void alert_text_signature(struct slice secret, int64_t wall_ms, struct slice body, struct buf *out)
{
	struct buf signed_text = BUF_INIT(ALERT_MESSAGE_MAX + 64);
	uint8_t mac[DIGEST_SHA256_BYTES];
	char hex[2 * DIGEST_SHA256_BYTES + 1];

	buf_putf(&signed_text, "%lld.%.*s", (long long)wall_ms / 1000, SLICE_ARG(body));
	digest_hmac_sha256(secret, buf_slice(&signed_text), mac);
	digest_to_hex(mac, hex);
	buf_putf(out, "t=%lld,v1=%s", (long long)wall_ms / 1000, hex);
	buf_free(&signed_text);
}
