/* The file that survives a restart. */
#include "observe/alert_inside.h"

#include "wire/json.h"

#include <string.h>

#define VERSION 1
#define TREE_BYTES_MAX ALERT_STATE_MAX

/* ---- writing ---------------------------------------------------------------------- */

static bool put_text(struct buf *out, const char *name, const char *text)
{
	return buf_printf(out, "\"%s\":", name) && json_try_write_string(out, slice_of(text));
}

static bool put_comma(struct buf *out, bool *first)
{
	bool ok = *first || buf_append(out, S(","));

	*first = false;
	return ok;
}

static bool put_alerts(const struct alert_book *b, struct buf *out)
{
	bool ok = buf_append(out, S("\"alerts\":[")), first = true;

	LIST_EACH(&b->alerts, link, after) {
		const struct alert *a = CONTAINER_OF(link, struct alert, link);

		if (a->state != ALERT_FIRING && a->state != ALERT_ENDING)
			continue;
		ok = ok && put_comma(out, &first) && buf_append(out, S("{")) &&
		     put_text(out, "kind", alert_kind_row(a->kind)->name) && buf_append(out, S(",")) &&
		     put_text(out, "subject", a->subject) && buf_append(out, S(",")) &&
		     put_text(out, "text", a->text) &&
		     buf_printf(out, ",\"flapping\":%s,\"since\":%lld}", a->flapping ? "true" : "false",
				(long long)a->since_wall_ms);
	}
	return ok && buf_append(out, S("]"));
}

static bool put_note(const struct alert_note *n, struct buf *out)
{
	return buf_append(out, S("{")) && put_text(out, "kind", alert_kind_row(n->kind)->name) &&
	       buf_append(out, S(",")) && put_text(out, "subject", n->subject) &&
	       buf_append(out, S(",")) && put_text(out, "text", n->text) &&
	       buf_printf(out, ",\"firing\":%s,\"flapping\":%s,\"repeated\":%s,\"since\":%lld,"
			  "\"until\":%lld,\"noted\":%lld}", n->firing ? "true" : "false",
			  n->flapping ? "true" : "false", n->repeated ? "true" : "false",
			  (long long)n->since_wall_ms, (long long)n->until_wall_ms,
			  (long long)n->noted_wall_ms);
}

static bool put_queue(const struct alert_queue *q, struct buf *out)
{
	bool ok = buf_append(out, S("{")) && put_text(out, "sink", q->name) &&
		  buf_append(out, S(",\"notes\":[")), first = true;

	for (size_t i = 0; i < q->count; i++)
		ok = ok && put_comma(out, &first) && put_note(&q->notes[i], out);
	return ok && buf_append(out, S("]}"));
}

bool alert_book_write(const struct alert_book *b, struct buf *out)
{
	bool ok = buf_printf(out, "{\"version\":%d,", VERSION) && put_alerts(b, out) &&
		  buf_append(out, S(",\"queues\":[")), first = true;

	for (size_t i = 0; i < b->queue_count; i++)
		ok = ok && put_comma(out, &first) && put_queue(&b->queues[i], out);
	return ok && buf_append(out, S("]}\n"));
}

/* ---- reading ---------------------------------------------------------------------------- */

static int64_t number_of(const struct json *j, struct slice name)
{
	const struct json *n = json_get(j, name);
	int64_t value = 0;

	return n && json_i64(n->raw, &value) ? value : 0;
}

static bool is_true(const struct json *j, struct slice name)
{
	const struct json *n = json_get(j, name);

	return n && json_is_true(n->raw);
}

static struct slice text_of(struct arena *arena, const struct json *j, struct slice name)
{
	const struct json *n = json_get(j, name);

	return n ? json_string(arena, n->raw) : SLICE_NONE;
}

/* It was on when it was written; whether it still is, events will say. */
static void read_alert(struct alert_book *b, struct arena *arena, const struct json *j, mono_ms now)
{
	enum alert_kind kind;
	struct alert *a;

	if (!alert_kind_find(text_of(arena, j, S("kind")), &kind))
		return;
	a = alert_find(b, kind, text_of(arena, j, S("subject")), true);
	if (!a)
		return;
	alert_copy(a->text, ALERT_TEXT_MAX, text_of(arena, j, S("text")));
	a->state = ALERT_ENDING;
	a->flapping = is_true(j, S("flapping"));
	a->since_wall_ms = number_of(j, S("since"));
	a->until_wall_ms = 0;
	a->on_at = a->off_at = now;
	a->starts[0] = now;
	a->repeat_at = b->policy.repeat_ms ? mono_after(now, b->policy.repeat_ms) : MONO_NEVER;
}

static void read_queue(struct alert_book *b, struct arena *arena, const struct json *j)
{
	struct slice name = text_of(arena, j, S("sink"));
	const struct json *notes = json_get(j, S("notes"));
	struct alert_queue *q = NULL;

	for (size_t i = 0; i < b->queue_count; i++)
		if (slice_eq(slice_of(b->queues[i].name), name))
			q = &b->queues[i];
	for (const struct json *n = notes && q ? notes->first : NULL; n; n = n->next) {
		struct alert_note note = {
			.firing = is_true(n, S("firing")),
			.flapping = is_true(n, S("flapping")),
			.repeated = is_true(n, S("repeated")),
			.since_wall_ms = number_of(n, S("since")),
			.until_wall_ms = number_of(n, S("until")),
			.noted_wall_ms = number_of(n, S("noted")),
		};

		if (!alert_kind_find(text_of(arena, n, S("kind")), &note.kind))
			continue;
		alert_copy(note.subject, ALERT_SUBJECT_MAX, text_of(arena, n, S("subject")));
		alert_copy(note.text, ALERT_TEXT_MAX, text_of(arena, n, S("text")));
		alert_queue_put(q, &note);
	}
}

bool alert_book_read(struct alert_book *b, struct slice text, mono_ms now)
{
	struct arena *arena = arena_create(0);
	const struct json *root = text.len <= TREE_BYTES_MAX ? json_parse(arena, text, NULL, NULL) : NULL;
	const struct json *alerts = json_get(root, S("alerts")), *queues = json_get(root, S("queues"));
	bool ok = number_of(root, S("version")) == VERSION && alerts && queues &&
		  alerts->type == JSON_ARRAY && queues->type == JSON_ARRAY;

	for (const struct json *j = ok ? alerts->first : NULL; j; j = j->next)
		read_alert(b, arena, j, now);
	for (const struct json *j = ok ? queues->first : NULL; j; j = j->next)
		read_queue(b, arena, j);
	arena_free(arena);
	return ok;
}
