#include "resilience/headroom.h"

#define PLENTY 1e15

void headroom_seen(struct headroom *h, mono_ms now, int64_t limit, int64_t left, int64_t full_in_ms)
{
	if (left < 0)
		return;
	h->known = full_in_ms > 0;
	h->left = (double)left;
	/* Without a limit at least one more than now will be there in the end. */
	h->limit = limit > left ? (double)limit : (double)left + 1;
	h->at = now;
	h->full_at = mono_after(now, full_in_ms > 0 ? full_in_ms : 0);
}

double headroom_left(const struct headroom *h, mono_ms now)
{
	double part;

	if (!h->known || now >= h->full_at)
		return h->known ? h->limit : PLENTY;
	part = (double)(now - h->at) / (double)(h->full_at - h->at);
	return h->left + (h->limit - h->left) * part;
}

void headroom_take(struct headroom *h, mono_ms now, double amount)
{
	if (!h->known)
		return;
	if (now >= h->full_at) {
		h->known = false;             /* it is full: the next answer tells anew */
		return;
	}
	h->left = headroom_left(h, now) - amount;
	h->at = now;
}

mono_ms headroom_ready_at(const struct headroom *h, mono_ms now, double amount)
{
	double left = headroom_left(h, now), rate;

	if (!h->known || left >= amount || now >= h->full_at)
		return now;
	if (amount >= h->limit)
		return h->full_at;
	rate = (h->limit - left) / (double)(h->full_at - now);
	return now + 1 + (int64_t)((amount - left) / rate);
}
