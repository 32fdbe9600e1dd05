/* metrics_table.h: every family of metrics, one row each. /metrics, docs/metrics.md
 * and the memory in which is counted are all made from these rows; to add a
 * family, add a row and count it.
 *
 * A row lives in one scope, which says what its series are labelled with:
 *
 *   WORKER  nothing                 counted on a worker's sheet
 *   MODEL   model                   likewise; the config's name for what was asked
 *   TARGET  target                  likewise
 *   SPEND   model, target, key      likewise; key is the group of the client key
 *   PROCESS nothing                 read when somebody asks, as the next three
 *   ROOM    model
 *   PLACE   target
 *   SINK    sink
 *   STORE   store                   of kept answers, outside of memory
 *   BUDGET  budget                  what may be spent
 *
 * Columns: id, kind, name, two further labels (from METRIC_DIMS), scale, which
 * cells are told although they are zero, sentence.
 *
 * Scale: COUNTER and GAUGE are told as they are (ONE) or in billionths (NANO);
 * a HISTOGRAM is counted in microseconds with the bounds of that name.
 * Told: ALL, SEEN (only what is not zero) or CELL(n) (that one, and what is not
 * zero). Series of labels that the config does not know are told when seen. */
#ifndef BACKSTAY_OBSERVE_METRICS_TABLE_H
#define BACKSTAY_OBSERVE_METRICS_TABLE_H

#include "base/fault.h"
#include "base/priority.h"
#include "base/slice.h"
#include "observe/alert.h"
#include "observe/record.h"

#define METRICS_CLASSES 6             /* status / 100; 0: none of them */
#define METRICS_BOUNDS  15            /* of a histogram; +Inf is behind them */

/* id, label, words */
#define METRIC_DIMS(X)                                      \
	X(NONE,     "",         1)                          \
	X(STATUS,   "status",   METRICS_CLASSES)            \
	X(FAULT,    "fault",    FAULT_COUNT)                \
	X(TOKEN,    "kind",     4)                          \
	X(PRIORITY, "priority", PRIORITY_COUNT)             \
	X(SHED,     "reason",   SHED_COUNT)                 \
	X(DEGRADED, "kind",     DEGRADED_COUNT)             \
	X(WAY,      "way",      RESUMED_WAYS)               \
	X(RESUMED,  "result",   2)                          \
	X(HEDGED,   "result",   2)                          \
	X(LOOKED,   "result",   3)                          \
	X(BREAKER,  "breaker",  4)                          \
	X(STATE,    "to",       2)                          \
	X(OFF,      "why",      3)                          \
	X(LEFT,     "of",       2)                          \
	X(CACHE,    "use",      CACHE_USE_COUNT)             \
	X(TIER,     "tier",     CACHE_TIER_COUNT)            \
	X(SPANS,    "result",   3)                          \
	X(ALERT,    "kind",     ALERT_KIND_COUNT)            \
	X(NODE,     "state",    4)                          \
	X(VERSION,  "version",  1)
#define RESUMED_WAYS 6

#define METRICS_OF_WORKER(X)                                                                          \
	X(CONNECTS, COUNTER, "backstay_upstream_connects_total", NONE, NONE, ONE, ALL,                \
	  "Connections to backends that were made.")                                                  \
	X(CONNECT_FAULTS, COUNTER, "backstay_upstream_connect_faults_total", NONE, NONE, ONE, ALL,    \
	  "Connections to backends that could not be made.")                                          \
	X(REUSES, COUNTER, "backstay_upstream_reuses_total", NONE, NONE, ONE, ALL,                    \
	  "Calls that went out on a pooled connection.")                                              \
	X(STALE_REPLAYS, COUNTER, "backstay_upstream_stale_replays_total", NONE, NONE, ONE, ALL,      \
	  "Calls repeated unseen since the pooled connection had been closed.")                       \
	X(JUNK_DISCARDS, COUNTER, "backstay_upstream_junk_discards_total", NONE, NONE, ONE, ALL,      \
	  "Pooled connections closed since the backend spoke out of turn.")                           \
	X(OPEN, GAUGE, "backstay_upstream_connections", NONE, NONE, ONE, ALL,                         \
	  "Connections to backends, now.")                                                            \
	X(IDLE, GAUGE, "backstay_upstream_idle_connections", NONE, NONE, ONE, ALL,                    \
	  "Of these, waiting in a pool.")                                                             \
	X(EXCHANGES, GAUGE, "backstay_requests_in_progress", NONE, NONE, ONE, ALL,                    \
	  "Requests that have begun and not ended.")                                                  \
	X(SPANS, COUNTER, "backstay_trace_spans_total", SPANS, NONE, ONE, ALL,                        \
	  "Spans that the collector took, that it rejected, and that it could not be given.")         \
	X(SPAN_FAILURES, COUNTER, "backstay_trace_export_failures_total", NONE, NONE, ONE, ALL,       \
	  "Batches of spans that the collector did not take at once.")                                \
	X(LINES_LEFT_OUT, COUNTER, "backstay_access_lines_left_out_total", NONE, NONE, ONE, ALL,      \
	  "Requests without a line in the access log since log.access_sample left them out.")         \
	X(TURN, HISTOGRAM, "backstay_loop_turn_seconds", NONE, NONE, SHORT, ALL,                      \
	  "How long a turn of a worker's loop took: what whoever came meanwhile had to wait.")

