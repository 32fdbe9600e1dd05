/* credentials.h: credentials that are fetched and refreshed instead of written
 * in the config: tokens of Google, Microsoft Entra, the metadata servers of
 * clouds.
 *
 * A store belongs to one worker. It fetches what the config names as soon as it
 * has it, and again well before it expires (with jitter, so that workers and
 * machines do not ask together). While that fails, what is there is used to its
 * end, and the next try comes after a growing pause. Who needs one that is not
 * there waits for the fetch under way; where the last one has just failed it is
 * told so at once.
 *
 * What is asked and how an answer is read is a row of functions a kind
 * (struct credential_provider): pure, so that it can be tested on a table. */
#ifndef BACKSTAY_EXCHANGE_CREDENTIALS_H
#define BACKSTAY_EXCHANGE_CREDENTIALS_H

#include "base/arena.h"
#include "base/fault.h"
#include "base/list.h"
#include "config/config.h"
#include "conn/upstream.h"
#include "exchange/policy.h"

/* ---- the store ------------------------------------------------------------------ */

struct credentials;

/* What a backend is shown. Slices live until the store is called again or the
 * turn ends: copy what is to last. */
struct credential {
	struct slice token;           /* a bearer token; of AWS the session token, may be empty */
	struct slice account, secret; /* of AWS: access key id and secret access key; else empty */
	int64_t ahead_ms;             /* of AWS: how far the server's clock is before ours */
	uint64_t number;              /* of this one among all that the store has had; never 0 */
};

/* A store; everything is borrowed, of configs a reference is taken. The caller
 * ends it with credentials_free(). */
struct credentials *credentials_create(struct io *io, struct upstream_pool *pool,
				       const struct log *log, struct config *config);
/* From now on these credentials are kept fresh; what the new config has too
 * stays as it is. */
void credentials_set_config(struct credentials *all, struct config *config);
/* Nobody may be waiting. NULL is fine. */
void credentials_free(struct credentials *all);
/* Fetches under way; each may use a connection. */
size_t credentials_fetching(const struct credentials *all);

struct credential_counters {
	uint64_t fetches, faults;     /* so far */
	unsigned held, missing;       /* now: usable ones, and those that are wanted and not there */
};
/* Counts; fills *out. */
void credentials_count(const struct credentials *all, struct credential_counters *out);

/* The credential, if it is there and has not expired; else false. `policy` is of
 * `config`. */
bool credentials_now(struct credentials *all, struct config *config,
		     const struct credential_policy *policy, struct credential *out);

/* Somebody who waits; zero it and set `done` before first use. */
struct credential_wait {
	struct link link;
	/* Called once in a later step of the loop, unless cancelled. FAULT_NONE:
	 * credentials_now() has it. FAULT_CREDENTIAL: the other side does not want
	 * to give it. FAULT_CONNECT: it could not be asked. `text` is a sentence
	 * for the log, valid during the call. */
	void (*done)(struct credential_wait *w, enum fault why, struct slice text);
};
/* Waits for a credential (fetching it, if nobody does). */
void credentials_await(struct credentials *all, struct config *config,
		       const struct credential_policy *policy, struct credential_wait *w);
/* done() will not be called; fine if nobody waits. */
void credentials_forget(struct credentials *all, struct credential_wait *w);
/* A backend has refused the one with that number: it is not used any more, and
 * fetched anew. False, with nothing done: it was fetched within the last
 * seconds, so it is not age that is wrong with it. */
bool credentials_refused(struct credentials *all, const struct credential_policy *policy,
			 uint64_t number);

/* The clock of the server that signatures are shown to is `ahead_ms` before ours
 * (negative: behind). Heeded where it is not what was known: then true, and the
 * same question may be asked again with a new signature. */
bool credentials_clock(struct credentials *all, const struct credential_policy *policy, int64_t ahead_ms);

/* ---- kinds ------------------------------------------------------------------------ */

enum credential_step {
	CREDENTIAL_ASK,               /* method, path, headers and body of the fetch are to be sent */
	CREDENTIAL_FILE,              /* the file at `path` is to be read: the answer is its text, with
				       * status 200, or 404 where it cannot be read */
	CREDENTIAL_HAVE,              /* the result is there */
	CREDENTIAL_REFUSED,           /* the other side said no: asking again soon is of no use */
	CREDENTIAL_BROKEN,            /* it is in trouble, or answered nonsense */
};

/* One fetch: one or more questions. */
struct credential_fetch {
	const struct credential_policy *policy;
	struct arena *arena;          /* lives until the fetch is over */
	int64_t wall_ms;              /* Unix time */
	unsigned asked;               /* questions so far */

	/* The question. Headers are whole lines, "Name: value\r\n"... */
	struct slice method, path, headers, body;

	/* The result, in the arena. */
	struct credential result;
	int64_t lives_ms;             /* from now; -1: for ever */
	struct slice why;             /* REFUSED, BROKEN: a sentence that names the remedy */
	void *own;                    /* the kind's; arena */
};

struct credential_provider {
	/* The first question. */
	enum credential_step (*begin)(struct credential_fetch *f);
	/* Reads the answer to the last question; may ask another one (at most
	 * CREDENTIAL_ASKS_MAX in all). */
	enum credential_step (*answer)(struct credential_fetch *f, int status, struct slice body);
};
#define CREDENTIAL_ASKS_MAX 4

extern const struct credential_provider credential_google_key, credential_google_user,
	credential_google_metadata, credential_entra, credential_azure_metadata,
	credential_aws_keys, credential_aws_file, credential_aws_container, credential_aws_instance;

/* Reads what all token endpoints of OAuth answer (RFC 6749, 5.1 and 5.2) into the
 * fetch: HAVE, REFUSED or BROKEN. `who` begins the sentence of a refusal, "Google",
 * `remedy` ends it. */
enum credential_step credential_read_token(struct credential_fetch *f, int status, struct slice body,
					   const char *who, const char *remedy);
/* A form field, "&name=value", percent-encoded, appended to `out`. */
void credential_put_field(struct buf *out, const char *name, struct slice value);

#endif
