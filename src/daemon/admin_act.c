/* What changes something: holds, drills (admin_cache.c: the cache). Each is a line of the log. */
#include "daemon/admin_inside.h"

#include "base/check.h"
#include "daemon/doc.h"
#include "daemon/drills.h"
#include "route/target.h"
#include "wire/json.h"

#define JSON_TYPE S("application/json")
#define HOLD_DEFAULT_MS ((int64_t)10 * 60 * 1000)
#define HOLD_MAX_MS     ((int64_t)24 * 60 * 60 * 1000)
#define DRILL_DEFAULT_MS ((int64_t)30 * 1000)
#define SHOWN_MAX        64           /* of a name that is refused */

/* ---- what is asked ---------------------------------------------------------------------- */

static bool is_one_of(struct slice raw_name, const char *const *names)
{
	for (; *names; names++)
		if (json_string_eq(raw_name, slice_of(*names)))
			return true;
	return false;
}

static void refuse_member(struct admin *a, const struct admin_request *r, struct slice raw_name,
			  const char *const *names)
{
	struct slice shown = slice_sub(raw_name, 0, raw_name.len < SHOWN_MAX ? raw_name.len : SHOWN_MAX);
	struct buf text = BUF_INIT(2048);

	buf_putf(&text, "there is no member %.*s here", SLICE_ARG(shown));
	for (size_t i = 0; names[i]; i++)
		buf_putf(&text, "%s\"%s\"", i == 0 ? "; there are " : names[i + 1] ? ", " : " and ", names[i]);
	admin_answer_error(a, r, 400, buf_slice(&text));
	buf_free(&text);
}

/* The body as a JSON object. Simple forms of other pages cannot send such a type. */
bool admin_body_is_object(struct admin *a, const struct admin_request *r, const char *const *names)
{
	struct slice rest, name, value;

	if (!slice_starts_nocase(h1_get(r->head, S("content-type")), S("application/json"))) {
		admin_answer_error(a, r, 415, S("send JSON, with content-type: application/json"));
		return false;
	}
	if (json_scan_object(r->body, NULL, 0, NULL) != JSON_OK) {
		admin_answer_error(a, r, 400, S("the body is not a JSON object"));
		return false;
	}
	rest = slice_trim(r->body);
	while (json_next(&rest, &name, &value))
		if (!is_one_of(name, names)) {
			refuse_member(a, r, name, names);
			return false;
		}
	return true;
}

/* A number within 1 .. most; `out` keeps its default where there is none. False
 * after an answer. */
static bool read_number(struct admin *a, const struct admin_request *r, const char *name, int64_t most,
			int64_t *out)
{
	struct slice raw = json_member(r->body, slice_of(name));
	struct buf text = BUF_INIT(256);
	int64_t value;

	if (json_is_nothing(raw))
		return true;
	if (json_i64(raw, &value) && value >= 1 && value <= most) {
		*out = value;
		return true;
	}
	buf_putf(&text, "\"%s\" is a whole number from 1 to %lld", name, (long long)most);
	admin_answer_error(a, r, 400, buf_slice(&text));
	buf_free(&text);
	return false;
}

/* The target that is meant, and the model it was found in; NULL after an answer. */
static const struct target_policy *read_target(struct admin *a, const struct admin_request *r,
					       const struct model_policy **model)
{
	const struct config *c = a->state->config;
	struct slice raw = json_member(r->body, S("target"));

	for (size_t m = 0; m < c->model_count; m++)
		for (size_t i = 0; i < c->models[m].target_count; i++)
			if (json_string_eq(raw, c->models[m].targets[i].name)) {
				*model = &c->models[m];
				return &c->models[m].targets[i];
			}
	admin_answer_error(a, r, 404, S("there is no such \"target\"; /admin/targets lists them"));
	return NULL;
}

void admin_log_action(struct admin *a, const struct admin_request *r, const char *action,
		       struct slice subject, int64_t for_ms)
{
	const struct io_addr from = client_peer(r->conn);
	char peer[IO_ADDR_TEXT_MAX], quoted[256];

	log_line(a->log, LOG_WARN, "admin_action", "action=%s subject=%s for_ms=%lld peer=%s", action,
		 log_quote(subject, quoted, sizeof quoted), (long long)for_ms,
		 io_addr_text(&from, peer));
}

/* ---- holds -------------------------------------------------------------------------------- */

static const char *const for_a_while[] = { "target", "for_ms", NULL };
static const char *const target_only[] = { "target", NULL };

static void hold(struct admin *a, const struct admin_request *r, const char *action,
		 enum target_hold hold, int64_t for_ms)
{
	const struct target_policy *t;
	const struct model_policy *model;
	mono_ms now = io_now(a->io);
	struct doc d = DOC(&a->document);
	bool timed = hold == HOLD_DRAINED || hold == HOLD_OPEN || hold == HOLD_CLOSED;

