/* What a call tells of every kind of answer, for every way of cutting it. */
#include "upstream_stage.h"

#define OK_HELLO "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
#define CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
#define CLOSED "the connection was closed"
#define BROKE "the connection broke (connection reset by peer)"
#define HEAD_BAD "fault bad_answer: the head of the answer is malformed: "
#define X16(x) x x x x x x x x x x x x x x x x
#define CONTINUE "HTTP/1.1 100 Continue\r\n\r\n"

/* "hello hello hello" in gzip. */
static const char gzipped[] =
	"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff\xcb\x48\xcd\xc9\xc9\x57\xc8\x40\x90\x00\x80"
	"\x88\xf9\xe5\x11\x00\x00\x00";
#define GZIP_HEAD "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"

struct row {
	const char *sentence;
	struct { const char *text; enum after after; } replies[4];
	unsigned calls;               /* one more than this */
	const char *story;
	unsigned idle, connections;
};

static const struct row rows[] = {
	{ "a known length ends where it says, and the connection is kept",
	  { { OK_HELLO, KEEP } }, 0, "fresh 200 'hello' end", 1, 1 },
	{ "a second call goes over the same connection",
	  { { OK_HELLO, KEEP }, { OK_HELLO, KEEP } }, 1,
	  "fresh 200 'hello' end | reused 200 'hello' end", 1, 1 },
	{ "chunks are taken out of their framing; H20: trailers are read and ignored",
	  { { CHUNKED "2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nTrailer: 1\r\n\r\n", KEEP },
	    { OK_HELLO, KEEP } }, 1,
	  "fresh 200 'hello' end | reused 200 'hello' end", 1, 1 },
	{ "an empty body is a body", { { "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", KEEP } }, 0,
	  "fresh 200 end", 1, 1 },
	{ "204 has no body whatever is said", { { "HTTP/1.1 204 No Content\r\n\r\n", KEEP } }, 0,
	  "fresh 204 end", 1, 1 },
	{ "H16: a body until close ends at the close, which proves nothing",
	  { { "HTTP/1.0 200 OK\r\n\r\nhello", CLOSE } }, 0, "fresh 200 'hello' end?", 0, 1 },
	{ "Connection: close is obeyed",
	  { { "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello", KEEP } }, 0,
	  "fresh 200 'hello' end", 0, 1 },

	{ "H01: a body shorter than its length says is a cut",
	  { { "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", CLOSE } }, 0,
	  "fresh 200 'hello' fault cut: " CLOSED " with 4 of 9 bytes of the body missing", 0, 1 },
	{ "H02: bytes behind the end are dropped with the connection",
	  { { OK_HELLO "extra", KEEP } }, 0, "fresh 200 'hello' end", 0, 1 },
	{ "H03: chunks without a last chunk are a cut",
	  { { CHUNKED "5\r\nhello\r\n", CLOSE } }, 0,
	  "fresh 200 'hello' fault cut: " CLOSED " after 5 bytes of the body, before its last chunk",
	  0, 1 },
	{ "H03: cut inside the last chunk's own line",
	  { { CHUNKED "5\r\nhello\r\n0\r\n", CLOSE } }, 0,
	  "fresh 200 'hello' fault cut: " CLOSED " after 5 bytes of the body, before its last chunk",
	  0, 1 },
	{ "H06: a head and then the end is a cut",
	  { { CHUNKED, CLOSE } }, 0,
	  "fresh 200 fault cut: " CLOSED " after 0 bytes of the body, before its last chunk", 0, 1 },
	{ "H07: a chunk size that is no number",
	  { { CHUNKED "5\r\nhello\r\nxyz\r\n", KEEP } }, 0,
	  "fresh 200 'hello' fault bad_answer: the chunked framing is wrong after 5 bytes of body",
	  0, 1 },
	{ "H07: a chunk size beyond all bounds",
	  { { CHUNKED "FFFFFFFFFFFFFFFFF\r\n", KEEP } }, 0,
	  "fresh 200 fault bad_answer: the chunked framing is wrong after 0 bytes of body", 0, 1 },
	{ "H08: a length and chunks together",
	  { { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", KEEP } },
	  0, "fresh " HEAD_BAD "Content-Length and Transfer-Encoding are both present", 0, 1 },
	{ "H09: two lengths that differ",
	  { { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", KEEP } }, 0,
	  "fresh " HEAD_BAD "Content-Length is malformed or contradicts itself", 0, 1 },
	{ "H09: a negative length",
	  { { "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello", KEEP } }, 0,
	  "fresh " HEAD_BAD "Content-Length is malformed or contradicts itself", 0, 1 },
	{ "H10: a coding that nobody understands is not passed on",
	  { { "HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 5\r\n\r\nhello", KEEP } }, 0,
	  "fresh fault bad_answer: the answer is compressed in a way that is not understood", 0, 1 },
	{ "H10: two codings one over the other are not understood",
	  { { "HTTP/1.1 200 OK\r\nContent-Encoding: gzip, gzip\r\nContent-Length: 5\r\n\r\nhello",
	      KEEP } }, 0,
	  "fresh fault bad_answer: the answer is compressed in a way that is not understood", 0, 1 },
	{ "identity is no coding",
	  { { "HTTP/1.1 200 OK\r\nContent-Encoding: identity\r\nContent-Length: 5\r\n\r\nhello",
	      KEEP } }, 0, "fresh 200 'hello' end", 1, 1 },
	{ "H11: what says gzip and is not",
	  { { GZIP_HEAD "Content-Length: 18\r\n\r\nnot compressed, no", KEEP } }, 0,
	  "fresh 200 fault bad_answer: the compressed body is corrupt", 0, 1 },
	{ "H13: interim heads are skipped",
	  { { CONTINUE "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" OK_HELLO, KEEP } }, 0,
	  "fresh 200 'hello' end", 1, 1 },
	{ "H13: 16 of them", { { X16(CONTINUE) OK_HELLO, KEEP } }, 0, "fresh 200 'hello' end", 1, 1 },
	{ "H13: not 17", { { X16(CONTINUE) CONTINUE OK_HELLO, KEEP } }, 0,
	  "fresh fault bad_answer: more than 16 interim heads came before the answer", 0, 1 },
	{ "H14: only an interim head, then the end", { { CONTINUE, CLOSE } }, 0,
	  "fresh fault bad_answer: " CLOSED " after an interim head, without an answer", 0, 1 },
	{ "101 is an answer to a question nobody asked",
	  { { "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", KEEP } }, 0,
	  "fresh fault bad_answer: the answer is 101 Switching Protocols, which nobody asked for",
	  0, 1 },
	{ "H18: an SSH banner", { { "SSH-2.0-OpenSSH_9.2\r\n", KEEP } }, 0,
	  "fresh " HEAD_BAD "the status line is malformed", 0, 1 },
	{ "H18: a TLS alert", { { "\x15\x03\x01\x02\x02\x16", KEEP } }, 0,
	  "fresh " HEAD_BAD "the status line is malformed", 0, 1 },
	{ "H19: a status line and no more", { { "HTTP/1.1 200 OK\r\n", CLOSE } }, 0,
	  "fresh fault bad_answer: " CLOSED " after 17 bytes of the answer's head", 0, 1 },
	{ "N09: a fresh connection that closes without an answer", { { "", CLOSE } }, 0,
	  "fresh fault bad_answer: " CLOSED " without an answer", 0, 1 },
	{ "N09: a fresh connection that is reset without an answer", { { "", RESET } }, 0,
	  "fresh fault bad_answer: " BROKE " without an answer", 0, 1 },

	{ "N08: a reused connection that closes without a byte is replaced unseen",
	  { { OK_HELLO, KEEP }, { "", CLOSE }, { OK_HELLO, KEEP } }, 1,
	  "fresh 200 'hello' end | reused fresh 200 'hello' end", 1, 2 },
	{ "N08: so is one that is reset",
	  { { OK_HELLO, KEEP }, { "", RESET }, { OK_HELLO, KEEP } }, 1,
	  "fresh 200 'hello' end | reused fresh 200 'hello' end", 1, 2 },
	{ "N08: but only once",
	  { { OK_HELLO, KEEP }, { "", RESET }, { "", RESET } }, 1,
	  "fresh 200 'hello' end | reused fresh fault bad_answer: " BROKE " without an answer", 0, 2 },
	{ "N08: and not when a byte of the answer has come",
	  { { OK_HELLO, KEEP }, { "H", CLOSE } }, 1,
	  "fresh 200 'hello' end | reused fault bad_answer: " CLOSED
	  " after 1 bytes of the answer's head", 0, 1 },
	{ "N16: 408 for the idle connection, crossing the request, is no answer to it",
	  { { OK_HELLO, KEEP },
	    { "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", CLOSE },
	    { OK_HELLO, KEEP } }, 1,
	  "fresh 200 'hello' end | reused fresh 200 'hello' end", 1, 2 },
	{ "a 408 on a fresh connection is an answer",
	  { { "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
	      CLOSE } }, 0, "fresh 408 end", 0, 1 },
};

static void one_row(const struct row *r, enum sim_cuts cuts, uint64_t seed)
{
	struct stage st;

	stage_begin(&st, seed);
	st.way->cuts = cuts;
	for (unsigned i = 0; i < COUNT_OF(r->replies) && r->replies[i].text; i++)
		stage_reply(&st, slice_of(r->replies[i].text), r->replies[i].after);
	st.calls_left = r->calls;
	stage_start(&st);
	sim_run_for(st.sim, 1000);
	row_holds(st.call == NULL, r->sentence);
	if (strcmp(st.story, r->story) != 0)
		fail_msg("%s:\n  told %s\n  not  %s", r->sentence, st.story, r->story);
	row_holds(stage_idle(&st) == r->idle, r->sentence);
	row_holds(st.seat_count == r->connections, r->sentence);
	row_holds(upstream_pool_counters(st.pool)->open == r->idle, r->sentence);
	stage_end(&st);
}

static void test_answers(void **state)
{
	(void)state;
	for (unsigned i = 0; i < COUNT_OF(rows); i++) {
		one_row(&rows[i], SIM_CUT_WHOLE, 1);
		one_row(&rows[i], SIM_CUT_BYTES, 2);
		for (uint64_t seed = 3; seed < 9; seed++)
			one_row(&rows[i], SIM_CUT_RANDOM, seed);
	}
}

/* ---- compressed answers ------------------------------------------------------------- */

static void gzip_row(const char *sentence, struct slice body, size_t length, uint64_t body_max,
		     enum after after, enum sim_cuts cuts, const char *story)
{
	struct stage st;
	struct buf answer = BUF_INIT(1 << 20);

	stage_begin(&st, 11);
	st.way->cuts = cuts;
	st.request.body_max = body_max;
	buf_putf(&answer, GZIP_HEAD "Content-Length: %zu\r\n\r\n", length);
	buf_put(&answer, body);
	stage_reply(&st, buf_slice(&answer), after);
	stage_start(&st);
	sim_run_for(st.sim, 1000);
	if (strcmp(st.story, story) != 0)
		fail_msg("%s:\n  told %s\n  not  %s", sentence, st.story, story);
	stage_end(&st);
	buf_free(&answer);
}

static void test_compressed(void **state)
{
	struct slice all = { gzipped, sizeof gzipped - 1 };

	(void)state;
	for (int cuts = SIM_CUT_WHOLE; cuts <= SIM_CUT_BYTES; cuts++) {
		gzip_row("H10: gzip that nobody asked for is decoded", all, all.len, 100, KEEP,
			 (enum sim_cuts)cuts, "fresh 200 'hello hello hello' end");
		gzip_row("H11: gzip that ends too early, in framing that is whole",
			 slice_sub(all, 0, all.len - 4), all.len - 4, 100, KEEP,
			 (enum sim_cuts)cuts,
			 "fresh 200 'hello hello hello' fault bad_answer: "
			 "the compressed body ends before its own end");
		gzip_row("H11: gzip cut by the connection's end",
			 slice_sub(all, 0, 16), all.len, 100, CLOSE, SIM_CUT_WHOLE,
			 "fresh 200 'hello' fault cut: " CLOSED
			 " with 12 of 28 bytes of the body missing");
		gzip_row("H12: no more comes out than the limit", all, all.len, 5, KEEP,
			 (enum sim_cuts)cuts,
			 "fresh 200 'hello' fault bad_answer: the answer decompresses to more than "
			 "the limit of 5 bytes");
		gzip_row("an empty body is not cut gzip", SLICE_NONE, 0, 5, KEEP,
			 (enum sim_cuts)cuts, "fresh 200 end");
	}
}

/* ---- cuts by RST ------------------------------------------------------------------------- */

static void test_resets(void **state)
{
	static const struct {
		const char *sentence, *text;
		uint64_t after_bytes;
		const char *story;
	} cuts[] = {
		{ "H04: chunks cut by RST", CHUNKED "5\r\nhello\r\n0\r\n\r\n", 55,
		  "fresh 200 'hello' fault cut: " BROKE
		  " after 5 bytes of the body, before its last chunk" },
		{ "H01: a length cut by RST", OK_HELLO, 41,
		  "fresh 200 'hel' fault cut: " BROKE " with 2 of 5 bytes of the body missing" },
		{ "H17: a body until close that ends in RST did not end",
		  "HTTP/1.1 200 OK\r\n\r\nhello", 22,
		  "fresh 200 'hel' fault cut: " BROKE " after 3 bytes of a body of unknown length" },
		{ "H19: a head cut by RST", OK_HELLO, 20,
		  "fresh fault bad_answer: " BROKE " after 20 bytes of the answer's head" },
	};

	(void)state;
	for (unsigned i = 0; i < COUNT_OF(cuts); i++) {
		struct stage st;

		stage_begin(&st, 5);
		stage_reply(&st, slice_of(cuts[i].text), KEEP);
		sim_link_plan(st.way, (struct sim_plan){ SIM_STRIKE_RESET, SIM_TO_CLIENT,
							 cuts[i].after_bytes, 0, 1 });
		stage_start(&st);
		sim_run_for(st.sim, 1000);
		if (strcmp(st.story, cuts[i].story) != 0)
			fail_msg("%s:\n  told %s\n  not  %s", cuts[i].sentence, st.story,
				 cuts[i].story);
		assert_int_equal(stage_idle(&st), 0);
		stage_end(&st);
	}
}

/* ---- limits --------------------------------------------------------------------------- */

static void test_limits(void **state)
{
	static char big[70000];
	static const struct {
		const char *sentence, *text, *story;
		uint64_t body_max;
	} limits[] = {
		{ "S26: a length above the limit is refused before a byte of it is read",
		  "HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n",
		  "fresh fault bad_answer: the answer announces 101 bytes, more than the limit of 100",
		  100 },
		{ "S26: chunks that add up to more",
		  CHUNKED "4\r\nabcd\r\n4\r\nefgh\r\n",
		  "fresh 200 'abcdefg' fault bad_answer: the answer is larger than the limit of 7 bytes",
		  7 },
		{ "exactly the limit is fine", CHUNKED "4\r\nabcd\r\n3\r\nefg\r\n0\r\n\r\n",
		  "fresh 200 'abcdefg' end", 7 },
		{ "H15: a head that does not end within 64 KiB", big,
		  "fresh " HEAD_BAD "the header section is larger than the limit", 100 },
	};

	(void)state;
	memset(big, 'x', sizeof big - 1);
	memcpy(big, "HTTP/1.1 200 OK\r\nA: ", 20);
	for (unsigned i = 0; i < COUNT_OF(limits); i++) {
		for (int cuts = SIM_CUT_WHOLE; cuts <= SIM_CUT_RANDOM; cuts++) {
			struct stage st;

			stage_begin(&st, 5);
			st.way->cuts = (enum sim_cuts)cuts;
			st.request.body_max = limits[i].body_max;
			stage_reply(&st, slice_of(limits[i].text), KEEP);
			stage_start(&st);
			sim_run_for(st.sim, 5000);
			if (cuts == SIM_CUT_WHOLE)
				assert_string_equal(st.story, limits[i].story);
			row_holds(st.call == NULL, limits[i].sentence);
			stage_end(&st);
		}
	}
}

/* ---- requests ---------------------------------------------------------------------------- */

static void test_requests(void **state)
{
	static const struct slice body[] = { S_INIT("{\"a\":"), S_INIT(""), S_INIT("1}") };
	static const struct {
		const char *sentence;
		struct upstream_request request;
		const char *asked;
	} asks[] = {
		{ "without a body no length is said", { .method = S_INIT("GET"), .target = S_INIT("/m") },
		  "GET /m HTTP/1.1\r\nHost: b.test\r\nAccept-Encoding: identity\r\n\r\n" },
		{ "the parts of a body leave as one",
		  { .method = S_INIT("POST"), .target = S_INIT("/v1/x?y=z"),
		    .headers = S_INIT("Content-Type: application/json\r\n"),
		    .body = body, .body_parts = 3, .has_body = true },
		  "POST /v1/x?y=z HTTP/1.1\r\nHost: b.test\r\nAccept-Encoding: identity\r\n"
		  "Content-Type: application/json\r\nContent-Length: 7\r\n\r\n{\"a\":1}" },
		{ "an empty body has a length",
		  { .method = S_INIT("POST"), .target = S_INIT("/"), .has_body = true },
		  "POST / HTTP/1.1\r\nHost: b.test\r\nAccept-Encoding: identity\r\n"
		  "Content-Length: 0\r\n\r\n" },
	};

	(void)state;
	for (unsigned i = 0; i < COUNT_OF(asks); i++) {
		struct stage st;

		stage_begin(&st, 1);
		st.request = asks[i].request;
		st.request.body_max = 100;
		stage_reply(&st, S(OK_HELLO), KEEP);
		stage_start(&st);
		sim_run_for(st.sim, 100);
		buf_put(&st.asked, (struct slice){ "", 1 });
		assert_string_equal(buf_slice(&st.asked).at, asks[i].asked);
		assert_string_equal(st.story, "fresh 200 'hello' end");
		stage_end(&st);
	}
}

static void test_head(void **state)
{
	struct stage st;

	(void)state;
	stage_begin(&st, 1);
	st.request.method = S("HEAD");
	st.calls_left = 1;
	stage_reply(&st, S("HTTP/1.1 200 OK\r\nContent-Length: 50\r\nContent-Encoding: br\r\n\r\n"), KEEP);
	stage_reply(&st, S("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n"), KEEP);
	stage_start(&st);
	sim_run_for(st.sim, 100);
	assert_string_equal(st.story, "fresh 200 end | reused 200 end");
	stage_end(&st);
}

static void large_request(size_t window, unsigned turn_max)
{
	static char bytes[3 << 20];
	struct slice parts[40];
	struct stage st;

	memset(bytes, 'b', sizeof bytes);
	for (unsigned i = 0; i < COUNT_OF(parts); i++)
		parts[i] = slice_sub((struct slice){ bytes, sizeof bytes }, i * 70000, (i + 1) * 70000);
	stage_begin(&st, 1);
	sim_set_turn_max(st.sim, turn_max);
	st.way->window = window;
	st.request.method = S("POST");
	st.request.body = parts;
	st.request.body_parts = COUNT_OF(parts);
	st.request.has_body = true;
	st.calls_left = 1;
	stage_reply(&st, S(OK_HELLO), KEEP);
	stage_reply(&st, S(OK_HELLO), KEEP);
	stage_start(&st);
	sim_run_for(st.sim, 60000);
	assert_string_equal(st.story, "fresh 200 'hello' end | reused 200 'hello' end");
	/* Only a piece of it was ever copied. */
	assert_true(sim_queued_max(st.sim) < 512 * 1024);
	stage_end(&st);
}

/* Whether the kernel takes less than a piece at a time, or several. */
static void test_large_request(void **state)
{
	(void)state;
	for (size_t window = 16 * 1024; window <= 16 << 20; window *= 4) {
		large_request(window, 1);
		large_request(window, 8);
	}
}

static void test_early_refusal(void **state)
{
	static char bytes[3 << 20];
	struct slice part = { bytes, sizeof bytes };
	struct stage st;

	(void)state;
	stage_begin(&st, 1);
	st.request.method = S("POST");
	st.request.body = &part;
	st.request.body_parts = 1;
	st.request.has_body = true;
	stage_reply(&st, S("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno"), KEEP);
	st.replies[0].early = true;
	stage_start(&st);
	sim_run_for(st.sim, 60000);
	assert_string_equal(st.story, "fresh 413 'no' end");
	/* H21: most of it was never sent, and the connection is not kept. */
	assert_true(st.seats[0].bytes_ever < sizeof bytes / 2);
	assert_int_equal(stage_idle(&st), 0);
	stage_end(&st);
}

static void test_early_acceptance(void **state)
{
	static char bytes[1 << 20];
	struct slice part = { bytes, sizeof bytes };
	struct stage st;

	(void)state;
	stage_begin(&st, 1);
	st.request.method = S("POST");
	st.request.body = &part;
	st.request.body_parts = 1;
	st.request.has_body = true;
	stage_reply(&st, S(CHUNKED), KEEP);
	st.replies[0].early = true;
	stage_start(&st);
	sim_run_for(st.sim, 60000);
	/* A head of 200 does not stop the request: it may still be being read. */
	assert_string_equal(st.story, "fresh 200");
	assert_true(st.seats[0].bytes_ever > sizeof bytes);
	upstream_cancel(st.call);
	st.call = NULL;
	stage_end(&st);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_compressed),
		cmocka_unit_test(test_resets),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_head),
		cmocka_unit_test(test_large_request),
		cmocka_unit_test(test_early_refusal),
		cmocka_unit_test(test_early_acceptance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
