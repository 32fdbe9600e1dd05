/* h1.h: HTTP/1.0 and 1.1 message heads (RFC 9112), strict, both directions.
 *
 * Knows no socket: a head is parsed in one go once it is all there; nothing is
 * copied, every slice of the result points into the input. What RFC 9112 lets
 * a recipient repair, this parser refuses, since each repair is a way to
 * smuggle a request past somebody. */
#ifndef BACKSTAY_WIRE_H1_H
#define BACKSTAY_WIRE_H1_H

#include "base/buf.h"
#include "base/slice.h"

#define H1_HEADERS_MAX 128
#define H1_HEAD_BYTES_MAX (64 * 1024)

struct h1_header {
	struct slice name, value;     /* value without white space around it */
};

/* How the body behind a head is framed. */
enum h1_body {
	H1_BODY_NONE,
	H1_BODY_LENGTH,
	H1_BODY_CHUNKED,
	H1_BODY_UNTIL_CLOSE,          /* responses only */
};

struct h1_head {
	struct slice method, target;  /* requests */
	int status;                   /* responses: 100..599 */
	struct slice reason;
	unsigned minor;               /* HTTP/1.minor: 0 or 1 */
	enum h1_body body;
	uint64_t content_length;      /* H1_BODY_LENGTH: 0..INT64_MAX; else 0 */
	bool keep_alive;              /* may the connection carry another message after this one? */
	bool expect_continue;         /* requests: Expect: 100-continue */
	size_t bytes;                 /* length of the head, empty lines before and after included */
	uint64_t names;               /* h1_name_bit() of each header */
	unsigned header_count;
	/* Last, so that a copy need not have room for more than there are. */
	struct h1_header headers[H1_HEADERS_MAX];
};

/* name, status to answer a request with, sentence */
#define H1_RESULTS(X)                                                                          \
	X(OK,              200, "a complete head")                                             \
	X(MORE,            200, "the head is not complete yet")                                \
	X(BAD_LINE,        400, "the first line is not HTTP/1.x")                              \
	X(BAD_METHOD,      400, "the method is not a token")                                   \
	X(BAD_TARGET,      400, "the request target is malformed")                             \
	X(BAD_VERSION,     505, "only HTTP/1.0 and HTTP/1.1 are spoken here")                  \
	X(BAD_HEADER,      400, "a header line is malformed")                                  \
	X(BAD_NEWLINE,     400, "a line does not end with CR LF")                              \
	X(FOLDED,          400, "a header is folded over several lines")                       \
	X(BAD_HOST,        400, "the Host header is missing, repeated or malformed")           \
	X(BAD_LENGTH,      400, "Content-Length is malformed or contradicts itself")           \
	X(BAD_ENCODING,    400, "Transfer-Encoding is not exactly 'chunked'")                  \
	X(LENGTH_AND_ENCODING, 400, "Content-Length and Transfer-Encoding are both present")   \
	X(BAD_EXPECT,      417, "the only expectation understood is 100-continue")             \
	X(TOO_LARGE,       431, "the header section is larger than the limit")                 \
	X(TOO_MANY,        431, "there are more headers than the limit")                       \
	X(BAD_STATUS,      502, "the status line is malformed")
#define AS_ENUM(name, ...) H1_##name,
enum h1_result { H1_RESULTS(AS_ENUM) H1_RESULT_COUNT };
#undef AS_ENUM

/* Status for a client's bad request, and the sentence; both static. */
int h1_result_status(enum h1_result r);
const char *h1_result_text(enum h1_result r);

/* Parses the head at the front of `in`. `max_bytes` bounds the head (at most
 * H1_HEAD_BYTES_MAX is sensible). *scanned is 0 for a new head and remembers
 * how far the search for its end has come, so that a head that drips in costs
 * linear time. H1_MORE: call again with more bytes. Empty lines before a
 * request line are skipped (RFC 9112 2.2), at most two. */
enum h1_result h1_parse_request(struct slice in, size_t max_bytes, size_t *scanned,
				struct h1_head *out);
/* The same for a response to a request with method HEAD or not (framing
 * depends on it, RFC 9112 6.3). 1xx heads come out like others with body
 * NONE; the caller skips them. Content-Length together with chunked is
 * LENGTH_AND_ENCODING here too. */
enum h1_result h1_parse_response(struct slice in, size_t max_bytes, size_t *scanned,
				 bool to_head_request, struct h1_head *out);

/* Both: *out is meaningful on H1_OK only; up to header_count of its headers are
 * set. Whatever the pieces, a head gives one result. Junk is told at its first
 * bytes, any other offence but a bad newline once the head is all there. */

/* One bit for a name in any case; others may share it. What is looked for is hardly
 * ever there, and a bit that is missing tells so: of a name that the compiler knows
 * this is one test. */
static inline uint64_t h1_name_bit(struct slice name)
{
	unsigned sum = (unsigned)name.len;

	if (name.len > 0)
		sum += 5u * ((unsigned char)name.at[0] | 0x20u) + 11u * ((unsigned char)name.at[name.len - 1] | 0x20u);
	return UINT64_C(1) << (sum & 63);
}
/* The bits of all of them. */
uint64_t h1_name_bits(const struct slice *names, size_t count);
/* Is `name` (any case) one of them? `bits` are theirs. */
bool h1_is_among(struct slice name, const struct slice *names, size_t count, uint64_t bits);
/* Adds a header; for a head that was not parsed. There must be room for it. */
static inline void h1_add(struct h1_head *h, struct slice name, struct slice value)
{
	must(h->header_count < H1_HEADERS_MAX);
	h->headers[h->header_count++] = (struct h1_header){ name, value };
	h->names |= h1_name_bit(name);
}
/* What h1_get() does where the name may be there. */
struct slice h1_find(const struct h1_head *h, struct slice name);
/* Value of the first header of that name (any case); SLICE_NONE if absent (an
 * empty value has at != NULL). */
static inline struct slice h1_get(const struct h1_head *h, struct slice name)
{
	return h->names & h1_name_bit(name) ? h1_find(h, name) : SLICE_NONE;
}
/* Hop-by-hop by RFC 9110 7.6.1, or named by a Connection header of `h`. */
bool h1_is_hop_by_hop(const struct h1_head *h, struct slice name);

/* Writers; they append or abort (heads of ours are small). A value with CR, LF
 * or NUL in it is a mistake of ours: must() fails. */
void h1_write_request_line(struct buf *b, struct slice method, struct slice target);
void h1_write_status_line(struct buf *b, int status);
void h1_write_header(struct buf *b, struct slice name, struct slice value);
void h1_write_header_u64(struct buf *b, struct slice name, uint64_t value);
void h1_write_head_end(struct buf *b);
/* The standard reason phrase; "" if unknown. */
const char *h1_reason(int status);

#endif
