/* json.h: JSON (RFC 8259) for bodies that are not ours.
 *
 * Three tools: a scanner that validates a document and finds top-level members
 * without building anything; a small tree over slices (numbers keep their
 * text, strings are decoded on demand) for small documents; a writer. Depth is
 * bounded; input must be valid UTF-8. */
#ifndef BACKSTAY_WIRE_JSON_H
#define BACKSTAY_WIRE_JSON_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/slice.h"

#define JSON_DEPTH_MAX 256            /* containers open at once; a multiple of 64 */
#define JSON_TREE_MAX  (1u << 20)     /* values in one tree: 64 MiB of nodes */

enum json_type {
	JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT
};

/* name, sentence */
#define JSON_RESULTS(X)                                                   \
	X(OK,          "valid")                                           \
	X(EMPTY,       "the document is empty")                           \
	X(SYNTAX,      "not valid JSON")                                  \
	X(CUT,         "the document ends in the middle")                 \
	X(TRAILING,    "something follows the document")                  \
	X(DEPTH,       "nested too deeply")                               \
	X(UTF8,        "not valid UTF-8")                                 \
	X(NOT_OBJECT,  "the document is not an object")                   \
	X(DUPLICATE,   "a member that decides the routing appears twice") \
	X(TOO_MANY,    "more values than a tree may hold")
#define AS_ENUM(name, ...) JSON_##name,
enum json_result { JSON_RESULTS(AS_ENUM) JSON_RESULT_COUNT };
#undef AS_ENUM
const char *json_result_text(enum json_result r);

/* ---- scanner ------------------------------------------------------------ */

/* A string that is looked for. */
struct json_word {
	struct slice text;            /* set by the caller; without anything to escape */
	bool seen;                    /* filled in */
};

/* A top-level member that the caller wants. */
struct json_want {
	struct slice name;            /* set by the caller, decoded spelling */
	struct json_word *words;      /* likewise; looked for among all strings and keys of
				       * the value, where they are spelled without escapes */
	size_t word_count;
	/* Filled in; type is meaningful only if found. */
	bool found;
	enum json_type type;
	struct slice value;           /* the raw value: strings with quotes and escapes */
};

/* Validates all of `doc`, which must be an object, and finds wanted members
 * (also when their key is spelled with escapes). A wanted member that appears
 * twice is JSON_DUPLICATE. On an error *error_at (may be NULL) is the byte
 * offset where it showed, and no want is found. JSON_CUT: more bytes could make
 * it valid JSON. One pass, no memory; nothing is read outside `doc`. */
MUST_USE enum json_result json_scan_object(struct slice doc, struct json_want *wants, size_t count,
					   size_t *error_at);
/* Several levels of members wanted at once, made once and for all. */
struct json_shape;
struct json_name {
	struct slice name;            /* decoded spelling, below 64 bytes */
	const struct json_shape *inside;  /* wanted inside its value, if that is an object; of an
				       * array, inside the only element. NULL: nothing */
};
struct json_shape {
	const struct json_name *names;
	size_t count;
	size_t first;                 /* where the findings of its names begin */
	uint64_t lengths;             /* bit n: a name has n bytes */
};
/* For the names: JSON_LENGTH("id") | JSON_LENGTH("model") ... */
#define JSON_LENGTH(literal) (UINT64_C(1) << (sizeof(literal) - 1))

struct json_finding {
	bool found;
	enum json_type type;          /* meaningful only if found */
	struct slice value;           /* raw */
};

/* As json_scan_object(), for a shape: validates all of `doc` in one pass and
 * fills in findings[first + i] for each name of the shape and of those inside.
 * The caller zeroes them. *odd is set where those inside do not tell all: a name
 * inside is there twice (the first counts), or an array has more than one
 * element or one that is no object; who cares looks at the raw value. On an
 * error findings are meaningless. */
MUST_USE enum json_result json_scan_shape(struct slice doc, const struct json_shape *shape,
					  struct json_finding *findings, bool *odd, size_t *error_at);
/* Validates any document. */
MUST_USE enum json_result json_validate(struct slice doc, size_t *error_at);
/* Walks the members of a valid raw object, or elements of a valid raw array,
 * without a tree: *rest starts as the raw value; false at the end. `key` is
 * raw with quotes (empty for arrays; may be NULL). Safe on invalid input too:
 * false where it stops being JSON. */
bool json_next(struct slice *rest, struct slice *key, struct slice *value);
/* The string that `in` begins with: *raw is it, with its quotes; *escaped: there is a
 * backslash in it. False: none begins there, or it is broken or cut. */
MUST_USE bool json_string_at(struct slice in, struct slice *raw, bool *escaped);
/* Type of a raw value by its first byte behind space; JSON_NULL where that
 * begins no value. */
enum json_type json_type_of(struct slice raw);
/* A member of a valid raw object; SLICE_NONE if absent. Names are compared
 * decoded. The first of several wins. */
struct slice json_member(struct slice raw_object, struct slice name);
/* json_member() along a path such as "error.code" (dots; digits index arrays);
 * an empty path is the value itself. */
struct slice json_path(struct slice raw, struct slice path);

/* ---- values -------------------------------------------------------------- */

/* The text of a raw string: a slice of the input where it has no escapes, else
 * decoded into the arena. Lone surrogates become U+FFFD. Not a string: SLICE_NONE. */
struct slice json_string(struct arena *arena, struct slice raw);
/* Compares a raw string, decoded, with `text`; false if it is no string. */
bool json_string_eq(struct slice raw, struct slice text);
/* A raw number without fraction or exponent, within int64. */
bool json_i64(struct slice raw, int64_t *out);
bool json_is_true(struct slice raw);
/* Absent (SLICE_NONE) or null. */
bool json_is_nothing(struct slice raw);

/* ---- tree ----------------------------------------------------------------- */

struct json {
	enum json_type type;
	struct slice raw;             /* the value as it stood */
	struct slice key;             /* raw, in objects */
	struct json *first, *next;    /* children; next sibling */
	size_t count;                 /* children */
};

/* A tree in the arena over `doc`, which must outlive it. NULL on error, with
 * the reason in *why and its place in *error_at (both may be NULL). */
struct json *json_parse(struct arena *arena, struct slice doc, enum json_result *why,
			size_t *error_at);
/* Child by decoded name (the first of several) or index; NULL if absent or `j`
 * is NULL or not the right container. Both walk the children: loop with
 * first/next, not with json_at(). */
const struct json *json_get(const struct json *j, struct slice name);
const struct json *json_at(const struct json *j, size_t index);

/* ---- writer ---------------------------------------------------------------- */

/* Appends a string with quotes and the escapes it needs; broken UTF-8 becomes
 * U+FFFD, so that the output is always valid. Appends or aborts. */
void json_write_string(struct buf *b, struct slice text);
/* The same; false where the buf's maximum would be passed. */
MUST_USE bool json_try_write_string(struct buf *b, struct slice text);

#endif
