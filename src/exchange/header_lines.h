/* header_lines.h: headers kept for as long as an exchange lasts: as the lines of a
 * head, which take the least room. */
#ifndef BACKSTAY_EXCHANGE_HEADER_LINES_H
#define BACKSTAY_EXCHANGE_HEADER_LINES_H

#include "base/arena.h"
#include "wire/h1.h"

/* "Name: value\r\n" of each, in the arena. Names have no colon and values no CR in
 * them, as h1's parser sees to. */
struct slice header_lines(struct arena *arena, const struct h1_header *headers, size_t count);
/* The next of such lines, which are moved on; slices of them. False at their end. */
bool header_lines_next(struct slice *lines, struct h1_header *h);

#endif
