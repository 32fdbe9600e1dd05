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

/* ---- what a request asks for itself --------------------------------------------- */

enum priority admit_priority(const struct client_key *who, struct slice asked)
{
	enum priority best = who ? who->priority : PRIORITY_HIGH;
	enum priority own = who ? who->priority : PRIORITY_NORMAL;

	asked = slice_trim(asked);
	for (int p = 0; p < PRIORITY_COUNT; p++)
		if (slice_eq_nocase(asked, slice_of(priority_name((enum priority)p))))
			own = (enum priority)p;
	return own > best ? own : best;
}

#define TIMEOUT_MAX_MS ((int64_t)24 * 60 * 60 * 1000)

/* Digits, with a point or without, in thousandths. Gives how many bytes they
 * are; 0: there are none, or too many. */
static size_t read_thousandths(struct slice s, int64_t *out)
{
	size_t i = 0, decimals = 0;
	bool point = false, any = false;
	int64_t value = 0;

	for (; i < s.len; i++) {
		char c = s.at[i];

		if (c == '.' && !point) {
			point = true;
			continue;
		}
		if (c < '0' || c > '9')
			break;
		any = true;
		if (decimals == 3)
			continue;
		if (value > TIMEOUT_MAX_MS * 1000)
			return 0;
		value = value * 10 + (c - '0');
		decimals += point;
	}
	for (; decimals < 3; decimals++)
		value *= 10;
	*out = value;
	return any ? i : 0;
}

int64_t admit_timeout_ms(struct slice text)
{
	int64_t thousandths = 0, ms;
	struct slice unit;
	size_t used;

	text = slice_trim(text);
	used = read_thousandths(text, &thousandths);
	if (!used)
		return 0;
	unit = slice_from(text, used);
	if (unit.len == 0 || slice_eq(unit, S("s")))
		ms = thousandths;
	else if (slice_eq(unit, S("ms")))
		ms = thousandths / 1000;
	else if (slice_eq(unit, S("m")))
		ms = thousandths * 60;
	else
		return 0;
	return ms > TIMEOUT_MAX_MS ? TIMEOUT_MAX_MS : ms;
}
