#include "resilience/quota.h"

#define MINUTE_MS 60000.0

double quota_left(const struct quota *q, int64_t per_minute, mono_ms now)
{
	double most = (double)per_minute, left;

	if (!q->begun)
		return most;
	left = q->left + (double)(now - q->at) * most / MINUTE_MS;
	return left > most ? most : left;
}

void quota_told(struct quota *q, int64_t per_minute, mono_ms now, double left)
{
	double most = (double)per_minute;

	q->left = left > most ? most : left < -most ? -most : left;
	q->at = now;
	q->begun = true;
}

void quota_take(struct quota *q, int64_t per_minute, mono_ms now, double amount)
{
	quota_told(q, per_minute, now, quota_left(q, per_minute, now) - amount);
}

int64_t quota_wait_ms(const struct quota *q, int64_t per_minute, mono_ms now, double amount)
{
	double left = quota_left(q, per_minute, now), most = (double)per_minute;

	if (amount > most)
		amount = most;
	return left >= amount ? 0 : 1 + (int64_t)((amount - left) * MINUTE_MS / most);
}