#define METRICS_OF_MODEL(X)                                                                           \
	X(REQUESTS, COUNTER, "backstay_requests_total", STATUS, FAULT, ONE, CELL(2 * FAULT_COUNT),    \
	  "Requests that have ended, by model asked for, class of the status sent and fault.")        \
	X(RETRIED, COUNTER, "backstay_retried_requests_total", NONE, NONE, ONE, ALL,                  \
	  "Requests that needed more than one try.")                                                  \
	X(RETRIES, COUNTER, "backstay_retries_total", NONE, NONE, ONE, ALL,                           \
	  "Tries behind the first of a request that were neither hedges nor resumed a stream.")       \
	X(FALLBACKS, COUNTER, "backstay_fallbacks_total", NONE, NONE, ONE, ALL,                       \
	  "Requests answered by a fallback model.")                                                   \
	X(DEGRADED, COUNTER, "backstay_degraded_total", DEGRADED, NONE, ONE, ALL,                     \
	  "Answers that were marked as degraded, by the last thing that befell them.")                \
	X(BROKEN, COUNTER, "backstay_broken_answers_total", NONE, NONE, ONE, ALL,                     \
	  "Answers that had begun and ended in an honest error instead of their end.")                \
	X(RESUMES, COUNTER, "backstay_resumes_total", WAY, RESUMED, ONE, SEEN,                        \
	  "Tries to go on with a broken stream, by how that was asked for and whether it went on.")   \
	X(RESUMED_WHOLE, COUNTER, "backstay_resumed_whole_total", NONE, NONE, ONE, ALL,               \
	  "Streams that broke, went on and came to their end.")                                       \
	X(HEDGES, COUNTER, "backstay_hedges_total", HEDGED, NONE, ONE, ALL,                           \
	  "Second tries begun while the first kept silent, by whether they served the answer.")       \
	X(CACHE, COUNTER, "backstay_cache_total", CACHE, TIER, ONE, SEEN,                             \
	  "Requests of models that keep answers: none was there (miss), one was given instead of "    \
	  "asking (hit) or since nothing else was left (stale, near), the answer of an identical "    \
	  "request was shared (joined), or a new one was fetched to be kept (refresh); and where the " \
	  "answer was.")                                                                              \
	X(KEPT, COUNTER, "backstay_cache_kept_total", NONE, NONE, ONE, ALL,                           \
	  "Answers that were kept.")                                                                  \
	X(LAST_RESORTS, COUNTER, "backstay_last_resorts_total", NONE, NONE, ONE, ALL,                 \
	  "Requests answered by the model of the last resort or its message.")                        \
	X(SAVED, COUNTER, "backstay_saved_tokens_total", TOKEN, NONE, ONE, SEEN,                      \
	  "Tokens of answers that were given again: they were not computed anew.")                    \
	X(SHED, COUNTER, "backstay_shed_total", PRIORITY, SHED, ONE, SEEN,                            \
	  "Requests that got no place on any target, by class and reason.")                           \
	X(DURATION, HISTOGRAM, "backstay_request_duration_seconds", NONE, NONE, LONG, ALL,            \
	  "From a request's arrival to the end of its answer (gen_ai.server.request.duration).")      \
	X(FIRST_TOKEN, HISTOGRAM, "backstay_time_to_first_token_seconds", NONE, NONE, LONG, ALL,      \
	  "From a request's arrival to the first content sent to the client "                         \
	  "(gen_ai.server.time_to_first_token).")                                                     \
	X(GAPS, HISTOGRAM, "backstay_time_between_tokens_seconds", NONE, NONE, GAP, ALL,              \
	  "Of streams from backends: each gap between two pieces of content (text, reasoning, a tool "\
	  "call), as they went to the client; a stream of n pieces has n - 1, also one that broke. "  \
	  "Pieces that a backend sent together have no gap: 0 s. What was waited for a stream to go " \
	  "on elsewhere is one (gen_ai.client.operation.time_per_output_chunk).")                     \
	X(PER_TOKEN, HISTOGRAM, "backstay_time_per_output_token_seconds", NONE, NONE, GAP, ALL,       \
	  "Of complete streams, one number each: mean time for each token behind the first "          \
	  "(gen_ai.server.time_per_output_token).")                                                   \
	X(QUEUED, HISTOGRAM, "backstay_queue_wait_seconds", NONE, NONE, LONG, ALL,                    \
	  "Time spent waiting for a place, of requests that had to.")                                 \
	X(OVERHEAD, HISTOGRAM, "backstay_overhead_seconds", NONE, NONE, SHORT, ALL,                   \
	  "What Backstay itself added before the first content: from waking for the request to its "  \
	  "leaving, and from waking for the content to its leaving.")

