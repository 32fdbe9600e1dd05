#include "tests/unit/base/cm.h"

#include "base/check.h"
#include "cache/cache.h"
#include "cache/flight.h"
#include "daemon/admin_inside.h"
#include "observe/pulse.h"
#include "route/target.h"
#include "wire/json.h"

#include <stdio.h>
#include <string.h>

static const char text[] =
	"backends: {a: {url: 'http://a/v1'}, b: {url: 'http://b:81/v1'}}\n"
	"models:\n"
	"  chat: {targets: [a/x, {backend: b, model: y, priority: 2}], fallbacks: [small]}\n"
	"  small: [b/y]\n"
	"mocks: {m1: {listen: 127.0.0.1:8101}}\n";

struct stage {
	struct admin_state state;
	struct client_counters clients;
	struct shared shared;
	struct target_registry *registry;
	struct io_lines *lines;
};

static void begin(struct stage *s)
{
	struct buf errors = BUF_INIT(65536);
	struct config *c = config_parse(S("test.yaml"), slice_of(text), &config_source_process, &errors);

	if (!c)
		fail_msg("%.*s", SLICE_ARG(buf_slice(&errors)));
	memset(s, 0, sizeof *s);
	s->registry = target_registry_create();
	target_registry_bind(s->registry, c->arena, c->models, c->model_count);
	s->lines = io_lines_to_fd(2, 4096);
	s->state = (struct admin_state){
		.config = c, .first_config = c, .cache = cache_create(&c->cache, 1, NULL, NULL),
		.flights = flights_create(1), .metrics = metrics_create(), .recent = recent_create(), .troubles = recent_create(),
		.pulse = pulse_create(),
		.clients = &s->clients, .log_lines = s->lines, .shared = &s->shared, .workers = 2,
		.started_at = 1000, .started_wall_ms = 1795442701250, .refused = BUF_INIT(1024),
	};
	metrics_know_model(s->state.metrics, S("chat"));
	metrics_know_target(s->state.metrics, S("a/x"));
	buf_free(&errors);
}

static void end(struct stage *s)
{
	metrics_free(s->state.metrics);
	recent_free(s->state.recent);
	recent_free(s->state.troubles);
	pulse_free(s->state.pulse);
	cache_free(s->state.cache);
	flights_free(s->state.flights);
	buf_free(&s->state.refused);
	config_give(s->state.config);
	target_registry_free(s->registry);
	io_lines_close(s->lines, 100);
}

struct row {
	const char *path, *value;
};

/* A try on the first target that has not ended. */
static void take_place(struct stage *s)
{
	const struct model_policy *model = &s->state.config->models[0];
	struct target_visit visit;
	unsigned news = 0;

	assert_int_equal(target_begin(model->targets[0].state, &model->targets[0], model, 1500, 0, false,
				      0, &visit, &news), TARGET_GO);
}

static void the_status_is_json_with_all_in_it(void **state)
{
	static const struct row rows[] = {
		{ "state", "\"draining\"" }, { "uptime_ms", "500" }, { "workers", "2" },
		{ "config.path", "\"test.yaml\"" }, { "config.refused", "\"test.yaml:1:1: \\\"no\\\"\\n\"" },
		{ "models.0.name", "\"chat\"" }, { "models.0.targets.0.name", "\"a/x\"" },
		{ "models.0.targets.0.in_flight", "1" }, { "models.0.targets.0.attempts", "1" },
		{ "models.0.targets.0.last_fault", "\"silence\"" },
		{ "models.0.targets.1.url", "\"b:81\"" }, { "models.0.targets.1.priority", "2" },
		{ "models.0.fallbacks.0", "\"small\"" }, { "mocks.0.name", "\"m1\"" },
		{ "mocks.0.address", "\"127.0.0.1:8101\"" }, { "mocks.0.pid", "77" },
		{ "recent.0.id", "\"two\"" }, { "recent.1.id", "\"one\"" }, { "total.exchanges", "1" },
		{ "total.failed", "1" },
	};
	const struct attempt_record attempt = { .target = S("a/x"), .fault = FAULT_SILENCE };
	const struct exchange_record record = { .status = 504, .fault = FAULT_SILENCE,
		.attempts = &attempt, .attempt_count = 1, .wall_ms = 1795442701250, .first_token_ms = -1 };
	struct buf out = BUF_INIT(1024 * 1024);
	struct stage s;

	(void)state;
	begin(&s);
	metrics_count(metrics_sheet_create(s.state.metrics), S("chat"), &record);
	recent_add(s.state.recent, S("{\"id\":\"one\"}\n"));
	recent_add(s.state.recent, S("{\"id\":\"two\"}\n"));
	take_place(&s);
	atomic_store(&s.shared.mocks[0].pid, 77);
	s.state.draining = true;
	buf_puts(&s.state.refused, "test.yaml:1:1: \"no\"\n");
	assert_true(admin_write_status(&s.state, 1500, &out));
	assert_int_equal(json_validate(buf_slice(&out), NULL), JSON_OK);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct slice value = json_path(buf_slice(&out), slice_of(rows[i].path));

		if (!slice_eq(value, slice_of(rows[i].value)))
			fail_msg("%s is %.*s, not %s", rows[i].path, SLICE_ARG(value), rows[i].value);
	}
	buf_free(&out);
	end(&s);
}

