/* AWS's binary event stream: what is a frame, what is none, and how it is cut. */
#include "tests/exact.h"
#include "wire/eventstream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#define TEXT_MAX (64 * 1024)

/* A stream put into words: frames as {type|data}, then what was left, as its
 * length, or how it ended. */
struct outcome {
	struct buf text;
	struct buf raw;
	enum eventstream_step last;
};

static void feed_in_steps(struct slice in, size_t bytes_max, size_t first, size_t step,
			  struct outcome *o)
{
	struct exact e = exact_create(in.len);
	size_t from = 0, to = first < in.len ? first : in.len;
	struct eventstream_event ev;
	struct eventstream p;

	*o = (struct outcome){ BUF_INIT(TEXT_MAX), BUF_INIT(TEXT_MAX), EVENTSTREAM_MORE };
	eventstream_init(&p, bytes_max);
	for (;;) {
		struct slice part = exact_copy(&e, slice_sub(in, from, to));

		while ((o->last = eventstream_feed(&p, &part, &ev)) == EVENTSTREAM_EVENT) {
			assert_int_equal(eventstream_rest(&p).len, 0);
			buf_put(&o->raw, ev.raw);
			buf_putf(&o->text, "{%.*s|%.*s}", SLICE_ARG(ev.type), SLICE_ARG(ev.data));
		}
		if (o->last != EVENTSTREAM_MORE || to == in.len)
			break;
		assert_int_equal(part.len, 0);
		from = to;
		to = in.len - to < step ? in.len : to + step;
	}
	if (o->last == EVENTSTREAM_TOO_LONG)
		buf_puts(&o->text, "too long");
	else if (o->last == EVENTSTREAM_BROKEN)
		buf_puts(&o->text, "broken");
	else if (eventstream_rest(&p).len)
		buf_putf(&o->text, "%zu", eventstream_rest(&p).len);
	if (o->last == EVENTSTREAM_MORE)
		buf_put(&o->raw, eventstream_rest(&p));
	eventstream_free(&p);
	exact_free(&e);
}

static void outcome_free(struct outcome *o)
{
	buf_free(&o->text);
	buf_free(&o->raw);
}

static void check_same(struct slice in, size_t bytes_max, size_t first, size_t step,
		       const struct outcome *whole, const char *says)
{
	struct outcome cut;

	feed_in_steps(in, bytes_max, first, step, &cut);
	if (cut.last != whole->last || !slice_eq(buf_slice(&cut.text), buf_slice(&whole->text)))
		fail_msg("%s: '%.*s' became '%.*s' when cut at %zu by %zu", says,
			 SLICE_ARG(buf_slice(&whole->text)), SLICE_ARG(buf_slice(&cut.text)),
			 first, step);
	if (cut.last == EVENTSTREAM_MORE && !slice_eq(buf_slice(&cut.raw), in))
		fail_msg("%s: raw bytes lost when cut at %zu by %zu", says, first, step);
	outcome_free(&cut);
}

static void check(struct slice in, size_t bytes_max, struct slice text, const char *says)
{
	struct outcome whole;

	feed_in_steps(in, bytes_max, in.len, 1, &whole);
	if (!slice_eq(buf_slice(&whole.text), text))
		fail_msg("%s: expected '%.*s', got '%.*s'", says, SLICE_ARG(text),
			 SLICE_ARG(buf_slice(&whole.text)));
	for (size_t step = 1; step <= 3; step++)
		check_same(in, bytes_max, 0, step, &whole, says);
	for (size_t at = 1; at < in.len; at++)
		check_same(in, bytes_max, at, in.len, &whole, says);
	outcome_free(&whole);
}

/* The vectors that AWS's own libraries are tested with, and what else may come. */
#define EMPTY "\0\0\0\x10\0\0\0\0\x05\xc2\x48\xeb\x7d\x98\xc8\xff"
#define PAYLOAD "\0\0\0\x1d\0\0\0\0\xfd\x52\x8c\x5a" "{'foo':'bar'}" "\xc3\x65\x39\x36"

