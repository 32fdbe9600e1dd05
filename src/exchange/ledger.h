/* ledger.h: what the client of a stream has been given, and how a continuation
 * is joined to it.
 *
 * The texts of an answer grow piece by piece: the content of each choice, its
 * reasoning, the arguments of each tool call. The ledger keeps each of them;
 * when the stream breaks, the seam compares what a continuation says with what
 * was sent: text that the client has is swallowed, text that contradicts it
 * ends the attempt, the rest goes on. Pure: no time, no I/O. */
#ifndef BACKSTAY_EXCHANGE_LEDGER_H
#define BACKSTAY_EXCHANGE_LEDGER_H

#include "base/arena.h"
#include "base/buf.h"
#include "dialect/dialect.h"

#define LEDGER_BYTES_MAX ((size_t)4 * 1024 * 1024)    /* beyond: no resume */
#define LEDGER_CHANNELS_MAX 64

struct channel {
	struct channel *next;
	unsigned choice;
	int call;
	struct slice name;            /* static, as in event_piece */
	struct buf text;              /* decoded; what the client has */
	size_t heard;                 /* of it, from the attempt that continues now */
};

struct ledger {
	struct arena *arena;
	struct channel *channels, **last;
	unsigned channel_count;
	size_t bytes;
	uint64_t finished;            /* bit n: choice n was told why it ends */
	unsigned tokens;              /* content-bearing pieces sent, a floor for tokens */
	bool lost;                    /* something was sent that is not kept: nothing can continue */
};

/* An empty ledger; channels live in `arena`, their texts are freed by
 * ledger_free(). */
void ledger_init(struct ledger *l, struct arena *arena);
/* Frees the texts; the ledger is lost afterwards. */
void ledger_free(struct ledger *l);
/* Notes an event that went to the client as it was. `scratch` is for decoding. */
void ledger_add(struct ledger *l, struct arena *scratch, const struct event_facts *event);
/* The content of the only choice, if nothing but it (and reasoning before it)
 * was sent: what another model can go on from. SLICE_NONE otherwise. */
struct slice ledger_plain_text(const struct ledger *l);

/* ---- the seam ------------------------------------------------------------------- */

enum seam_kind {
	SEAM_REPLAY,                  /* the continuation says everything again */
	SEAM_NATIVE,                  /* it goes on; some servers repeat the whole text first */
	SEAM_OVERLAP,                 /* it was asked to go on; it may repeat the end (24 bytes or more) */
};

enum seam_verdict {
	SEAM_SWALLOW,                 /* nothing in it is new to the client */
	SEAM_PASS,                    /* all of it is new */
	SEAM_RETELL,                  /* only the texts given are */
	SEAM_DIFFERS,                 /* it contradicts what was sent */
};

#define SEAM_TEXTS_MAX (EVENT_PIECES_MAX + 1)

struct seam {
	enum seam_kind kind;
	bool decided;                 /* NATIVE, OVERLAP: where the new text begins is known */
	bool passed;                  /* something new was told */
	struct buf held;              /* text that may be a repetition yet */
	/* Of the last event with SEAM_RETELL: */
	struct event_text texts[SEAM_TEXTS_MAX];
	unsigned text_count;
	uint64_t mute_finished;
};

/* Before a continuation's first event. */
void seam_init(struct seam *s, struct ledger *l, enum seam_kind kind);
void seam_free(struct seam *s);
/* Judges one event of the continuation and notes in the ledger what will go to
 * the client. s->texts lie in `scratch` or the seam and hold until the next
 * event. What says neither text nor why the answer ends (roles, usage) is new
 * once something new was told. */
enum seam_verdict seam_feed(struct seam *s, struct ledger *l, struct arena *scratch,
			    const struct event_facts *event);
/* The continuation is complete: what was held back is new after all, and in
 * s->texts. */
void seam_end(struct seam *s, struct ledger *l);
/* Has it told all that the client has? */
bool seam_caught_up(const struct ledger *l);

#endif
