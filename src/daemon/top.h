/* top.h: the state of a proxy as a page of text for a terminal. */
#ifndef BACKSTAY_DAEMON_TOP_H
#define BACKSTAY_DAEMON_TOP_H

#include "base/buf.h"

#define TOP_BYTES_MAX ((size_t)1024 * 1024)

struct top_page {
	unsigned width, height;       /* of the terminal, in characters; height 0: as long as it gets */
	bool colour;
};

/* Appends the page: `state` is what GET /admin/state says, `troubles` what GET
 * /admin/exchanges?failed=1 says (empty: nothing). Lines end in '\n' and are cut
 * to the width; there are at most `height`. What came from outside is shown without
 * control characters. False: it is no such document; nothing was appended. */
bool top_draw(struct slice state, struct slice troubles, const struct top_page *page, struct buf *out);

#endif