#define METRICS_OF_TARGET(X)                                                                          \
	X(ATTEMPTS, COUNTER, "backstay_attempts_total", FAULT, NONE, ONE, CELL(FAULT_NONE),           \
	  "Tries on targets that have ended, by fault (none: it served the answer).")                 \
	X(FIRST_TOKEN, HISTOGRAM, "backstay_attempt_first_token_seconds", NONE, NONE, LONG, SEEN,     \
	  "From the start of a try to its first content.")                                            \
	X(PROBES, COUNTER, "backstay_probes_total", LOOKED, NONE, ONE, SEEN,                          \
	  "Looks from outside, by what they showed.")                                                 \
	X(UNTOLD, COUNTER, "backstay_usage_untold_total", NONE, NONE, ONE, ALL,                       \
	  "Tries that gave content and never told how many tokens they used; counted by what was "    \
	  "heard.")                                                                                   \
	X(UNPRICED, COUNTER, "backstay_unpriced_tokens_total", NONE, NONE, ONE, ALL,                  \
	  "Tokens of models that have no price: they are missing in backstay_cost_usd_total.")

#define METRICS_OF_SPEND(X)                                                                           \
	X(TOKENS, COUNTER, "backstay_tokens_total", TOKEN, NONE, ONE, SEEN,                           \
	  "Tokens as backends told them, of all tries; cached is a part of input, reasoning of "      \
	  "output (gen_ai.client.token.usage).")                                                      \
	X(COST, COUNTER, "backstay_cost_usd_total", NONE, NONE, NANO, SEEN,                           \
	  "What these tokens cost in US dollars, by the price table.")