static const struct {
	struct slice in, text;
	const char *says;
} rows[] = {
	{ S_INIT(""), S_INIT(""), "nothing" },
	{ S_INIT(EMPTY), S_INIT("{|}"), "a frame with nothing in it" },
	{ S_INIT(PAYLOAD), S_INIT("{|{'foo':'bar'}}"), "a payload without headers" },
	{ S_INIT(EMPTY PAYLOAD EMPTY), S_INIT("{|}{|{'foo':'bar'}}{|}"), "one behind the other" },
	{ S_INIT("\0\0\0\x2d\0\0\0\x10\x41\xc4\x24\xb8\x0a" "event-type" "\x04\0\0\xa0\x0c"
		 "{'foo':'bar'}" "\x36\xf4\x80\xa0"),
	  S_INIT("{|{'foo':'bar'}}"), "a header that is a number" },
	{ S_INIT("\0\0\0\x10\0\0\0\0\x05\xc2\x48\xeb\x7d\x98\xc8"), S_INIT("15"), "a cut frame" },
	{ S_INIT("\0\0\0\x10\0\0\0"), S_INIT("7"), "a cut prelude" },
	{ S_INIT("\0\0\0\x10\0\0\0\0\x05\xc2\x48\xeb\x7d\x98\xc8\xfe"), S_INIT("broken"), "a wrong sum" },
	{ S_INIT("\0\0\0\x1d\0\0\0\0\xfd\x52\x8c\x5a" "{'foo':'baz'}" "\xc3\x65\x39\x36"),
	  S_INIT("broken"), "a payload that was changed" },
	{ S_INIT("\0\0\0\x11\0\0\0\0\x05\xc2\x48\xeb"), S_INIT("broken"),
	  "a length that was changed is not waited for" },
	{ S_INIT("\0\0\0\x1d\0\0\0\x01\xfd\x52\x8c\x5a"), S_INIT("broken"),
	  "headers' length that was changed" },
	{ S_INIT(EMPTY "HTTP/1.1 200"), S_INIT("{|}broken"), "something else behind a frame" },
	{ S_INIT("data: {\"a\":1}\n\n"), S_INIT("broken"), "server-sent events are none" },
};

static void reads_frames(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		check(rows[i].in, 4096, rows[i].text, rows[i].says);
}

/* ---- what a frame says it is --------------------------------------------------- */

#define MESSAGE(type) { S_INIT(":message-type"), S_INIT(type) }

static const struct {
	struct eventstream_header headers[4];
	const char *payload, *text, *says;
} meanings[] = {
	{ { MESSAGE("event"), { S_INIT(":event-type"), S_INIT("contentBlockDelta") },
	    { S_INIT(":content-type"), S_INIT("application/json") } },
	  "{\"delta\":{}}", "{contentBlockDelta|{\"delta\":{}}}", "an event" },
	{ { MESSAGE("exception"), { S_INIT(":exception-type"), S_INIT("throttlingException") } },
	  "{\"message\":\"slow\"}", "{:exception/throttlingException|{\"message\":\"slow\"}}",
	  "an exception (E07)" },
	{ { { S_INIT(":exception-type"), S_INIT("x") }, { S_INIT(":event-type"), S_INIT("y") },
	    MESSAGE("exception") }, "{}", "{:exception/x|{}}", "the message type comes where it likes" },
	{ { MESSAGE("error"), { S_INIT(":error-code"), S_INIT("InternalError") },
	    { S_INIT(":error-message"), S_INIT("Something broke") } },
	  "", "{:error/InternalError|Something broke}", "an error tells all in headers" },
	{ { MESSAGE("exception") }, "{}", "{:exception/|{}}", "an exception without a name is one" },
	{ { { S_INIT(":event-type"), S_INIT("metadata") } }, "{}", "{metadata|{}}",
	  "without a message type it is an event" },
};

static void says_what_it_is(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(meanings); i++) {
		struct buf frame = BUF_INIT(4096);
		size_t count = 0;

		while (count < 4 && meanings[i].headers[count].name.len)
			count++;
		assert_true(eventstream_write(&frame, meanings[i].headers, count,
					      slice_of(meanings[i].payload)));
		check(buf_slice(&frame), 4096, slice_of(meanings[i].text), meanings[i].says);
		buf_free(&frame);
	}
}

static void bounds_frames(void **state)
{
	(void)state;
	check(S(PAYLOAD), 29, S("{|{'foo':'bar'}}"), "exactly the limit");
	check(S(PAYLOAD), 28, S("too long"), "a byte more");
	check(S(EMPTY PAYLOAD), 16, S("{|}too long"), "what came before it is handed out");
	check(slice_sub(S(PAYLOAD), 0, 12), 28, S("too long"), "known by its prelude alone");
}

