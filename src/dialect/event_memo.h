/* event_memo.h: the event before, as a pattern for the next.
 *
 * The events of an answer differ in the text that they bring and in nothing else.
 * What was found of one is true of the next where all bytes before and behind that
 * text are the same and the text is a string: then only the text is looked at, and
 * neither lines nor JSON are taken apart. An event of 240 bytes in a burst cost
 * 6,850 instructions in all when each was judged by itself, 1,930 so. OpenAI pads
 * its events with an "obfuscation" behind the text: that may differ, too. Events that
 * are translated cost half as much, or less, for the reading that is saved.
 *
 * Why it is the same verdict: a reader of lines and of JSON is in the same state
 * before two strings that have the same bytes before them; a string that is valid
 * holds no line's end and leaves the JSON's reader where any other would; and
 * dialects whose judge does not care what a text says tell so (`repeats`, in
 * dialect.h); for others nothing may be learned. Events
 * that change what is known of their stream are no pattern. */
#ifndef BACKSTAY_DIALECT_EVENT_MEMO_H
#define BACKSTAY_DIALECT_EVENT_MEMO_H

#include "dialect/codec.h"
#include "dialect/dialect.h"
#include "wire/sse.h"

/* What an event may have beside its text; longer ones are judged each by itself. */
#define EVENT_MEMO_BYTES 480

struct event_memo {
	const void *of;               /* the endpoint or the codec whose events they are; NULL: nothing is known */
	uint16_t head_bytes, tail_bytes;      /* before the text, behind it; quotes are the text's */
	uint16_t padding_at;                  /* where in the tail a padding stood; 0: there is none */
	uint16_t type_at, type_bytes;         /* in the head */
	uint16_t data_at, data_left;          /* where data begins in the head; what is behind it in the tail */
	union {
		struct {                      /* judged */
			unsigned tokens;
			struct event_piece piece;     /* without its text */
			struct stream_facts facts;    /* before the event, and after it but for their count */
		};
		struct {                      /* read by a codec */
			uint64_t answer;
			struct codec_reader reader;   /* before the event, and after it */
			enum canon_event_kind kind;
			unsigned choice;
			int call;
		};
	};
	char bytes[EVENT_MEMO_BYTES];         /* head and tail */
};

/* Memos for the streams of one thread: a few, which streams share as it comes. */
struct event_memos;
struct event_memos *event_memos_create(void);
/* NULL is fine. */
void event_memos_free(struct event_memos *memos);
/* The one for the stream at that address. */
struct event_memo *event_memo_of(struct event_memos *memos, const void *stream);

/* Does `in`, the rest of a stream at the beginning of a block, begin with an event
 * like the one that is known? True: it has been eaten, and event, facts and so_far
 * are what sse_feed() and `dialect`'s judge_event() would have made of it. False:
 * nothing has changed. */
MUST_USE bool event_memo_take(const struct event_memo *m, const struct endpoint *endpoint, struct slice *in,
			      struct stream_facts *so_far, struct sse_event *event,
			      struct event_facts *facts);
/* An event has been judged, by a dialect that `repeats`: it is the pattern from now
 * on, if it is fit to be one. `before`: what was known of the stream before it. */
void event_memo_learn(struct event_memo *m, const struct endpoint *endpoint,
		      const struct sse_event *event, const struct event_facts *facts,
		      const struct stream_facts *before, const struct stream_facts *after);

/* The same for events that are read by a codec that `repeats`. `answer` tells the
 * reader's answer from all others of the thread: what a reader keeps to itself is only
 * known to be the same within one. *out, which is empty, gets the one event it is. */
MUST_USE bool event_memo_read(const struct event_memo *m, const struct codec_reader *r, uint64_t answer,
			      struct slice *in, struct sse_event *event, struct canon_events *out);
void event_memo_learn_read(struct event_memo *m, const struct codec_reader *before,
			   const struct codec_reader *after, uint64_t answer,
			   const struct sse_event *event, const struct canon_events *events);

#endif
