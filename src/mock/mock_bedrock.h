/* mock_bedrock.h: what the mock's files about AWS share. Internal to the mock. */
#ifndef BACKSTAY_MOCK_MOCK_BEDROCK_H
#define BACKSTAY_MOCK_MOCK_BEDROCK_H

#include "mock/mock_internal.h"

/* What a request in another vendor's words says, in OpenAI's words: those the
 * invented model understands (mock_say). */
struct mock_retelling {
	struct buf *out;
	bool comma;
};

/* The beginning of the conversation, one message after another, its end: gives
 * the raw array, in the arena. */
struct mock_retelling mock_retell_start(struct mock *mock, struct buf *out);
/* A message with nothing but texts: raw strings in `parts`. */
void mock_retell_texts(struct mock_retelling *t, const char *role, const struct slice *parts, size_t count);
/* A message of any kind, raw. */
void mock_retell_raw(struct mock_retelling *t, struct slice message);
struct slice mock_retell_end(struct mock *mock, struct mock_retelling *t);

/* mock_bedrock_auth.c: is the request signed with the mock's key, "ID:SECRET" or
 * "ID:SECRET:TOKEN", or does it carry the key as a bearer token? False: refused, as
 * AWS does. */
bool mock_bedrock_may(struct mock *mock, const struct mock_request *r, const struct mock_behaviour *b,
		      struct mock_answer *a);
/* Answers of AWS's metadata servers: roles and keys. */
void mock_answer_aws(struct mock *mock, const struct mock_request *r, const struct mock_behaviour *b,
		     struct mock_answer *a);

/* An error of a behaviour in AWS's words: its name by the status. Static. */
const char *mock_bedrock_error_name(int status);
/* The text of the error that `b` stands for, decoded. */
struct slice mock_error_text(const struct mock_behaviour *b);

#endif