#define METRICS_OF_PROCESS(X)                                                                         \
	X(BUILD, GAUGE, "backstay_build_info", VERSION, NONE, ONE, ALL,                               \
	  "1, with the version as a label.")                                                          \
	X(CLIENTS, GAUGE, "backstay_client_connections", NONE, NONE, ONE, ALL,                        \
	  "Client connections open now.")                                                             \
	X(ACCEPTED, COUNTER, "backstay_client_connections_accepted_total", NONE, NONE, ONE, ALL,      \
	  "Client connections accepted.")                                                             \
	X(REFUSED_FULL, COUNTER, "backstay_client_connections_refused_total", NONE, NONE, ONE, ALL,   \
	  "Client connections turned away since limits.connections was reached.")                     \
	X(BAD_REQUESTS, COUNTER, "backstay_client_bad_requests_total", NONE, NONE, ONE, ALL,          \
	  "Requests that were no proper HTTP, or passed a limit.")                                    \
	X(BODY_BYTES, GAUGE, "backstay_request_body_bytes", NONE, NONE, ONE, ALL,                     \
	  "Bytes of request bodies held, now.")                                                       \
	X(REFUSED_MEMORY, COUNTER, "backstay_memory_refused_total", NONE, NONE, ONE, ALL,             \
	  "Requests turned away since limits.memory was reached.")                                    \
	X(GENERATION, GAUGE, "backstay_config_generation", NONE, NONE, ONE, ALL,                      \
	  "Counts the configs used since the start.")                                                 \
	X(RELOAD_FAILURES, COUNTER, "backstay_config_reload_failures_total", NONE, NONE, ONE, ALL,    \
	  "Config files that were refused; the old config went on.")                                  \
	X(STALE, GAUGE, "backstay_config_stale", NONE, NONE, ONE, ALL,                                \
	  "1 while the config's file is one that was refused.")                                       \
	X(STARTS, COUNTER, "backstay_serving_starts_total", NONE, NONE, ONE, ALL,                     \
	  "Starts of the serving process; above 1: it died and was started again.")                   \
	X(LOG_DROPPED, COUNTER, "backstay_log_lines_dropped_total", NONE, NONE, ONE, ALL,             \
	  "Lines of the operator's log lost since nobody took them.")                                 \
	X(ACCESS_DROPPED, COUNTER, "backstay_access_lines_dropped_total", NONE, NONE, ONE, ALL,       \
	  "Lines of the access log lost since nobody took them.")                                     \
	X(CACHE_ENTRIES, GAUGE, "backstay_cache_memory_entries", NONE, NONE, ONE, ALL,                \
	  "Answers kept in memory, now.")                                                             \
	X(CACHE_BYTES, GAUGE, "backstay_cache_memory_bytes", NONE, NONE, ONE, ALL,                    \
	  "Bytes they take, now.")                                                                    \
	X(CACHE_MAX, GAUGE, "backstay_cache_memory_max_bytes", NONE, NONE, ONE, ALL,                  \
	  "Bytes they may take.")                                                                     \
	X(CACHE_EVICTIONS, COUNTER, "backstay_cache_memory_evictions_total", NONE, NONE, ONE, ALL,    \
	  "Answers dropped from memory to make room.")                                                \
	X(CACHE_TOO_LARGE, COUNTER, "backstay_cache_too_large_total", NONE, NONE, ONE, ALL,           \
	  "Answers that were too large for memory.")                                                  \
	X(CACHE_PURGES, COUNTER, "backstay_cache_purges_total", NONE, NONE, ONE, ALL,                 \
	  "Orders to drop kept answers.")                                                             \
	X(CACHE_PURGED, COUNTER, "backstay_cache_purged_total", NONE, NONE, ONE, ALL,                 \
	  "Answers dropped by order.")                                                                \
	X(CACHE_KEPT_OUT, COUNTER, "backstay_cache_kept_out_total", NONE, NONE, ONE, ALL,             \
	  "Answers not kept since an order to drop came while they were made.")                       \
	X(FLIGHTS, GAUGE, "backstay_cache_flights", NONE, NONE, ONE, ALL,                             \
	  "Answers under way that may be shared, now.")                                               \
	X(FOLLOWERS, GAUGE, "backstay_cache_followers", NONE, NONE, ONE, ALL,                         \
	  "Requests that share one of them, now.")                                                    \
	X(LEASES, COUNTER, "backstay_cache_leases_total", NONE, NONE, ONE, ALL,                       \
	  "Questions that this machine alone asked, of all that share the store.")                    \
	X(LEASE_WAITS, COUNTER, "backstay_cache_lease_waits_total", NONE, NONE, ONE, ALL,             \
	  "Questions that waited for the answer which another machine had asked for.")                \
	X(LEASE_ANSWERED, COUNTER, "backstay_cache_lease_answered_total", NONE, NONE, ONE, ALL,       \
	  "Those that then had it; the others asked themselves.")                                     \
	X(LIMITS_ALONE, GAUGE, "backstay_limits_alone", NONE, NONE, ONE, ALL,                         \
	  "1 while client keys' limits should be counted with other machines and are not.")           \
	X(LIMIT_REQUESTS, COUNTER, "backstay_limits_refused_requests_total", NONE, NONE, ONE, ALL,    \
	  "Requests refused since their client key's requests were used up.")                         \
	X(LIMIT_TOKENS, COUNTER, "backstay_limits_refused_tokens_total", NONE, NONE, ONE, ALL,        \
	  "Requests refused since their client key's tokens were used up.")                           \
	X(NODES, GAUGE, "backstay_cluster_nodes", NODE, NONE, ONE, ALL,                               \
	  "Machines that share the store, this one too, by state: unknown while the store does not "  \
	  "say, gone without a sign of life for a while (and forgotten after an hour).")              \
	X(NODES_ALONE, GAUGE, "backstay_cluster_alone", NONE, NONE, ONE, ALL,                         \
	  "1 while the shared store does not say which other machines there are.")                    \
	X(NODES_CONFIGS, GAUGE, "backstay_cluster_configs", NONE, NONE, ONE, ALL,                     \
	  "Different config files in use among the machines that live; 1: all have the same.")        \
	X(ALERTS, GAUGE, "backstay_alerts_firing", ALERT, NONE, ONE, ALL,                             \
	  "Built-in alerts that fire, now.")                                                          \
	X(ALERTS_LOST, COUNTER, "backstay_alert_events_lost_total", NONE, NONE, ONE, ALL,             \
	  "Events that were dropped since there were too many.")                                      \
	X(CERTIFICATE, GAUGE, "backstay_certificate_expiry_timestamp_seconds", NONE, NONE, ONE, SEEN, \
	  "Unix time at which the first of the certificates ends that are presented to clients and "  \
	  "backends.")                                                                                \
	X(WORKERS, GAUGE, "backstay_workers", NONE, NONE, ONE, ALL,                                   \
	  "Worker threads.")                                                                          \
	X(FDS, GAUGE, "process_open_fds", NONE, NONE, ONE, ALL,                                       \
	  "Open descriptors.")                                                                        \
	X(FDS_MAX, GAUGE, "process_max_fds", NONE, NONE, ONE, ALL,                                    \
	  "Descriptors that may be open.")                                                            \
	X(MEMORY, GAUGE, "process_resident_memory_bytes", NONE, NONE, ONE, ALL,                       \
	  "Resident memory.")                                                                         \
	X(CPU, COUNTER, "process_cpu_seconds_total", NONE, NONE, ONE, ALL,                            \
	  "Processor time used by the serving process.")                                              \
	X(STARTED, GAUGE, "process_start_time_seconds", NONE, NONE, ONE, ALL,                         \
	  "Unix time of the start.")

