/* vectors.h: embeddings in the two forms in which APIs give them: an array of
 * numbers, or base64 of 32-bit floats, little-endian (what OpenAI's SDKs ask for
 * without being told). */
#ifndef BACKSTAY_DIALECT_VECTORS_H
#define BACKSTAY_DIALECT_VECTORS_H

#include "dialect/json_make.h"

/* Writes a raw vector of either form as an array, or (base64) as a string. A
 * number that is none counts as 0; a string that is no base64 ends there. */
void make_vector(struct json_make *m, const char *name, struct slice raw, bool base64);

#endif
