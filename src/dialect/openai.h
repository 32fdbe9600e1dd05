/* openai.h: what the files of the OpenAI dialect share. Not for other rooms. */
#ifndef BACKSTAY_DIALECT_OPENAI_H
#define BACKSTAY_DIALECT_OPENAI_H

#include "dialect/dialect.h"
#include "dialect/error_body.h"

/* The functions of the row; contracts in struct dialect. */
enum fault openai_read_request(struct arena *arena, const struct endpoint *endpoint,
			       struct slice content_type, struct slice path, struct slice body,
			       struct request_facts *out, struct slice *why, struct slice *param);
void openai_judge_answer(struct arena *arena, const struct endpoint *endpoint, int status,
			 const struct h1_head *head, struct slice body, int64_t wall_ms,
			 struct answer_facts *out);
void openai_judge_event(struct arena *arena, const struct endpoint *endpoint, struct slice type,
			struct slice data, struct stream_facts *so_far, struct event_facts *out);
enum fault openai_judge_end(const struct endpoint *endpoint, const struct stream_facts *so_far);
void openai_write_end(const struct endpoint *endpoint, const struct stream_facts *so_far,
		      struct buf *out);

/* The two ways of retelling, of the row too. */
bool openai_answer_to_stream(struct arena *arena, const struct endpoint *endpoint,
			     const struct request_facts *facts, struct slice body, struct buf *out);
bool openai_stream_to_answer(struct arena *arena, const struct endpoint *endpoint,
			     struct slice stream, struct buf *out);

/* Of the row: continuing a broken answer (openai_resume.c). */
enum resume_way openai_may_resume(const struct endpoint *endpoint,
				  const struct request_facts *facts, enum resume_way way);
size_t openai_change_request(const struct request_facts *facts, struct slice body,
			     const struct request_changes *changes, struct buf *room,
			     struct slice parts[static DIALECT_CHANGED_PARTS]);
void openai_read_identity(struct slice data, struct event_identity *out);
bool openai_rewrite_event(const struct endpoint *endpoint, struct slice data,
			  const struct event_rewrite *how, struct buf *out);

/* Of the row: an answer of our own (openai_message.c). */
bool openai_write_message(const struct endpoint *endpoint, struct slice text, struct slice model,
			  struct slice id, int64_t now_s, struct buf *out);

/* What stream_facts.private holds. */
enum {
	OPENAI_CHOICES_SEEN,         /* bit n: choice n had an event (63 stands for all above) */
	OPENAI_CHOICES_FINISHED,     /* bit n: choice n had its finish reason */
	OPENAI_NEXT_SEQUENCE,        /* Responses: the sequence_number that comes next */
	OPENAI_ITEMS,                /* Responses: which items there are; see openai_event.c */
};

/* The fault an error stands for. `status` is that of the answer; 0 for an error
 * inside a stream or a 200, where the error's own status counts if it has one.
 * `hinted`: the answer says when to come back, so that it is about pace and not
 * about money. */
enum fault openai_fault_of_error(const struct endpoint *endpoint, int status,
				 const struct error_body *error, bool hinted);
/* The fault of a finish reason that means the backend failed; FAULT_NONE for
 * all that are an end ("stop", "length", "content_filter", unknown ones). */
enum fault openai_fault_of_finish(struct slice reason);
/* Is the kind one whose answers and streams are understood (not passed)? */
bool openai_is_llm(const struct endpoint *endpoint);

#endif