#define METRICS_OF_ROOM(X)                                                                            \
	X(WAITING, GAUGE, "backstay_queue_length", NONE, NONE, ONE, ALL,                              \
	  "Requests that wait for a place, now.")                                                     \
	X(QUEUE_MAX, GAUGE, "backstay_queue_length_max", NONE, NONE, ONE, ALL,                        \
	  "Requests that may wait.")                                                                  \
	X(TARGETS, GAUGE, "backstay_model_targets", NONE, NONE, ONE, ALL,                             \
	  "Targets of a model, its fallback models' not counted.")                                    \
	X(USABLE, GAUGE, "backstay_model_targets_usable", NONE, NONE, ONE, ALL,                       \
	  "Of these, those that requests may go to now: neither open nor off nor paced.")             \
	X(RETRIES_LEFT, GAUGE, "backstay_model_retries_left", NONE, NONE, ONE, ALL,                   \
	  "What is left of a model's retry budget.")                                                  \
	X(RETRIES_REFUSED, COUNTER, "backstay_retries_refused_total", NONE, NONE, ONE, ALL,           \
	  "Retries that were not made since the model's retry budget was spent.")

#define METRICS_OF_PLACE(X)                                                                           \
	X(IN_FLIGHT, GAUGE, "backstay_target_in_flight", NONE, NONE, ONE, ALL,                        \
	  "Requests on a target, now.")                                                               \
	X(LIMIT, GAUGE, "backstay_target_limit", NONE, NONE, ONE, SEEN,                               \
	  "Requests that a target may have at once by now; none: no limit.")                          \
	X(USE, GAUGE, "backstay_target_use", NONE, NONE, ONE, ALL,                                    \
	  "What may be done with a target: 0 good, 1 a trial is due, 2 ejected, 3 ramping up, "       \
	  "4 paced, 5 open, 6 off.")                                                                  \
	X(BREAKERS, GAUGE, "backstay_breaker_state", BREAKER, NONE, ONE, ALL,                         \
	  "What each breaker in front of a target says: 0 closed, 1 open, 2 half-open, 3 ramping.")   \
	X(OFF, GAUGE, "backstay_target_out_of_use", OFF, NONE, ONE, ALL,                              \
	  "1 while a target is of no use until somebody changes something, by what is wrong.")        \
	X(TURNED, COUNTER, "backstay_breaker_transitions_total", BREAKER, STATE, ONE, SEEN,           \
	  "Times that a breaker in front of a target opened, and that it let requests back.")           \
	X(OPENED, COUNTER, "backstay_target_breaker_opened_total", NONE, NONE, ONE, ALL,              \
	  "Times that a target's breaker, or its machine's, has opened.")                             \
	X(EJECTED, COUNTER, "backstay_target_ejected_total", NONE, NONE, ONE, ALL,                    \
	  "Times that a target was left out for being far slower than the others.")                   \
	X(PACED, COUNTER, "backstay_target_paced_total", NONE, NONE, ONE, ALL,                        \
	  "Times that a target asked for a pause.")                                                   \
	X(OFF_TIMES, COUNTER, "backstay_target_off_total", NONE, NONE, ONE, ALL,                      \
	  "Times that a target's credential or model turned out to be of no use.")                    \
	X(CERTIFICATE, GAUGE, "backstay_target_certificate_expiry_timestamp_seconds", NONE, NONE, ONE, SEEN, \
	  "Unix time at which the certificate ends that a target's server showed last; none: it has not " \
	  "been connected to by TLS yet.")                                                            \
	X(LEFT, GAUGE, "backstay_target_rate_left", LEFT, NONE, ONE, SEEN,                            \
	  "Requests and tokens that a target's rate limit still lets through, where it says so.")

