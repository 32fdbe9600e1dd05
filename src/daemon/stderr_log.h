/* stderr_log.h: the operator's log of processes with one thread: the supervisor,
 * commands. Serving processes use io_lines instead. */
#ifndef BACKSTAY_DAEMON_STDERR_LOG_H
#define BACKSTAY_DAEMON_STDERR_LOG_H

#include "base/log.h"

/* A log that writes to stderr at once; lines are lost rather than waited for
 * where nobody reads. */
struct log stderr_log(enum log_level level);

#endif
