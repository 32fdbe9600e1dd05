/* schema.c: every key of a config, as tables. The reference in docs/config.md
 * is written from them too, so a key cannot lack its sentence. */
#include "config/inside.h"

#include <stddef.h>

#define SECOND ((int64_t)1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define KIB ((int64_t)1024)
#define MIB (1024 * KIB)

#define AT(type, member) .offset = offsetof(struct type, member)

static const struct choice log_levels[] = {
	{ "error", LOG_ERROR }, { "warn", LOG_WARN }, { "info", LOG_INFO }, { "debug", LOG_DEBUG },
	{ NULL, 0 },
};
static const struct choice balances[] = {
	{ "least_loaded", BALANCE_LEAST_LOADED },
	{ "round_robin", BALANCE_ROUND_ROBIN }, { "least_in_flight", BALANCE_LEAST_IN_FLIGHT },
	{ "least_latency", BALANCE_LEAST_LATENCY }, { "prefix_affinity", BALANCE_PREFIX_AFFINITY },
	{ NULL, 0 },
};
static const struct choice on_off[] = { { "on", 1 }, { "off", 0 }, { NULL, 0 } };

static const struct choice stream_upstreams[] = {
	{ "auto", STREAM_UPSTREAM_AUTO }, { "on", STREAM_UPSTREAM_ON }, { "off", STREAM_UPSTREAM_OFF },
	{ NULL, 0 },
};

static const struct field listen_tls_fields[] = {
	{ "cert", VALUE_NODE, AT(raw_tls, cert), .shape = "path", .required = true,
	  .doc = "PEM file with the certificate and its chain." },
	{ "key", VALUE_NODE, AT(raw_tls, key), .shape = "path", .required = true,
	  .doc = "PEM file with the private key." },
};
const struct section section_listen_tls = {
	"tls", "the listener's tls", "Without it the listeners speak plain HTTP.",
	listen_tls_fields, COUNT_OF(listen_tls_fields), NULL,
};

static const struct choice admin_reads[] = {
	{ "auto", ADMIN_READ_AUTO }, { "all", ADMIN_READ_ALL }, { "key", ADMIN_READ_KEY }, { NULL, 0 },
};
static const struct field admin_fields[] = {
	{ "listen", VALUE_NODE, AT(raw_admin, listen), .shape = "address",
	  .fallback = "127.0.0.1:9090",
	  .doc = "Where `/healthz`, `/readyz`, `/metrics` and the dashboard are served. Keep it private." },
	{ "key", VALUE_NODE, AT(raw_admin, key), .shape = "secret",
	  .doc = "Who has it may drain targets, open and close breakers and do what else the dashboard can "
		 "do. Without it there are no actions. Best written as `${NAME}` or `${file:PATH}`." },
	{ "read", VALUE_CHOICE, AT(raw_admin, read), .fallback = "auto", .choices = admin_reads,
	  .doc = "Who may look: `all`, or who has the `key`; `auto` is `all` on a loopback address, else "
		 "`key` where there is one. `/healthz`, `/readyz` and `/metrics` never ask for it." },
	{ "hosts", VALUE_NODE, AT(raw_admin, hosts), .shape = "list of names",
	  .doc = "Host names by which browsers may call the port without the key (at most 16). Addresses and "
		 "`localhost` always go; other names are refused, so that no web page can read the port "
		 "through a name of its own." },
};
const struct section section_admin = {
	"admin", "admin", "`admin: off` opens no admin port at all.",
	admin_fields, COUNT_OF(admin_fields), NULL,
};

static const struct choice priorities[] = {
	{ "high", PRIORITY_HIGH }, { "normal", PRIORITY_NORMAL }, { "low", PRIORITY_LOW }, { NULL, 0 },
};

static const struct field limits_fields[] = {
	{ "header_bytes", VALUE_SIZE, AT(client_limits, header_bytes), 1 * KIB, 64 * KIB, "64KiB",
	  .doc = "Largest request head; above it the answer is 431." },
	{ "body_bytes", VALUE_SIZE, AT(client_limits, body_bytes), 1 * KIB, 1024 * MIB, "64MiB",
	  .doc = "Largest request body; above it the answer is 413." },
	{ "memory", VALUE_SIZE, AT(client_limits, memory_bytes), 1 * KIB, 1024 * 1024 * MIB, "512MiB",
	  .doc = "All request bodies that the process holds at once. A body that would go above it is "
		 "refused with 503 before it is read; one of unknown length as soon as it does." },
	{ "header_time", VALUE_DURATION, AT(client_limits, header_ms), 100, 5 * MINUTE, "10s",
	  .doc = "Longest time for a client to send a request's head; after it 408." },
	{ "body_idle", VALUE_DURATION, AT(client_limits, body_idle_ms), 100, 10 * MINUTE, "30s",
	  .doc = "Longest pause inside a request's body; after it 408." },
	{ "keep_alive", VALUE_DURATION, AT(client_limits, keep_alive_ms), 100, 1 * HOUR, "75s",
	  .doc = "How long an idle client connection is kept for its next request." },
	{ "write_stall", VALUE_DURATION, AT(client_limits, write_stall_ms), 100, 1 * HOUR, "60s",
	  .doc = "A client that takes no byte of its answer for so long counts as gone." },
	{ "connections", VALUE_COUNT, AT(client_limits, connections), 1, 1000000, "10000",
	  .doc = "Client connections at once in the whole process; further ones get 503." },
};
const struct section section_limits = {
	"limits", "limits", "What clients may do to Backstay.",
	limits_fields, COUNT_OF(limits_fields), NULL,
};

static const struct field key_fields[] = {
	{ "name", VALUE_NODE, AT(raw_key, name), .shape = "name", .required = true,
	  .doc = "Who holds the key; shown in the access log." },
	{ "key", VALUE_NODE, AT(raw_key, key), .shape = "secret",
	  .doc = "The key itself. Only its SHA-256 is kept in memory." },
	{ "sha256", VALUE_NODE, AT(raw_key, sha256), .shape = "64 hex digits",
	  .doc = "Instead of `key`: its SHA-256, as `printf %s KEY | sha256sum` prints it." },
	{ "group", VALUE_NODE, AT(raw_key, group), .shape = "name",
	  .doc = "Keys of one group share kept answers of models whose cache has `scope: group`, and are "
		 "counted together in metrics of tokens and cost." },
	{ "explain", VALUE_CHOICE, AT(raw_key, explain), .fallback = "off", .choices = on_off,
	  .doc = "Whether its holder may ask with `x-backstay-explain: 1` why a request went where it "
		 "went. Without `keys` everybody may." },
	{ "priority", VALUE_CHOICE, AT(raw_key, priority), .fallback = "normal", .choices = priorities,
	  .doc = "Who goes first while requests wait for a place. A request may ask for a lower class "
		 "with `x-backstay-priority`, not for a higher one." },
	{ "requests_per_minute", VALUE_COUNT, AT(raw_key, requests), 0, 1000000000, "0",
	  .doc = "Above it the answer is 429 with `Retry-After`; 0: no limit. Up to a minute's worth may come "
		 "at once. Machines with a shared store (`cache.shared`) count together." },
	{ "tokens_per_minute", VALUE_COUNT, AT(raw_key, tokens), 0, 1000000000, "0",
	  .doc = "The same for input and output tokens of all tries, known when an answer ends: the next "
		 "request waits until what was used too much is made up for. Kept answers use none." },
};
const struct section section_key = {
	"keys[]", "a client key",
	"A list. With at least one entry, clients must present one of the keys as `Authorization: "
	"Bearer KEY` or `x-api-key: KEY`; without the list everybody who reaches the address may ask.",
	key_fields, COUNT_OF(key_fields), NULL,
};