#define METRICS_OF_SINK(X)                                                                            \
	X(SENT, COUNTER, "backstay_alert_messages_sent_total", NONE, NONE, ONE, ALL,                  \
	  "Messages that a sink of alerts has taken.")                                                \
	X(FAILED, COUNTER, "backstay_alert_send_failures_total", NONE, NONE, ONE, ALL,                \
	  "Tries that a sink of alerts has not taken.")                                               \
	X(DROPPED, COUNTER, "backstay_alert_notes_dropped_total", NONE, NONE, ONE, ALL,               \
	  "News of alerts that a sink will never get: refused, too old or too many.")                 \
	X(QUEUED, GAUGE, "backstay_alert_notes_queued", NONE, NONE, ONE, ALL,                         \
	  "News of alerts that wait for a sink, now.")                                                \
	X(FAILING, GAUGE, "backstay_alert_sink_failing", NONE, NONE, ONE, ALL,                        \
	  "1 while a sink of alerts takes nothing.")

#define METRICS_OF_STORE(X)                                                                           \
	X(UP, GAUGE, "backstay_cache_store_up", NONE, NONE, ONE, ALL,                                 \
	  "1 while a store of kept answers outside of memory is in use.")                             \
	X(GETS, COUNTER, "backstay_cache_store_gets_total", NONE, NONE, ONE, ALL,                     \
	  "Questions to it.")                                                                         \
	X(FOUND, COUNTER, "backstay_cache_store_found_total", NONE, NONE, ONE, ALL,                   \
	  "Of these, those it had an answer to.")                                                     \
	X(PUTS, COUNTER, "backstay_cache_store_puts_total", NONE, NONE, ONE, ALL,                     \
	  "Answers given to it to keep.")                                                             \
	X(FAILURES, COUNTER, "backstay_cache_store_failures_total", NONE, NONE, ONE, ALL,             \
	  "Times that it failed.")                                                                    \
	X(TIMEOUTS, COUNTER, "backstay_cache_store_timeouts_total", NONE, NONE, ONE, ALL,             \
	  "Questions it was too slow for.")                                                           \
	X(SKIPPED, COUNTER, "backstay_cache_store_skipped_total", NONE, NONE, ONE, ALL,               \
	  "Questions it was not asked, since it had failed.")                                         \
	X(DROPPED, COUNTER, "backstay_cache_store_dropped_total", NONE, NONE, ONE, ALL,               \
	  "Answers not given to it, since it had failed or too many waited.")                         \
	X(ENTRIES, GAUGE, "backstay_cache_store_entries", NONE, NONE, ONE, SEEN,                      \
	  "Answers in it, as far as is known.")                                                       \
	X(BYTES, GAUGE, "backstay_cache_store_bytes", NONE, NONE, ONE, SEEN,                          \
	  "Bytes they take, as far as is known.")

