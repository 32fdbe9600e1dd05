/* cohere.h: what the files of Cohere's dialect share. Not for other rooms.
 * Source: docs.cohere.com, API Reference v2, "Chat", "Chat with streaming",
 * "Embed", "Errors". */
#ifndef BACKSTAY_DIALECT_COHERE_H
#define BACKSTAY_DIALECT_COHERE_H

#include "dialect/codec.h"
#include "dialect/error_body.h"
#include "dialect/json_make.h"

/* Functions of the rows; contracts in struct codec. */
uint64_t cohere_lacks(const struct canon_request *r, const struct codec_target *target, uint64_t *softly);
bool cohere_write_request(struct arena *arena, const struct canon_request *r,
			  const struct codec_target *target, struct buf *out);
void cohere_read_event(struct codec_reader *r, struct arena *scratch, struct slice type,
		       struct slice data, struct canon_events *out);
enum fault cohere_read_end(struct codec_reader *r, struct arena *scratch, struct canon_events *out);
enum fault cohere_read_answer(struct codec_reader *r, struct slice body, struct canon_events *out);

/* Cohere's usage (of an answer, "usage"; of embeddings, "meta"): what the model
 * read and wrote, else what is paid for. *out is left alone where there is
 * neither. */
void cohere_read_usage(struct slice raw, struct usage *out);

/* The members of an embed request but its model; fails `m` for inputs that are no text. */
void cohere_put_texts(struct json_make *m, const struct canon_request *r, bool base64);
/* In struct codec: the answer of embed. */
enum fault cohere_read_vectors(struct codec_reader *r, struct slice body, struct canon_events *out);

#endif