/* Prometheus' own rules: each family has one TYPE line, before its samples. */
static void every_metric_has_a_head(void **state)
{
	struct buf out = BUF_INIT(1024 * 1024);
	struct slice rest, line, family = SLICE_NONE;
	size_t samples = 0;
	struct stage s;

	(void)state;
	begin(&s);
	assert_true(admin_write_metrics(&s.state, METRICS_PROMETHEUS, 1500, &out));
	rest = buf_slice(&out);
	while (slice_cut(rest, '\n', &line, &rest)) {
		struct slice head, tail;

		if (slice_starts(line, S("# TYPE "))) {
			assert_true(slice_cut(slice_from(line, 7), ' ', &family, &tail));
			assert_true(slice_eq(tail, S("counter")) || slice_eq(tail, S("gauge")) ||
				    slice_eq(tail, S("histogram")));
			continue;
		}
		if (slice_starts(line, S("# HELP ")))
			continue;
		assert_true(slice_starts(line, family));
		assert_true(slice_cut(line, ' ', &head, &tail));
		samples++;
	}
	assert_int_equal(rest.len, 0);
	assert_true(samples > 20);
	assert_true(slice_find_slice(buf_slice(&out), S("\nbackstay_target_in_flight{target=\"b/y\"} 0\n")) !=
		    SLICE_NOT_FOUND);
	assert_true(slice_find_slice(buf_slice(&out), S("backstay_build_info{version=")) != SLICE_NOT_FOUND);
	buf_free(&out);
	end(&s);
}

static void a_document_that_does_not_fit_is_not_told(void **state)
{
	struct stage s;

	(void)state;
	begin(&s);
	for (size_t max = 1; max < 600; max += 13) {
		struct buf out = BUF_INIT(max);

		assert_false(admin_write_status(&s.state, 1500, &out));
		buf_clear(&out);
		assert_false(admin_write_metrics(&s.state, METRICS_PROMETHEUS, 1500, &out));
		buf_free(&out);
	}
	end(&s);
}

static void the_page_needs_nothing_from_elsewhere(void **state)
{
	(void)state;
	assert_true(slice_starts(status_page, S("<!doctype html>")));
	assert_int_equal(slice_find_slice(status_page, S("://")), SLICE_NOT_FOUND);
	assert_int_equal(slice_find_slice(status_page, S("innerHTML")), SLICE_NOT_FOUND);
}

/* ---- who may ---------------------------------------------------------------------- */

static struct h1_head head_of(const char *lines, char room[static 1024])
{
	struct h1_head head;
	size_t scanned = 0;
	int len = snprintf(room, 1024, "POST /x HTTP/1.1\r\n%s\r\n", lines);

	assert_int_equal(h1_parse_request((struct slice){ room, (size_t)len }, 8192, &scanned, &head), H1_OK);
	return head;
}

#define KEY  "Authorization: Bearer secret-key-0123456\r\n"
#define HOME "Host: 127.0.0.1:9090\r\n"