#define METRICS_OF_BUDGET(X)                                                                          \
	X(COST, GAUGE, "backstay_budget_spent_usd", NONE, NONE, ONE, ALL,                             \
	  "What has been spent of a budget in the present period, in US dollars.")                    \
	X(TOKENS, GAUGE, "backstay_budget_spent_tokens", NONE, NONE, ONE, ALL,                        \
	  "Tokens used of it in the present period.")                                                 \
	X(COST_MAX, GAUGE, "backstay_budget_limit_usd", NONE, NONE, ONE, SEEN,                        \
	  "What may be spent of it in a period, in US dollars.")                                      \
	X(TOKENS_MAX, GAUGE, "backstay_budget_limit_tokens", NONE, NONE, ONE, SEEN,                   \
	  "Tokens that may be used of it in a period.")                                               \
	X(USED, GAUGE, "backstay_budget_used_ratio", NONE, NONE, ONE, ALL,                            \
	  "The larger share of both: 1 is all of it.")                                                \
	X(ENDS, GAUGE, "backstay_budget_period_end_timestamp_seconds", NONE, NONE, ONE, ALL,          \
	  "Unix time at which the present period ends.")                                              \
	X(REFUSED, COUNTER, "backstay_budget_refused_total", NONE, NONE, ONE, ALL,                    \
	  "Requests that it kept from being tried.")                                                  \
	X(MOVED, COUNTER, "backstay_budget_moved_total", NONE, NONE, ONE, ALL,                        \
	  "Requests that it sent to the cheapest targets.")

/* scope, its rows */
#define METRIC_SCOPES(X)                                    \
	X(WORKER,  METRICS_OF_WORKER)                       \
	X(MODEL,   METRICS_OF_MODEL)                        \
	X(TARGET,  METRICS_OF_TARGET)                       \
	X(SPEND,   METRICS_OF_SPEND)                        \
	X(PROCESS, METRICS_OF_PROCESS)                      \
	X(ROOM,    METRICS_OF_ROOM)                         \
	X(PLACE,   METRICS_OF_PLACE)                        \
	X(SINK,    METRICS_OF_SINK)                         \
	X(STORE,   METRICS_OF_STORE)                        \
	X(BUDGET,  METRICS_OF_BUDGET)

#define AS_ENUM(scope, rows) SCOPE_##scope,
enum metric_scope { METRIC_SCOPES(AS_ENUM) SCOPE_COUNT };
#undef AS_ENUM
#define SCOPES_COUNTED SCOPE_PROCESS  /* those before it are counted on sheets */

#define AS_ENUM(id, label, words) DIM_##id,
enum metric_dim { METRIC_DIMS(AS_ENUM) DIM_COUNT };
#undef AS_ENUM
#define AS_ENUM(id, label, words) WORDS_OF_##id = (words),
enum metric_words { METRIC_DIMS(AS_ENUM) };
#undef AS_ENUM

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };
enum metric_scale { SCALE_ONE, SCALE_NANO, SCALE_LONG, SCALE_GAP, SCALE_SHORT, SCALE_COUNT };

/* Numbers that one series takes. A histogram: its buckets, each for itself, and
 * the sum. */
#define CELLS_OF_COUNTER 1
#define CELLS_OF_GAUGE 1
#define CELLS_OF_HISTOGRAM (METRICS_BOUNDS + 2)

/* Where the numbers of each row stand in its scope's block: AT_WORKER_CONNECTS,
 * AT_MODEL_REQUESTS ... The cells of a row follow each other, the second further
 * label the fastest. */
