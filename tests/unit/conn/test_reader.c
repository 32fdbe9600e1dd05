/* The same answer, whole, byte by byte and cut at every place: the same result,
 * and nothing but its own bytes is ever looked at. */
#include "conn/reader.h"
#include "tests/exact.h"
#include "../base/cm.h"

#include <stdio.h>
#include <string.h>

#define CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
#define GZIP "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: "
/* "hello hello hello" */
#define PACKED                                                                           \
	"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff\xcb\x48\xcd\xc9\xc9\x57\xc8\x40\x90\x00" \
	"\x80\x88\xf9\xe5\x11\x00\x00\x00"

struct row {
	const char *sentence;
	struct slice text;
	bool head_request;
	const char *story;            /* with the connection's clean end behind the text */
};

static const struct row rows[] = {
	{ "a length", S_INIT("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"), false,
	  "200 hello end+0" },
	{ "bytes behind it", S_INIT("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP"), false,
	  "200 hello end+4" },
	{ "bytes missing", S_INIT("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell"), false,
	  "200 hell cut: closed with 1 of 5 bytes of the body missing" },
	{ "chunks", S_INIT(CHUNKED "5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n"), false, "200 hello! end+0" },
	{ "chunks, an answer behind them",
	  S_INIT(CHUNKED "5\r\nhello\r\n0\r\nA: b\r\n\r\nHTTP/1.1"), false, "200 hello end+8" },
	{ "bad chunks", S_INIT(CHUNKED "5\r\nhello\n\n"), false,
	  "200 hello bad: the chunked framing is wrong after 5 bytes of body" },
	{ "until close", S_INIT("HTTP/1.1 200 OK\r\n\r\nhello"), false, "200 hello end+0" },
	{ "gzip in a length", S_INIT(GZIP "28\r\n\r\n" PACKED), false,
	  "200 hello hello hello end+0" },
	{ "gzip in chunks, in two members",
	  S_INIT("HTTP/1.1 200 OK\r\nContent-Encoding: x-gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
		 "1c\r\n" PACKED "\r\n1C\r\n" PACKED "\r\n0\r\n\r\n"), false,
	  "200 hello hello hellohello hello hello end+0" },
	{ "gzip whose connection ends before it",
	  S_INIT("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n"
		 "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff\xcb\x48\xcd\xc9\xc9\x57\xc8\x40\x90"),
	  false, "200 hello hello hello bad: the compressed body ends before its own end" },
	{ "an answer to HEAD", S_INIT("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"), true,
	  "200 end+0" },
	{ "interim heads", S_INIT("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nA: b\r\n"
				  "\r\nHTTP/1.1 204 No Content\r\n\r\n"), false, "204 end+0" },
	{ "above the limit", S_INIT(CHUNKED "28\r\n0123456789012345678901234567890123456789\r\n"),
	  false, "200 01234567890123456789012345678901234 bad: the answer is larger than the limit "
		 "of 35 bytes" },
	{ "nothing", S_INIT(""), false, "bad: closed without an answer" },
	{ "half a head", S_INIT("HTTP/1.1 200 OK\r\nA"), false,
	  "bad: closed after 18 bytes of the answer's head" },
	{ "junk", S_INIT("220 smtp.example ESMTP\r\n"), false,
	  "bad: the head of the answer is malformed: the status line is malformed" },
};

struct story {
	char text[512];
	size_t len;
};

static void tell(struct story *s, struct slice what)
{
	assert_true(s->len + what.len < sizeof s->text);
	memcpy(s->text + s->len, what.at, what.len);
	s->len += what.len;
	s->text[s->len] = '\0';
}

/* Pulls all there is. True if the story has ended. */
static bool pull(struct reader *r, struct story *s, bool keep)
{
	struct h1_head head;
	struct slice data;
	char word[64];

	for (;;) {
		switch (reader_next(r, &head, &data)) {
		case READER_MORE:
			return false;
		case READER_HEAD:
			snprintf(word, sizeof word, "%d ", head.status);
			tell(s, slice_of(word));
			break;
		case READER_DATA:
			tell(s, data);
			break;
		case READER_END:
			return true;
		default:
			tell(s, s->len > 4 ? S(" bad: ") : S("bad: "));
			tell(s, slice_of(r->text));
			return true;
		}
		if (keep)
			reader_keep(r);
	}
}

static void finish(struct reader *r, struct story *s, size_t not_given)
{
	char word[64];

	switch (reader_close(r, true, "closed")) {
	case READER_CUT:
		tell(s, S(" cut: "));
		tell(s, slice_of(r->text));
		return;
	case READER_END:
		snprintf(word, sizeof word, "%send+%zu", s->text[s->len - 1] == ' ' ? "" : " ",
			 reader_extra(r) + not_given);
		tell(s, slice_of(word));
		return;
	default:
		tell(s, s->len > 4 ? S(" bad: ") : S("bad: "));
		tell(s, slice_of(r->text));
	}
}

/* Pieces: the first of `first` bytes, the others of `others`. */
static void one(const struct row *row, size_t first, size_t others, bool keep)
{
	struct exact exact = exact_create(row->text.len + 1);
	struct story s = { .len = 0 };
	struct reader r;
	bool over = false;
	size_t at = 0;

	reader_init(&r, row->head_request, 35);
	for (size_t len = first; at < row->text.len && !over; len = others) {
		if (len > row->text.len - at)
			len = row->text.len - at;
		reader_give(&r, exact_copy(&exact, slice_sub(row->text, at, at + len)));
		at += len;
		over = pull(&r, &s, keep);
	}
	if (!over || r.state == READER_DONE) {
		size_t extra = reader_extra(&r);

		if (over) {
			r.in = SLICE_NONE;
			finish(&r, &s, extra + row->text.len - at);
		} else {
			finish(&r, &s, 0);
		}
	}
	if (strcmp(s.text, row->story) != 0)
		fail_msg("%s (first %zu, then %zu):\n  %s\n  not %s", row->sentence, first, others,
			 s.text, row->story);
	reader_free(&r);
	exact_free(&exact);
}

static void test_cuts(void **state)
{
	(void)state;
	for (unsigned i = 0; i < COUNT_OF(rows); i++) {
		for (int keep = 0; keep < 2; keep++) {
			one(&rows[i], rows[i].text.len, 1, keep);
			one(&rows[i], 1, 1, keep);
			one(&rows[i], 2, 3, keep);
			for (size_t cut = 1; cut < rows[i].text.len; cut++)
				one(&rows[i], cut, rows[i].text.len, keep);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_cuts) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
