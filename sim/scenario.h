/* scenario.h: scenarios as plain text, run in the simulator.
 *
 * A scenario is a config, backends that are mock servers (src/mock), a timeline
 * of what happens, and what must be seen. One line is one statement; a line
 * that starts with '#' is a comment. Words with spaces stand in "quotes" (\" \\
 * \n \r \t inside); a {JSON} word reaches to its closing brace; times are 20ms,
 * 1.5s, 2m, 1h.
 *
 *   seed N | seeds A..B          one run, or one for each seed (default: seed 1)
 *   workers N                    proxy loops that share the address (default 1)
 *   turns N                      up to N events may share a turn (default 1)
 *   end at T                     the last moment; default: when all clients have
 *                                their end, at most 15 minutes after the last line
 *   host NAME ADDR... [ttl T] [delay T]
 *   link WHERE SETTING...        as `network` below, before anything happens
 *   backend NAME at HOST:PORT    a mock; HOST gets an address if it has none.
 *       tokens N | ttft T | gap T | key K | model M | echo | seed N
 *       behaviour SPEC           (indented lines) the mock's words, docs/mock.md
 *   config [workers see above]   followed by the indented YAML of the proxy's
 *                                config; `config default` is one model "chat"
 *                                with all backends as targets. Without any
 *                                there is no proxy: clients talk to backends.
 *
 *   at T STATEMENT, one of:
 *     backend NAME: SPEC           standing behaviour
 *     backend NAME next: SPEC      for the next requests
 *     backend NAME down | up       refuse and reset, as if killed; and back
 *     backend NAME close idle | reset all
 *     network WHERE SETTING...     WHERE: a backend, ADDR:PORT, or `all`
 *         ok | refuse [N] | blackhole [N] | unreachable [N] | local [N]
 *         latency T | jitter T | window BYTES | rate BYTES_PER_S
 *         cuts whole|random|bytes | tls ok|fail|stall | idle-close T | give-up T
 *         plan cut|reset|vanish|stall to client|server after BYTES [for T] [times N]
 *     network WHERE reset | cut | vanish [idle T] | stall T
 *     network WHERE junk "BYTES" [idle T]
 *     dns NAME ok | silent | fails | is ADDR...
 *     wall jumps T [back]
 *     reload                       followed by the indented YAML
 *     proxy drains | shuts down
 *     client NAME [to BACKEND] chat "WORDS" [stream] [model M] [key K] [header "H: V"]
 *     client NAME [to BACKEND] METHOD PATH [header "H: V"]... [BODY]
 *     client NAME leaves | resets | finishes | pauses | resumes
 *     expect ...                   as below, at that time
 *
 *   expect CLIENT status N | finish_reason WORD | reused | fresh
 *   expect CLIENT text complete | empty | is "..." | contains "..."
 *     (complete: every word that a healthy backend would have said)
 *   expect CLIENT header NAME VALUE | absent | present
 *   expect CLIENT body contains "..." | events [at least|at most] N
 *   expect CLIENT ends complete | error [CODE] | broken | left | pending
 *   expect CLIENT done|first-text|head before T | after T   (since the beginning)
 *   expect CLIENT done|first-text|head within T | not within T (since it asked)
 *   expect CLIENT record fault NAME | status N | attempts N | target T
 *   expect backend NAME requests|finished|broken|cancelled|in_flight|
 *                       connections|open|connects|faulty
 *                       [at least|at most] N
 *   expect log contains "..." | lacks "..."
 *   expect records N
 *   expect everyone whole or honest
 *   expect nothing left over      (always checked at the end; may be said)
 *
 * Always checked: what the client's judge (client.h) finds, an end for every
 * answer, records that agree with what the clients saw, and after the last
 * moment nothing left over: exchanges, places on targets, streams, timers. */
#ifndef BACKSTAY_SIM_SCENARIO_H
#define BACKSTAY_SIM_SCENARIO_H

#include "base/slice.h"

#include <stdio.h>

struct scenario_options {
	FILE *out;                    /* complaints */
	FILE *trace;                  /* the whole trace; NULL: only a tail, on failure */
	bool has_seed;                /* run with this seed only */
	uint64_t seed;
};

struct scenario_result {
	unsigned runs, failed_runs, expectations;
	uint64_t steps;               /* of all runs */
	uint64_t trace_hash;          /* of the last run */
};

/* Runs a scenario's text; `name` is for messages. True: all held. */
bool scenario_run(const char *name, struct slice text, const struct scenario_options *options,
		  struct scenario_result *result);

#endif
