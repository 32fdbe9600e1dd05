/* mock_script.h: an answer as bytes and steps, composed as a whole before the
 * first byte is sent. Internal to the mock.
 *
 * A body script (what an endpoint writes) becomes a wire script (head, chunks,
 * faults of framing) by mock_frame(); a connection plays the wire script. */
#ifndef BACKSTAY_MOCK_MOCK_SCRIPT_H
#define BACKSTAY_MOCK_MOCK_SCRIPT_H

#include "base/buf.h"
#include "base/slice.h"

#include <stdint.h>

#define MOCK_SCRIPT_BYTES_MAX (256u << 20)

enum mock_step_kind {
	STEP_SEND,            /* bytes from..to; in a body script: one event, one chunk */
	STEP_WAIT,            /* ms */
	STEP_REPEAT,          /* go back `back` steps, `times` times in all */
	STEP_BAD_CHUNK,       /* body only: an invalid chunk size, then the connection ends */
	STEP_FINISHED,        /* the answer counts as finished, but the script goes on */
	STEP_HANG,            /* nothing more, until the client leaves */
	STEP_END,             /* the right end */
	STEP_END_CLOSE,       /* the right end, and of the connection too */
	STEP_CUT,             /* FIN in the middle */
	STEP_RESET,           /* RST in the middle */
};

struct mock_step {
	enum mock_step_kind kind;
	bool drip;                    /* may be sent in drips */
	uint32_t back, times;
	int64_t ms;
	size_t from, to;              /* offsets into bytes */
};

struct mock_script {
	struct buf bytes;
	struct mock_step *steps;
	size_t count, size;
	size_t open;                  /* where the piece being written began */
};

/* An empty script; takes no memory. */
void mock_script_init(struct mock_script *s);
/* Frees its memory; it is empty and usable again. */
void mock_script_free(struct mock_script *s);
/* Empty again, memory kept (above 64 KiB it is given back). */
void mock_script_clear(struct mock_script *s);
/* A piece: begin, write to s->bytes, end. An empty piece leaves no step. */
void mock_script_begin(struct mock_script *s);
void mock_script_end(struct mock_script *s);
/* A piece in one go. */
void mock_script_send(struct mock_script *s, struct slice bytes);
void mock_script_wait(struct mock_script *s, int64_t ms);       /* MOCK_FOR_EVER: STEP_HANG; <= 0: nothing */
void mock_script_step(struct mock_script *s, enum mock_step_kind kind);
/* The last `back` steps run `times` times in all (UINT32_MAX: for ever). */
void mock_script_repeat(struct mock_script *s, uint32_t back, uint32_t times);
/* Bytes of all pieces, repeats counted. */
uint64_t mock_script_total(const struct mock_script *s);

#endif
