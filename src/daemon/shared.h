/* shared.h: the page of memory that the supervisor and the serving process both
 * see. Either side only reads what the other writes. */
#ifndef BACKSTAY_DAEMON_SHARED_H
#define BACKSTAY_DAEMON_SHARED_H

#include "base/slice.h"

#include <stdatomic.h>

#define SHARED_MOCKS_MAX 64

struct shared_mock {
	atomic_int pid;               /* 0: not running */
	atomic_uint starts;
};

struct shared {
	/* The supervisor's: */
	atomic_int supervisor_pid;
	atomic_uint serving_starts;   /* 1: never restarted */
	struct shared_mock mocks[SHARED_MOCKS_MAX];   /* in the order of the first config */
	/* The serving process's: */
	atomic_bool ready;            /* workers accept; the supervisor clears it before a start */
	atomic_uint_fast64_t generation;      /* of the config in use */
	atomic_uint_fast64_t reload_failures;
};

#endif
