/* help.h: what the tests of the dialects share. */
#ifndef BACKSTAY_TESTS_DIALECT_HELP_H
#define BACKSTAY_TESTS_DIALECT_HELP_H

#include "../base/cm.h"

#include "dialect/dialect.h"

#include <stdio.h>
#include <string.h>

#define CHAT "/v1/chat/completions"
#define COMPLETIONS "/v1/completions"
#define RESPONSES "/v1/responses"
#define EMBEDDINGS "/v1/embeddings"
#define MESSAGES "/v1/messages"

/* The endpoint, which must exist. */
static inline const struct endpoint *endpoint_at(const char *method, const char *path)
{
	const struct dialect *dialect;
	const char *allow;
	const struct endpoint *e = dialect_endpoint(slice_of(method), slice_of(path), &dialect, &allow);

	if (!e)
		fail_msg("no endpoint %s %s", method, path);
	return e;
}

/* "a: b\nc: d" as a parsed head. */
static inline struct h1_head head_of(const char *lines)
{
	struct h1_head head = { .status = 200 };
	struct slice rest = slice_of(lines), line, name, value;

	while (rest.len) {
		if (!slice_cut(rest, '\n', &line, &rest)) {
			line = rest;
			rest = SLICE_NONE;
		}
		if (!slice_cut(line, ':', &name, &value))
			fail_msg("no header: %s", lines);
		h1_add(&head, name, slice_trim(value));
	}
	return head;
}

/* A struct usage for a table. */
#define COUNTED(known_, input, output, cached, reasoning)                                   \
	{ .known = known_, .input_tokens = input, .output_tokens = output,                  \
	  .cached_tokens = cached, .reasoning_tokens = reasoning }

/* For what comes as text in a table: NULL stands for nothing. */
static inline bool is_text(struct slice s, const char *text)
{
	return slice_eq(s, text ? slice_of(text) : SLICE_NONE);
}

#endif