static const struct field log_fields[] = {
	{ "level", VALUE_CHOICE, AT(raw_log, level), .fallback = "info", .choices = log_levels,
	  .doc = "How much the operator's log (standard error) tells." },
	{ "access", VALUE_NODE, AT(raw_log, access), .fallback = "stdout",
	  .shape = "`stdout`, `stderr`, `syslog`, `off` or a path",
	  .doc = "Where the access log goes, one JSON line for each request. A file is opened again on "
		 "SIGUSR1." },
	{ "access_sample", VALUE_PERCENT, AT(raw_log, access_sample_milli), 0, 100000, "100%",
	  .doc = "Share of the requests that went well at the first try of which there is a line. All "
		 "others have one: those that failed, were tried again, or were answered in a degraded way." },
	{ "syslog", VALUE_NODE, AT(raw_log, syslog), .fallback = "unix:/dev/log",
	  .shape = "`unix:/path` or address with port",
	  .doc = "Where `access: syslog` goes: the local daemon's socket, or another machine by UDP (RFC 5424)." },
};
const struct section section_log = {
	"log", "log", NULL, log_fields, COUNT_OF(log_fields), NULL,
};

static const struct field default_timeout_fields[] = {
	{ "connect", VALUE_DURATION, AT(raw_timeouts, connect_ms), 10, 5 * MINUTE, "2s",
	  .doc = "For name lookup, TCP, proxy and TLS together. A backend's own `connect` wins." },
	{ "first_token", VALUE_DURATION, AT(raw_timeouts, policy.first_token_ms), 10, 1 * HOUR, "12s",
	  .doc = "Longest wait for the first content of an answer, before another target is tried." },
	{ "first_token_reasoning", VALUE_DURATION, AT(raw_timeouts, policy.first_token_reasoning_ms),
	  10, 1 * HOUR, "2m",
	  .doc = "The same for requests that are known to reason first." },
	{ "idle", VALUE_DURATION, AT(raw_timeouts, policy.idle_ms), 10, 1 * HOUR, "15s",
	  .doc = "Longest pause between two events after the first content. Comments and pings are no "
		 "progress." },
	{ "answer", VALUE_DURATION, AT(raw_timeouts, policy.answer_ms), 10, 24 * HOUR, "2m",
	  .doc = "Longest wait for the whole answer to a request that does not stream, before another "
		 "target is tried." },
	{ "total", VALUE_DURATION, AT(raw_timeouts, policy.total_ms), 100, 24 * HOUR, "10m",
	  .doc = "Longest time for the whole exchange, over all attempts." },
};
const struct section section_default_timeouts = {
	"defaults.timeouts", "timeouts", NULL,
	default_timeout_fields, COUNT_OF(default_timeout_fields), NULL,
};

static const struct field retry_fields[] = {
	{ "max_attempts", VALUE_COUNT, AT(retry_policy, max_attempts), 1, 100, "4",
	  .doc = "Attempts for one request over all targets and fallback models together." },
	{ "patience", VALUE_DURATION, AT(retry_policy, patience_ms), 0, 5 * MINUTE, "3s",
	  .doc = "Longest wait for a backend that said when to come back, while others could be asked." },
	{ "budget", VALUE_PERCENT, AT(retry_policy, budget_milli), 0, 100000, "20%",
	  .doc = "Retries on targets that are in doubt (the last answer there was a fault), as a share of "
		 "the requests that end well. Ten are always there for small traffic and come back one "
		 "in ten seconds; a retry that ends well costs nothing. When the budget is spent, "
		 "nothing is tried again there: an outage must not multiply traffic." },
};
const struct section section_retry = {
	"defaults.retry", "retry", "The same keys stand in a model's `retry`.",
	retry_fields, COUNT_OF(retry_fields), NULL,
};

static const struct field hedge_fields[] = {
	{ "after", VALUE_NODE, AT(raw_hedge, after), .fallback = "off",
	  .shape = "`p95`, a duration or `off`",
	  .doc = "When a second target is asked while the first has sent no content: after a fixed time, or "
		 "after the time within which 95 of 100 first tokens come from that target (2s while that is "
		 "not known yet). Who is heard first serves; the other is cancelled. Only requests that "
		 "stream (upstream) are hedged." },
	{ "budget", VALUE_NODE, AT(raw_hedge, budget), .fallback = "5%", .shape = "percentage",
	  .doc = "Hedges at most for so many of a model's requests." },
};
const struct section section_hedge = {
	"defaults.hedge", "hedge", "The same keys stand in a model's `hedge`.",
	hedge_fields, COUNT_OF(hedge_fields), NULL,
};

static const struct choice cache_scopes[] = {
	{ "key", CACHE_SCOPE_KEY }, { "group", CACHE_SCOPE_GROUP }, { "shared", CACHE_SCOPE_SHARED },
	{ NULL, 0 },
};
static const struct field embeddings_fields[] = {
	{ "model", VALUE_NODE, AT(raw_embeddings, model), .shape = "model", .required = true,
	  .doc = "A model of the config that makes embeddings. It is asked for the vector of each question whose "
		 "answer is kept, behind the answer and a few at a time, and in an outage for that of the "
		 "question at hand: choose one that does not fail with the others." },
	{ "similarity", VALUE_PERCENT, AT(raw_embeddings, least_milli), 1000, 100000, "90%",
	  .doc = "Least cosine of two vectors. What is much and little differs from model to model." },
	{ "wait", VALUE_DURATION, AT(raw_embeddings, wait_ms), 1, 1 * MINUTE, "1s",
	  .doc = "Longest wait for a vector in an outage; then letters have to do (`near`), where they may." },
};
const struct section section_cache_embeddings = {
	"defaults.cache.embeddings", "embeddings",
	"The answer that is given is marked as `near`, like one that was found by letters.",
	embeddings_fields, COUNT_OF(embeddings_fields), NULL,
};

static const struct field cache_fields[] = {
	{ "fresh", VALUE_DURATION, AT(raw_cache, fresh_ms), 0, 8760 * HOUR, "0ms",
	  .doc = "A kept answer that is younger is given instead of asking. 0ms: never." },
	{ "stale", VALUE_DURATION, AT(raw_cache, stale_ms), 0, 8760 * HOUR, "0ms",
	  .doc = "A kept answer that is younger is given when nothing else is left: all attempts failed, "
		 "or the request would be refused for want of a place. Marked `x-backstay-degraded: stale`. "
		 "0ms: never." },
	{ "refresh", VALUE_DURATION, AT(raw_cache, refresh_ms), 0, 8760 * HOUR, "0ms",
	  .doc = "So long behind `fresh` a kept answer is still given at once while a new one is fetched." },
	{ "scope", VALUE_CHOICE, AT(raw_cache, scope), .fallback = "key", .choices = cache_scopes,
	  .doc = "Who may be given an answer: the same client key only, all keys of the same `group` (one "
		 "without a group is alone), or everybody. Without `keys`, whoever presents the same key." },
	{ "temperature", VALUE_NODE, AT(raw_cache, temperature), .shape = "number, 0 to 2", .fallback = "1",
	  .doc = "Requests with a higher `temperature` are not kept; one that does not say is of 1." },
	{ "tools", VALUE_CHOICE, AT(raw_cache, tools), .fallback = "off", .choices = on_off,
	  .doc = "Keep answers to requests that offer tools. A call in a kept answer is made again by whoever "
		 "gets it." },
	{ "resumed", VALUE_CHOICE, AT(raw_cache, resumed), .fallback = "off", .choices = on_off,
	  .doc = "Keep answers that broke off and went on with another target." },
	{ "coalesce", VALUE_CHOICE, AT(raw_cache, coalesce), .fallback = "off", .choices = on_off,
	  .doc = "Identical requests of one scope that are under way at the same time share one answer." },
	{ "near", VALUE_PERCENT, AT(raw_cache, near_milli), 0, 100000, "0%",
	  .doc = "When nothing else is left and the very question has no kept answer: the answer to the question "
		 "that is most like it is given, if it is as like as that, and everything else (system prompt, "
		 "earlier messages, tools, parameters) is the same. Marked `x-backstay-degraded: near`. 0%: never." },
	{ "embeddings", VALUE_NODE, AT(raw_cache, embeddings), .section = &section_cache_embeddings,
	  .shape = "mapping", .doc = "Near matches by what questions mean, not by their letters." },
	{ "pace", VALUE_DURATION, AT(raw_cache, pace_ms), 0, 10 * SECOND, "0ms",
	  .doc = "A kept answer that is given as a stream comes in small pieces, so far apart; what is left "
		 "when the request's time is over goes at once. 0ms: all at once." },
};
const struct section section_cache = {
	"defaults.cache", "cache",
	"Off unless `fresh`, `stale` or `coalesce` says otherwise. The same keys stand in a model's "
	"`cache`. [caching.md](caching.md) tells when not to.",
	cache_fields, COUNT_OF(cache_fields),
	(const struct stray[]){
		{ "ttl", "write \"fresh\" for answers given instead of asking, \"stale\" for those given "
			 "when nothing else is left" },
		{ NULL, NULL } },
};

