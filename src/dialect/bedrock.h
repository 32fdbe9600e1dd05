/* bedrock.h: what the files of the dialect of AWS Bedrock's Converse API share.
 * Not for other rooms. Sources: Amazon Bedrock API Reference (Converse,
 * ConverseStream, CountTokens and their types); User Guide, "Inference request
 * parameters" for the fields of single model families. */
#ifndef BACKSTAY_DIALECT_BEDROCK_H
#define BACKSTAY_DIALECT_BEDROCK_H

#include "dialect/codec.h"
#include "dialect/json_make.h"

/* Functions of the rows; contracts in struct codec. */
bool bedrock_write_request(struct arena *arena, const struct canon_request *r,
			   const struct codec_target *target, struct buf *out);
bool bedrock_write_count(struct arena *arena, const struct canon_request *r,
			 const struct codec_target *target, struct buf *out);
void bedrock_read_event(struct codec_reader *r, struct arena *scratch, struct slice type,
			struct slice data, struct canon_events *out);
enum fault bedrock_read_end(struct codec_reader *r, struct arena *scratch, struct canon_events *out);
enum fault bedrock_read_answer(struct codec_reader *r, struct slice body, struct canon_events *out);

/* Whose model it is: what the API leaves to "additional fields" is said
 * differently to each family. */
enum bedrock_family {
	BEDROCK_CLAUDE,
	BEDROCK_NOVA,
	BEDROCK_GPT,                 /* OpenAI's open models */
	BEDROCK_COHERE,
	BEDROCK_OTHER,               /* others, and names that do not tell (an ARN of a profile of one's own) */
};
/* By the model's name or ARN. */
enum bedrock_family bedrock_family_of(struct slice model);
/* A Claude that thinks within a budget of tokens only, and knows no adaptive
 * thinking. */
bool bedrock_thinks_by_budget(struct slice model);
/* Tells "Thinking" of the request to the model in the words of its family: writes
 * members of additionalModelRequestFields. Gives the effort that belongs into
 * outputConfig; empty: none. */
struct slice bedrock_put_thinking(struct json_make *m, const struct canon_request *r,
				  struct slice model);
/* In struct codec. */
uint64_t bedrock_lacks(const struct canon_request *r, const struct codec_target *target, uint64_t *softly);
/* May a pair of the caller's notes be told (raw strings)? AWS takes short ones of few
 * characters. */
bool bedrock_fits_metadata(struct slice key, struct slice value);
#define BEDROCK_METADATA_MAX 16
/* Is that a tier of the API (a word)? */
bool bedrock_knows_tier(struct slice tier);
/* Is a temperature (but the one that goes without saying) refused? */
bool bedrock_refuses_temperature(const struct canon_request *r, struct slice model);
/* Are there members to be written by bedrock_put_thinking()? */
bool bedrock_says_thinking(const struct canon_request *r, struct slice model);

/* The word of the API for a format, by mime type (a word); "png" for a picture
 * whose type is not said, "pdf" for a document. Static, or part of `mime`. */
struct slice bedrock_format(enum canon_part_kind kind, struct slice mime);

/* The fault of an error: its name as x-amzn-errortype or :exception-type has it,
 * decorations and case of the first letter aside; `status` 0 inside streams. */
enum fault bedrock_fault_of(struct slice name, int status, struct slice message);
/* The name of an error without what AWS puts around it ("com.amazon#Name:http://…"). */
struct slice bedrock_error_name(struct slice text);
/* The same fault that a stop reason stands for; FAULT_NONE for an ending. */
enum fault bedrock_fault_of_stop(struct slice reason);

#endif
