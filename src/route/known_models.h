/* known_models.h: what is generally known of models by their names. */
#ifndef BACKSTAY_ROUTE_KNOWN_MODELS_H
#define BACKSTAY_ROUTE_KNOWN_MODELS_H

#include "route/policy.h"

struct known_model {
	struct slice prefix;          /* of the name, without a vendor ("openai/") in front */
	int64_t context_window;       /* tokens; 0: not sure */
	unsigned lacks;               /* bits of enum capability; only what is certain */
};

/* The row of that name or of the one it is a dated edition of; NULL: an unknown model, which is
 * taken to be able to do everything. Static. */
const struct known_model *known_model_find(struct slice model);

#endif
