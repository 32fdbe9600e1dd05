/* recall.h: what kept and shared answers have to do with an exchange.
 *
 *   recall.c         at the beginning and when nothing else is left: is there one to give?
 *   recall_key.c     which question is it, and whose?
 *   recall_canon.c   one question in several API languages is one question
 *   recall_embed.c   the vector of a question, for near matches by what is meant
 *   recall_keep.c    an answer that went well is kept
 *   recall_lease.c   of several machines one at a time asks for an answer
 *   recall_follow.c  identical requests under way share one answer
 *   give.c           an answer that is there already goes to the client
 *   last_resort.c    a model near by, or a fixed message
 */
#ifndef BACKSTAY_EXCHANGE_RECALL_H
#define BACKSTAY_EXCHANGE_RECALL_H

#include "cache/cache.h"
#include "cache/flight.h"
#include "cache/wishes.h"
#include "exchange/exchange.h"

/* A question whose vector is asked for. */
struct recall_embed {
	struct exchange *asks;        /* a request of our own; NULL: it has ended */
	void (*done)(struct recall_embed *e);
	float *numbers;               /* room for VECTOR_MAX, malloc'd */
	size_t count;                 /* 0: there is no vector */
	struct exchange *x;           /* on whose behalf, in an outage */
	struct io_timer told;
};

/* Longer questions have no vector made. */
#define RECALL_QUESTION_MAX ((size_t)16 * 1024)

/* Of an exchange whose model keeps or shares answers, and whose request is one to
 * keep; in its arena. */
struct recall {
	struct exchange *x;
	const struct cache_policy *policy;
	struct cache_wishes wishes;
	struct slice tags;            /* for the answer, should it be kept */
	struct cache_key key, flight_key;
	uint64_t context;             /* near matches: what must be equal; 0: none */
	uint32_t sketch[CACHE_SKETCH];        /* ... and what must be alike */
	uint64_t purges;              /* when the exchange began */
	bool may_keep;
	bool refresh;                 /* without a client: it fetches a new answer to keep */
	bool amid;                    /* what its client has of a shared answer may end amid an event */
	struct buf noted;             /* what the client was given, where no flight notes it */
	bool noted_lost;
	struct flight_guest guest;

	struct cache_look look;       /* in stores that take their time */
	bool looked;                  /* once is enough */
	struct cache_entry *found;    /* there */
	enum { RECALL_AT_FIRST, RECALL_GIVEN_UP, RECALL_LATE } stage;     /* when it looked */
	bool full;

	struct slice question;        /* for its vector; arena; empty: none is made */
	struct recall_embed *meaning; /* it is asked for, since nothing else is left; NULL: not yet */
	struct recall_embed *embed;   /* this exchange asks for somebody's */

	uint64_t lease_token;
	bool leased;                  /* no other machine asks for this answer meanwhile */
	bool waited;                  /* another did */
	mono_ms lease_until;          /* so long it is waited for */
	int64_t poll_ms;
	struct io_timer poll;
};

/* ---- for the conductor --------------------------------------------------------- */

/* At the door: reads the head's wishes, finds out which question it is. x->facts
 * and x->who are known, x->body is there. Leaves x->recall NULL where kept
 * answers do not concern the request. */
void recall_read(struct exchange *x, const struct h1_head *head, const struct model_policy *model);
/* At the beginning. True: it has been answered, refused, or waits for an
 * identical one; false: it is to be tried. */
bool recall_begin(struct exchange *x, mono_ms now);
/* Nothing else is left, for that reason (`full`: as in exchange_give_up()). True: a
 * kept answer has been given, or is looked for. */
bool recall_rescue(struct exchange *x, enum fault why, bool full, mono_ms now);
/* The commit point of an attempt. */
void recall_commit(struct exchange *x);
/* What goes to the client of an attempt's answer. */
void recall_note(struct exchange *x, struct slice bytes);
/* The answer has been whole. */
void recall_keep(struct exchange *x);
/* The client has gone; does the exchange go on for others? */
bool recall_goes_on(struct exchange *x);
/* The client takes more. */
void recall_drained(struct exchange *x, mono_ms now);
/* The key in hex, in `text`; empty where there is none. */
struct slice recall_key_text(const struct exchange *x, char text[static CACHE_KEY_TEXT]);
/* The exchange ends. */
void recall_end(struct exchange *x);

