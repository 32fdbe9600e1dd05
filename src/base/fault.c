#include "base/fault.h"

#include "base/check.h"

#define AS_ROW(id, label, http, again_, elsewhere_, blame_, type_, code_, sentence) \
	[FAULT_##id] = {                                                            \
		.name = label,                                                      \
		.status = http,                                                     \
		.again = AGAIN_##again_,                                            \
		.elsewhere = ELSEWHERE_##elsewhere_,                                \
		.blame = BLAME_##blame_,                                            \
		.type = type_,                                                      \
		.code = code_,                                                      \
		.text = sentence,                                                   \
	},

static const struct fault_row rows[FAULT_COUNT] = { FAULTS(AS_ROW) };

const struct fault_row *fault_row(enum fault f)
{
	must((unsigned)f < FAULT_COUNT);
	return &rows[f];
}
