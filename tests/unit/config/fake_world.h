/* fake_world.h: an environment, a disk and TLS setups for tests of config/:
 * nothing of the machine is touched. */
#ifndef BACKSTAY_TESTS_CONFIG_FAKE_WORLD_H
#define BACKSTAY_TESTS_CONFIG_FAKE_WORLD_H

#include "config/config.h"

struct fake_pair {
	const char *name, *value;
};

/* Both lists end with a NULL name. */
struct fake_world {
	const struct fake_pair *env, *files;
};

/* A source that reads from `w`, which must outlive it. */
struct config_source fake_source(const struct fake_world *w);
/* TLS setups alive: 0 after every test. Names that hold "missing" fail. */
int fake_tls_alive(void);

#endif