static const struct field last_resort_fields[] = {
	{ "message", VALUE_NODE, AT(raw_last_resort, message), .shape = "text",
	  .doc = "What the assistant says then, as a whole answer or a stream, as was asked." },
	{ "model", VALUE_NODE, AT(raw_last_resort, model), .shape = "model",
	  .doc = "A model that is asked then, beyond all attempts: a small one that runs near by. Should it "
		 "fail too, the message is said." },
};
const struct section section_last_resort = {
	"models.NAME.last_resort", "last_resort",
	"What happens when no target could answer and no kept answer is there. Marked "
	"`x-backstay-degraded: last-resort`.",
	last_resort_fields, COUNT_OF(last_resort_fields), NULL,
};

static const struct field cache_disk_fields[] = {
	{ "path", VALUE_NODE, AT(raw_cache_disk, path), .shape = "path", .required = true,
	  .doc = "The file (SQLite); others beside it begin with its name. Made if it is not there, readable "
		 "by its owner only. Relative paths start from the config's directory." },
	{ "size", VALUE_SIZE, AT(raw_cache_disk, bytes), 1 * MIB, 1024 * 1024 * MIB, "1GiB",
	  .doc = "What it may take; the answers that were not used for longest are dropped." },
	{ "wait", VALUE_DURATION, AT(raw_cache_disk, wait_ms), 1, 10 * SECOND, "50ms",
	  .doc = "Longest wait for an answer from it." },
};
const struct section section_cache_disk = {
	"cache.disk", "disk",
	"Answers on disk outlast a restart. They are compressed, carry checksums, and are written behind "
	"the back of requests. Whatever happens to the disk, Backstay serves without it.",
	cache_disk_fields, COUNT_OF(cache_disk_fields), NULL,
};

static const struct choice shared_modes[] = {
	{ "single", SHARED_SINGLE }, { "sentinel", SHARED_SENTINEL }, { "cluster", SHARED_CLUSTER }, { NULL, 0 },
};
static const struct field cache_shared_fields[] = {
	{ "addresses", VALUE_NODE, AT(raw_cache_shared, addresses), .shape = "`host:port`, or a list",
	  .required = true,
	  .doc = "One server; or several: sentinels, or some nodes of a cluster; at most 16." },
	{ "mode", VALUE_CHOICE, AT(raw_cache_shared, mode), .fallback = "single", .choices = shared_modes,
	  .doc = "What is at the addresses: a server, sentinels, or a cluster." },
	{ "master", VALUE_NODE, AT(raw_cache_shared, master), .shape = "name",
	  .doc = "With `sentinel`: what the sentinels call the server." },
	{ "user", VALUE_NODE, AT(raw_cache_shared, user), .shape = "name", .doc = "The ACL user; without it the default one." },
	{ "password", VALUE_NODE, AT(raw_cache_shared, password), .shape = "secret",
	  .doc = "Its password. Best written as `${NAME}` or `${file:PATH}`." },
	{ "sentinel_user", VALUE_NODE, AT(raw_cache_shared, sentinel_user), .shape = "name",
	  .doc = "The ACL user at the sentinels." },
	{ "sentinel_password", VALUE_NODE, AT(raw_cache_shared, sentinel_password), .shape = "secret",
	  .doc = "Its password." },
	{ "tls", VALUE_NODE, AT(raw_cache_shared, tls), .section = &section_backend_tls, .fallback = "off",
	  .shape = "`on`, `off` or mapping",
	  .doc = "TLS, with the system's authorities, or own ones and a client certificate." },
	{ "database", VALUE_COUNT, AT(raw_cache_shared, database), 0, 1000000, "0",
	  .doc = "Number of the database there; not for clusters." },
	{ "prefix", VALUE_NODE, AT(raw_cache_shared, prefix), .shape = "name", .fallback = "backstay",
	  .doc = "All names of ours there begin with it. Machines that have the same one share answers: give "
		 "them the same backends under the same names, too." },
	{ "wait", VALUE_DURATION, AT(raw_cache_shared, wait_ms), 1, 10 * SECOND, "50ms",
	  .doc = "Longest wait for an answer from it." },
	{ "connect", VALUE_DURATION, AT(raw_cache_shared, connect_ms), 10, 1 * MINUTE, "1s",
	  .doc = "For name lookup, TCP, TLS and the password together." },
	{ "lease", VALUE_DURATION, AT(raw_cache_shared, lease_ms), 0, 10 * MINUTE, "0s",
	  .doc = "Of models with `fresh` and `coalesce: on`: so long one machine may be alone with a question; "
		 "the others wait for its answer so long, then ask themselves. 0s: each asks at once." },
};
const struct section section_cache_shared = {
	"cache.shared", "shared",
	"A Redis (6 or later, or 5 without TLS and users) or Valkey that several machines share: answers, "
	"orders to drop them, news of targets that fail, and word of each other. Without it each machine goes "
	"on alone, and says so in its metrics and log.",
	cache_shared_fields, COUNT_OF(cache_shared_fields),
	(const struct stray[]){
		{ "url", "write addresses: host:port, and user, password and tls as keys of their own" },
		{ "address", "did you mean \"addresses\"?" },
		{ NULL, NULL } },
};

static const struct field cache_store_fields[] = {
	{ "memory", VALUE_SIZE, AT(raw_cache_store, memory_bytes), 0, 1024 * 1024 * MIB, "64MiB",
	  .doc = "Memory for kept answers in the whole process. 0B: none are kept there." },
	{ "entry", VALUE_SIZE, AT(raw_cache_store, entry_bytes), 1 * KIB, 64 * MIB, "1MiB",
	  .doc = "Larger answers are not kept." },
	{ "disk", VALUE_NODE, AT(raw_cache_store, disk), .section = &section_cache_disk, .shape = "mapping",
	  .doc = "A file of this machine." },
	{ "shared", VALUE_NODE, AT(raw_cache_store, shared), .section = &section_cache_shared, .shape = "mapping",
	  .doc = "A Redis or Valkey that several machines share." },
};
const struct section section_cache_store = {
	"cache", "cache",
	"Where answers are kept, for all models whose `cache` says that they are.",
	cache_store_fields, COUNT_OF(cache_store_fields),
	(const struct stray[]){
		{ "fresh", "write defaults: {cache: {fresh: …}}, or put it in a model" },
		{ "stale", "write defaults: {cache: {stale: …}}, or put it in a model" },
		{ NULL, NULL } },
};

static const struct field queue_fields[] = {
	{ "length", VALUE_COUNT, AT(queue_policy, length), 0, ROOM_LENGTH_MAX, "100",
	  .doc = "Requests of the model that may wait while all its targets are full; above it those of "
		 "the lowest class go first, the newest of them, with 503. 0: nobody waits." },
	{ "wait", VALUE_DURATION, AT(queue_policy, wait_ms), 0, 1 * HOUR, "30s",
	  .doc = "Longest wait for a place. Who would wait longer, or past the request's deadline, is "
		 "refused at once." },
};
const struct section section_queue = {
	"defaults.queue", "queue", "The same keys stand in a model's `queue`.",
	queue_fields, COUNT_OF(queue_fields), NULL,
};

