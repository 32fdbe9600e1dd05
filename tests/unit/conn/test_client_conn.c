/* What a client that speaks HTTP/1.x is answered, byte for byte. */
#include "client_stage.h"

#define OK(length, body) "HTTP/1.1 200 OK\r\n" DATE "Content-Length: " length "\r\n\r\n" body
#define OK_LAST(length, body) \
	"HTTP/1.1 200 OK\r\n" DATE "Content-Length: " length "\r\n" CLOSE "\r\n" body
#define CHUNKED(body) "HTTP/1.1 200 OK\r\n" DATE "Transfer-Encoding: chunked\r\n\r\n" body
#define REFUSED(line, body) \
	"HTTP/1.1 " line "\r\ncontent-type: text/plain\r\n" DATE "Content-Length: 4\r\n" CLOSE \
	"\r\n" body
#define BAD REFUSED("400 Bad Request", "E400")

enum then { OPEN, CLOSED, RESET };

struct row {
	const char *sentence;
	const char *says, *hears;
	enum then then;
};

static const struct row rows[] = {
	{ "a request without a body is answered and the connection stays",
	  "GET /echo HTTP/1.1\r\n" HOST "\r\n", OK("12", "GET /echo []"), OPEN },
	{ "a body of known length", "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello",
	  OK("18", "POST /echo [hello]"), OPEN },
	{ "a body of length 0", "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n",
	  OK("13", "POST /echo []"), OPEN },
	{ "a chunked body, its extensions and trailers ignored",
	  "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
	  "3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\nX-Sum: 1\r\n\r\n",
	  OK("18", "POST /echo [hello]"), OPEN },
	{ "an empty chunked body",
	  "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	  OK("13", "POST /echo []"), OPEN },
	{ "Connection: close is obeyed and said", "GET /echo HTTP/1.1\r\n" HOST CLOSE "\r\n",
	  OK_LAST("12", "GET /echo []"), CLOSED },
	{ "HTTP/1.0 closes", "GET /echo HTTP/1.0\r\n\r\n", OK_LAST("12", "GET /echo []"), CLOSED },
	{ "HTTP/1.0 with keep-alive stays and says so",
	  "GET /echo HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
	  "HTTP/1.1 200 OK\r\n" DATE "Content-Length: 12\r\nConnection: keep-alive\r\n\r\nGET /echo []",
	  OPEN },
	{ "an answer that comes later", "GET /later HTTP/1.1\r\n" HOST "\r\n",
	  OK("13", "GET /later []"), OPEN },

	{ "a stream of unknown length is chunked", "GET /stream HTTP/1.1\r\n" HOST "\r\n",
	  CHUNKED("5\r\nfirst\r\n5\r\nagain\r\n0\r\n\r\n"), OPEN },
	{ "a stream of known length is not", "GET /stream10 HTTP/1.1\r\n" HOST "\r\n",
	  OK("10", "firstagain"), OPEN },
	{ "HTTP/1.0 gets it until the close, even if it asked for keep-alive",
	  "GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
	  "HTTP/1.1 200 OK\r\n" DATE CLOSE "\r\nfirstagain", CLOSED },
	{ "a broken chunked stream has no last chunk", "GET /break HTTP/1.1\r\n" HOST "\r\n",
	  CHUNKED("5\r\nfirst\r\n"), CLOSED },
	{ "a broken one of known length is too short", "GET /break10 HTTP/1.1\r\n" HOST "\r\n",
	  OK("10", "first"), CLOSED },
	{ "a broken one until the close is reset: a FIN would be a lie",
	  "GET /break HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK\r\n" DATE CLOSE "\r\nfirst", RESET },

	{ "HEAD gets the length and no body", "HEAD /echo HTTP/1.1\r\n" HOST "\r\n",
	  OK("13", ""), OPEN },
	{ "HEAD of a stream gets no chunk", "HEAD /stream HTTP/1.1\r\n" HOST "\r\n", CHUNKED(""), OPEN },
	{ "HEAD of a stream of known length", "HEAD /stream10 HTTP/1.1\r\n" HOST "\r\n",
	  OK("10", ""), OPEN },
	{ "204 has neither body nor length", "GET /none HTTP/1.1\r\n" HOST "\r\n",
	  "HTTP/1.1 204 No Content\r\n" DATE "\r\n", OPEN },
	{ "304 drops the body", "GET /same HTTP/1.1\r\n" HOST "\r\n",
	  "HTTP/1.1 304 Not Modified\r\n" DATE "\r\n", OPEN },

	{ "two at once are answered in order",
	  "GET /echo HTTP/1.1\r\n" HOST "\r\nGET /echo2 HTTP/1.1\r\n" HOST "\r\n",
	  OK("12", "GET /echo []") OK("13", "GET /echo2 []"), OPEN },
	{ "the second waits for the first, which takes its time",
	  "GET /stream HTTP/1.1\r\n" HOST "\r\nPOST /echo HTTP/1.1\r\n" HOST
	  "Content-Length: 2\r\n\r\nhiGET /later HTTP/1.1\r\n" HOST "\r\n",
	  CHUNKED("5\r\nfirst\r\n5\r\nagain\r\n0\r\n\r\n") OK("15", "POST /echo [hi]")
	  OK("13", "GET /later []"), OPEN },
	{ "behind a close nothing is read", "GET /echo HTTP/1.1\r\n" HOST CLOSE
	  "\r\nGET /echo2 HTTP/1.1\r\n" HOST "\r\n", OK_LAST("12", "GET /echo []"), CLOSED },
	{ "HEAD does not leak into the next answer",
	  "HEAD /stream HTTP/1.1\r\n" HOST "\r\nGET /echo HTTP/1.1\r\n" HOST "\r\n",
	  CHUNKED("") OK("12", "GET /echo []"), OPEN },
	{ "empty lines between requests are skipped",
	  "GET /echo HTTP/1.1\r\n" HOST "\r\n\r\nGET /echo HTTP/1.1\r\n" HOST "\r\n",
	  OK("12", "GET /echo []") OK("12", "GET /echo []"), OPEN },

	{ "refused at the head: without a body the connection stays",
	  "GET /no/x HTTP/1.1\r\n" HOST "\r\nGET /echo HTTP/1.1\r\n" HOST "\r\n",
	  "HTTP/1.1 401 Unauthorized\r\n" DATE "Content-Length: 12\r\n\r\nGET /no/x []"
	  OK("12", "GET /echo []"), OPEN },
	{ "refused at the head: with a body it closes, the body is no next request",
	  "POST /no/x HTTP/1.1\r\n" HOST "Content-Length: 34\r\n\r\nGET /echo HTTP/1.1\r\n" HOST "\r\n....",
	  "HTTP/1.1 401 Unauthorized\r\n" DATE "Content-Length: 13\r\n" CLOSE "\r\nPOST /no/x []",
	  CLOSED },
	{ "refused at the head: no 100 Continue",
	  "POST /no/x HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n",
	  "HTTP/1.1 401 Unauthorized\r\n" DATE "Content-Length: 13\r\n" CLOSE "\r\nPOST /no/x []",
	  CLOSED },

	{ "both framings at once", "POST /echo HTTP/1.1\r\n" HOST
	  "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", BAD, CLOSED },
	{ "two lengths", "POST /echo HTTP/1.1\r\n" HOST
	  "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", BAD, CLOSED },
	{ "a length with a sign", "POST /echo HTTP/1.1\r\n" HOST "Content-Length: +5\r\n\r\nhello",
	  BAD, CLOSED },
	{ "an unknown transfer coding", "POST /echo HTTP/1.1\r\n" HOST
	  "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", BAD, CLOSED },
	{ "chunked in HTTP/1.0", "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	  BAD, CLOSED },
	{ "a folded header", "GET /echo HTTP/1.1\r\n" HOST "X: a\r\n b\r\n\r\n", BAD, CLOSED },
	{ "a space before the colon", "GET /echo HTTP/1.1\r\n" HOST "X : a\r\n\r\n", BAD, CLOSED },
	{ "a bare LF", "GET /echo HTTP/1.1\n" HOST "\r\n", BAD, CLOSED },
	{ "no Host", "GET /echo HTTP/1.1\r\n\r\n", BAD, CLOSED },
	{ "a chunk size that is none", "POST /echo HTTP/1.1\r\n" HOST
	  "Transfer-Encoding: chunked\r\n\r\nx\r\n", BAD, CLOSED },
	{ "a chunk longer than it says", "POST /echo HTTP/1.1\r\n" HOST
	  "Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n", BAD, CLOSED },
	{ "another version", "GET /echo HTTP/2.0\r\n" HOST "\r\n",
	  REFUSED("505 HTTP Version Not Supported", "E505"), CLOSED },
	{ "another expectation", "GET /echo HTTP/1.1\r\n" HOST "Expect: tea\r\n\r\n",
	  REFUSED("417 Expectation Failed", "E417"), CLOSED },
	{ "an error behind good requests comes in its turn",
	  "GET /later HTTP/1.1\r\n" HOST "\r\nGET /stream HTTP/1.1\r\n" HOST "\r\nnonsense\r\n\r\n",
	  OK("13", "GET /later []") CHUNKED("5\r\nfirst\r\n5\r\nagain\r\n0\r\n\r\n") BAD, CLOSED },
	{ "and one behind an answer to HEAD has its body",
	  "HEAD /echo HTTP/1.1\r\n" HOST "\r\nnonsense\r\n\r\n", OK("13", "") BAD, CLOSED },
	{ "nothing is told behind an error", "nonsense\r\n\r\nGET /echo HTTP/1.1\r\n" HOST "\r\n", BAD,
	  CLOSED },
};

static void hears(const struct row *r, struct stage *st, struct peer *p)
{
	struct slice got = buf_slice(&p->got);
	bool closed = p->ended || p->broken;

	if (!slice_eq(got, slice_of(r->hears)))
		fail_msg("%s: got\n%.*s\nexpected\n%s", r->sentence, SLICE_ARG(got), r->hears);
	row_holds(closed == (r->then != OPEN), r->sentence);
	row_holds(p->broken == (r->then == RESET), r->sentence);
	row_holds(client_door_count(st->door) == (r->then == OPEN), r->sentence);
}

static void each_is_answered_as_it_should(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct stage st;
		struct peer *p;

		stage_begin(&st, false);
		p = peer_connect(&st);
		peer_say(p, rows[i].says);
		sim_run_for(st.sim, 500);
		hears(&rows[i], &st, p);
		stage_end(&st);
	}
}

static void bytes_one_by_one_change_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct stage st;
		struct peer *p;

		stage_begin(&st, false);
		st.way->cuts = SIM_CUT_BYTES;
		p = peer_connect(&st);
		peer_say(p, rows[i].says);
		sim_run_for(st.sim, 500);
		hears(&rows[i], &st, p);
		stage_end(&st);
	}
}