#define METRIC_PLACES(scope, id, kind, a, b)  \
	AT_##scope##_##id,                    \
	AT_##scope##_##id##_LAST =            \
		AT_##scope##_##id + WORDS_OF_##a * WORDS_OF_##b * CELLS_OF_##kind - 1,
#define AS_ENUM(id, kind, name, a, b, ...) METRIC_PLACES(WORKER, id, kind, a, b)
enum { METRICS_OF_WORKER(AS_ENUM) AT_WORKER_CELLS };
#undef AS_ENUM
#define AS_ENUM(id, kind, name, a, b, ...) METRIC_PLACES(MODEL, id, kind, a, b)
enum { METRICS_OF_MODEL(AS_ENUM) AT_MODEL_CELLS };
#undef AS_ENUM
#define AS_ENUM(id, kind, name, a, b, ...) METRIC_PLACES(TARGET, id, kind, a, b)
enum { METRICS_OF_TARGET(AS_ENUM) AT_TARGET_CELLS };
#undef AS_ENUM
#define AS_ENUM(id, kind, name, a, b, ...) METRIC_PLACES(SPEND, id, kind, a, b)
enum { METRICS_OF_SPEND(AS_ENUM) AT_SPEND_CELLS };
#undef AS_ENUM
#define AS_ENUM(id, kind, name, a, b, ...) METRIC_PLACES(PROCESS, id, kind, a, b)
enum { METRICS_OF_PROCESS(AS_ENUM) AT_PROCESS_CELLS };
#undef AS_ENUM
#define AS_ENUM(id, kind, name, a, b, ...) METRIC_PLACES(ROOM, id, kind, a, b)
enum { METRICS_OF_ROOM(AS_ENUM) AT_ROOM_CELLS };
#undef AS_ENUM
#define AS_ENUM(id, kind, name, a, b, ...) METRIC_PLACES(PLACE, id, kind, a, b)
enum { METRICS_OF_PLACE(AS_ENUM) AT_PLACE_CELLS };
#undef AS_ENUM
#define AS_ENUM(id, kind, name, a, b, ...) METRIC_PLACES(SINK, id, kind, a, b)
enum { METRICS_OF_SINK(AS_ENUM) AT_SINK_CELLS };
#undef AS_ENUM
#define AS_ENUM(id, kind, name, a, b, ...) METRIC_PLACES(STORE, id, kind, a, b)
enum { METRICS_OF_STORE(AS_ENUM) AT_STORE_CELLS };
#undef AS_ENUM
#define AS_ENUM(id, kind, name, a, b, ...) METRIC_PLACES(BUDGET, id, kind, a, b)
enum { METRICS_OF_BUDGET(AS_ENUM) AT_BUDGET_CELLS };
#undef AS_ENUM

#define TOLD_ALL     (-1)
#define TOLD_SEEN    (-2)
#define TOLD_CELL(n) (n)

struct metric_row {
	enum metric_scope scope;
	enum metric_kind kind;
	enum metric_scale scale;
	enum metric_dim a, b;
	unsigned at;                  /* first cell in its scope's block */
	int told;
	struct slice name;
	const char *help;
};

/* In the order of the tables above; `count` of them. */
extern const struct metric_row metric_rows[];
extern const size_t metric_row_count;

/* Static: a further label's name ("" for DIM_NONE), how many words it has, and
 * each of them. */
const char *metric_dim_label(enum metric_dim d);
size_t metric_dim_words(enum metric_dim d);
struct slice metric_dim_word(enum metric_dim d, size_t i);
/* The labels that a scope gives to all its rows: up to METRIC_SCOPE_LABELS, NULL
 * behind the last. Static. */
#define METRIC_SCOPE_LABELS 3
const char *const *metric_scope_labels(enum metric_scope s);
/* Cells of a scope's block. */
size_t metric_scope_cells(enum metric_scope s);
/* METRICS_BOUNDS upper bounds in microseconds, of a histogram's scale. */
const int64_t *metric_bounds_us(enum metric_scale s);
/* The word of DIM_WAY for a way of resuming by its name; the last one ("other")
 * for a name it does not know. */
size_t metric_way(struct slice name);

#endif
