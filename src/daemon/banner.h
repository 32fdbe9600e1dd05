/* banner.h: the first words to a person at a terminal. */
#ifndef BACKSTAY_DAEMON_BANNER_H
#define BACKSTAY_DAEMON_BANNER_H

#include "daemon/shared.h"
#include "daemon/sockets.h"

#include <stdio.h>

/* Prints what listens where, what to try, and how to kill a mock. Plain text
 * without `colour`. */
void banner_print(FILE *out, const struct config *config, const struct sockets *sockets,
		  const struct shared *shared, bool colour);

#endif
