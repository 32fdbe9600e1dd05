/* Server-sent events: what is an event, and how it is cut. */
#include "tests/exact.h"
#include "wire/sse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#define TEXT_MAX (64 * 1024)

/* A stream put into words: events with something in them as
 * {type|data|id}, where data is '-' if there is none, ':' marks comments and '!' JSON
 * that lacks its data:;
 * then what was left, or "too long". Line ends in values show as '/'. */
struct outcome {
	struct buf text;
	struct buf raw;
	enum sse_step last;
};

static void describe(struct outcome *o, const struct sse_event *ev)
{
	if (!ev->has_data && !ev->has_comment && ev->type.len == 0 && ev->id.len == 0 &&
	    ev->stray.len == 0)
		return;
	buf_putf(&o->text, "{%.*s|", SLICE_ARG(ev->type));
	for (size_t i = 0; i < ev->data.len; i++) {
		bool lf = ev->data.at[i] == '\n';

		buf_put(&o->text, lf ? S("/") : slice_sub(ev->data, i, i + 1));
	}
	buf_putf(&o->text, "%s|%.*s%s%s%.*s}", ev->has_data ? "" : "-", SLICE_ARG(ev->id),
		 ev->has_comment ? ":" : "", ev->stray.len ? "!" : "", SLICE_ARG(ev->stray));
}

static void feed_in_steps(struct slice in, size_t bytes_max, size_t first, size_t step,
			  struct outcome *o)
{
	struct exact e = exact_create(in.len);
	size_t from = 0, to = first < in.len ? first : in.len;
	bool ended_in_cr = false;
	struct sse_event ev;
	struct sse p;

	*o = (struct outcome){ BUF_INIT(TEXT_MAX), BUF_INIT(TEXT_MAX), SSE_MORE };
	sse_init(&p, bytes_max);
	for (;;) {
		struct slice part = exact_copy(&e, slice_sub(in, from, to));

		/* An LF cut off its CR is the one thing that no block holds. */
		if (part.len > 0 && ended_in_cr && *part.at == '\n')
			buf_puts(&o->raw, "\n");
		ended_in_cr = ended_in_cr && part.len == 0;
		while ((o->last = sse_feed(&p, &part, &ev)) == SSE_EVENT) {
			assert_int_equal(sse_rest(&p).len, 0);
			buf_put(&o->raw, ev.raw);
			describe(o, &ev);
			ended_in_cr = part.len == 0 && slice_ends(ev.raw, S("\r"));
		}
		if (o->last == SSE_MORE)
			assert_int_equal(part.len, 0);
		if (o->last == SSE_TOO_LONG || to == in.len)
			break;
		from = to;
		to = in.len - to < step ? in.len : to + step;
	}
	if (o->last == SSE_TOO_LONG) {
		buf_puts(&o->text, "too long");
	} else {
		buf_put(&o->raw, sse_rest(&p));
		buf_put(&o->text, sse_rest(&p));
	}
	sse_free(&p);
	exact_free(&e);
}

static void outcome_free(struct outcome *o)
{
	buf_free(&o->text);
	buf_free(&o->raw);
}

