/* cm.h: cmocka with the headers it wants before it, and a check that names the
 * row of a table. */
#ifndef BACKSTAY_TESTS_CM_H
#define BACKSTAY_TESTS_CM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Fails the test with the sentence of the row that does not hold. */
#define row_holds(c, sentence)                                                 \
	do {                                                                   \
		if (!(c))                                                      \
			fail_msg("does not hold: %s (%s)", (sentence), #c);    \
	} while (0)

#endif
