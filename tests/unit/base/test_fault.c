#include "base/check.h"
#include "base/fault.h"

#include "cm.h"

#include <ctype.h>
#include <string.h>

#define AS_ID(id, ...) #id,
static const char *const ids[] = { FAULTS(AS_ID) };

static void names_are_the_ids_in_lower_case(void **state)
{
	(void)state;
	for (unsigned f = 0; f < FAULT_COUNT; f++) {
		const char *name = fault_row((enum fault)f)->name;

		row_holds(slice_eq_nocase(slice_of(name), slice_of(ids[f])), ids[f]);
		for (const char *c = name; *c; c++)
			row_holds(islower((unsigned char)*c) || *c == '_', ids[f]);
	}
}

static void rows_are_complete(void **state)
{
	(void)state;
	for (unsigned f = FAULT_NONE + 1; f < FAULT_COUNT; f++) {
		const struct fault_row *row = fault_row((enum fault)f);

		row_holds(row->status >= 400 && row->status <= 599, row->name);
		row_holds(*row->type, row->name);
		row_holds(*row->code, row->name);
		row_holds(*row->text, row->name);
		row_holds(row->text[strlen(row->text) - 1] != '.', row->name);
	}
}

/* What the product promises about each fault. */
static const struct {
	enum fault fault;
	int status;
	enum fault_again again;
	enum fault_elsewhere elsewhere;
	enum fault_blame blame;
	const char *says;
} promises[] = {
	{ FAULT_NONE, 200, AGAIN_NEVER, ELSEWHERE_NO, BLAME_NOBODY, "no fault asks for nothing" },
	{ FAULT_STALE_CONN, 502, AGAIN_FRESH, ELSEWHERE_YES, BLAME_NOBODY,
	  "a reused connection that had been closed costs nobody anything" },
	{ FAULT_RATE_LIMITED, 429, AGAIN_AFTER_HINT, ELSEWHERE_YES, BLAME_PACE,
	  "a rate limit paces and does not trip" },
	{ FAULT_SILENCE, 504, AGAIN_NEVER, ELSEWHERE_YES, BLAME_TARGET,
	  "a silent target is never asked again in the same exchange" },
	{ FAULT_STALL, 504, AGAIN_NEVER, ELSEWHERE_RESUME, BLAME_TARGET,
	  "after the commit point there is only resume: stall" },
	{ FAULT_CUT, 502, AGAIN_IF_LAST, ELSEWHERE_RESUME, BLAME_TARGET,
	  "after the commit point there is only resume: cut" },
	{ FAULT_CONTEXT, 400, AGAIN_NEVER, ELSEWHERE_LARGER, BLAME_NOBODY,
	  "too long a request only fits a larger window" },
	{ FAULT_POLICY, 400, AGAIN_NEVER, ELSEWHERE_NO, BLAME_NOBODY,
	  "refusals are not routed around" },
	{ FAULT_CALLER, 400, AGAIN_NEVER, ELSEWHERE_NO, BLAME_NOBODY,
	  "a bad request is bad everywhere" },
	{ FAULT_CREDENTIAL, 502, AGAIN_NEVER, ELSEWHERE_YES, BLAME_CREDENTIAL,
	  "our credential is not the client's affair" },
	{ FAULT_CLIENT_GONE, 499, AGAIN_NEVER, ELSEWHERE_NO, BLAME_NOBODY,
	  "nothing is tried for a client that left" },
	{ FAULT_LOCAL, 503, AGAIN_NEVER, ELSEWHERE_NO, BLAME_NOBODY,
	  "own trouble is never the target's fault" },
};

static void promises_hold(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(promises); i++) {
		const struct fault_row *row = fault_row(promises[i].fault);

		row_holds(row->status == promises[i].status, promises[i].says);
		row_holds(row->again == promises[i].again, promises[i].says);
		row_holds(row->elsewhere == promises[i].elsewhere, promises[i].says);
		row_holds(row->blame == promises[i].blame, promises[i].says);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_the_ids_in_lower_case),
		cmocka_unit_test(rows_are_complete),
		cmocka_unit_test(promises_hold),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