/* The raw bytes are the input without its BOM. */
static bool raw_is_input(struct slice raw, struct slice in)
{
	return slice_eq(raw, slice_from(in, slice_starts(in, S("\xEF\xBB\xBF")) ? 3 : 0));
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
	if (cut.last == SSE_MORE && !raw_is_input(buf_slice(&cut.raw), in))
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

static const struct {
	struct slice in, text;
	const char *says;
} rows[] = {
	{ S_INIT(""), S_INIT(""), "nothing" },
	{ S_INIT("data: a\n\n"), S_INIT("{|a|}"), "an event" },
	{ S_INIT("data: a\n\ndata: b\n\n"), S_INIT("{|a|}{|b|}"), "two events" },
	{ S_INIT("data: a\r\n\r\ndata: b\r\n\r\n"), S_INIT("{|a|}{|b|}"), "CR LF" },
	{ S_INIT("data: a\r\rdata: b\r\r"), S_INIT("{|a|}{|b|}"), "CR" },
	{ S_INIT("data: a\n\r\ndata: b\r\n\ndata: c\r\r\ndata: d\n\rdata: e\r\n\r"),
	  S_INIT("{|a|}{|b|}{|c|}{|d|}{|e|}"), "all line ends mixed" },
	{ S_INIT("\xEF\xBB\xBF" "data: a\n\n"), S_INIT("{|a|}"), "a BOM is skipped" },
	{ S_INIT("\xEF\xBB\xBF"), S_INIT(""), "nothing but a BOM" },
	{ S_INIT("\xEF\xBB" "data: a\n\ndata: b\n\n"), S_INIT("{|b|}"),
	  "half a BOM is part of an unknown field" },
	{ S_INIT("\xEF\xBB\xBF\xEF\xBB\xBF" "data: a\n\ndata: b\n\n"), S_INIT("{|b|}"),
	  "a second BOM is part of an unknown field" },
	{ S_INIT("data: a\n\n\xEF\xBB\xBF" "data: b\n\n"), S_INIT("{|a|}"),
	  "a BOM further on is part of an unknown field" },
	{ S_INIT("\xEF"), S_INIT("\xEF"), "a third of a BOM is a rest" },
	{ S_INIT("data:a\n\n"), S_INIT("{|a|}"), "no space" },
	{ S_INIT("data:  a\n\n"), S_INIT("{| a|}"), "one space goes, the second stays" },
	{ S_INIT("data:\ta\n\n"), S_INIT("{|\ta|}"), "a tab is no space" },
	{ S_INIT("data: a: b\n\n"), S_INIT("{|a: b|}"), "only the first colon counts" },
	{ S_INIT("data\n\n"), S_INIT("{||}"), "data without colon is an empty line of data" },
	{ S_INIT("data:\n\n"), S_INIT("{||}"), "so is data with nothing behind it" },
	{ S_INIT("data: a\ndata: b\ndata:\ndata\ndata: c\n\n"), S_INIT("{|a/b///c|}"),
	  "lines of data are joined" },
	{ S_INIT("data\ndata\n\n"), S_INIT("{|/|}"), "two empty lines of data" },
	{ S_INIT("data:\ndata: a\n\n"), S_INIT("{|/a|}"), "an empty line, then another" },
	{ S_INIT("event: ping\ndata: {}\n\n"), S_INIT("{ping|{}|}"), "a type" },
	{ S_INIT("event: a\nevent: b\ndata: x\n\n"), S_INIT("{b|x|}"), "the last type counts" },
	{ S_INIT("event: a\ndata: x\n\ndata: y\n\n"), S_INIT("{a|x|}{|y|}"),
	  "a type is of one event" },
	{ S_INIT("event: a\n\n"), S_INIT("{a|-|}"), "a type without data" },
	{ S_INIT("id: 7\ndata: x\n\n"), S_INIT("{|x|7}"), "an id" },
	{ S_INIT("id: 7\0" "8\ndata: x\n\n"), S_INIT("{|x|}"), "an id with NUL is ignored" },
	{ S_INIT("retry: 5\ndata: x\n\n"), S_INIT("{|x|}"), "retry is ignored" },
	{ S_INIT("Data: x\ndatas: y\ndat: z\n data: a\n\ndata: b\n\n"), S_INIT("{|b|}"),
	  "unknown fields are ignored, and names have a case" },
	{ S_INIT("{\"error\":1}\n\ndata: b\n\n"), S_INIT("{|-|!{\"error\":1}}{|b|}"), "JSON without data:" },
	{ S_INIT("da\r\nta: {\"a\":1}\n\n"), S_INIT("{|-|!{\"a\":1}}"), "what is left of a damaged line" },
	{ S_INIT("data: \r\n{\"a\":1}\n\n"), S_INIT("{||!{\"a\":1}}"), "and cut behind its name" },
	{ S_INIT(": {\"a\":1}\nid: {\nevent: {\ndata: {}\n\n"), S_INIT("{{|{}|{:}"),
	  "not in comments, nor in what has a name" },
	{ S_INIT(": ping\n\n"), S_INIT("{|-|:}"), "a comment is a block of its own" },
	{ S_INIT(":\n\n"), S_INIT("{|-|:}"), "an empty comment" },
	{ S_INIT(": ping\ndata: a\n\n"), S_INIT("{|a|:}"), "a comment in an event" },
	{ S_INIT("data: a\n: data: b\n\n"), S_INIT("{|a|:}"), "a comment that looks like data" },
	{ S_INIT("\n\n\ndata: a\n\n\n\n"), S_INIT("{|a|}"), "blank lines too many mean nothing" },
	{ S_INIT("\r\r\n\n\rdata: a\r\n\r\n\r\n"), S_INIT("{|a|}"), "in every spelling" },
	{ S_INIT("data: a\n\n{\"error\":1}"), S_INIT("{|a|}{\"error\":1}"), "a rest is kept" },
	{ S_INIT("data: a\n\ndata: b\n"), S_INIT("{|a|}data: b\n"), "a block without blank line" },
	{ S_INIT("data: a\r"), S_INIT("data: a\r"), "a rest that ends in CR" },
	{ S_INIT("data: a\0b\xff\xc3\n\n"), S_INIT("{|a\0b\xff\xc3|}"), "data is any bytes" },
	{ S_INIT("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hello\"}}]}\n\n"
		 "data: [DONE]\n\n"),
	  S_INIT("{|{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hello\"}}]}|}{|[DONE]|}"),
	  "a chat, as it comes" },
};

static void reads_streams(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		check(rows[i].in, 4096, rows[i].text, rows[i].says);
}

static const struct {
	struct slice in, text;
	const char *says;
} long_rows[] = {                     /* up to 10 bytes */
	{ S_INIT("data: ab\n\n"), S_INIT("{|ab|}"), "ten bytes" },
	{ S_INIT("data: abc\n\n"), S_INIT("too long"), "eleven bytes" },
	{ S_INIT("data: ab\r\r\n"), S_INIT("{|ab|}"), "the LF behind the last CR is not counted" },
	{ S_INIT("data: a\r\n\r\n"), S_INIT("{|a|}"), "nor here" },
	{ S_INIT("data: ab\r\n\r\n"), S_INIT("too long"), "any other is" },
	{ S_INIT("data: abcd"), S_INIT("data: abcd"), "ten bytes that are no block yet" },
	{ S_INIT("data: abcde"), S_INIT("too long"), "eleven that are none" },
	{ S_INIT("data: a\n\ndata: abcde\n\n"), S_INIT("{|a|}too long"),
	  "what came before it is handed out" },
	{ S_INIT("\xEF\xBB\xBF" "data: ab\n\n"), S_INIT("{|ab|}"), "a BOM is not counted" },
	{ S_INIT("\xEF\xBB" "234567\n\n"), S_INIT(""), "half a BOM is" },
	{ S_INIT("\xEF\xBB" "2345678\n\n"), S_INIT("too long"), "up to the last byte" },
	{ S_INIT("data\ndata\n\n"), S_INIT("too long"), "lines count together" },
};

static void bounds_blocks(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(long_rows); i++)
		check(long_rows[i].in, 10, long_rows[i].text, long_rows[i].says);
}

