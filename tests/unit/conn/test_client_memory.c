/* All bodies together: limits.memory. */
#include "client_stage.h"

#define LIMIT 1000

#define HOLD(length) "POST /hold HTTP/1.1\r\n" HOST "Content-Length: " length "\r\n\r\n"
#define CHUNKED "POST /hold HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"

struct row {
	const char *sentence;
	size_t held;                  /* by another request, 0: there is none */
	const char *says;
	size_t more;                  /* so many bytes of a body follow */
	const char *status;           /* "": it is held */
	unsigned heads;               /* that were looked at */
};

static const struct row rows[] = {
	{ "as much as there is", 600, HOLD("400"), 400, "", 2 },
	{ "one byte more is refused before it comes", 600, HOLD("401"), 0, "503", 2 },
	{ "or with it", 600, HOLD("401"), 401, "503", 2 },
	{ "a whole limit is fine alone", 0, HOLD("1000"), 1000, "", 1 },
	{ "a chunked one that stays below", 600, CHUNKED "190\r\n", 400, "", 2 },
	{ "a chunked one is cut off where it goes above", 600, CHUNKED "1000\r\n", 401, "503", 2 },
	{ "no body needs no memory", 1000, "GET /echo HTTP/1.1\r\n" HOST "\r\n", 0, "200", 2 },
};

static void say(struct peer *p, const char *text, size_t more)
{
	struct buf all = BUF_INIT(64 * 1024);

	buf_put(&all, slice_of(text));
	for (size_t i = 0; i < more; i++)
		buf_puts(&all, "x");
	peer_write(p, buf_slice(&all));
	buf_free(&all);
	sim_run_for(p->stage->sim, 10);
}

static void hold(struct peer *p, size_t bytes)
{
	char text[200];

	snprintf(text, sizeof text, "POST /hold HTTP/1.1\r\n" HOST "Content-Length: %zu\r\n\r\n", bytes);
	say(p, text, bytes);
}

static void all_bodies_together_have_a_limit(void **state)
{
	static const enum sim_cuts cuts[] = { SIM_CUT_WHOLE, SIM_CUT_RANDOM, SIM_CUT_BYTES };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows) * COUNT_OF(cuts); i++) {
		const struct row *r = &rows[i / COUNT_OF(cuts)];
		bool refused = strcmp(r->status, "503") == 0;
		struct stage st;
		struct peer *p;

		stage_begin(&st, false);
		st.limits.memory_bytes = LIMIT;
		if (r->held)
			hold(peer_connect(&st), r->held);
		st.way->cuts = cuts[i % COUNT_OF(cuts)];
		p = peer_connect(&st);
		say(p, r->says, r->more);
		row_holds(st.heads == r->heads, r->sentence);
		row_holds(strncmp(buf_len(&p->got) ? buf_slice(&p->got).at + 9 : "", r->status,
				  strlen(r->status)) == 0, r->sentence);
		row_holds(st.counters.refused_memory == refused, r->sentence);
		if (refused)
			row_holds(slice_find_slice(buf_slice(&p->got), S("retry-after: 1")) !=
				  SLICE_NOT_FOUND, r->sentence);
		row_holds(st.counters.body_bytes == r->held + (r->status[0] ? 0 : r->more), r->sentence);
		stage_end(&st);
	}
}

static void a_body_counts_until_its_answer_has_ended(void **state)
{
	struct stage st;
	struct peer *p;

	(void)state;
	stage_begin(&st, false);
	st.limits.memory_bytes = LIMIT;
	p = peer_connect(&st);
	hold(p, 900);
	assert_int_equal(st.counters.body_bytes, 900);
	asked_answer(&st.asked[0]);
	assert_int_equal(st.counters.body_bytes, 0);
	sim_run_for(st.sim, 10);
	hold(p, 900);
	assert_int_equal(st.counters.body_bytes, 900);
	client_body_freed(st.asked[1].c);
	assert_int_equal(st.counters.body_bytes, 0);
	asked_answer(&st.asked[1]);
	assert_int_equal(st.counters.body_bytes, 0);
	stage_end(&st);
}

static void who_leaves_gives_its_memory_back(void **state)
{
	struct stage st;
	struct peer *half, *whole;

	(void)state;
	stage_begin(&st, false);
	st.limits.memory_bytes = LIMIT;
	half = peer_connect(&st);
	say(half, HOLD("500"), 300);
	whole = peer_connect(&st);
	say(whole, HOLD("500"), 500);
	assert_int_equal(st.counters.body_bytes, 800);
	peer_close(half, IO_CLOSE_RESET);
	sim_run_for(st.sim, 10);
	assert_int_equal(st.counters.body_bytes, 500);
	peer_close(whole, IO_CLOSE_NOW);
	sim_run_for(st.sim, 10);
	assert_int_equal(st.counters.body_bytes, 0);
	stage_end(&st);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_bodies_together_have_a_limit),
		cmocka_unit_test(a_body_counts_until_its_answer_has_ended),
		cmocka_unit_test(who_leaves_gives_its_memory_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
