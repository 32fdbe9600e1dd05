/* priority.h: the classes of requests, and why one got no place. */
#ifndef BACKSTAY_BASE_PRIORITY_H
#define BACKSTAY_BASE_PRIORITY_H

/* The first goes first. */
enum priority { PRIORITY_HIGH, PRIORITY_NORMAL, PRIORITY_LOW, PRIORITY_COUNT };

/* "high", "normal", "low". Static. */
const char *priority_name(enum priority p);

/* Why a request was not served although nothing was wrong with it. */
enum shed {
	SHED_NOT,
	SHED_FULL,                    /* as many wait as may */
	SHED_TOO_LATE,                /* it would be too late when its turn came */
	SHED_FOR_OTHER,               /* it left the queue for one that matters more */
	SHED_WAITED,                  /* no place became free in the time it could wait */
	SHED_COUNT
};

/* "", "queue_full", "too_late", "for_other", "waited". Static. */
const char *shed_name(enum shed s);

#endif