static const struct field breaker_fields[] = {
	{ "faults", VALUE_COUNT, AT(raw_breaker, faults), 0, 1000, "3",
	  .doc = "Faults in a row that open it; 0: they never do." },
	{ "rate", VALUE_PERCENT, AT(raw_breaker, rate_milli), 0, 100000, "50%",
	  .doc = "Share of faults in the window that opens it; 0%: it never does." },
	{ "requests", VALUE_COUNT, AT(raw_breaker, requests), 1, 100000, "10",
	  .doc = "Fewer requests than that in the window say nothing about a rate." },
	{ "window", VALUE_DURATION, AT(raw_breaker, window_ms), 100, 1 * HOUR, "30s",
	  .doc = "The sliding window for the rate." },
	{ "open", VALUE_DURATION, AT(raw_breaker, open_ms), 10, 1 * HOUR, "2s",
	  .doc = "How long it stays open at first. Each failed trial doubles it; a fifth more or less is "
		 "drawn by chance." },
	{ "open_max", VALUE_DURATION, AT(raw_breaker, open_max_ms), 10, 1 * HOUR, "15s",
	  .doc = "The longest it stays open before the next trial." },
	{ "ramp", VALUE_DURATION, AT(raw_breaker, ramp_ms), 0, 1 * HOUR, "10s",
	  .doc = "After a good trial the target's share of the work grows back over this time." },
};
const struct section section_breaker = {
	"defaults.breaker", "breaker",
	"Each target has a breaker: closed while all is well, open after faults, half-open for one "
	"trial, then ramping up. The same keys stand in a model's `breaker`.",
	breaker_fields, COUNT_OF(breaker_fields), NULL,
};

static const struct field ejection_fields[] = {
	{ "share", VALUE_PERCENT, AT(raw_ejection, share_milli), 0, 100000, "50%",
	  .doc = "At most this share of a model's targets of one priority is out for being slow, and "
		 "never all; 0%: none ever." },
	{ "factor", VALUE_COUNT, AT(raw_ejection, factor), 2, 1000, "3",
	  .doc = "So many times slower than the others' median, by the time to the first token or by "
		 "tokens a second." },
	{ "slack", VALUE_DURATION, AT(raw_ejection, slack_ms), 0, 1 * HOUR, "100ms",
	  .doc = "And by at least this, for the time to the first token: what is less nobody notices." },
	{ "time", VALUE_DURATION, AT(raw_ejection, time_ms), 100, 1 * HOUR, "30s",
	  .doc = "How long it is out at first; doubles up to five minutes while it happens again." },
};
const struct section section_ejection = {
	"defaults.ejection", "ejection",
	"A target that answers, but far slower than the others of the same model and priority, is left "
	"out for a while. The same keys stand in a model's `ejection`.",
	ejection_fields, COUNT_OF(ejection_fields), NULL,
};

static const struct field defaults_fields[] = {
	{ "timeouts", VALUE_SECTION, AT(raw_defaults, timeouts), .section = &section_default_timeouts,
	  .doc = "Time limits." },
	{ "retry", VALUE_SECTION, AT(raw_defaults, retry), .section = &section_retry,
	  .doc = "How often and how patiently to try." },
	{ "queue", VALUE_SECTION, AT(raw_defaults, queue), .section = &section_queue,
	  .doc = "How many requests wait for a place, and how long." },
	{ "balance", VALUE_CHOICE, AT(raw_defaults, balance), .fallback = "least_loaded",
	  .choices = balances,
	  .doc = "How a model's targets of equal priority share the work: whoever has the fewest requests "
		 "open for its weight, in turn where that is equal; or in turn by weight; or whoever has fewer "
		 "open of two drawn by chance; or whoever of two is quicker for its load; or where the conversation's beginning went before (its cache is there), as long "
		 "as that one has not much more to do than its share." },
	{ "sticky", VALUE_TEXT, AT(raw_defaults, sticky), .fallback = "x-backstay-sticky",
	  .shape = "a header's name, `user` or `off`",
	  .doc = "Requests with the same value there go to the same target while it can be used. `user` is "
		 "that member of the body." },
	{ "breaker", VALUE_SECTION, AT(raw_defaults, breaker), .section = &section_breaker,
	  .doc = "When a target that fails is left alone, and how it comes back." },
	{ "ejection", VALUE_SECTION, AT(raw_defaults, ejection), .section = &section_ejection,
	  .doc = "When a target that is far slower than the others is left out." },
	{ "resume", VALUE_CHOICE, AT(raw_defaults, streams.resume), .fallback = "on", .choices = on_off,
	  .doc = "Answers that break off in the middle of a stream go on with another target, as far as its "
		 "`resume` can. `off`: the client gets an honest error at once, and requests are not kept in "
		 "memory while they stream." },
	{ "stream_upstream", VALUE_CHOICE, AT(raw_defaults, streams.stream_upstream), .fallback = "auto",
	  .choices = stream_upstreams,
	  .doc = "Ask backends for a stream although the client wants a whole answer, so that silence and "
		 "stalls are seen early: `auto` does where the answer may be long (no `max_tokens`, or above "
		 "256) and the API is a well-known one." },
	{ "keep_alive_comments", VALUE_DURATION, AT(raw_defaults, streams.comments_ms), 0, 1 * HOUR, "0ms",
	  .doc = "A client that waits for a stream gets a comment each time nothing came for so long, "
		 "against idle timers on the way. Its status is then 200, and what fails later is told as an "
		 "error event. 0ms: none." },
	{ "may_lose", VALUE_NODE, AT(raw_defaults, streams.may_lose), .fallback = "[]",
	  .shape = "list of features, or `all`",
	  .doc = "What of a request may be left out where the API of a target cannot say it, rather than "
		 "not asking that target: names from [dialects.md](dialects.md), such as `seed` or "
		 "`logit_bias`. What was left out is named in `x-backstay-dropped`." },
	{ "hedge", VALUE_SECTION, AT(raw_defaults, hedge), .section = &section_hedge,
	  .doc = "A second attempt while the first is slow." },
	{ "cache", VALUE_SECTION, AT(raw_defaults, cache), .section = &section_cache,
	  .doc = "Which answers are kept, and when they are given." },
};
const struct section section_defaults_of_all = {
	"defaults", "defaults", "What holds for every model that does not say otherwise.",
	defaults_fields, COUNT_OF(defaults_fields), NULL,
};

static const struct field backend_tls_fields[] = {
	{ "ca", VALUE_NODE, AT(raw_tls, ca), .shape = "path",
	  .doc = "PEM file with the authorities to trust instead of the system's." },
	{ "cert", VALUE_NODE, AT(raw_tls, cert), .shape = "path",
	  .doc = "PEM file with a client certificate." },
	{ "key", VALUE_NODE, AT(raw_tls, key), .shape = "path",
	  .doc = "PEM file with its private key." },
};
const struct section section_backend_tls = {
	"backends.NAME.tls", "a backend's tls",
	"For `https` URLs. The server's name and chain are always verified.",
	backend_tls_fields, COUNT_OF(backend_tls_fields), NULL,
};

static const struct choice probe_kinds[] = {
	{ "tcp", PROBE_TCP }, { "http", PROBE_HTTP }, { "models", PROBE_MODELS },
	{ "completion", PROBE_COMPLETION }, { NULL, 0 },
};
static const struct field probe_fields[] = {
	{ "kind", VALUE_CHOICE, AT(raw_probe, kind), .choices = probe_kinds,
	  .doc = "`tcp`: it accepts a connection, and TLS. `http`: a path answers with 2xx. `models`: its "
		 "`/models` answers. `completion`: the model answers a tiny question, which may cost "
		 "money. Without it: `http` where a path is given, else `tcp`." },
	{ "path", VALUE_TEXT, AT(raw_probe, path), .shape = "path, such as `/health`",
	  .doc = "For `http`, from the root of the server." },
	{ "every", VALUE_DURATION, AT(raw_probe, every_ms), 100, 1 * HOUR, "10s",
	  .doc = "So long without any request to a target before it is looked at, and again after it." },
	{ "timeout", VALUE_DURATION, AT(raw_probe, timeout_ms), 10, 10 * MINUTE, "5s",
	  .doc = "Longest wait for the answer." },
};
const struct section section_probe = {
	"backends.NAME.probe", "probe",
	"A look at the backend's targets while no request tells how they are doing; off unless it "
	"stands there. One that goes well lets an open breaker try a request at once; three bad ones "
	"in a row open a closed one. What requests tell wins.",
	probe_fields, COUNT_OF(probe_fields), NULL,
};

static const struct choice rate_scopes[] = {
	{ "auto", RATE_SCOPE_AUTO }, { "key", RATE_SCOPE_KEY }, { "model", RATE_SCOPE_MODEL }, { NULL, 0 },
};

