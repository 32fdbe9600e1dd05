/* What trouble of one target means for its neighbours. */
#include "cm.h"

#include "house.h"
#include "route/known_models.h"

static const struct breaker_policy breaker = {
	.faults_in_row = 3, .rate_percent = 50, .rate_min = 10, .window_ms = 30000,
	.open_ms = 2000, .open_max_ms = 15000, .lease_ms = 15000, .ramp_ms = 10000,
};

/* Targets: a/m and a/n on one machine with one key; a2/m there with another key;
 * b/m elsewhere. */
struct town {
	struct house h;
	struct target_policy *am, *an, *a2m, *bm;
};

static void town_open(struct town *t)
{
	house_open(&t->h);
	t->am = house_target(&t->h, "a/m", 1, 1, 0);
	t->an = house_target(&t->h, "a/n", 1, 1, 0);
	t->a2m = house_target(&t->h, "a2/m", 1, 1, 0);
	t->bm = house_target(&t->h, "b/m", 1, 1, 0);
	t->an->backend = t->am->backend;
	t->an->host_key = t->am->host_key;
	t->an->model = S("n");
	t->h.backends[2].key = S("another");
	t->am->machine_key = t->an->machine_key = t->a2m->machine_key = S("http://a:80");
	t->bm->machine_key = S("http://b:80");
	house_model(&t->h, "chat", 4);
	t->h.models[0].breaker = breaker;
	house_bind(&t->h);
}

static enum target_use use_of(struct town *t, const struct target_policy *p, mono_ms now)
{
	struct target_look look;

	target_look(p->state, &t->h.models[0], now, 0, &look);
	return look.use;
}

/* One visit that ends like that. */
static void visit(struct town *t, const struct target_policy *p, mono_ms now, enum fault fault,
		  int64_t hint_ms)
{
	const struct target_outcome outcome = { .fault = fault, .took_ms = 5, .hint_ms = hint_ms };
	struct target_visit v;
	unsigned news;
	mono_ms at;

	assert_int_equal(target_begin(p->state, p, &t->h.models[0], now, 0, false, 0, &v, &news),
			 TARGET_GO);
	target_end(p->state, p, &t->h.models[0], &v, now, 0, &outcome, &at);
}

struct row {
	enum fault fault;
	unsigned times;
	enum target_use am, an, a2m, bm;
	const char *sentence;
};

static const struct row rows[] = {
	{ FAULT_SERVER_ERROR, 2, USE_GOOD, USE_GOOD, USE_GOOD, USE_GOOD, "two faults are tolerated" },
	{ FAULT_SERVER_ERROR, 3, USE_OPEN, USE_GOOD, USE_GOOD, USE_GOOD, "errors are one target's own" },
	{ FAULT_BAD_ANSWER, 3, USE_OPEN, USE_GOOD, USE_GOOD, USE_GOOD, "so are bad answers" },
	{ FAULT_SILENCE, 3, USE_OPEN, USE_GOOD, USE_GOOD, USE_GOOD, "and silence" },
	{ FAULT_CUT, 3, USE_OPEN, USE_GOOD, USE_GOOD, USE_GOOD, "and streams that are cut" },
	{ FAULT_STALL, 3, USE_OPEN, USE_GOOD, USE_GOOD, USE_GOOD, "and streams that stall" },
	{ FAULT_OVERLOADED, 3, USE_OPEN, USE_GOOD, USE_GOOD, USE_GOOD, "and overload" },
	{ FAULT_CONNECT, 3, USE_OPEN, USE_OPEN, USE_OPEN, USE_GOOD, "a refusal is the machine's" },
	{ FAULT_CREDENTIAL, 1, USE_OFF, USE_OFF, USE_GOOD, USE_GOOD, "a bad key is all who use it" },
	{ FAULT_NO_MONEY, 1, USE_OFF, USE_OFF, USE_GOOD, USE_GOOD, "so is an empty account" },
	{ FAULT_MODEL_GONE, 1, USE_OFF, USE_GOOD, USE_GOOD, USE_GOOD, "a missing model is one target's" },
	{ FAULT_RATE_LIMITED, 1, USE_PACED, USE_GOOD, USE_GOOD, USE_GOOD, "a rate limit paces one" },
	{ FAULT_CALLER, 9, USE_GOOD, USE_GOOD, USE_GOOD, USE_GOOD, "the caller's mistakes are nobody's" },
	{ FAULT_CONTEXT, 9, USE_GOOD, USE_GOOD, USE_GOOD, USE_GOOD, "nor is a long request" },
	{ FAULT_POLICY, 9, USE_GOOD, USE_GOOD, USE_GOOD, USE_GOOD, "nor a refusal by policy" },
	{ FAULT_LOCAL, 9, USE_GOOD, USE_GOOD, USE_GOOD, USE_GOOD, "nor our own trouble" },
	{ FAULT_STALE_CONN, 9, USE_GOOD, USE_GOOD, USE_GOOD, USE_GOOD, "nor a stale connection" },
	{ FAULT_CLIENT_GONE, 9, USE_GOOD, USE_GOOD, USE_GOOD, USE_GOOD, "nor a client that leaves" },
};

