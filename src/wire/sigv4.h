/* sigv4.h: AWS Signature Version 4: who sent a request, and that nobody changed
 * it on its way (docs.aws.amazon.com, IAM User Guide, "Create a signed AWS API
 * request"). Pure: the time is an argument.
 *
 * Paths are encoded once more than they stand on the wire, as all services but
 * S3 want it: a model named "a:0" is asked for at "/model/a%3A0/converse", and
 * signed as "/model/a%253A0/converse". */
#ifndef BACKSTAY_WIRE_SIGV4_H
#define BACKSTAY_WIRE_SIGV4_H

#include "base/buf.h"
#include "base/digest.h"
#include "base/slice.h"

#define SIGV4_HEADERS_MAX 32
#define SIGV4_QUERY_MAX 64            /* parameters */
#define SIGV4_DATE_BYTES 17           /* "20150830T123600Z" and a NUL */
#define SIGV4_HEX_BYTES (2 * DIGEST_SHA256_BYTES + 1)

struct sigv4_header { struct slice name, value; };

/* A request as it is sent. Nothing in it is changed. */
struct sigv4_request {
	struct slice method;
	struct slice path, query;     /* as on the wire; the query without "?" */
	/* Those that are signed, "host" and "x-amz-date" among them, in any case and
	 * order; a name may come several times. */
	const struct sigv4_header *headers;
	size_t header_count;
	struct slice payload_hash;    /* SHA-256 of the body in lower-case hex */
};

/* What a signature is good for. */
struct sigv4_scope {
	struct slice date;            /* as sigv4_date() writes it */
	struct slice region, service;
};

struct sigv4_key { struct slice account, secret; };

/* Unix time in milliseconds as "20150830T123600Z"; times before 1970 are 1970. */
void sigv4_date(int64_t wall_ms, char out[static SIGV4_DATE_BYTES]);
/* Appends the canonical form of a request. False where it has more headers or
 * parameters than the limits above, or the buf's maximum is passed. */
MUST_USE bool sigv4_canonical(const struct sigv4_request *r, struct buf *out);
/* Appends what is signed: algorithm, date, scope and the digest of `canonical`. */
MUST_USE bool sigv4_to_sign(const struct sigv4_scope *scope, struct slice canonical, struct buf *out);
/* The signature in hex, NUL-terminated. */
void sigv4_sign(const struct sigv4_scope *scope, struct slice secret, struct slice to_sign,
		char out[static SIGV4_HEX_BYTES]);
/* Appends the value of the Authorization header. False as for sigv4_canonical(). */
MUST_USE bool sigv4_authorize(const struct sigv4_request *r, const struct sigv4_scope *scope,
			      const struct sigv4_key *key, struct buf *out);

#endif
