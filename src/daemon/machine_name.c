#include "daemon/machine_name.h"

#include <stdio.h>
#include <unistd.h>

void machine_name(char *out, size_t size)
{
	if (gethostname(out, size - 1) != 0 || !*out)
		snprintf(out, size, "backstay");
	out[size - 1] = '\0';
	for (char *at = out; *at; at++)
		if (*at <= ' ' || *at > '~')
			*at = '?';
}
