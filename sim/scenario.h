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
 *   store at ADDR:PORT...        a Redis (sim/fake_redis.h) with all these addresses
 *   nodes N                      so many proxies with the same config; the Nth has
 *                                127.0.0.1:(8079+N) for 127.0.0.1:8080 in it, and
 *                                10.9.0.N: for 10.9.0.1:, its own way to the store
 *   forward NAME at HOST:PORT [wants AUTHORIZATION]     an HTTP proxy with CONNECT
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
 *     forward NAME refuses STATUS | works
 *     network WHERE SETTING...     WHERE: a backend, a forward, ADDR:PORT, or `all`
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
 *     target NAME drained | open | closed | free [for T]     the operator's word
 *     drill NAME FAULT [percent N] [for T]     tries there fail by FAULT; `none` ends it
 *     store slow T | mute | works | full | empties
 *     node N purges all | tag NAME | model NAME
 *     node N drains | leaves       (leaves: it takes its line out of the store)
 *     client NAME [node N] [to BACKEND] [then] KIND "WORDS" [stream] [OPTION...]
 *     client NAME [to BACKEND] [then] METHOD PATH [OPTION...] [BODY]
 *         KIND: chat | completions | messages | responses | embeddings | moderations
 *         OPTION: model M | key K | header "H: V" | http10
 *         `then` sends it behind a request whose answer has not ended
 *     client NAME sends [N answers] BYTES [times N]   bytes as they are (N: 1)
 *     client NAME leaves | resets | finishes | pauses | resumes
 *     clients NAME COUNT [every T] STATEMENT   for the clients NAME1 .. NAMEcount,
 *         so far apart: `at 0s clients c 30 every 2s chat "hello" stream`
 *     expect ...                   as below, at that time
 *
 *   expect ... where CLIENT is NAME for its last request, NAME.2 for its second:
 *   expect CLIENT status N | finish_reason WORD | reused | fresh
 *   expect CLIENT text complete | empty | is "..." | contains "..."
 *     (complete: every word that a healthy backend would have said)
 *   expect CLIENT header NAME VALUE | contains "..." | absent | present
 *   expect CLIENT body contains "..." | body is "..." | events [at least|at most] N
 *   expect CLIENT input_tokens|output_tokens N | comments contain "..." | empty
 *   expect CLIENT ends complete | error [CODE] | broken | left | pending | unserved
 *     (unserved: pipelined behind an answer that closed the connection)
 *   expect CLIENT done|first-text|head before T | after T | at T   (since the beginning)
 *   expect CLIENT done|first-text|head within T | not within T (since it asked)
 *   expect CLIENT record fault NAME | status N | attempts N | target T
 *   expect CLIENT record degraded WORD | cache WORD | tier WORD | resumes N | hedge none|won|lost
 *                                  | input_tokens N | output_tokens N
 *   expect CLIENT record attempt N fault NAME | target T | starts MS | took MS
 *                                  | stale_replays N | kind WORD
 *   expect backend NAME requests|finished|broken|cancelled|in_flight|
 *                       connections|open|connects|faulty
 *                       [at least|at most] N
 *   expect forward NAME tunnels [at least|at most] N
 *   expect log contains "..." | lacks "..."
 *   expect metric "SERIES" VALUE    as /metrics tells what is counted
 *   expect node N sees M ready | draining | unknown | gone | absent
 *   expect node N alone [contains "..."] | in company
 *   expect records N
 *   expect proxy queued|idle_connections [at least|at most] N
 *     (bytes queued at once in any one stream; pooled connections of one worker)
 *   expect clients NAME COUNT ...    any of these for NAME1 .. NAMEcount
 *   expect everyone whole or honest
 *     (the right words from the first on, all of them where the answer is complete)
 *   expect CLIENT whole thanks to BACKEND
 *     (all its answers are complete, or broke after content that was not BACKEND's)
 *   expect nothing left over      (always checked at the end; may be said)
 *
 * Always checked: what the client's judge (client.h) finds, an end for every
 * answer, records that agree with what the clients saw, attempts one after
 * another, within max_attempts and never at a target that was silent, places
 * and upstream connections within what exchanges and limits account for, and
 * after the last moment nothing left over: exchanges, places on targets,
 * streams, timers. */
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