static const struct field credential_fields[] = {
	{ "kind", VALUE_CHOICE, AT(raw_credential, kind), .choices = credential_words, .required = true,
	  .doc = "`google`: the key file of a service account, or what gcloud keeps of a login; without "
		 "`file` and `json` the file that `GOOGLE_APPLICATION_CREDENTIALS` names, gcloud's, or "
		 "else the metadata server. `google_metadata`: the metadata server of a machine in "
		 "Google's cloud. `entra`: an app of Microsoft Entra with its secret. `azure_metadata`: "
		 "the managed identity of a machine in Azure. `aws`: keys that sign requests: `client` and "
		 "`secret`; else those of `AWS_ACCESS_KEY_ID`, of the shared credentials file, of a "
		 "container's endpoint, or of the metadata server. `aws_metadata`: only the latter "
		 "(IMDSv2)." },
	{ "file", VALUE_NODE, AT(raw_credential, file), .shape = "path",
	  .doc = "For `google`: the key file. For `aws`: the credentials file (else that of "
		 "`AWS_SHARED_CREDENTIALS_FILE`, or `~/.aws/credentials`), read again every 15 minutes and "
		 "when its keys are refused." },
	{ "profile", VALUE_TEXT, AT(raw_credential, profile), .shape = "name",
	  .doc = "For `aws`: the profile in the credentials file (else that of `AWS_PROFILE`, or "
		 "`default`)." },
	{ "json", VALUE_NODE, AT(raw_credential, json), .shape = "secret",
	  .doc = "For `google`: what stands in the key file, as in `${GOOGLE_KEY}`." },
	{ "tenant", VALUE_TEXT, AT(raw_credential, tenant), .shape = "id or domain",
	  .doc = "For `entra`: the directory." },
	{ "client", VALUE_TEXT, AT(raw_credential, client), .shape = "id",
	  .doc = "For `entra`: the app's id. For the metadata servers: which account or role, where there "
		 "are several. For `aws`: the access key id." },
	{ "secret", VALUE_NODE, AT(raw_credential, secret), .shape = "secret",
	  .doc = "For `entra`: the app's secret. For `aws`: the secret access key." },
	{ "token", VALUE_NODE, AT(raw_credential, token), .shape = "secret",
	  .doc = "For `aws`: the session token of keys that end." },
	{ "scope", VALUE_TEXT, AT(raw_credential, scope), .shape = "URL",
	  .doc = "What the token is to open. Without it: Google's cloud platform, Azure's cognitive "
		 "services." },
	{ "url", VALUE_NODE, AT(raw_credential, url), .shape = "URL", .fallback = "as the vendor says",
	  .doc = "Where to ask: the token endpoint of `google`, the authority of `entra` (other clouds "
		 "have their own), the root of a metadata server." },
};
const struct section section_credential = {
	"backends.NAME.credential", "a credential",
	"Instead of `key`: a token that Backstay fetches and fetches anew before it expires. A "
	"request that comes before it is there waits for it.",
	credential_fields, COUNT_OF(credential_fields), NULL,
};

static const struct field backend_fields[] = {
	{ "dialect", VALUE_NODE, AT(raw_backend, dialect), .fallback = "openai",
	  .shape = "a name from [dialects.md](dialects.md)",
	  .doc = "What the backend speaks. Clients of other dialects reach it all the same: requests and "
		 "answers are translated." },
	{ "vendor", VALUE_NODE, AT(raw_backend, vendor), .fallback = "by the URL's host",
	  .shape = "a name from [dialects.md](dialects.md)",
	  .doc = "Whose form of the dialect it is: which names it knows, what it lacks, how it goes on with a "
		 "broken answer. To be said for servers of your own: `vllm`, `sglang`, `llamacpp`, `ollama`." },
	{ "api_version", VALUE_TEXT, AT(raw_backend, api_version), .shape = "a date, `2024-10-21`",
	  .doc = "Azure's version of the API, for `dialect: azure`." },
	{ "endpoints", VALUE_NODE, AT(raw_backend, endpoints), .fallback = "what the vendor has",
	  .shape = "list of `chat`, `responses`, `completions`, `embeddings`, `count_tokens`",
	  .doc = "What the backend can be asked at. What it lacks is translated to what it has." },
	{ "url", VALUE_NODE, AT(raw_backend, url), .shape = "URL",
	  .doc = "Base URL, up to and without `/chat/completions`. Either this or `urls`; `gemini`, `vertex` and "
		 "`bedrock` have one of their own." },
	{ "urls", VALUE_NODE, AT(raw_backend, urls), .shape = "list of URLs",
	  .doc = "Several equal servers (at most 64). Each gives targets of its own." },
	{ "region", VALUE_TEXT, AT(raw_backend, region), .shape = "AWS region",
	  .doc = "For `bedrock`: where it is asked; without it that of `AWS_REGION`. Without a `url` that region's endpoint is used; without "
		 "a `key` requests are signed, as with `credential: {kind: aws}`." },
	{ "guardrail", VALUE_TEXT, AT(raw_backend, guardrail), .shape = "ID or ID:VERSION",
	  .doc = "For `bedrock`: the guardrail that watches over requests and answers; without a version, "
		 "its draft." },
	{ "latency", VALUE_CHOICE, AT(raw_backend, latency), .fallback = "standard", .choices = latencies,
	  .doc = "For `bedrock`: `optimized` asks for the latency-optimized version of a model." },
	{ "project", VALUE_TEXT, AT(raw_backend, project), .shape = "project id",
	  .doc = "For `vertex`: whose models are asked; without it that of `GOOGLE_CLOUD_PROJECT`, or of the "
		 "credential's file. Without a `key` the credential is `{kind: google}`; with one, and without a "
		 "project, it is Vertex's express mode." },
	{ "location", VALUE_TEXT, AT(raw_backend, location), .shape = "location, such as `europe-west4`",
	  .doc = "For `vertex`: where it is asked; without it that of `GOOGLE_CLOUD_LOCATION`, else `global`. "
		 "Without a `url` that location's endpoint is used." },
	{ "key", VALUE_NODE, AT(raw_backend, key), .shape = "secret",
	  .doc = "The credential. Best written as `${NAME}` or `${file:PATH}`." },
	{ "credential", VALUE_NODE, AT(raw_backend, credential), .section = &section_credential,
	  .shape = "mapping", .doc = "A credential that is fetched." },
	{ "auth", VALUE_NODE, AT(raw_backend, auth), .fallback = "the dialect's own with a key, else none",
	  .shape = "`bearer`, `api-key`, `x-api-key`, `x-goog-api-key` or `none`",
	  .doc = "Which header carries the key: `Authorization: Bearer` (OpenAI and most), `api-key` (Azure), `x-api-key` (Anthropic) or `x-goog-api-key` (Gemini)." },
	{ "headers", VALUE_NODE, AT(raw_backend, headers), .shape = "mapping",
	  .doc = "Headers added to every request there (at most 32)." },
	{ "query", VALUE_NODE, AT(raw_backend, query), .shape = "mapping",
	  .doc = "Query parameters added to every request there, such as `api-version` (at most 32)." },
	{ "max_in_flight", VALUE_COUNT, AT(raw_backend, max_in_flight), 0, 1000000, "0",
	  .doc = "Requests at once for each URL, counted over the whole process; 0 is no limit." },
	{ "min_in_flight", VALUE_COUNT, AT(raw_backend, min_in_flight), 0, 1000000, "4",
	  .doc = "A target that is overloaded or gets slow is sent fewer requests at once, but never "
		 "fewer than this; what is too much waits. 0: it is sent as many as before." },
	{ "rate_scope", VALUE_CHOICE, AT(raw_backend, rate_scope), .fallback = "auto",
	  .choices = rate_scopes,
	  .doc = "What the rate limits there count, and so what a 429's pause and what is said to be left "
		 "hold for: `key`: all models that use the credential; `model`: each by itself. `auto`: "
		 "what the well-known APIs document; elsewhere `key` where there is a key, else `model`." },
	{ "connect", VALUE_DURATION, AT(raw_backend, connect_ms), 10, 5 * MINUTE,
	  .shape = "duration", .doc = "Replaces `defaults.timeouts.connect`." },
	{ "keep_alive", VALUE_DURATION, AT(raw_backend, idle_ms), 0, 1 * HOUR, "50s",
	  .doc = "An idle connection older than this is not used again. Keep it below the server's own." },
	{ "idle_connections", VALUE_COUNT, AT(raw_backend, idle_max), 0, 10000, "64",
	  .doc = "Idle connections kept for each URL and worker." },
	{ "capabilities", VALUE_NODE, AT(raw_backend, capabilities),
	  .fallback = "known models as known, others everything",
	  .shape = "list of `tools`, `images`, `audio`, `json_schema`, `stream`",
	  .doc = "What the models there can do. A request that needs something else is not sent there. A "
		 "target's own list wins." },
	{ "context_window", VALUE_COUNT, AT(raw_backend, context_window), 0, 100000000, "0",
	  .doc = "Tokens that go into the models there; 0: as known, or unknown. A request that is longer "
		 "by estimate goes elsewhere if it can." },
	{ "probe", VALUE_NODE, AT(raw_backend, probe), .section = &section_probe, .shape = "mapping",
	  .doc = "Looks at it from outside." },
	{ "proxy", VALUE_NODE, AT(raw_backend, proxy), .fallback = "from the environment",
	  .shape = "URL or `none`",
	  .doc = "HTTP forward proxy (`http://[user:password@]host:port`, used with CONNECT)." },
	{ "tls", VALUE_NODE, AT(raw_backend, tls), .section = &section_backend_tls, .shape = "mapping",
	  .doc = "Own authorities or a client certificate." },
	{ "resume", VALUE_CHOICE, AT(raw_backend, resume), .fallback = "auto", .choices = resume_ways,
	  .doc = "How models there are asked to go on with an answer that broke off. `replay`: the same "
		 "request again, and what the client has is swallowed; fits everything, but only "
		 "deterministic answers. `prefill`, `prefix`, `continue_final_message` (vLLM, SGLang): the "
		 "text so far as an assistant's message at the end, in the three ways in which servers "
		 "understand it. `instruct`: a message that asks for the rest. `auto`: what the API is "
		 "documented to take, else `replay`." },
};
const struct section section_backend = {
	"backends.NAME", "a backend",
	"NAME is made of letters, digits and `. _ -`, at most 64 bytes.",
	backend_fields, COUNT_OF(backend_fields),
	(const struct stray[]){
		{ "timeouts", "a backend has only \"connect\", the others stand in a model's \"timeouts\" "
			      "or in defaults.timeouts" },
		{ "api_key", "write \"key\"" },
		{ "base_url", "write \"url\"" },
		{ "model", "models stand in \"models\", each with its targets" },
		{ "models", "models stand at the top level, each with its targets" },
		{ NULL, NULL } },
};

