/* server.h: the serving process: its workers, and the control thread that
 * watches over them (signals, reload, admin port). */
#ifndef BACKSTAY_DAEMON_SERVER_H
#define BACKSTAY_DAEMON_SERVER_H

#include "daemon/find_config.h"
#include "daemon/shared.h"
#include "daemon/sockets.h"

struct server_setup {
	const struct found_config *found;     /* its config; a reference is taken */
	const struct config *first_config;    /* what sockets and mocks were made from */
	struct sockets *sockets;      /* taken over: closed when accepting ends */
	struct shared *shared;
	/* Signals the server acts on are blocked on entry; this lets them through
	 * once handlers stand. */
	void (*unblock_signals)(void);
};

/* Serves until SIGTERM has been obeyed. Gives the exit code of the process. */
int server_run(const struct server_setup *setup);

#endif
