/* choose.h: which of several targets that would all do. Between plan.c and
 * choose.c; nobody else includes it. */
#ifndef BACKSTAY_ROUTE_CHOOSE_H
#define BACKSTAY_ROUTE_CHOOSE_H

#include "route/target.h"

struct choice {
	const struct model_policy *model;
	const bool *open;             /* at least one is */
	bool *least;                  /* scratch */
	const unsigned *weights;
	const struct target_look *const *looks;
	size_t count;                 /* of all four; the model's targets */
	uint64_t random;
	uint64_t prefix, sticky;      /* hashes; 0: none */
};

/* The index of one that is open, by the model's balance; *why is a word for it. */
size_t choose_target(const struct choice *c, const char **why);

#endif
