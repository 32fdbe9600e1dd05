#include "admit/admit.h"

#include "base/check.h"

#include <string.h>

/* RFC 6750 2.1; the scheme's case does not matter (RFC 9110 11.1). */
static struct slice bearer_token(struct slice authorization)
{
	struct slice s = slice_trim(authorization);

	if (!slice_starts_nocase(s, S("bearer ")))
		return SLICE_NONE;
	return slice_trim(slice_from(s, S("bearer ").len));
}

struct slice admit_presented_key(struct slice authorization, struct slice x_api_key)
{
	struct slice token = bearer_token(authorization);

	return token.len ? token : slice_trim(x_api_key);
}

enum admit_verdict admit_check(const struct admit_policy *policy, struct slice presented,
			       const struct client_key **who)
{
	uint8_t digest[DIGEST_SHA256_BYTES];
	struct slice asked = { (const char *)digest, sizeof digest };
	const struct client_key *found = NULL;

	*who = NULL;
	if (policy->key_count == 0)
		return ADMIT_YES;
	if (presented.len == 0)
		return ADMIT_NO_KEY;
	digest_sha256(presented, digest);
	for (size_t i = 0; i < policy->key_count; i++) {
		const struct client_key *k = &policy->keys[i];
		struct slice known = { (const char *)k->sha256, sizeof k->sha256 };

		if (slice_eq_constant_time(asked, known))
			found = k;            /* and on: the time tells nothing of the place */
	}
	if (!found)
		return ADMIT_WRONG_KEY;
	*who = found;
	return ADMIT_YES;
}
