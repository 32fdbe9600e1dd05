/* reader.h: the bytes of one response, judged: interim heads skipped, the head
 * parsed, the body dechunked and decompressed, its end told from a cut.
 *
 * Knows no socket. Bytes are given piece by piece and results pulled one after
 * another; whatever the pieces, the results are the same (body pieces may be
 * cut differently). */
#ifndef BACKSTAY_CONN_READER_H
#define BACKSTAY_CONN_READER_H

#include "wire/chunked.h"
#include "wire/gzip.h"
#include "wire/h1.h"

/* 1xx heads before the final one (catalogue H13). */
#define READER_INTERIMS_MAX 16
enum reader_step {
	READER_MORE,                  /* all bytes given are eaten */
	READER_HEAD,                  /* *head is the final head; valid until the next call */
	READER_DATA,                  /* *data is a piece of the body; valid until the next call */
	READER_END,                   /* the body is complete; reader_extra() says what is left over */
	READER_BAD,                   /* the framing is wrong; text says how */
	READER_CUT,                   /* reader_close() only: the body is not complete; text says what lacks */
};

enum reader_state { READER_IN_HEAD, READER_IN_BODY, READER_DONE, READER_BROKEN };

struct reader {
	enum reader_state state;
	bool to_head_request;
	bool any;                     /* a byte of the response has come */
	bool keep_alive;              /* by its head */
	enum h1_body framing;
	uint64_t left, length;        /* H1_BODY_LENGTH: bytes to come, and of all */
	uint64_t wire_bytes;          /* body bytes that came, still compressed */
	uint64_t body_bytes, body_max;/* those handed out, and the most of them */
	bool over;                    /* more than that came */
	unsigned interims;
	size_t scanned;
	struct chunked chunked;
	struct gzip *gzip;            /* NULL: not compressed */
	bool unpacking, unpacked_whole;
	struct slice in, packed;      /* given and not eaten; `packed` lies before `in` */
	bool in_kept;                 /* they point into `kept` */
	struct buf head, kept;
	char *text;                   /* after BAD and CUT; NULL before */
};

/* A reader for the response to a request with method HEAD or not; more than
 * body_max decoded bytes are BAD, once body_max of them are handed out. Ended
 * with reader_free(). */
void reader_init(struct reader *r, bool to_head_request, uint64_t body_max);
void reader_free(struct reader *r);
/* More bytes; borrowed until they are eaten or reader_keep() is called. All
 * given before must have been eaten. */
void reader_give(struct reader *r, struct slice bytes);
/* The next result. After END and BAD: the same again. */
enum reader_step reader_next(struct reader *r, struct h1_head *head, struct slice *data);
/* Copies what is not eaten yet, so that the bytes given may go away. */
void reader_keep(struct reader *r);
/* True if bytes, or output of bytes, wait for reader_next(). */
bool reader_has_unread(const struct reader *r);
/* The connection ended: `clean` by FIN, else it broke. `how` begins the
 * sentence ("the connection was closed"). END, BAD (before the head) or CUT.
 * Everything given must have been eaten. */
enum reader_step reader_close(struct reader *r, bool clean, const char *how);
/* Bytes behind the end of the body (catalogue H02). */
size_t reader_extra(const struct reader *r);

#endif
