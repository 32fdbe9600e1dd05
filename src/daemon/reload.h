/* reload.h: notices that the config's file has changed and reads it, away from
 * the loop. */
#ifndef BACKSTAY_DAEMON_RELOAD_H
#define BACKSTAY_DAEMON_RELOAD_H

#include "base/digest.h"
#include "config/config.h"

struct reload;

struct reload_setup {
	struct io *io;
	const char *path;             /* borrowed */
	uint8_t sha256[DIGEST_SHA256_BYTES];  /* of the bytes that the config in use came from */
	int64_t look_ms;              /* how often to look */
	/* A new snapshot, whose reference the owner gets. */
	void (*on_config)(void *owner, struct config *config);
	/* The file is refused; one line each, ending in a newline. */
	void (*on_refused)(void *owner, struct slice errors);
	void *owner;
};

/* Looks every `look_ms` whether the bytes have changed. The caller ends it
 * with reload_free(), after the loop has run for the last time. */
struct reload *reload_create(const struct reload_setup *setup);
void reload_free(struct reload *r);          /* NULL is fine */
/* Reads the file now, changed or not (what it refers to may have changed). */
void reload_now(struct reload *r);

#endif
