/* doc.h: writes one JSON document into a buf, member by member. Where the buf's
 * maximum would be passed nothing more is written and doc_good() says so: nobody
 * has to look at each step. */
#ifndef BACKSTAY_DAEMON_DOC_H
#define BACKSTAY_DAEMON_DOC_H

#include "base/buf.h"

struct doc {
	struct buf *out;
	bool full, follows;           /* a comma is due */
};

/* A document at the end of `out`. */
#define DOC(buffer) ((struct doc){ .out = (buffer) })
/* Has all of it been written? */
static inline bool doc_good(const struct doc *d)
{
	return !d->full;
}

/* Begins an object or a list; `name` NULL: as a list's element, or the document
 * itself. */
void doc_open(struct doc *d, const char *name);
void doc_close(struct doc *d);
void doc_open_list(struct doc *d, const char *name);
void doc_close_list(struct doc *d);
/* One value; `name` NULL: a list's element. */
void doc_text(struct doc *d, const char *name, struct slice text);
void doc_word(struct doc *d, const char *name, const char *text);
void doc_number(struct doc *d, const char *name, int64_t number);
void doc_real(struct doc *d, const char *name, double number);
/* Billionths of a dollar as dollars. */
void doc_money(struct doc *d, const char *name, int64_t nano_usd);
void doc_bool(struct doc *d, const char *name, bool value);
void doc_null(struct doc *d, const char *name);
/* A number, or null where it is not known. */
void doc_known(struct doc *d, const char *name, bool known, int64_t number);
/* A value that is JSON already; empty: null. */
void doc_raw(struct doc *d, const char *name, struct slice json);

#endif
