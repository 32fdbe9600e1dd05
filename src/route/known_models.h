/* known_models.h: what is generally known of models by their names. */
#ifndef BACKSTAY_ROUTE_KNOWN_MODELS_H
#define BACKSTAY_ROUTE_KNOWN_MODELS_H

#include "route/policy.h"

/* What a model does by itself; bits. */
enum known_habit {
	KNOWN_REASONS = 1,            /* it thinks before it speaks, without being asked to */
	KNOWN_PREFILLS = 2,           /* it goes on with an assistant's message at the end */
};

struct known_model {
	struct slice prefix;          /* of the name, without a vendor ("openai/") in front */
	int64_t context_window;       /* tokens that may go in; 0: not sure */
	unsigned lacks;               /* bits of enum capability; only what is certain */
	unsigned habits;              /* bits of enum known_habit */
};

/* The row of that name or of the one it is a dated edition of; NULL: an unknown model, which is
 * taken to be able to do everything. Static. */
const struct known_model *known_model_find(struct slice model);

#endif
