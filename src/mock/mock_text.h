/* mock_text.h: invented texts in pieces (tokens). Internal to the mock. */
#ifndef BACKSTAY_MOCK_MOCK_TEXT_H
#define BACKSTAY_MOCK_MOCK_TEXT_H

#include "base/buf.h"
#include "base/slice.h"

#include <stdint.h>

struct mock_text {
	struct buf text;
	uint32_t *ends;               /* piece i ends before ends[i] */
	size_t count, size;
};

/* An empty text; takes no memory. */
void mock_text_init(struct mock_text *t);
/* Frees its memory; it is empty and usable again. */
void mock_text_free(struct mock_text *t);
/* No pieces; the memory is kept. */
void mock_text_clear(struct mock_text *t);
/* `count` words by `seed`, some of them not ASCII; the same for ever. */
void mock_text_words(struct mock_text *t, uint64_t seed, size_t count);
/* `text` in pieces of a word each. */
void mock_text_split(struct mock_text *t, struct slice text);
/* `text` in pieces of about `piece` bytes, no character cut. */
void mock_text_cut(struct mock_text *t, struct slice text, size_t piece);
/* Keeps the first `count` pieces. */
void mock_text_keep(struct mock_text *t, size_t count);
/* Keeps what is before byte `at`. */
void mock_text_keep_bytes(struct mock_text *t, size_t at);
/* Drops the first `count` bytes; a piece cut by it keeps its rest. */
void mock_text_drop_bytes(struct mock_text *t, size_t count);
struct slice mock_text_piece(const struct mock_text *t, size_t index);

/* JSON that fits a (simple) JSON schema, raw; invented by `seed`. `root` is the
 * schema that $ref starts from. */
void mock_json_by_schema(struct buf *out, struct slice schema, uint64_t seed);

#endif
