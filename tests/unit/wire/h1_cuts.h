/* h1_cuts.h: parses a head whole, byte by byte and cut at every place, checks
 * that it comes out the same, and puts the outcome into words. */
#ifndef BACKSTAY_TESTS_H1_CUTS_H
#define BACKSTAY_TESTS_H1_CUTS_H

#include "tests/exact.h"
#include "wire/h1.h"

/* In this order, since cmocka.h needs them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#define OUTCOME_MAX 8192

enum kind { REQUEST, RESPONSE, RESPONSE_TO_HEAD };

struct outcome {
	enum h1_result result;
	char text[OUTCOME_MAX];       /* of H1_OK */
};

static inline void outcome_describe(struct outcome *o, enum kind kind, const struct h1_head *h)
{
	static const char *const bodies[] = { "none", "length", "chunked", "until close" };
	size_t used = 0;

#define SAY(...) (used += (size_t)snprintf(o->text + used, used < sizeof o->text ? sizeof o->text - used : 0, __VA_ARGS__))
	if (kind == REQUEST)
		SAY("%.*s %.*s 1.%u", SLICE_ARG(h->method), SLICE_ARG(h->target), h->minor);
	else
		SAY("%d '%.*s' 1.%u", h->status, SLICE_ARG(h->reason), h->minor);
	for (unsigned i = 0; i < h->header_count; i++)
		SAY(" [%.*s=%.*s]", SLICE_ARG(h->headers[i].name), SLICE_ARG(h->headers[i].value));
	SAY(" body: %s", bodies[h->body]);
	if (h->body == H1_BODY_LENGTH)
		SAY(" %llu", (unsigned long long)h->content_length);
	SAY("%s%s", h->keep_alive ? ", keep" : ", close", h->expect_continue ? ", expects" : "");
	SAY(", %zu bytes", h->bytes);
#undef SAY
	assert_true(used < sizeof o->text);
}

static inline enum h1_result parse_once(enum kind kind, struct slice in, size_t bytes_max,
					size_t *scanned, struct h1_head *h)
{
	if (kind == REQUEST)
		return h1_parse_request(in, bytes_max, scanned, h);
	return h1_parse_response(in, bytes_max, scanned, kind == RESPONSE_TO_HEAD, h);
}

/* Shows the parser the first `first` bytes, then `step` more at a time. */
static inline void parse_in_steps(struct exact *e, enum kind kind, struct slice in,
				  size_t bytes_max, size_t first, size_t step, struct outcome *o)
{
	struct h1_head *h = malloc(sizeof *h);
	size_t scanned = 0, shown = first < in.len ? first : in.len;

	assert_non_null(h);
	memset(h, 0x5a, sizeof *h);
	o->text[0] = '\0';
	for (;;) {
		struct slice part = exact_copy(e, slice_sub(in, 0, shown));

		o->result = parse_once(kind, part, bytes_max, &scanned, h);
		if (o->result != H1_MORE || shown == in.len)
			break;
		shown = in.len - shown < step ? in.len : shown + step;
	}
	if (o->result == H1_OK)
		outcome_describe(o, kind, h);
	free(h);
}

static inline bool outcome_same(const struct outcome *a, const struct outcome *b)
{
	return a->result == b->result && strcmp(a->text, b->text) == 0;
}

/* The outcome, having made sure that it does not depend on the cuts. */
static inline void parse_all_ways(enum kind kind, struct slice in, size_t bytes_max,
				  const char *says, struct outcome *whole)
{
	struct exact e = exact_create(in.len);
	struct outcome *cut = malloc(sizeof *cut);

	assert_non_null(cut);
	parse_in_steps(&e, kind, in, bytes_max, in.len, 1, whole);
	parse_in_steps(&e, kind, in, bytes_max, 0, 1, cut);
	if (!outcome_same(whole, cut))
		fail_msg("%s: whole gives '%s' %s, byte by byte '%s' %s", says,
			 h1_result_text(whole->result), whole->text, h1_result_text(cut->result),
			 cut->text);
	for (size_t at = 1; at < in.len; at++) {
		parse_in_steps(&e, kind, in, bytes_max, at, in.len, cut);
		if (!outcome_same(whole, cut))
			fail_msg("%s: whole gives '%s' %s, cut at %zu '%s' %s", says,
				 h1_result_text(whole->result), whole->text, at,
				 h1_result_text(cut->result), cut->text);
	}
	free(cut);
	exact_free(&e);
}

/* A row of a table: a head, what it comes to, and why. */
struct bad_row {
	struct slice head;
	enum h1_result result;
	const char *says;
};

static inline void check_bad(enum kind kind, const struct bad_row *rows, size_t count)
{
	struct outcome *o = malloc(sizeof *o);

	assert_non_null(o);
	for (size_t i = 0; i < count; i++) {
		parse_all_ways(kind, rows[i].head, H1_HEAD_BYTES_MAX, rows[i].says, o);
		if (o->result != rows[i].result)
			fail_msg("%s: expected '%s', got '%s' %s", rows[i].says,
				 h1_result_text(rows[i].result), h1_result_text(o->result),
				 o->text);
	}
	free(o);
}

struct good_row {
	enum kind kind;
	struct slice head;
	const char *text;
	const char *says;
};

static inline void check_good(const struct good_row *rows, size_t count)
{
	struct outcome *o = malloc(sizeof *o);

	assert_non_null(o);
	for (size_t i = 0; i < count; i++) {
		parse_all_ways(rows[i].kind, rows[i].head, H1_HEAD_BYTES_MAX, rows[i].says, o);
		if (o->result != H1_OK)
			fail_msg("%s: refused: %s", rows[i].says, h1_result_text(o->result));
		if (strcmp(o->text, rows[i].text) != 0)
			fail_msg("%s: expected\n%s, got\n%s", rows[i].says, rows[i].text, o->text);
	}
	free(o);
}

#endif
