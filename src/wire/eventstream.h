/* eventstream.h: AWS's binary event stream (application/vnd.amazon.eventstream;
 * Smithy's "Amazon Event Stream Specification"), in the shape of sse.h: a
 * splitter that hands on each frame both parsed and as the raw bytes it came in.
 *
 * A frame is: total length, length of the headers, CRC-32 of those two, headers,
 * payload, CRC-32 of all before it; numbers are big-endian. Both sums are
 * checked, the first before its lengths are believed. */
#ifndef BACKSTAY_WIRE_EVENTSTREAM_H
#define BACKSTAY_WIRE_EVENTSTREAM_H

#include "base/buf.h"
#include "base/slice.h"

#define EVENTSTREAM_TYPE_MAX 256

struct eventstream_event {
	struct slice raw;             /* the whole frame */
	/* What it is: the :event-type of an event ("contentBlockDelta"); of an
	 * exception ":exception/" and its name; of an error ":error/" and its code.
	 * Empty where a frame does not say. */
	struct slice type;
	struct slice data;            /* the payload; of an error the words of :error-message */
	struct slice headers;         /* as they stood; eventstream_next_header() reads them */
};

enum eventstream_step {
	EVENTSTREAM_MORE,
	EVENTSTREAM_EVENT,
	EVENTSTREAM_TOO_LONG,         /* a frame over the limit, or no memory for one */
	EVENTSTREAM_BROKEN,           /* a wrong sum, wrong lengths, headers that are none */
};

struct eventstream {
	struct buf pending;           /* a frame that is not complete yet, or was handed out last */
	size_t event_bytes_max;
	bool handed_out;              /* pending holds the frame of the last EVENTSTREAM_EVENT */
	char type[EVENTSTREAM_TYPE_MAX];
};

/* Frames over `event_bytes_max` (at least 16) bytes are EVENTSTREAM_TOO_LONG. No
 * memory is taken before a frame arrives in pieces, and none is kept between
 * frames. */
void eventstream_init(struct eventstream *p, size_t event_bytes_max);
/* Frees what the parser holds; it may be initialised again. */
void eventstream_free(struct eventstream *p);
/* Eats from the front of *in. EVENTSTREAM_EVENT: *ev is valid until the next call
 * (it points into the input or the parser). EVENTSTREAM_MORE: all of *in was
 * eaten. After TOO_LONG or BROKEN the parser must not be fed again. The result
 * does not depend on where the input is cut. */
enum eventstream_step eventstream_feed(struct eventstream *p, struct slice *in,
				       struct eventstream_event *ev);
/* What was left of a frame when the stream ended: not empty means that it was
 * cut. */
struct slice eventstream_rest(const struct eventstream *p);

/* Types of header values, as on the wire. */
enum eventstream_value {
	EVENTSTREAM_TRUE, EVENTSTREAM_FALSE, EVENTSTREAM_BYTE, EVENTSTREAM_SHORT, EVENTSTREAM_INT,
	EVENTSTREAM_LONG, EVENTSTREAM_BYTES, EVENTSTREAM_STRING, EVENTSTREAM_TIME, EVENTSTREAM_UUID,
	EVENTSTREAM_VALUES
};

/* Cuts the first header off *rest. `value` holds the bytes of the value without
 * their length. False at the end, and where what follows is no header (*rest is
 * then not empty). */
bool eventstream_next_header(struct slice *rest, struct slice *name, enum eventstream_value *type,
			     struct slice *value);

struct eventstream_header { struct slice name, value; };
/* Appends a frame with string headers. Names have 1 to 255 bytes, values at most
 * 32,767: must() fails on others. False, with nothing appended, where the buf's
 * maximum would be passed. */
MUST_USE bool eventstream_write(struct buf *out, const struct eventstream_header *headers,
				size_t count, struct slice payload);

#endif
