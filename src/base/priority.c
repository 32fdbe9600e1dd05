#include "base/priority.h"

const char *priority_name(enum priority p)
{
	static const char *const names[PRIORITY_COUNT] = { "high", "normal", "low" };

	return names[p];
}

const char *shed_name(enum shed s)
{
	static const char *const names[SHED_COUNT] = { "", "queue_full", "too_late", "for_other",
						       "waited" };

	return names[s];
}
