/* supervisor.h: the process that was started. It keeps the listening sockets,
 * starts the serving process and the config's mocks, and starts them again when
 * they die. It does nothing else, so that nothing else can break it. */
#ifndef BACKSTAY_DAEMON_SUPERVISOR_H
#define BACKSTAY_DAEMON_SUPERVISOR_H

#include "daemon/find_config.h"

/* Serves until it is told to stop. Gives the exit code of the program. `found`
 * is borrowed; it is brought up to date after reloads. */
int supervisor_run(struct found_config *found);

#endif
