/* price.h: what tokens cost. The table comes from the config and its built-in
 * default (deploy/prices.yaml). */
#ifndef BACKSTAY_OBSERVE_PRICE_H
#define BACKSTAY_OBSERVE_PRICE_H

#include "observe/policy.h"
#include "observe/record.h"

/* The price of a model as it is named at a backend; NULL: it is not known.
 *
 * Rows match the whole of "BACKEND/MODEL" or of the model's name (where that has
 * a vendor before a '/' or a '.', also what stands behind it); or its beginning,
 * where what follows is a version: "-20250929", "-001", "-latest", "-v1:0",
 * "@...", ":...". '.' and '-' are the same. A row that ends with '*' matches
 * whatever begins like it. The config's rows win over the built-in ones; among
 * each, the longest wins. */
const struct price *price_find(const struct price_table *t, struct slice backend, struct slice model);

/* What it costs, in billionths of a US dollar. Cached tokens are a part of the
 * input. */
int64_t price_cost(const struct price *p, const struct spent *s);

#endif