static const struct field timeout_fields[] = {
	{ "first_token", VALUE_DURATION, AT(timeout_policy, first_token_ms), 10, 1 * HOUR,
	  .doc = "Replaces the default of the same name." },
	{ "first_token_reasoning", VALUE_DURATION, AT(timeout_policy, first_token_reasoning_ms), 10,
	  1 * HOUR, .doc = "Replaces the default of the same name." },
	{ "idle", VALUE_DURATION, AT(timeout_policy, idle_ms), 10, 1 * HOUR,
	  .doc = "Replaces the default of the same name." },
	{ "answer", VALUE_DURATION, AT(timeout_policy, answer_ms), 10, 24 * HOUR,
	  .doc = "Replaces the default of the same name." },
	{ "total", VALUE_DURATION, AT(timeout_policy, total_ms), 100, 24 * HOUR,
	  .doc = "Replaces the default of the same name." },
};
const struct section section_timeouts = {
	"models.NAME.timeouts", "a model's timeouts", NULL,
	timeout_fields, COUNT_OF(timeout_fields),
	(const struct stray[]){
		{ "connect", "it belongs to connections: write it in the backend, or in "
			     "defaults.timeouts" },
		{ NULL, NULL } },
};

static const struct field target_fields[] = {
	{ "backend", VALUE_NODE, AT(raw_target, backend), .shape = "name", .required = true,
	  .doc = "One of `backends`." },
	{ "model", VALUE_NODE, AT(raw_target, model), .fallback = "the name asked for",
	  .shape = "text",
	  .doc = "The model's name there. In a pattern, a `*` at its end stands for what the "
		 "pattern's star stood for." },
	{ "weight", VALUE_COUNT, AT(raw_target, weight), 1, 1000, "1",
	  .doc = "Share of the work among targets of the same priority." },
	{ "priority", VALUE_COUNT, AT(raw_target, priority), 1, 100, "1",
	  .doc = "Targets with 1 are used while one of them can be; then those with 2, and so on." },
	{ "capabilities", VALUE_NODE, AT(raw_target, capabilities),
	  .fallback = "the backend's",
	  .shape = "list of `tools`, `images`, `audio`, `json_schema`, `stream`",
	  .doc = "What the model can do there." },
	{ "context_window", VALUE_COUNT, AT(raw_target, context_window), 0, 100000000, "0",
	  .doc = "Tokens that go into it; 0: the backend's." },
	{ "resume", VALUE_CHOICE, AT(raw_target, resume), .choices = resume_ways,
	  .doc = "Replaces the backend's `resume`." },
};
const struct section section_target = {
	"models.NAME.targets[]", "a target",
	"Short form: `backend/model`, or `backend` alone for the name asked for.",
	target_fields, COUNT_OF(target_fields), NULL,
};

static const struct field model_fields[] = {
	{ "targets", VALUE_NODE, AT(raw_model, targets), .shape = "list", .section = &section_target,
	  .required = true, .doc = "Where requests for the model go (at most 256)." },
	{ "balance", VALUE_CHOICE, AT(raw_model, balance), .choices = balances,
	  .doc = "Replaces `defaults.balance`." },
	{ "sticky", VALUE_TEXT, AT(raw_model, sticky), .shape = "a header's name, `user` or `off`",
	  .doc = "Replaces `defaults.sticky`." },
	{ "breaker", VALUE_SECTION, AT(raw_model, breaker), .section = &section_breaker,
	  .doc = "Replaces keys of `defaults.breaker`." },
	{ "ejection", VALUE_SECTION, AT(raw_model, ejection), .section = &section_ejection,
	  .doc = "Replaces keys of `defaults.ejection`." },
	{ "fallbacks", VALUE_NODE, AT(raw_model, fallbacks), .shape = "list of models",
	  .doc = "Models to ask, in this order, when no target of this one can answer (at most 16). Such "
		 "answers are marked as degraded." },
	{ "timeouts", VALUE_SECTION, AT(raw_model, timeouts), .section = &section_timeouts,
	  .doc = "Time limits of this model." },
	{ "retry", VALUE_SECTION, AT(raw_model, retry), .section = &section_retry,
	  .doc = "Replaces keys of `defaults.retry`." },
	{ "queue", VALUE_SECTION, AT(raw_model, queue), .section = &section_queue,
	  .doc = "Replaces keys of `defaults.queue`." },
	{ "resume", VALUE_CHOICE, AT(raw_model, streams.resume), .choices = on_off,
	  .doc = "Replaces `defaults.resume`." },
	{ "stream_upstream", VALUE_CHOICE, AT(raw_model, streams.stream_upstream), .choices = stream_upstreams,
	  .doc = "Replaces `defaults.stream_upstream`." },
	{ "keep_alive_comments", VALUE_DURATION, AT(raw_model, streams.comments_ms), 0, 1 * HOUR, NULL,
	  .doc = "Replaces `defaults.keep_alive_comments`." },
	{ "may_lose", VALUE_NODE, AT(raw_model, streams.may_lose), .shape = "list of features, or `all`",
	  .doc = "Replaces `defaults.may_lose`." },
	{ "hedge", VALUE_SECTION, AT(raw_model, hedge), .section = &section_hedge,
	  .doc = "Replaces keys of `defaults.hedge`." },
	{ "cache", VALUE_SECTION, AT(raw_model, cache), .section = &section_cache,
	  .doc = "Replaces keys of `defaults.cache`." },
	{ "last_resort", VALUE_NODE, AT(raw_model, last_resort), .section = &section_last_resort,
	  .shape = "mapping", .doc = "What is said when nothing else is left." },
};
const struct section section_model = {
	"models.NAME", "a model",
	"NAME is what clients ask for: letters, digits and `. _ : / @ + -`, at most 128 bytes. With a "
	"`*` at its end it is a pattern for all names that start like it; a full name wins over "
	"patterns, a longer pattern over a shorter. Instead of the mapping a list of targets may "
	"stand there.",
	model_fields, COUNT_OF(model_fields),
	(const struct stray[]){
		{ "fallback", "did you mean \"fallbacks\"?" },
		{ "target", "did you mean \"targets\"?" },
		{ "backend", "write it in a target: targets: [{backend: NAME}]" },
		{ "backends", "write them as targets: [{backend: NAME}, …]" },
		{ NULL, NULL } },
};

