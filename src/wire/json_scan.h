/* json_scan.h: the one state machine under json.h, for the files of wire/ only.
 *
 * A walk goes through a document token by token and checks every byte on its
 * way. It keeps one bit a level (object or array), so it needs no memory and
 * cannot recurse. */
#ifndef BACKSTAY_WIRE_JSON_SCAN_H
#define BACKSTAY_WIRE_JSON_SCAN_H

#include "wire/json.h"

struct json_walk {
	const char *start, *at, *end;
	size_t depth;                 /* open containers */
	bool in_object;               /* the innermost is one */
	bool fresh;                   /* it has had no child yet */
	uint64_t objects[JSON_DEPTH_MAX / 64];
};

enum json_token_kind { JSON_TOKEN_SCALAR, JSON_TOKEN_OPEN, JSON_TOKEN_CLOSE };

struct json_token {
	enum json_token_kind kind;
	enum json_type type;          /* not set for CLOSE */
	bool key_escaped;
	struct slice key;             /* between the quotes, as spelled; objects only */
	struct slice raw;             /* a scalar's bytes; for OPEN: where it starts, length 1 */
};

/* Puts `w` before the first token of `doc`, which must outlive it. */
void json_walk_start(struct json_walk *w, struct slice doc);
/* The next token. On an error w->at is where it showed. JSON_EMPTY: no token.
 * Not to be called again after the outermost value has ended. */
MUST_USE enum json_result json_walk_step(struct json_walk *w, struct json_token *t);
/* The next child of the innermost container as one token (SCALAR or OPEN) with
 * all of its bytes in t->raw, or CLOSE for the container's end. */
MUST_USE enum json_result json_walk_child(struct json_walk *w, struct json_token *t);
/* After the outermost value: only space may follow. */
MUST_USE enum json_result json_walk_end(struct json_walk *w);

/* Opens `doc`, which must be an object: the next steps are its members. What is
 * broken anywhere in another document is told before JSON_NOT_OBJECT. */
MUST_USE enum json_result json_walk_object(struct json_walk *w, struct slice doc);
/* Gives `r`; where that is an error, *error_at (may be NULL) is its place. */
enum json_result json_walk_done(const struct json_walk *w, enum json_result r, size_t *error_at);

/* True where `raw` is exactly one string; *body is what stands between the
 * quotes, *escaped tells whether it holds a backslash. */
bool json_string_body(struct slice raw, struct slice *body, bool *escaped);
/* Compares the body of a valid string, decoded, with `text`. */
bool json_body_eq(struct slice body, bool escaped, struct slice text);

/* Goes on from `p`, inside a string, to behind its closing quote; *escaped is
 * set where there is a backslash. */
typedef enum json_result json_skip(struct json_walk *w, const char *p, bool *escaped);
/* The one for this processor; it may start anywhere in the string. */
extern json_skip *json_skip_long;

/* For tests: from now on strings are skipped with these instructions. False: the
 * processor has not got them, and nothing is changed. */
enum json_vectors { JSON_VECTORS_NONE, JSON_VECTORS_SSE2, JSON_VECTORS_AVX2 };
bool json_use_vectors(enum json_vectors which);

/* The first byte of p..end that is '"', '\\', a control character or not
 * ASCII; `end` where there is none. */
const char *json_plain_end(const char *p, const char *end);

enum json_utf8 { JSON_UTF8_GOOD, JSON_UTF8_BAD, JSON_UTF8_CUT };
/* Looks at the sequence at p < end. *len: its length; where it is bad, of the
 * part that one U+FFFD stands for (Unicode 15, section 3.9); where `end` cuts
 * it, of what is there. */
enum json_utf8 json_utf8_next(const char *p, const char *end, size_t *len);

#endif
