#include "observe/alert.h"

#include "base/check.h"

static const struct alert_kind_row rows[] = {
#define AS_ROW(id, name, severity, lasts_ms, title) { name, ALERT_##severity, lasts_ms, title },
	ALERT_KINDS(AS_ROW)
#undef AS_ROW
};

const struct alert_kind_row *alert_kind_row(enum alert_kind kind)
{
	return &rows[kind];
}

bool alert_kind_find(struct slice name, enum alert_kind *out)
{
	for (int i = 0; i < ALERT_KIND_COUNT; i++)
		if (slice_eq(name, slice_of(rows[i].name))) {
			*out = (enum alert_kind)i;
			return true;
		}
	return false;
}

const char *alert_severity_name(enum alert_severity s)
{
	static const char *const names[] = {
		[ALERT_CRITICAL] = "critical", [ALERT_WARNING] = "warning", [ALERT_INFO] = "info",
	};

	return names[s];
}
