/* sockets.h: the listening sockets of a process, one for each worker and
 * address, opened once and kept by the supervisor. */
#ifndef BACKSTAY_DAEMON_SOCKETS_H
#define BACKSTAY_DAEMON_SOCKETS_H

#include "config/config.h"

struct sockets {
	unsigned workers;
	size_t per_worker;
	struct io_socket **data;      /* data[worker * per_worker + i] */
	struct io_socket *admin;      /* NULL: switched off */
};

/* Opens all that the config asks for, `workers` of each data address. A port
 * that was asked for as 0 is chosen once. False, with a sentence and remedy in
 * `why`, and nothing open. The caller ends it with sockets_close(). */
bool sockets_open(struct sockets *out, const struct config *config, unsigned workers, char *why,
		  size_t why_size);
/* Closes what is open and frees the list; zeroes it. */
void sockets_close(struct sockets *s);
/* Removes the files of unix sockets, so that nobody finds them any more; for the
 * supervisor, before it closes them for good. */
void sockets_unlink(const struct sockets *s);
/* The address that data address `i` of the config is really bound to. */
struct io_addr sockets_addr(const struct sockets *s, size_t i);

#endif
