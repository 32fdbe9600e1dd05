/* discover.h: which model servers run on this machine? */
#ifndef BACKSTAY_DAEMON_DISCOVER_H
#define BACKSTAY_DAEMON_DISCOVER_H

#include "config/config.h"

#define DISCOVER_MAX 8
#define DISCOVER_LIMIT_MS 300

/* Asks the usual ports on loopback for /v1/models and fills `answering` with
 * those that list models there. Gives how many; takes at most
 * DISCOVER_LIMIT_MS. */
size_t discover_local_servers(const struct config_local_server *answering[static DISCOVER_MAX]);

#endif