/* ---- among the files above -------------------------------------------------------- */

/* Fills in the keys. False: the request is none to keep. */
bool recall_find_key(struct recall *r, const struct h1_head *head, const struct model_policy *model);
/* Appends the request as a text that is the same for all API languages in which it
 * can be said. False: it is one language's own; `out` is in no particular state. */
bool recall_canonical(struct exchange *x, struct arena *scratch, struct buf *out);
/* The key of a request whose key in its own language is `own`, if this worker has seen
 * it before; and that it is `key`. */
bool recall_memo_get(struct exchanges *all, const struct cache_key *own, struct cache_key *out);
void recall_memo_set(struct exchanges *all, const struct cache_key *own, const struct cache_key *key);
/* Is the kept answer in the language the client asks in? */
bool recall_is_ours(const struct exchange *x, const struct cache_entry *e);
/* Appends it in that language. False: it cannot be said. */
bool recall_retell(struct exchange *x, const struct cache_entry *e, struct buf *out);
/* Sets r->flight_key from r->key. */
void recall_flight_key(struct recall *r);
/* Joins or leads a flight. True: it follows. */
bool recall_join(struct exchange *x, mono_ms now);
/* A leader: may it ask now, or does another machine already? True: recall_lease.c goes
 * on when it knows. */
bool recall_lease(struct exchange *x, mono_ms now);
/* Waits for no lease and has none any more. */
void recall_lease_end(struct exchange *x);
/* Gives the kept answer if it is a hit by now. */
bool recall_hit(struct exchange *x, mono_ms now);
/* For exchange_of_ours(): what goes to nobody is noted all the same. */
struct recall *recall_for_ours(struct exchange *x, const struct cache_policy *policy);
/* Goes on where it looked, once that is done. */
void recall_go_on(struct exchange *x, mono_ms now);
/* recall_embed.c: an answer was kept: its question's vector is asked for. */
void recall_embed_kept(struct exchange *x);
/* Asks for the vector of the question, now that nothing else is left; recall_go_on()
 * follows. False: there is no use in it, or it was asked for. */
bool recall_embed_look(struct exchange *x);
/* It is not waited for any more. */
void recall_embed_drop(struct exchange *x);
/* The exchange ends. */
void recall_embed_free(struct exchange *x);
/* Of an exchange that asks for a vector: its answer is whole; it ends. */
void recall_embed_heard(struct exchange *x);
void recall_embed_end(struct exchange *x);
/* Told by the flight that it follows or leads. */
void recall_on_news(struct flight_guest *g);
/* Neither leads nor follows any more. */
void recall_let_go(struct exchange *x);
/* Gives a kept answer. False: its form cannot be had. */
bool recall_give(struct exchange *x, struct cache_entry *e, enum cache_use use, mono_ms now);
/* Fetches a new answer for the key, on nobody's behalf, unless that is under way. */
void recall_refresh(struct exchange *x);

/* ---- give.c -------------------------------------------------------------------------- */

/* Gives a whole answer in the form the client asked for and ends the exchange, at
 * once or as the client takes it. x->cache, x->degraded_by and x->served_* say what it is.
 * `bytes` is copied where need be. */
void give_answer(struct exchange *x, struct slice bytes, int64_t pace_ms, mono_ms now);
/* give_pace.c: the stream's long texts in small pieces. False: it cannot be. */
MUST_USE bool give_cut(struct exchange *x, struct slice stream, struct buf *out);
/* Room for more. */
void give_more(struct exchange *x, mono_ms now);
/* The time for the request is over: what is left of a paced answer goes at once.
 * False: none is being given. */
bool give_hurry(struct exchange *x, mono_ms now);
/* Is a kept or shared answer being given in pieces, of which the last may have ended
 * amid an event? */
bool give_is_amid(const struct exchange *x);
/* The exchange ends. */
void give_free(struct exchange *x);
/* The head of an answer that no attempt gives; `length` as in client_respond_head(). */
void give_head(struct exchange *x, uint64_t length);

/* ---- last_resort.c ----------------------------------------------------------------------- */

/* Nothing else is left: asks the model named for that, or says the message. True:
 * it has. */
bool last_resort(struct exchange *x, enum fault why, mono_ms now);

/* Is it a fault behind which a lesser answer is better than none? */
bool recall_is_trouble(enum fault why);

#endif