	if (!admin_body_is_object(a, r, timed ? for_a_while : target_only) ||
	    !read_number(a, r, "for_ms", HOLD_MAX_MS, &for_ms))
		return;
	t = read_target(a, r, &model);
	if (!t)
		return;
	target_hold(t->state, hold, now, for_ms ? mono_after(now, for_ms) : MONO_NEVER);
	admin_log_action(a, r, action, t->name, for_ms);
	doc_open(&d, NULL);
	doc_open_list(&d, "targets");
	admin_put_target(a->state, model, t, now, &d);
	doc_close_list(&d);
	doc_close(&d);
	admin_answer_document(a, r, JSON_TYPE, doc_good(&d));
}

void admin_drain(struct admin *a, const struct admin_request *r)
{
	hold(a, r, "drain", HOLD_DRAINED, 0);
}

void admin_open(struct admin *a, const struct admin_request *r)
{
	hold(a, r, "open", HOLD_OPEN, HOLD_DEFAULT_MS);
}

void admin_close(struct admin *a, const struct admin_request *r)
{
	hold(a, r, "close", HOLD_CLOSED, HOLD_DEFAULT_MS);
}

void admin_release(struct admin *a, const struct admin_request *r)
{
	hold(a, r, "release", HOLD_NONE, 0);
}

/* ---- drills --------------------------------------------------------------------------------- */

static bool read_fault(struct admin *a, const struct admin_request *r, enum fault *out)
{
	struct slice raw = json_member(r->body, S("fault"));

	for (const enum fault *f = drill_faults(); *f != FAULT_NONE; f++)
		if (json_string_eq(raw, slice_of(fault_row(*f)->name))) {
			*out = *f;
			return true;
		}
	admin_answer_error(a, r, 400, S("this \"fault\" cannot be rehearsed; GET /admin/drills lists those that "
					"can"));
	return false;
}

static void answer_number(struct admin *a, const struct admin_request *r, unsigned number)
{
	struct doc d = DOC(&a->document);

	doc_open(&d, NULL);
	doc_number(&d, "number", number);
	doc_close(&d);
	admin_answer_document(a, r, JSON_TYPE, doc_good(&d));
}

void admin_drill_begin(struct admin *a, const struct admin_request *r)
{
	static const char *const names[] = { "target", "fault", "percent", "for_ms", NULL };
	struct drill_order o = { .for_ms = DRILL_DEFAULT_MS };
	const struct target_policy *t;
	const struct model_policy *model;
	int64_t percent = 100;
	const char *why = "";
	unsigned number;

	if (!admin_body_is_object(a, r, names) || !read_number(a, r, "for_ms", DRILL_MS_MAX, &o.for_ms) ||
	    !read_number(a, r, "percent", 100, &percent) || !read_fault(a, r, &o.fault))
		return;
	t = read_target(a, r, &model);
	if (!t)
		return;
	o.target = t->name;
	o.percent = (unsigned)percent;
	number = drills_begin(a->state->drills, a->state->config, &o, &why);
	if (!number) {
		admin_answer_error(a, r, 409, slice_of(why));
		return;
	}
	admin_log_action(a, r, "drill", t->name, o.for_ms);
	answer_number(a, r, number);
}

void admin_drill_stop(struct admin *a, const struct admin_request *r)
{
	static const char *const names[] = { "number", NULL };
	int64_t number = 0;

	if (!admin_body_is_object(a, r, names) || !read_number(a, r, "number", UINT32_MAX, &number))
		return;
	if (!drills_stop(a->state->drills, a->state->config, (unsigned)number)) {
		admin_answer_error(a, r, 404, S("no drill of that \"number\" runs; GET /admin/drills lists them"));
		return;
	}
	admin_log_action(a, r, "drill_stop", SLICE_NONE, 0);
	answer_number(a, r, (unsigned)number);
}

/* ---- the rest --------------------------------------------------------------------------------- */

/* It has nothing to say: no body, or an empty object. */
void admin_alert_test(struct admin *a, const struct admin_request *r)
{
	const struct alert_event e = { .kind = ALERT_TEST, .subject = S("admin port"), .on = true,
				       .text = S("Somebody wants to know whether this arrives. Nothing is "
						 "wrong.") };
	static const char *const names[] = { NULL };
	struct doc d = DOC(&a->document);

	if (r->body.len && !admin_body_is_object(a, r, names))
		return;
	alerts_note(a->state->alerts, &e);
	admin_log_action(a, r, "alert_test", SLICE_NONE, 0);
	doc_open(&d, NULL);
	doc_number(&d, "sinks", (int64_t)a->state->config->alerts.sink_count);
	doc_close(&d);
	admin_answer_document(a, r, JSON_TYPE, doc_good(&d));
}