static const struct field tracing_fields[] = {
	{ "endpoint", VALUE_NODE, AT(raw_tracing, endpoint), .shape = "URL", .required = true,
	  .doc = "Where the collector takes OTLP over HTTP, such as `http://127.0.0.1:4318/v1/traces`." },
	{ "headers", VALUE_NODE, AT(raw_tracing, headers), .shape = "mapping",
	  .doc = "Headers for it, such as the key of a service (at most 32)." },
	{ "proxy", VALUE_NODE, AT(raw_tracing, proxy), .fallback = "from the environment",
	  .shape = "URL or `none`", .doc = "As for a backend." },
	{ "service", VALUE_TEXT, AT(raw_tracing, service), .shape = "text", .fallback = "backstay",
	  .doc = "`service.name` of the spans." },
	{ "sample", VALUE_PERCENT, AT(raw_tracing, sample_milli), 0, 100000, "10%",
	  .doc = "Share of the traces that begin here of which spans are kept. Where something failed on "
		 "the way, or the answer was degraded, they always are; and where the client's "
		 "`traceparent` says that its trace is sampled." },
	{ "every", VALUE_DURATION, AT(raw_tracing, every_ms), 100, 5 * MINUTE, "5s",
	  .doc = "How long spans are gathered before they are sent. Large batches go at once." },
	{ "propagate", VALUE_CHOICE, AT(raw_tracing, propagate), .fallback = "on", .choices = on_off,
	  .doc = "Whether backends are told of the trace with `traceparent`." },
};
const struct section section_tracing = {
	"tracing", "tracing",
	"Spans by OTLP/HTTP (JSON): one for each exchange, one for each attempt, with the attributes of "
	"OpenTelemetry's GenAI conventions. What the collector does not take in time is dropped, never "
	"waited for. Without this section a client's `traceparent` passes to backends as it is.",
	tracing_fields, COUNT_OF(tracing_fields), NULL,
};

static const struct field price_fields[] = {
	{ "input", VALUE_NODE, AT(raw_price, input), .shape = "US dollars", .required = true,
	  .doc = "For a million tokens of input." },
	{ "cached", VALUE_NODE, AT(raw_price, cached), .shape = "US dollars", .fallback = "as `input`",
	  .doc = "For a million tokens of input that the backend had kept from before." },
	{ "output", VALUE_NODE, AT(raw_price, output), .shape = "US dollars", .required = true,
	  .doc = "For a million tokens of output, reasoning included." },
};
const struct section section_price = {
	"prices", "a price",
	"A mapping from models, as they are named at backends, to what their tokens cost; for the metrics "
	"and the access log only. `MODEL` holds for all backends, `BACKEND/MODEL` for one; a `*` at the "
	"end stands for anything. A name that goes on with a version (`-20250929`, `-latest`, `@...`) or "
	"has a vendor before it (`openai/...`) is the same model. Rows of the config win over the "
	"built-in table, `deploy/prices.yaml`; the longest name wins over shorter ones. A model "
	"without a price costs nothing there, and `backstay_unpriced_tokens_total` says so: give your "
	"own servers `gpu/*: {input: 0, output: 0}`.",
	price_fields, COUNT_OF(price_fields), NULL,
};

static const struct field mock_fields[] = {
	{ "listen", VALUE_NODE, AT(raw_mock, listen), .shape = "address", .required = true,
	  .doc = "Where it listens." },
	{ "model", VALUE_NODE, AT(raw_mock, model), .shape = "text", .doc = "`--model` of the mock." },
	{ "ttft", VALUE_NODE, AT(raw_mock, ttft), .shape = "duration",
	  .doc = "`--ttft`: time to the first token." },
	{ "gap", VALUE_NODE, AT(raw_mock, gap), .shape = "duration",
	  .doc = "`--gap`: time between tokens." },
	{ "tokens", VALUE_NODE, AT(raw_mock, tokens), .shape = "number",
	  .doc = "`--tokens`: length of an answer." },
	{ "seed", VALUE_NODE, AT(raw_mock, seed), .shape = "number",
	  .doc = "`--seed`: the same seed gives the same text." },
	{ "fault", VALUE_NODE, AT(raw_mock, fault), .shape = "text",
	  .doc = "`--fault`: what goes wrong there." },
	{ "args", VALUE_NODE, AT(raw_mock, args), .shape = "list",
	  .doc = "Further options of `backstay mock`, as they stand on its command line (at most 64)." },
	{ "restart", VALUE_DURATION, AT(raw_mock, restart_ms), 0, 1 * HOUR, "15s",
	  .doc = "One that was killed comes back after this time." },
};
const struct section section_mock = {
	"mocks.NAME", "a mock",
	"Simulated model servers that Backstay starts beside itself, for a first try and for "
	"rehearsals. `backstay mock --help` tells all options.",
	mock_fields, COUNT_OF(mock_fields), NULL,
};

static const struct choice sink_kinds[] = {
	{ "webhook", ALERT_WEBHOOK }, { "slack", ALERT_SLACK }, { "pagerduty", ALERT_PAGERDUTY },
	{ "alertmanager", ALERT_ALERTMANAGER }, { NULL, 0 },
};
static const struct choice severities[] = {
	{ "critical", ALERT_CRITICAL }, { "warning", ALERT_WARNING }, { "info", ALERT_INFO }, { NULL, 0 },
};
static const struct field alert_sink_fields[] = {
	{ "kind", VALUE_CHOICE, AT(raw_alert_sink, kind), .fallback = "webhook", .choices = sink_kinds,
	  .doc = "`webhook`: JSON of our own. `slack`: an incoming webhook of Slack, or of what takes the same "
		 "(Mattermost, for one). `pagerduty`: Events API v2. `alertmanager`: API v2." },
	{ "url", VALUE_NODE, AT(raw_alert_sink, url), .fallback = "PagerDuty's own for `pagerduty`",
	  .shape = "URL", .doc = "Where it is sent. For `alertmanager` the server's, without `/api/v2/alerts`. A "
				 "secret where it holds one: best written as `${NAME}` or `${file:PATH}`." },
	{ "secret", VALUE_NODE, AT(raw_alert_sink, secret), .shape = "secret",
	  .doc = "`webhook`: signs each message with HMAC-SHA256 (`X-Backstay-Signature`). `pagerduty`: the "
		 "integration's routing key, required there." },
	{ "bearer", VALUE_NODE, AT(raw_alert_sink, bearer), .shape = "secret",
	  .doc = "Sent as `Authorization: Bearer`." },
	{ "severity", VALUE_CHOICE, AT(raw_alert_sink, least), .fallback = "info", .choices = severities,
	  .doc = "The least that is sent there." },
	{ "proxy", VALUE_NODE, AT(raw_alert_sink, proxy), .fallback = "from the environment",
	  .shape = "URL or `none`",
	  .doc = "HTTP forward proxy (`http://[user:password@]host:port`, used with CONNECT)." },
};
const struct section section_alert_sink = {
	"alerts.sinks.NAME", "a sink of alerts", "NAME is made of letters, digits and `. _ -`, at most 64 bytes.",
	alert_sink_fields, COUNT_OF(alert_sink_fields),
	(const struct stray[]){
		{ "routing_key", "write \"secret\"" }, { "key", "write \"secret\"" },
		{ "token", "write \"bearer\"" }, { NULL, NULL } },
};