static void trouble_stays_where_it_belongs(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct row *r = &rows[i];
		struct town t;

		town_open(&t);
		for (unsigned n = 0; n < r->times; n++)
			visit(&t, t.am, 1000, r->fault, r->fault == FAULT_RATE_LIMITED ? 5000 : -1);
		row_holds(use_of(&t, t.am, 1000) == r->am, r->sentence);
		row_holds(use_of(&t, t.an, 1000) == r->an, r->sentence);
		row_holds(use_of(&t, t.a2m, 1000) == r->a2m, r->sentence);
		row_holds(use_of(&t, t.bm, 1000) == r->bm, r->sentence);
		assert_int_equal(target_registry_in_flight(t.h.registry), 0);
		house_close(&t.h);
	}
}

static void a_key_that_works_elsewhere_is_not_to_blame(void **state)
{
	struct town t;

	(void)state;
	town_open(&t);
	visit(&t, t.an, 1000, FAULT_NONE, -1);
	visit(&t, t.am, 2000, FAULT_CREDENTIAL, -1);
	row_holds(use_of(&t, t.am, 2000) == USE_OFF, "no access to this model");
	row_holds(use_of(&t, t.an, 2000) == USE_GOOD, "the other model goes on");
	visit(&t, t.an, 3000, FAULT_CREDENTIAL, -1);
	row_holds(use_of(&t, t.an, 3000) == USE_OFF, "until it is refused there as well");
	house_close(&t.h);
}

static void a_credential_is_tried_again_once_a_minute_or_so(void **state)
{
	struct town t;

	(void)state;
	town_open(&t);
	visit(&t, t.am, 0, FAULT_CREDENTIAL, -1);
	row_holds(use_of(&t, t.am, 40000) == USE_OFF, "not for most of a minute");
	row_holds(use_of(&t, t.am, 72000) == USE_PROBE, "then once");
	visit(&t, t.am, 72000, FAULT_NONE, -1);
	row_holds(use_of(&t, t.am, 72000) == USE_GOOD, "somebody has paid: it is back at once");
	house_close(&t.h);
}

