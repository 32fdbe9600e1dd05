/* find_config.h: which config is meant, and what it says. */
#ifndef BACKSTAY_DAEMON_FIND_CONFIG_H
#define BACKSTAY_DAEMON_FIND_CONFIG_H

#include "base/digest.h"
#include "config/config.h"

struct found_config {
	struct config *config;        /* the finder's reference; NULL: refused */
	const char *path;             /* NULL: made from the environment */
	uint8_t sha256[DIGEST_SHA256_BYTES];  /* of the file's bytes */
};

/* Reads `-c FILE` (or --config FILE, --config=FILE) out of the options, and
 * `--live` where `live` is not NULL. *path is NULL without it. False: a
 * sentence in `why`. */
bool find_config_options(int argc, char **argv, const char **path, bool *live, char *why,
			 size_t why_size);

/* Loads the config that is meant: `path`, else $BACKSTAY_CONFIG, else
 * /etc/backstay/backstay.yaml where that exists, else what the environment
 * gives. What was found, and all complaints, go to stderr. False if there is
 * none. */
bool find_config(const char *path, struct found_config *out);

/* Reads a file into a snapshot and the digest of its bytes; as config_load(). */
struct config *find_config_load(const char *path, uint8_t sha256[static DIGEST_SHA256_BYTES],
				struct buf *errors);
/* The digest of a file's bytes; false if it cannot be read. May block. */
bool find_config_digest(const char *path, uint8_t sha256[static DIGEST_SHA256_BYTES]);

#endif