static void takes_no_memory_for_whole_blocks(void **state)
{
	struct slice in = S("data: a\n\n: x\n\nevent: b\ndata: c\n\n"), start = in;
	struct sse_event ev;
	struct sse p;

	(void)state;
	sse_init(&p, 4096);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(sse_feed(&p, &in, &ev), SSE_EVENT);
		assert_true(ev.raw.at >= start.at);
		assert_true(ev.raw.at + ev.raw.len <= start.at + start.len);
		assert_null(p.pending.bytes);
		assert_null(p.joined.bytes);
	}
	assert_int_equal(sse_feed(&p, &in, &ev), SSE_MORE);
	sse_free(&p);
}

static void keeps_no_memory_between_blocks(void **state)
{
	struct slice a = S("data: a\nda"), b = S("ta: b\n\n");
	struct sse_event ev;
	struct sse p;

	(void)state;
	sse_init(&p, 4096);
	assert_int_equal(sse_feed(&p, &a, &ev), SSE_MORE);
	assert_int_equal(sse_feed(&p, &b, &ev), SSE_EVENT);
	assert_true(slice_eq(ev.data, S("a\nb")));
	assert_int_equal(sse_feed(&p, &b, &ev), SSE_MORE);
	assert_null(p.pending.bytes);
	assert_null(p.joined.bytes);
	sse_free(&p);
}

/* A CR is an end at once: an event never waits for an LF that may not come. */
static void hands_out_at_cr(void **state)
{
	struct slice a = S("data: a\r\n\r"), b = S("\ndata: b\r\n\r\n");
	struct sse_event ev;
	struct sse p;

	(void)state;
	sse_init(&p, 4096);
	assert_int_equal(sse_feed(&p, &a, &ev), SSE_EVENT);
	assert_true(slice_eq(ev.raw, S("data: a\r\n\r")));
	assert_int_equal(sse_feed(&p, &a, &ev), SSE_MORE);
	assert_int_equal(sse_feed(&p, &b, &ev), SSE_EVENT);
	assert_true(slice_eq(ev.raw, S("data: b\r\n\r\n")));
	sse_free(&p);
}

static void writes_events(void **state)
{
	static const struct {
		struct slice type, data, text;
		const char *says;
	} written[] = {
		{ S_INIT(""), S_INIT("a"), S_INIT("data: a\n\n"), "data only" },
		{ S_INIT("error"), S_INIT("{}"), S_INIT("event: error\ndata: {}\n\n"), "a type" },
		{ S_INIT(""), S_INIT(""), S_INIT("data: \n\n"), "empty data" },
		{ S_INIT(""), S_INIT("a\nb\n"), S_INIT("data: a\ndata: b\ndata: \n\n"),
		  "a data: line for each line" },
		{ S_INIT(""), S_INIT("a\r\nb\rdata: c"), S_INIT("data: a\ndata: b\ndata: data: c\n\n"),
		  "no CR gets through" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(written); i++) {
		struct buf b = BUF_INIT(4096);
		struct buf small = BUF_INIT(written[i].text.len - 1);

		sse_write(&b, written[i].type, written[i].data);
		if (!slice_eq(buf_slice(&b), written[i].text))
			fail_msg("%s: got '%.*s'", written[i].says, SLICE_ARG(buf_slice(&b)));
		assert_false(sse_try_write(&small, written[i].type, written[i].data));
		assert_int_equal(buf_len(&small), 0);
		buf_free(&b);
		buf_free(&small);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_streams),
		cmocka_unit_test(bounds_blocks),
		cmocka_unit_test(takes_no_memory_for_whole_blocks),
		cmocka_unit_test(keeps_no_memory_between_blocks),
		cmocka_unit_test(hands_out_at_cr),
		cmocka_unit_test(writes_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
