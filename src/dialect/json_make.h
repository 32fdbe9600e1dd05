/* json_make.h: writing a JSON document member by member into a bounded buf.
 * Commas come by themselves; what does not fit makes all of it fail, which is
 * asked once, at the end. */
#ifndef BACKSTAY_DIALECT_JSON_MAKE_H
#define BACKSTAY_DIALECT_JSON_MAKE_H

#include "dialect/json_out.h"

struct json_make {
	struct json_out out;
	bool comma;                  /* the next value is not the first of its container */
};

/* A document behind what `buf` holds; the buf is borrowed until the end. */
struct json_make json_make_start(struct buf *buf);
/* True if all fitted. Else the buf holds what it held at the start. */
bool json_make_finish(struct json_make *m);

/* Containers. `name`: the member it is, as a plain word without need of
 * escapes; NULL: an element of an array, or the document. */
void make_object(struct json_make *m, const char *name);
void make_object_end(struct json_make *m);
void make_array(struct json_make *m, const char *name);
void make_array_end(struct json_make *m);

/* Members as they are to stand ("\"a\":1,\"b\":2"); nothing at all where it is empty. */
void make_members(struct json_make *m, struct slice members);

/* Values, as a member or (name NULL) an element. */
/* A valid raw JSON value; put on one line. */
void make_raw(struct json_make *m, const char *name, struct slice raw);
/* The same; nothing at all where raw is empty: members that may be absent. */
void make_given(struct json_make *m, const char *name, struct slice raw);
/* A decoded text as a string. */
void make_text(struct json_make *m, const char *name, struct slice text);
/* The same; nothing at all where it is empty. */
void make_word(struct json_make *m, const char *name, struct slice text);
void make_i64(struct json_make *m, const char *name, int64_t n);
void make_bool(struct json_make *m, const char *name, bool on);
void make_null(struct json_make *m, const char *name);
/* A string made of raw pieces: begin, pieces (raw strings; their quotes are left
 * out), end. */
void make_string(struct json_make *m, const char *name);
void make_string_piece(struct json_make *m, struct slice raw);
void make_string_end(struct json_make *m);

#endif
