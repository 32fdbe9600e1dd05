/* limits.h: what the machine allows this process. */
#ifndef BACKSTAY_DAEMON_LIMITS_H
#define BACKSTAY_DAEMON_LIMITS_H

#include <stdint.h>

/* Raises the soft limit of open descriptors to the hard one. Gives the limit
 * that holds now. */
uint64_t limits_raise_descriptors(void);
/* Descriptors that this process may have open. */
uint64_t limits_descriptors(void);
/* Has malloc keep what was freed, up to some MiB a thread, for the bodies that come
 * next. Before the first thread is started. */
void limits_keep_memory(void);
/* Processor time that this process has used, in microseconds. */
uint64_t limits_cpu_us(void);
/* Cores this process may use: its CPU mask, further bounded by the cgroup's CPU
 * quota (rounded up); at least 1. */
unsigned limits_cores(void);
/* Descriptors open in this process now; 0 where that cannot be told. */
uint64_t limits_open_descriptors(void);
/* Resident memory of this process in bytes; 0 where that cannot be told. */
uint64_t limits_resident_bytes(void);

#endif
