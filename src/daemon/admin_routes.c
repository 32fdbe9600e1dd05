/* What there is on the admin port. docs/openapi.json says the same to others; a
 * test compares them. */
#include "daemon/admin_inside.h"

#include "base/check.h"
#include "daemon/doc.h"
#include "daemon/drills.h"
#include "wire/json.h"
#include "wire/url.h"

#define JSON_TYPE S("application/json")
#define EXCHANGES_MOST RECENT_COUNT

/* ---- for machines -------------------------------------------------------------------- */

static void healthz(struct admin *a, const struct admin_request *r)
{
	(void)a;
	admin_answer_text(r, 200, S("alive\n"));
}

static void readyz(struct admin *a, const struct admin_request *r)
{
	if (a->state->draining)
		admin_answer_text(r, 503, S("draining: no new requests are taken\n"));
	else
		admin_answer_text(r, 200, S("ready\n"));
}

static void metrics(struct admin *a, const struct admin_request *r)
{
	enum metrics_format format = metrics_format_for(h1_get(r->head, S("accept")));

	admin_answer_document(a, r, metrics_media_type(format),
			      admin_write_metrics(a->state, format, io_now(a->io), &a->document));
}

static void openapi(struct admin *a, const struct admin_request *r)
{
	(void)a;
	admin_answer_bytes(r, JSON_TYPE, openapi_document);
}

static void page(struct admin *a, const struct admin_request *r)
{
	(void)a;
	admin_answer_bytes(r, S("text/html; charset=utf-8"), status_page);
}

/* ---- looking ---------------------------------------------------------------------------- */

static void status(struct admin *a, const struct admin_request *r)
{
	admin_answer_document(a, r, JSON_TYPE, admin_write_status(a->state, io_now(a->io), &a->document));
}

static void state(struct admin *a, const struct admin_request *r)
{
	admin_answer_document(a, r, JSON_TYPE, admin_write_state(a->state, io_now(a->io), &a->document));
}

static void targets(struct admin *a, const struct admin_request *r)
{
	admin_answer_document(a, r, JSON_TYPE, admin_write_targets(a->state, io_now(a->io), &a->document));
}

static void queue(struct admin *a, const struct admin_request *r)
{
	struct doc d = DOC(&a->document);

	doc_open(&d, NULL);
	admin_put_queue(a->state, &d);
	doc_close(&d);
	admin_answer_document(a, r, JSON_TYPE, doc_good(&d));
}

static void budgets(struct admin *a, const struct admin_request *r)
{
	struct doc d = DOC(&a->document);

	doc_open(&d, NULL);
	admin_put_budgets(a->state, io_now(a->io), &d);
	doc_close(&d);
	admin_answer_document(a, r, JSON_TYPE, doc_good(&d));
}

static void cluster(struct admin *a, const struct admin_request *r)
{
	struct doc d = DOC(&a->document);

	doc_open(&d, NULL);
	admin_put_cluster(a->state, io_now(a->io), &d);
	doc_close(&d);
	admin_answer_document(a, r, JSON_TYPE, doc_good(&d));
}

static void alerts(struct admin *a, const struct admin_request *r)
{
	admin_answer_document(a, r, JSON_TYPE, alerts_write_json(a->state->alerts, &a->document));
}

static void drills(struct admin *a, const struct admin_request *r)
{
	struct doc d = DOC(&a->document);

	doc_open(&d, NULL);
	doc_open_list(&d, "faults");
	for (const enum fault *f = drill_faults(); *f != FAULT_NONE; f++)
		doc_word(&d, NULL, fault_row(*f)->name);
	doc_close_list(&d);
	drills_write(a->state->drills, "drills", &d);
	doc_close(&d);
	admin_answer_document(a, r, JSON_TYPE, doc_good(&d));
}

/* Which of the last exchanges are asked for. */
struct wanted {
	struct slice model;           /* empty: any */
	uint64_t left;
	struct doc *d;
};

static void put_record(void *owner, struct slice record)
{
	struct wanted *w = owner;

	if (w->left == 0 || (w->model.len && !json_string_eq(json_member(record, S("model")), w->model)))
		return;
	w->left--;
	doc_raw(w->d, NULL, record);
}

static void exchanges(struct admin *a, const struct admin_request *r)
{
	struct arena *arena = arena_create(0);
	struct slice failed = url_query_get(arena, r->query, S("failed"));
	struct slice most = url_query_get(arena, r->query, S("limit"));
	struct doc d = DOC(&a->document);
	struct wanted w = { .model = url_query_get(arena, r->query, S("model")), .left = EXCHANGES_MOST, .d = &d };
	bool only_troubles = failed.at && !slice_eq(failed, S("0"));

	if (most.at && (!slice_to_u64(most, &w.left) || w.left == 0 || w.left > EXCHANGES_MOST)) {
		admin_answer_error(a, r, 400, S("\"limit\" is a number from 1 to 100"));
		arena_free(arena);
		return;
	}
	doc_open(&d, NULL);
	doc_open_list(&d, "exchanges");
	recent_each(only_troubles ? a->state->troubles : a->state->recent, put_record, &w);
	doc_close_list(&d);
	doc_close(&d);
	admin_answer_document(a, r, JSON_TYPE, doc_good(&d));
	arena_free(arena);
}

const struct admin_route admin_routes[] = {
	{ "GET", "/", ADMIN_OPEN, page },
	{ "GET", "/healthz", ADMIN_OPEN, healthz },
	{ "GET", "/readyz", ADMIN_OPEN, readyz },
	{ "GET", "/metrics", ADMIN_OPEN, metrics },
	{ "GET", "/admin/openapi.json", ADMIN_OPEN, openapi },
	{ "GET", "/status", ADMIN_LOOK, status },
	{ "GET", "/admin/state", ADMIN_LOOK, state },
	{ "GET", "/admin/events", ADMIN_LOOK, admin_events },
	{ "GET", "/admin/models", ADMIN_LOOK, targets },
	{ "GET", "/admin/targets", ADMIN_LOOK, targets },
	{ "GET", "/admin/exchanges", ADMIN_LOOK, exchanges },
	{ "GET", "/admin/queue", ADMIN_LOOK, queue },
	{ "GET", "/admin/budgets", ADMIN_LOOK, budgets },
	{ "GET", "/admin/cluster", ADMIN_LOOK, cluster },
	{ "GET", "/admin/alerts", ADMIN_LOOK, alerts },
	{ "GET", "/admin/drills", ADMIN_LOOK, drills },
	{ "GET", "/admin/cache", ADMIN_LOOK, admin_cache },
	{ "GET", "/admin/cache/entry", ADMIN_ACT, admin_cache_entry },
	{ "POST", "/admin/targets/drain", ADMIN_ACT, admin_drain },
	{ "POST", "/admin/targets/open", ADMIN_ACT, admin_open },
	{ "POST", "/admin/targets/close", ADMIN_ACT, admin_close },
	{ "POST", "/admin/targets/release", ADMIN_ACT, admin_release },
	{ "POST", "/admin/drills", ADMIN_ACT, admin_drill_begin },
	{ "POST", "/admin/drills/stop", ADMIN_ACT, admin_drill_stop },
	{ "POST", "/admin/cache/purge", ADMIN_ACT, admin_cache_purge },
	{ "POST", "/admin/alerts/test", ADMIN_ACT, admin_alert_test },
	{ NULL, NULL, ADMIN_OPEN, NULL },
};