static void a_cut_anywhere_changes_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct slice all = slice_of(rows[i].says);

		for (size_t cut = 1; cut < all.len; cut++) {
			struct stage st;
			struct peer *p;

			stage_begin(&st, false);
			p = peer_connect(&st);
			peer_write(p, slice_sub(all, 0, cut));
			sim_run_for(st.sim, (int64_t)(cut % 40));    /* before, during and after answers */
			if (!p->broken)
				peer_write(p, slice_from(all, cut));
			sim_run_for(st.sim, 500);
			hears(&rows[i], &st, p);
			stage_end(&st);
		}
	}
}

/* ---- 100 Continue -------------------------------------------------------------------- */

static void a_client_that_waits_to_continue_is_told_to(void **state)
{
	struct stage st;
	struct peer *p;

	(void)state;
	stage_begin(&st, false);
	p = peer_connect(&st);
	for (unsigned i = 0; i < 2; i++) {
		peer_say(p, "POST /echo HTTP/1.1\r\n" HOST "Expect: 100-continue\r\n"
			    "Content-Length: 2\r\n\r\n");
		peer_got(p, "HTTP/1.1 100 Continue\r\n\r\n");
		peer_say(p, "h");
		peer_got(p, "");
		peer_say(p, "i");
		peer_got(p, OK("15", "POST /echo [hi]"));
		peer_say(p, "POST /echo HTTP/1.1\r\n" HOST "Expect: 100-continue\r\n"
			    "Transfer-Encoding: chunked\r\n\r\n");
		peer_got(p, "HTTP/1.1 100 Continue\r\n\r\n");
		peer_say(p, "2\r\nhi\r\n0\r\n\r\n");
		peer_got(p, OK("15", "POST /echo [hi]"));
	}
	peer_say(p, "POST /echo HTTP/1.1\r\n" HOST "Expect: 100-continue\r\n"
		    "Content-Length: 2\r\n\r\nh");
	peer_got(p, "");        /* it does not wait */
	peer_say(p, "i");
	peer_got(p, OK("15", "POST /echo [hi]"));
	stage_end(&st);
}

