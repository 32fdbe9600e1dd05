#include "observe/record.h"

#include "base/check.h"

const char *degraded_name(enum degraded d)
{
	switch (d) {
	case DEGRADED_NO:       return "";
	case DEGRADED_FALLBACK: return "fallback";
	case DEGRADED_RESUMED:  return "resumed";
	}
	never("a degradation without a name");
}
