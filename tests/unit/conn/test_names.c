/* What the cache of names answers, when, and how often it asks. */
#include "conn/names.h"
#include "sim/sim.h"
#include "../base/cm.h"

#include <string.h>

struct asked {
	struct names_lookup l;
	struct world *w;
	bool answered;
	int64_t at_ms;
};

struct world {
	struct sim *sim;
	struct io *io;
	struct names *names;
	struct sim_host *host;
	unsigned changes;
};

static void on_change(void *owner, struct slice host)
{
	struct world *w = owner;

	assert_true(slice_eq(host, S("a.test")));
	w->changes++;
}

static void begin(struct world *w)
{
	memset(w, 0, sizeof *w);
	w->sim = sim_create(1);
	w->io = sim_io_create(w->sim, "proxy");
	w->host = sim_host_add(w->sim, "a.test", "10.1.0.1");
	w->host->delay_ms = 10;
	w->names = names_create(w->io, NULL);
	names_watch(w->names, on_change, w);
}

static void end(struct world *w)
{
	struct sim_counts c;
	char text[256];

	names_free(w->names);
	sim_run_for(w->sim, 1);
	c = sim_count(w->sim, NULL);
	assert_string_equal(sim_counts_text(&c, text, sizeof text), "nothing");
	sim_free(w->sim);
}

static void on_done(struct names_lookup *l)
{
	struct asked *a = CONTAINER_OF(l, struct asked, l);

	assert_false(a->answered);
	a->answered = true;
	a->at_ms = sim_now(a->w->sim) - SIM_START_MS;
}

static void ask(struct world *w, struct asked *a, const char *host)
{
	*a = (struct asked){ .l = { .done = on_done }, .w = w };
	names_lookup(w->names, &a->l, slice_of(host), 443);
	assert_false(a->answered);
}

/* ---- a story in time ------------------------------------------------------------------- */

enum what { ASK, FAIL, HEAL, SILENT, MOVE };

struct row {
	int64_t at_ms;
	enum what what;
	/* of ASK: */
	int64_t takes_ms;
	const char *addr;             /* NULL: fails */
	bool stale;
	unsigned lookups;             /* DNS asked by then, this one's query included */
	const char *sentence;
};

#define MIN (60 * 1000)
#define HOUR (60 * MIN)

static const struct row good[] = {
	{ 0, ASK, 10, "10.1.0.1", false, 1, "the first look-up asks DNS" },
	{ 20, ASK, 0, "10.1.0.1", false, 1, "the second does not" },
	{ 30009, ASK, 0, "10.1.0.1", false, 1, "nor any within the TTL of 30 s" },
	{ 30010, ASK, 0, "10.1.0.1", false, 2, "behind it the old answer serves while DNS is asked" },
	{ 30015, ASK, 0, "10.1.0.1", false, 2, "by one query at a time" },
	{ 40000, MOVE, 0, NULL, false, 0, "" },
	{ 60015, ASK, 0, "10.1.0.1", false, 2, "the renewed answer has its own TTL" },
	{ 60021, ASK, 0, "10.1.0.1", false, 3, "a change is seen at the next refresh" },
	{ 60040, ASK, 0, "10.1.0.2", false, 3, "and serves from then on" },
	{ 8 * MIN, ASK, 10, "10.1.0.2", false, 4, "an answer 5 min behind its TTL is not used unasked" },
	{ 0, 0, 0, NULL, false, 0, NULL },
};

static const struct row failing[] = {
	{ 0, ASK, 10, "10.1.0.1", false, 1, "good at first" },
	{ 20000, FAIL, 0, NULL, false, 0, "" },
	{ 31000, ASK, 0, "10.1.0.1", false, 2, "N03: the refresh fails unseen" },
	{ 31100, ASK, 0, "10.1.0.1", true, 2, "N03: the last good answer serves, and says so" },
	{ 32009, ASK, 0, "10.1.0.1", true, 2, "N03: asked again not before 1 s" },
	{ 32010, ASK, 0, "10.1.0.1", true, 3, "N03: but then" },
	{ 34019, ASK, 0, "10.1.0.1", true, 3, "N03: then after 2 s" },
	{ 34020, ASK, 0, "10.1.0.1", true, 4, "N03: exactly" },
	{ 38030, ASK, 0, "10.1.0.1", true, 5, "N03: 4 s" },
	{ 46040, ASK, 0, "10.1.0.1", true, 6, "N03: 8 s" },
	{ 62050, ASK, 0, "10.1.0.1", true, 7, "N03: 16 s" },
	{ 92059, ASK, 0, "10.1.0.1", true, 7, "N03: 30 s at most" },
	{ 92060, ASK, 0, "10.1.0.1", true, 8, "N03: 30 s" },
	{ 1 * HOUR, ASK, 0, "10.1.0.1", true, 9, "N03: an hour later still" },
	{ 23 * HOUR, ASK, 0, "10.1.0.1", true, 10, "N03: and a day" },
	{ 24 * HOUR + 10, ASK, 10, NULL, false, 11, "N03: but no more than a day" },
	{ 24 * HOUR + 100, ASK, 0, NULL, false, 11, "then look-ups fail at once for a second" },
	{ 24 * HOUR + 1020, ASK, 10, NULL, false, 12, "and ask again behind it" },
	{ 24 * HOUR + 1500, HEAL, 0, NULL, false, 0, "" },
	{ 24 * HOUR + 2030, ASK, 10, "10.1.0.1", false, 13, "DNS is back within a second" },
	{ 0, 0, 0, NULL, false, 0, NULL },
};