static void takes_no_memory_for_whole_frames(void **state)
{
	struct slice in = S(EMPTY PAYLOAD EMPTY), start = in;
	struct eventstream_event ev;
	struct eventstream p;

	(void)state;
	eventstream_init(&p, 4096);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(eventstream_feed(&p, &in, &ev), EVENTSTREAM_EVENT);
		assert_true(ev.raw.at >= start.at);
		assert_true(ev.raw.at + ev.raw.len <= start.at + start.len);
		assert_null(p.pending.bytes);
	}
	assert_int_equal(eventstream_feed(&p, &in, &ev), EVENTSTREAM_MORE);
	eventstream_free(&p);
}

/* ---- headers --------------------------------------------------------------------- */

static void reads_all_types_of_headers(void **state)
{
	static const size_t lengths[] = { 0, 0, 1, 2, 4, 8, 3, 3, 8, 16 };
	struct slice rest = S("\1a\0" "\1b\1" "\1c\2C" "\1d\3DD" "\1e\4EEEE" "\1f\5FFFFFFFF" "\1g\6\0\3GGG"
			      "\1h\7\0\3HHH" "\1i\x8IIIIIIII" "\1j\x9JJJJJJJJJJJJJJJJ");
	enum eventstream_value type;
	struct slice name, value;

	(void)state;
	for (unsigned i = 0; i < EVENTSTREAM_VALUES; i++) {
		assert_true(eventstream_next_header(&rest, &name, &type, &value));
		assert_int_equal(name.len, 1);
		assert_int_equal(name.at[0], 'a' + (int)i);
		assert_int_equal(type, i);
		assert_int_equal(value.len, lengths[i]);
		assert_true(value.len == 0 || value.at[0] == 'A' + (int)i);
	}
	assert_false(eventstream_next_header(&rest, &name, &type, &value));
	assert_int_equal(rest.len, 0);
}

static void refuses_what_is_no_header(void **state)
{
	static const struct { struct slice in; const char *says; } bad[] = {
		{ S_INIT("\0\0"), "no name" },
		{ S_INIT("\1"), "a cut name" },
		{ S_INIT("\1a"), "no type" },
		{ S_INIT("\1a\x0a"), "an unknown type" },
		{ S_INIT("\1a\x04" "123"), "a cut number" },
		{ S_INIT("\1a\x07"), "no length" },
		{ S_INIT("\1a\x07\0"), "half a length" },
		{ S_INIT("\1a\x07\0\2b"), "a cut string" },
		{ S_INIT("\1a\x09" "123456789012345"), "a cut uuid" },
	};
	enum eventstream_value type;
	struct slice name, value;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		struct slice rest = bad[i].in;

		if (eventstream_next_header(&rest, &name, &type, &value) || rest.len == 0)
			fail_msg("%s", bad[i].says);
	}
}

static void writes_what_it_reads(void **state)
{
	struct eventstream_header headers[] = { { S(":event-type"), S("x") }, { S("y"), S("") } };
	struct buf out = BUF_INIT(200);
	struct eventstream_event ev;
	struct eventstream p;
	struct slice in;

	(void)state;
	assert_true(eventstream_write(&out, NULL, 0, S("")));
	assert_true(slice_eq(buf_slice(&out), S(EMPTY)));
	assert_true(eventstream_write(&out, NULL, 0, S("{'foo':'bar'}")));
	assert_true(slice_eq(buf_slice(&out), S(EMPTY PAYLOAD)));
	buf_clear(&out);
	assert_true(eventstream_write(&out, headers, 2, S("\0\1\2")));
	in = buf_slice(&out);
	eventstream_init(&p, 4096);
	assert_int_equal(eventstream_feed(&p, &in, &ev), EVENTSTREAM_EVENT);
	assert_true(slice_eq(ev.data, S("\0\1\2")));
	assert_true(slice_eq(ev.type, S("x")));
	eventstream_free(&p);
	buf_free(&out);
	out = BUF_INIT(20);
	assert_false(eventstream_write(&out, headers, 2, S("")));
	assert_int_equal(buf_len(&out), 0);
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_frames),
		cmocka_unit_test(says_what_it_is),
		cmocka_unit_test(bounds_frames),
		cmocka_unit_test(takes_no_memory_for_whole_frames),
		cmocka_unit_test(reads_all_types_of_headers),
		cmocka_unit_test(refuses_what_is_no_header),
		cmocka_unit_test(writes_what_it_reads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
