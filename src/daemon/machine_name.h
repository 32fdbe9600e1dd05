/* machine_name.h: what this machine calls itself. */
#ifndef BACKSTAY_DAEMON_MACHINE_NAME_H
#define BACKSTAY_DAEMON_MACHINE_NAME_H

#include <stddef.h>

/* Bytes for any such name, its end included. */
#define MACHINE_NAME_MAX 65

/* Writes the host name to `out`, which has room for `size` bytes (at least 9), cut to
 * them and ended with NUL; "backstay" where the system tells none. What is no printable
 * ASCII becomes '?'. */
void machine_name(char *out, size_t size);

#endif
