#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void check_failed(const char *file, int line, const char *text)
{
	/* One write, no stdio buffer: what broke may have broken stdio too. */
	dprintf(STDERR_FILENO, "%s:%d: check failed: %s\n", file, line, text);
	abort();
}