static const struct row silent[] = {
	{ 0, ASK, 10, "10.1.0.1", false, 1, "good at first" },
	{ 20000, SILENT, 0, NULL, false, 0, "" },
	{ 10 * MIN, ASK, 500, "10.1.0.1", true, 2, "N03: half a second is waited for a fresh answer" },
	{ 10 * MIN + 600, ASK, 0, "10.1.0.1", true, 2, "N03: after that nobody waits" },
	{ 0, 0, 0, NULL, false, 0, NULL },
};

static void play(const struct row *row)
{
	struct world w;

	begin(&w);
	for (; row->sentence; row++) {
		struct asked a;

		sim_run_until(w.sim, SIM_START_MS + row->at_ms);
		switch (row->what) {
		case FAIL:
			w.host->fails = "SERVFAIL";
			continue;
		case HEAL:
			w.host->fails = NULL;
			continue;
		case SILENT:
			w.host->silent = true;
			continue;
		case MOVE:
			w.host->count = 0;
			sim_host_add(w.sim, "a.test", "10.1.0.2");
			continue;
		case ASK:
			break;
		}
		ask(&w, &a, "a.test");
		row_holds(w.host->lookups == row->lookups, row->sentence);
		sim_run_for(w.sim, row->takes_ms);
		row_holds(a.answered, row->sentence);
		row_holds(a.at_ms == row->at_ms + row->takes_ms, row->sentence);
		row_holds((a.l.count > 0) == (row->addr != NULL), row->sentence);
		row_holds(a.l.stale == row->stale, row->sentence);
		row_holds((a.l.count == 0) == (a.l.why != NULL), row->sentence);
		if (row->addr) {
			char text[IO_ADDR_TEXT_MAX], wanted[64];

			snprintf(wanted, sizeof wanted, "%s:443", row->addr);
			assert_string_equal(io_addr_text(&a.l.addrs[0], text), wanted);
		}
	}
	end(&w);
}

static void test_good(void **state)
{
	(void)state;
	play(good);
}

static void test_failing(void **state)
{
	(void)state;
	play(failing);
}

static void test_silent(void **state)
{
	(void)state;
	play(silent);
}

static void test_ttl_limits(void **state)
{
	static const struct {
		int64_t ttl_ms, held_ms;
		const char *sentence;
	} rows[] = {
		{ 0, 1000, "a TTL of 0 holds for 1 s" },
		{ 2500, 2500, "others as they are" },
		{ INT64_MAX, 5 * MIN, "but 5 min at most" },
	};

	(void)state;
	for (unsigned i = 0; i < COUNT_OF(rows); i++) {
		struct asked a;
		struct world w;

		begin(&w);
		w.host->ttl_ms = rows[i].ttl_ms;
		ask(&w, &a, "a.test");
		sim_run_for(w.sim, 10 + rows[i].held_ms - 1);
		ask(&w, &a, "a.test");
		sim_run_for(w.sim, 0);
		row_holds(w.host->lookups == 1, rows[i].sentence);
		sim_run_for(w.sim, 1);
		ask(&w, &a, "a.test");
		sim_run_for(w.sim, 100);
		row_holds(w.host->lookups == 2, rows[i].sentence);
		end(&w);
	}
}

/* ---- sharing and cancelling ------------------------------------------------------------------ */

static void test_shared(void **state)
{
	static const char *const spellings[] = { "a.test", "A.Test", "a.test." };
	struct asked many[9];
	struct world w;

	(void)state;
	begin(&w);
	for (unsigned i = 0; i < COUNT_OF(many); i++)
		ask(&w, &many[i], spellings[i % 3]);
	assert_int_equal(w.host->lookups, 1);
	names_cancel(w.names, &many[0].l);
	names_cancel(w.names, &many[0].l);
	names_cancel(w.names, &many[8].l);
	sim_run_for(w.sim, 100);
	for (unsigned i = 0; i < COUNT_OF(many); i++)
		assert_int_equal(many[i].answered, i != 0 && i != 8);
	/* Cancelling an answer that is due, and one that has come. */
	ask(&w, &many[0], "a.test");
	names_cancel(w.names, &many[0].l);
	names_cancel(w.names, &many[1].l);
	sim_run_for(w.sim, 100);
	assert_false(many[0].answered);
	end(&w);
}

