/* forward.h: a simulated HTTP forward proxy that knows CONNECT (RFC 9110 9.3.6)
 * and nothing else. */
#ifndef BACKSTAY_SIM_FORWARD_H
#define BACKSTAY_SIM_FORWARD_H

#include "io/io.h"

struct forward;

/* Listens on `at` in the loop `io` of a simulated process. Names are looked up
 * in its world. The caller ends it with forward_free(). */
struct forward *forward_create(struct io *io, const struct io_addr *at);
/* Wants this value of Proxy-Authorization (copied; empty: none), answering 407
 * without it. */
void forward_want(struct forward *f, struct slice authorization);
/* Answers CONNECT with this status from now on; 200: opens tunnels again. */
void forward_refuse(struct forward *f, int status);
/* Tunnels opened so far. */
unsigned forward_tunnels(const struct forward *f);
/* Cuts all tunnels and frees; NULL is fine. */
void forward_free(struct forward *f);

#endif