static void hints_are_obeyed_within_reason(void **state)
{
	static const struct { int64_t hint_ms; mono_ms least, most; const char *sentence; } hints[] = {
		{ 0, 0, 0, "at once" }, { 5000, 5000, 5000, "five seconds" },
		{ 3600000, 120000, 120000, "an hour is taken for two minutes" },
		{ -1, 500, 1000, "none: about a second" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof hints / sizeof *hints; i++) {
		struct target_look look;
		struct town t;

		town_open(&t);
		visit(&t, t.am, 1000, FAULT_RATE_LIMITED, hints[i].hint_ms);
		target_look(t.am->state, &t.h.models[0], 1000, 0, &look);
		row_holds(look.at - 1000 >= hints[i].least, hints[i].sentence);
		row_holds(look.at - 1000 <= hints[i].most, hints[i].sentence);
		house_close(&t.h);
	}
}

static void one_probe_for_the_whole_process(void **state)
{
	struct town t;
	struct target_visit first, second;
	unsigned news;

	(void)state;
	town_open(&t);
	for (unsigned n = 0; n < 3; n++)
		visit(&t, t.am, 1000, FAULT_SERVER_ERROR, -1);
	row_holds(use_of(&t, t.am, 4000) == USE_PROBE, "it is due");
	assert_int_equal(target_begin(t.am->state, t.am, &t.h.models[0], 4000, 0, false, 0, &first,
				      &news), TARGET_GO);
	assert_true(first.probe);
	assert_int_equal(news, NEWS_PROBING);
	row_holds(use_of(&t, t.am, 4000) == USE_OPEN, "and taken");
	assert_int_equal(target_begin(t.am->state, t.am, &t.h.models[0], 4000, 0, false, 0, &second,
				      &news), TARGET_NO);
	row_holds(target_in_flight(t.am->state) == 1, "who was refused holds no place");
	assert_int_equal(target_begin(t.am->state, t.am, &t.h.models[0], 4000, 0, true, 0, &second,
				      &news), TARGET_GO);
	assert_true(second.forced);
	house_close(&t.h);
}

static void looks_from_outside_only_hasten(void **state)
{
	struct town t;
	const struct model_policy *m;

	(void)state;
	town_open(&t);
	m = &t.h.models[0];
	row_holds(target_probe_due(t.am->state, 1000, 500), "nobody has heard of it");
	row_holds(!target_probe_due(t.am->state, 1499, 500), "one look in half a second");
	row_holds(target_probe_due(t.am->state, 1500, 500), "and then the next");
	visit(&t, t.am, 1900, FAULT_NONE, -1);
	row_holds(!target_probe_due(t.am->state, 2100, 500), "none while requests tell");
	row_holds(target_probe_due(t.am->state, 2400, 500), "half a second after the last");

	assert_int_equal(target_probe_seen(t.am->state, m, 2500, 0, 2400, FAULT_SERVER_ERROR), 0);
	assert_int_equal(target_probe_seen(t.am->state, m, 3000, 0, 2900, FAULT_SERVER_ERROR), 0);
	row_holds(use_of(&t, t.am, 3000) == USE_GOOD, "two bad looks are an accident");
	row_holds(target_probe_seen(t.am->state, m, 3500, 0, 3400, FAULT_SERVER_ERROR) == NEWS_OPENED,
		  "three are not");
	row_holds(use_of(&t, t.am, 3500) == USE_OPEN, "it is open before anybody was hurt");
	row_holds(use_of(&t, t.an, 3500) == USE_GOOD, "its neighbour is not");
	target_probe_seen(t.am->state, m, 3600, 0, 3550, FAULT_NONE);
	row_holds(use_of(&t, t.am, 3600) == USE_PROBE, "a good look: a request may try at once");
	visit(&t, t.am, 3700, FAULT_SERVER_ERROR, -1);
	target_probe_seen(t.am->state, m, 3800, 0, 3650, FAULT_NONE);
	row_holds(use_of(&t, t.am, 3800) == USE_OPEN, "what a request has told since wins");
	for (mono_ms now = 4000; now < 7000; now += 1000)
		target_probe_seen(t.an->state, m, now, 0, now, FAULT_CONNECT);
	row_holds(use_of(&t, t.a2m, 6000) == USE_OPEN, "refusals are the machine's here too");
	house_close(&t.h);
}

static void only_what_is_known_is_held_against_a_model(void **state)
{
	static const struct { const char *name; int64_t window; const char *sentence; } names[] = {
		{ "gpt-4", 8192, "by its name" }, { "gpt-4-0613", 8192, "a dated edition" },
		{ "openai/GPT-4", 8192, "a vendor in front, capitals" },
		{ "gpt-4o-2024-08-06", 128000, "the longest name, not the first letters" },
		{ "gpt-4-my-own", 0, "not somebody's own" }, { "gpt-4x", 0, "not a longer word" },
		{ "gpt-5-mini-2025-08-07", 272000, "what may go in, not what it holds with the answer" },
		{ "anthropic/claude-sonnet-4-6", 1000000, "not the one whose name is shorter" },
		{ "claude-sonnet-4-20250514", 200000, "a dated edition, not 4-6" },
		{ "gpt-5.1-codex", 0, "another model, not an edition" },
		{ "qwen3-32b", 0, "unknown" }, { "", 0, "nothing" }, { "*", 0, "a pattern" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		const struct known_model *k = known_model_find(slice_of(names[i].name));

		row_holds((k ? k->context_window : 0) == names[i].window, names[i].sentence);
	}
}

static void who_thinks_first_is_known(void **state)
{
	struct town t;

	(void)state;
	town_open(&t);
	t.am->model = S("o3");
	t.an->model = S("gpt-4o");
	house_bind(&t.h);
	assert_true(t.am->reasons);
	assert_false(t.an->reasons);
	house_close(&t.h);
}

static void what_the_config_says_of_a_model_wins(void **state)
{
	struct town t;

	(void)state;
	town_open(&t);
	t.am->model = S("gpt-4");
	t.an->model = S("gpt-4");
	t.an->lacks_said = true;
	t.an->context_window = 9000;
	house_bind(&t.h);
	assert_int_equal(t.am->lacks, CAN_IMAGES | CAN_AUDIO | CAN_SCHEMA);
	assert_int_equal(t.am->context_window, 8192);
	assert_int_equal(t.an->lacks, 0);
	assert_int_equal(t.an->context_window, 9000);
	assert_int_equal(t.bm->context_window, 0);
	house_close(&t.h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(trouble_stays_where_it_belongs),
		cmocka_unit_test(a_key_that_works_elsewhere_is_not_to_blame),
		cmocka_unit_test(a_credential_is_tried_again_once_a_minute_or_so),
		cmocka_unit_test(hints_are_obeyed_within_reason),
		cmocka_unit_test(one_probe_for_the_whole_process),
		cmocka_unit_test(looks_from_outside_only_hasten),
		cmocka_unit_test(only_what_is_known_is_held_against_a_model),
		cmocka_unit_test(who_thinks_first_is_known),
		cmocka_unit_test(what_the_config_says_of_a_model_wins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