static void test_all_cancelled(void **state)
{
	struct asked a;
	struct world w;

	(void)state;
	begin(&w);
	ask(&w, &a, "a.test");
	names_cancel(w.names, &a.l);
	sim_run_for(w.sim, 100);
	/* The query went on for those to come. */
	ask(&w, &a, "a.test");
	sim_run_for(w.sim, 0);
	assert_true(a.answered);
	assert_int_equal(w.host->lookups, 1);
	end(&w);
	/* And ends with the cache. */
	begin(&w);
	ask(&w, &a, "a.test");
	names_cancel(w.names, &a.l);
	end(&w);
}

static void test_literals(void **state)
{
	static const struct {
		const char *host, *text;
	} rows[] = {
		{ "10.9.8.7", "10.9.8.7:443" },
		{ "::1", "[::1]:443" },
		{ "unix:/run/x.sock", "unix:/run/x.sock" },
		{ "", NULL },
	};
	static char endless[400];
	char text[IO_ADDR_TEXT_MAX];
	struct asked a;
	struct world w;

	(void)state;
	begin(&w);
	for (unsigned i = 0; i < COUNT_OF(rows); i++) {
		ask(&w, &a, rows[i].host);
		sim_run_for(w.sim, 0);
		assert_true(a.answered);
		assert_int_equal(a.l.count, rows[i].text != NULL);
		if (rows[i].text)
			assert_string_equal(io_addr_text(&a.l.addrs[0], text), rows[i].text);
	}
	memset(endless, 'x', sizeof endless - 1);
	ask(&w, &a, endless);
	sim_run_for(w.sim, 0);
	assert_true(a.answered);
	assert_int_equal(a.l.count, 0);
	end(&w);
}

static void test_count_is_bounded(void **state)
{
	struct asked a;
	struct world w;

	(void)state;
	begin(&w);
	for (unsigned i = 0; i < 3 * NAMES_COUNT_MAX; i++) {
		char name[32];

		snprintf(name, sizeof name, "n%u.test", i);
		ask(&w, &a, name);
		sim_run_for(w.sim, 10);
		/* One that is asked for all the time stays. */
		ask(&w, &a, "a.test");
		sim_run_for(w.sim, 10);
		assert_true(a.answered);
	}
	assert_true(w.host->lookups < 3 * NAMES_COUNT_MAX / 100);
	end(&w);
}

/* ---- what left the answer (N05) --------------------------------------------------------------- */

static void test_still_has(void **state)
{
	struct io_addr one = sim_addr("10.1.0.1:80"), two = sim_addr("10.1.0.2:80");
	struct asked a;
	struct world w;

	(void)state;
	begin(&w);
	assert_true(names_still_has(w.names, S("a.test"), &one));
	ask(&w, &a, "a.test");
	sim_run_for(w.sim, 100);
	assert_true(names_still_has(w.names, S("A.test"), &one));
	assert_false(names_still_has(w.names, S("A.test"), &two));
	assert_true(names_still_has(w.names, S("other.test"), &two));
	assert_true(names_still_has(w.names, S("10.1.0.1"), &two));
	w.host->count = 0;
	sim_host_add(w.sim, "a.test", "10.1.0.2");
	names_refresh(w.names, S("a.test"));
	assert_int_equal(w.host->lookups, 1);
	sim_run_for(w.sim, 30000);
	/* An answer behind its TTL condemns nobody. */
	assert_true(names_still_has(w.names, S("a.test"), &two));
	names_refresh(w.names, S("a.test"));
	names_refresh(w.names, S("a.test"));
	assert_int_equal(w.host->lookups, 2);
	assert_int_equal(w.changes, 0);
	sim_run_for(w.sim, 100);
	assert_int_equal(w.changes, 1);
	assert_false(names_still_has(w.names, S("a.test"), &one));
	/* One more address is no loss. */
	sim_host_add(w.sim, "a.test", "10.1.0.1");
	sim_run_for(w.sim, 30000);
	names_refresh(w.names, S("a.test"));
	sim_run_for(w.sim, 100);
	assert_int_equal(w.changes, 1);
	assert_true(names_still_has(w.names, S("a.test"), &one));
	end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_failing),
		cmocka_unit_test(test_silent),
		cmocka_unit_test(test_ttl_limits),
		cmocka_unit_test(test_shared),
		cmocka_unit_test(test_all_cancelled),
		cmocka_unit_test(test_literals),
		cmocka_unit_test(test_count_is_bounded),
		cmocka_unit_test(test_still_has),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