static const struct field alerts_fields[] = {
	{ "sinks", VALUE_NODE, AT(raw_alerts, sinks), .section = &section_alert_sink, .shape = "mapping",
	  .doc = "Who is told (at most 16)." },
	{ "wait", VALUE_DURATION, AT(raw_alerts, wait_ms), 0, 1 * HOUR, "5s",
	  .doc = "Trouble must last so long before it is told; what begins meanwhile is told with it." },
	{ "calm", VALUE_DURATION, AT(raw_alerts, calm_ms), 0, 24 * HOUR, "30s",
	  .doc = "It must be over for so long before that is told: what is back sooner was never away. What "
		 "comes and goes (four times in ten minutes) must be over for ten times as long." },
	{ "repeat", VALUE_DURATION, AT(raw_alerts, repeat_ms), 0, 365 * 24 * HOUR, "4h",
	  .doc = "What lasts is told again after this time; 0: it is not. Alertmanager is told each minute." },
	{ "state", VALUE_NODE, AT(raw_alerts, state), .shape = "path",
	  .doc = "A file in which alerts, and messages that nobody has taken yet, survive a restart." },
	{ "source", VALUE_NODE, AT(raw_alerts, source), .fallback = "the machine's name", .shape = "text",
	  .doc = "Who we are, in messages and among the nodes that share a store." },
	{ "link", VALUE_NODE, AT(raw_alerts, link), .shape = "URL",
	  .doc = "Where people can look; put into messages." },
};
const struct section section_alerts = {
	"alerts", "alerts", "Tells people of trouble, without Prometheus. `backstay alert test` sends a test to "
	"all sinks; docs/operations.md lists what is told.",
	alerts_fields, COUNT_OF(alerts_fields),
	(const struct stray[]){
		{ "webhook", "write sinks: {NAME: {url: …}}" },
		{ "slack", "write sinks: {NAME: {kind: slack, url: …}}" },
		{ "pagerduty", "write sinks: {NAME: {kind: pagerduty, secret: …}}" },
		{ NULL, NULL } },
};

static const struct choice budget_periods[] = {
	{ "hour", BUDGET_HOUR }, { "day", BUDGET_DAY }, { "month", BUDGET_MONTH }, { NULL, 0 },
};
static const struct choice budget_thens[] = {
	{ "alert", BUDGET_ALERT }, { "cheaper", BUDGET_CHEAPER }, { "refuse", BUDGET_REFUSE }, { NULL, 0 },
};
static const struct field budget_fields[] = {
	{ "cost", VALUE_NODE, AT(raw_budget, cost), .shape = "US dollars",
	  .doc = "What may be spent in a period, as the price table counts it: `50` or `0.75`. A budget has a "
		 "`cost`, or `tokens`, or both." },
	{ "tokens", VALUE_NODE, AT(raw_budget, tokens), .shape = "whole number",
	  .doc = "Tokens, input and output together, that may be used in a period." },
	{ "per", VALUE_CHOICE, AT(raw_budget, per), .fallback = "day", .choices = budget_periods,
	  .doc = "The period: an hour, a day or a month of the calendar, in UTC. Each begins with nothing spent." },
	{ "keys", VALUE_NODE, AT(raw_budget, keys), .fallback = "everybody", .shape = "name or list of names",
	  .doc = "Client keys, or groups of them, whose requests count here, all together." },
	{ "models", VALUE_NODE, AT(raw_budget, models), .fallback = "all", .shape = "name or list of names",
	  .doc = "Models that are asked for, as `models` names them; what their fallbacks cost counts as well." },
	{ "alert", VALUE_PERCENT, AT(raw_budget, near_milli), 0, 100000, "80%",
	  .doc = "Alert `budget_near` fires at this share, `budget_spent` at 100 %." },
	{ "then", VALUE_CHOICE, AT(raw_budget, then), .fallback = "alert", .choices = budget_thens,
	  .doc = "What becomes of requests while nothing is left. `alert`: they go on. `cheaper`: they go to the "
		 "cheapest targets and fallbacks that can take them, the others only where those fail. `refuse`: "
		 "a kept answer or the last resort, marked as such, else an error 429 whose `Retry-After` is the "
		 "period's end." },
};
const struct section section_budget = {
	"spending.budgets.NAME", "a budget", "NAME is made of letters, digits and `. _ -`, at most 64 bytes.",
	budget_fields, COUNT_OF(budget_fields),
	(const struct stray[]){
		{ "key", "write \"keys\"" }, { "model", "write \"models\"" }, { "limit", "write \"cost\" or \"tokens\"" },
		{ "usd", "write \"cost\"" }, { NULL, NULL } },
};

static const struct field spending_fields[] = {
	{ "budgets", VALUE_NODE, AT(raw_spending, budgets), .section = &section_budget, .shape = "mapping",
	  .required = true, .doc = "At most 256." },
	{ "state", VALUE_NODE, AT(raw_spending, state), .shape = "path",
	  .doc = "A file in which what has been spent survives a restart." },
};
const struct section section_spending = {
	"spending", "spending", "What may be spent. All workers of a process count together; several machines "
	"each count for themselves. A request is judged when it comes, and counted when it has ended, so that "
	"those under way may take a budget beyond its end.",
	spending_fields, COUNT_OF(spending_fields), NULL,
};

static const struct field top_fields[] = {
	{ "listen", VALUE_NODE, AT(raw_top, listen), .fallback = "127.0.0.1:8080",
	  .shape = "address, or list of addresses",
	  .doc = "Where clients connect: `127.0.0.1:8080`, `[::1]:8080`, `unix:/path`; at most 16." },
	{ "tls", VALUE_NODE, AT(raw_top, tls), .section = &section_listen_tls, .shape = "mapping",
	  .doc = "Certificate for the listeners." },
	{ "admin", VALUE_NODE, AT(raw_top, admin), .section = &section_admin,
	  .shape = "mapping or `off`", .doc = "The admin port." },
	{ "workers", VALUE_NODE, AT(raw_top, workers), .fallback = "auto",
	  .shape = "`auto` or 1 to 1024", .doc = "Worker threads; `auto` is one for each core." },
	{ "drain", VALUE_DURATION, AT(raw_top, drain_ms), 0, 24 * HOUR, "30s",
	  .doc = "Longest wait for open answers at shutdown; then they end with an honest error." },
	{ "limits", VALUE_SECTION, AT(raw_top, limits), .section = &section_limits,
	  .doc = "Limits on clients." },
	{ "keys", VALUE_NODE, AT(raw_top, keys), .section = &section_key, .shape = "list",
	  .doc = "Client keys." },
	{ "cache", VALUE_SECTION, AT(raw_top, cache), .section = &section_cache_store,
	  .doc = "Where answers are kept." },
	{ "log", VALUE_SECTION, AT(raw_top, log), .section = &section_log, .doc = "Logs." },
	{ "alerts", VALUE_NODE, AT(raw_top, alerts), .section = &section_alerts, .shape = "mapping",
	  .doc = "Who is told of trouble." },
	{ "defaults", VALUE_SECTION, AT(raw_top, defaults), .section = &section_defaults_of_all,
	  .doc = "Defaults for all models." },
	{ "backends", VALUE_NODE, AT(raw_top, backends), .section = &section_backend,
	  .shape = "mapping", .required = true, .doc = "The servers that have models." },
	{ "models", VALUE_NODE, AT(raw_top, models), .section = &section_model, .shape = "mapping",
	  .required = true, .doc = "The names that clients ask for." },
	{ "tracing", VALUE_NODE, AT(raw_top, tracing), .section = &section_tracing, .shape = "mapping",
	  .doc = "Traces for a collector." },
	{ "prices", VALUE_NODE, AT(raw_top, prices), .section = &section_price, .shape = "mapping",
	  .fallback = "those of well-known models", .doc = "What tokens cost." },
	{ "spending", VALUE_NODE, AT(raw_top, spending), .section = &section_spending, .shape = "mapping",
	  .doc = "What may be spent." },
	{ "mocks", VALUE_NODE, AT(raw_top, mocks), .section = &section_mock, .shape = "mapping",
	  .doc = "Simulated model servers." },
};
const struct section section_top = {
	"", "the config", NULL, top_fields, COUNT_OF(top_fields),
	(const struct stray[]){
		{ "timeouts", "write defaults: {timeouts: …}, or put it in a model" },
		{ "retry", "write defaults: {retry: …}, or put it in a model" },
		{ "port", "write listen: 127.0.0.1:PORT" },
		{ "budgets", "write spending: {budgets: …}" },
		{ NULL, NULL } },
};
