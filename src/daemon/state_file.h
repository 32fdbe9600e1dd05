/* state_file.h: small files in which something survives a restart. */
#ifndef BACKSTAY_DAEMON_STATE_FILE_H
#define BACKSTAY_DAEMON_STATE_FILE_H

#include "base/buf.h"

/* Writes it whole or not at all: a new file, for its owner's eyes only, takes the old
 * one's place. False with a reason in `why`. Blocks: not for a loop's thread. */
MUST_USE bool state_file_write(const char *path, struct slice text, char *why, size_t size);
/* Appends what is in the file, up to the buf's maximum; nothing where there is none. */
void state_file_read(const char *path, struct buf *out);

#endif