static const struct {
	enum admin_access access;
	const char *lines;
	bool has_key, loopback;
	enum admin_read read;
	enum admin_verdict verdict;
	const char *says;
} doors[] = {
	{ ADMIN_OPEN, "Host: evil.example\r\n", true, false, ADMIN_READ_KEY, ADMIN_YES, "health is for all" },
	{ ADMIN_LOOK, HOME, false, true, ADMIN_READ_AUTO, ADMIN_YES, "no key, this machine only" },
	{ ADMIN_LOOK, HOME, true, true, ADMIN_READ_AUTO, ADMIN_YES, "a key, but looking is free here" },
	{ ADMIN_LOOK, HOME, true, false, ADMIN_READ_AUTO, ADMIN_NO_KEY, "others can reach it" },
	{ ADMIN_LOOK, HOME KEY, true, false, ADMIN_READ_AUTO, ADMIN_YES, "with the key" },
	{ ADMIN_LOOK, HOME, true, false, ADMIN_READ_ALL, ADMIN_YES, "the config says all" },
	{ ADMIN_LOOK, HOME, true, true, ADMIN_READ_KEY, ADMIN_NO_KEY, "the config says key" },
	{ ADMIN_LOOK, HOME, false, false, ADMIN_READ_AUTO, ADMIN_YES, "no key at all: the config was warned" },
	{ ADMIN_LOOK, HOME "Authorization: Bearer secret-key-0123457\r\n", true, true, ADMIN_READ_AUTO,
	  ADMIN_WRONG_KEY, "a wrong key is told so" },
	{ ADMIN_LOOK, "Host: localhost:9090\r\n", false, true, ADMIN_READ_AUTO, ADMIN_YES, "localhost" },
	{ ADMIN_LOOK, "Host: [::1]:9090\r\n", false, true, ADMIN_READ_AUTO, ADMIN_YES, "an IPv6 address" },
	{ ADMIN_LOOK, "Host: ops.internal:9090\r\n", false, true, ADMIN_READ_AUTO, ADMIN_YES, "a name it was told" },
	{ ADMIN_LOOK, "Host: evil.example:9090\r\n", false, true, ADMIN_READ_AUTO, ADMIN_FOREIGN_HOST,
	  "a page's own name that points to us" },
	{ ADMIN_LOOK, "Host: evil.example:9090\r\n" KEY, true, true, ADMIN_READ_AUTO, ADMIN_YES,
	  "who has the key may call it anything" },
	{ ADMIN_ACT, HOME KEY, true, true, ADMIN_READ_AUTO, ADMIN_YES, "an action with the key" },
	{ ADMIN_ACT, HOME, true, true, ADMIN_READ_ALL, ADMIN_NO_KEY, "never without it" },
	{ ADMIN_ACT, HOME KEY, false, true, ADMIN_READ_ALL, ADMIN_NO_ACTIONS, "nor where there is none" },
	{ ADMIN_ACT, HOME KEY "Origin: http://127.0.0.1:9090\r\nSec-Fetch-Site: same-origin\r\n", true, true,
	  ADMIN_READ_AUTO, ADMIN_YES, "our own page" },
	{ ADMIN_ACT, HOME KEY "Origin: http://evil.example\r\n", true, true, ADMIN_READ_AUTO,
	  ADMIN_FOREIGN_PAGE, "somebody else's page" },
	{ ADMIN_ACT, HOME KEY "Origin: null\r\n", true, true, ADMIN_READ_AUTO, ADMIN_FOREIGN_PAGE,
	  "a page that hides whose it is" },
	{ ADMIN_ACT, HOME KEY "Sec-Fetch-Site: cross-site\r\n", true, true, ADMIN_READ_AUTO,
	  ADMIN_FOREIGN_PAGE, "the browser says that it is somebody else's" },
	{ ADMIN_ACT, HOME "x-api-key: secret-key-0123456\r\n", true, true, ADMIN_READ_AUTO, ADMIN_NO_KEY,
	  "the key is a bearer token" },
};

static void the_door_knows_whom_to_let_in(void **state)
{
	static const struct slice hosts[] = { S_INIT("ops.internal") };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(doors); i++) {
		struct admin_policy policy = { .has_key = doors[i].has_key, .read = doors[i].read,
					       .hosts = hosts, .host_count = COUNT_OF(hosts) };
		char room[1024];
		struct h1_head head = head_of(doors[i].lines, room);

		digest_sha256(S("secret-key-0123456"), policy.key_sha256);
		if (admin_judge(&policy, doors[i].loopback, doors[i].access, &head) != doors[i].verdict)
			fail_msg("%s", doors[i].says);
	}
}

/* ---- what others are told of it ---------------------------------------------------- */

static const struct admin_route *route_of(struct slice method, struct slice path)
{
	for (const struct admin_route *r = admin_routes; r->path; r++)
		if (slice_eq(slice_of(r->path), path) && slice_eq_nocase(slice_of(r->method), method))
			return r;
	return NULL;
}

static void the_api_is_documented_whole(void **state)
{
	struct arena *arena = arena_create(0);
	struct slice paths = json_member(openapi_document, S("paths")), rest = paths, key, value;
	size_t documented = 0, routes = 0;

	(void)state;
	assert_int_equal(json_validate(openapi_document, NULL), JSON_OK);
	while (json_next(&rest, &key, &value)) {
		struct slice path = json_string(arena, key), methods = value, name, one;

		while (json_next(&methods, &name, &one)) {
			struct slice method = json_string(arena, name), security = json_member(one, S("security"));
			const struct admin_route *r = route_of(method, path);

			if (!r) {
				fail_msg("%.*s %.*s is documented, but there is no such route", SLICE_ARG(method),
					 SLICE_ARG(path));
				return;
			}
			/* OPEN: []; LOOK: with the key or without; ACT: with it. */
			if (!slice_eq(slice_trim(security), S("[]")) != (r->access != ADMIN_OPEN))
				fail_msg("%.*s: who may is documented wrongly", SLICE_ARG(path));
			assert_int_equal(r->access == ADMIN_ACT,
					 json_type_of(json_path(security, S("0.key"))) == JSON_ARRAY);
			documented++;
		}
	}
	for (const struct admin_route *r = admin_routes; r->path; r++)
		routes++;
	if (documented != routes)
		fail_msg("%zu routes, of which %zu are documented in docs/openapi.json", routes, documented);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_status_is_json_with_all_in_it),
		cmocka_unit_test(every_metric_has_a_head),
		cmocka_unit_test(a_document_that_does_not_fit_is_not_told),
		cmocka_unit_test(the_page_needs_nothing_from_elsewhere),
		cmocka_unit_test(the_door_knows_whom_to_let_in),
		cmocka_unit_test(the_api_is_documented_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
