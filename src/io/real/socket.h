/* socket.h: descriptors and socket addresses; only src/io/real includes it. */
#ifndef BACKSTAY_IO_REAL_SOCKET_H
#define BACKSTAY_IO_REAL_SOCKET_H

#include "io/real/real.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <netinet/in.h>

union sock_addr {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_un un;
	struct sockaddr_storage storage;
};

/* To the kernel's form; gives the length. */
socklen_t sock_addr_to(const struct io_addr *a, union sock_addr *out);
/* From the kernel's form; IPv4 inside IPv6 becomes IPv4. */
void sock_addr_from(const union sock_addr *in, socklen_t len, struct io_addr *out);
/* No delay, keepalive, and an end for peers that vanished. On Linux accepted
 * sockets inherit all of it from their listener. */
void sock_tune(int fd);
/* close() for a descriptor that may be -1. */
void sock_close(int fd);

struct io_socket {
	int fd;
};

#endif
