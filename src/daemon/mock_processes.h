/* mock_processes.h: the simulated model servers of a config (`mocks:`), each a
 * process of its own so that a person may kill it. */
#ifndef BACKSTAY_DAEMON_MOCK_PROCESSES_H
#define BACKSTAY_DAEMON_MOCK_PROCESSES_H

#include "config/config.h"
#include "daemon/shared.h"

#include <sys/types.h>

struct mock_processes;

/* None runs yet. Everything is borrowed. `in_child` is called with `owner` in
 * each new process before it becomes a mock. The caller ends it with
 * mock_processes_free(). */
struct mock_processes *mock_processes_create(const struct config *config, struct shared *shared,
					     const struct log *log, void (*in_child)(void *owner),
					     void *owner);
void mock_processes_free(struct mock_processes *m);
/* Starts those that are due. */
void mock_processes_start(struct mock_processes *m, mono_ms now);
/* The next time one will be due; MONO_NEVER: none. */
mono_ms mock_processes_due(const struct mock_processes *m);
/* A child has ended with that wait status; false if it was no mock. */
bool mock_processes_reaped(struct mock_processes *m, pid_t pid, int status, mono_ms now);
/* Sends `signo` to all that run, and starts none again. Gives how many ran. */
size_t mock_processes_stop(struct mock_processes *m, int signo);

#endif