static void a_body_too_large_is_refused_before_it_is_sent(void **state)
{
	struct stage st;
	struct peer *p;

	(void)state;
	stage_begin(&st, false);
	st.limits.body_bytes = 10;
	p = peer_connect(&st);
	peer_say(p, "POST /echo HTTP/1.1\r\n" HOST "Expect: 100-continue\r\n"
		    "Content-Length: 11\r\n\r\n");
	peer_got(p, REFUSED("413 Content Too Large", "E413"));
	sim_run_for(st.sim, 1);
	assert_true(p->ended);
	stage_end(&st);
}

/* ---- many at once ----------------------------------------------------------------------- */

static void ten_thousand_pipelined_requests_need_no_deep_stack(void **state)
{
	enum { COUNT = 10000 };
	struct buf all = BUF_INIT(4 * 1024 * 1024);
	struct stage st;
	struct peer *p;

	(void)state;
	stage_begin(&st, false);
	for (unsigned i = 0; i < COUNT; i++)
		buf_puts(&all, "GET /echo HTTP/1.1\r\n" HOST "\r\n");
	p = peer_connect(&st);
	peer_write(p, buf_slice(&all));
	sim_run_for(st.sim, 1000);
	assert_int_equal(st.requests, COUNT);
	assert_int_equal(buf_len(&p->got), COUNT * strlen(OK("12", "GET /echo []")));
	assert_int_equal(client_door_count(st.door), 1);
	buf_free(&all);
	stage_end(&st);
}

static void the_date_is_of_the_second(void **state)
{
	struct stage st;
	struct peer *p;

	(void)state;
	stage_begin(&st, false);
	p = peer_connect(&st);
	sim_run_for(st.sim, 998);
	peer_say(p, "HEAD /none HTTP/1.1\r\n" HOST "\r\n");
	peer_got(p, "HTTP/1.1 204 No Content\r\n" DATE "\r\n");
	sim_run_for(st.sim, 1);
	peer_say(p, "HEAD /none HTTP/1.1\r\n" HOST "\r\n");
	peer_got(p, "HTTP/1.1 204 No Content\r\nDate: Thu, 01 Jan 2026 00:00:01 GMT\r\n\r\n");
	stage_end(&st);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_is_answered_as_it_should),
		cmocka_unit_test(bytes_one_by_one_change_nothing),
		cmocka_unit_test(a_cut_anywhere_changes_nothing),
		cmocka_unit_test(a_client_that_waits_to_continue_is_told_to),
		cmocka_unit_test(a_body_too_large_is_refused_before_it_is_sent),
		cmocka_unit_test(ten_thousand_pipelined_requests_need_no_deep_stack),
		cmocka_unit_test(the_date_is_of_the_second),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
