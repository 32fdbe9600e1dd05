/* inside.h: what the files of config/ share with each other; nobody else
 * includes it.
 *
 * The way of a config: yaml.c makes a tree of nodes that know their place,
 * substitute.c puts ${…} in, schema.c reads mappings by tables of fields,
 * server.c, backends.c and models.c give the values their meaning. Whoever
 * finds a mistake complains and goes on, so that one pass finds them all. */
#ifndef BACKSTAY_CONFIG_INSIDE_H
#define BACKSTAY_CONFIG_INSIDE_H

#include "config/config.h"

/* Bounds of what is read. */
#define CONFIG_BYTES_MAX (1024 * 1024)
#define CONFIG_DEPTH_MAX 16
#define CONFIG_MEMBERS_MAX 4096
#define CONFIG_FILE_VALUE_MAX (64 * 1024)     /* a ${file:…} */
#define CONFIG_COMPLAINTS_MAX 50
#define CONFIG_NOTES_MAX 50

/* ---- the tree --------------------------------------------------------------- */

enum node_kind { NODE_SCALAR, NODE_LIST, NODE_MAP };

struct node {
	enum node_kind kind;
	unsigned line, column;        /* 1 is the first */
	bool quoted, one_line;        /* scalars: how it is written */
	bool bad;                     /* scalars: complained about already; to be skipped */
	struct slice text;            /* scalars: the value, ${…} filled in */
	struct slice written;         /* scalars: as it stands in the file, for messages */
	struct member *members;       /* mappings, in file order */
	struct node **items;          /* lists */
	size_t count;
};

struct member {
	struct slice key;
	unsigned line, column;        /* of the key */
	struct node *value;
};

/* ---- one reading -------------------------------------------------------------- */

struct complaint {
	unsigned line, column;
	size_t order;
	struct slice text;
};

struct reader {
	struct arena *arena;          /* the snapshot's */
	struct arena *scratch;        /* tree and texts of this reading only */
	struct slice file, directory; /* directory: with its '/', or empty */
	const struct config_source *source;
	struct config *config;
	struct complaint complaints[CONFIG_COMPLAINTS_MAX];
	size_t complaint_count;       /* may be above the maximum: not kept */
	struct slice notes[CONFIG_NOTES_MAX];
	size_t note_count;
	struct io_tls *system_tls;    /* shared by all backends without own files */
};

/* Notes a mistake at a place: "what is wrong; remedy" without a full stop. */
void complain(struct reader *r, unsigned line, unsigned column, const char *format, ...)
	PRINTF_LIKE(4, 5);
/* complain() at a node. */
#define complain_at(r, node, ...) complain((r), (node)->line, (node)->column, __VA_ARGS__)
/* Writes all complaints, sorted by place, one a line. */
void complaints_write(struct reader *r, struct buf *out);
/* Keeps a sentence for the operator that is no mistake. */
void note(struct reader *r, const char *format, ...) PRINTF_LIKE(2, 3);
/* `s` in double quotes, fit for a message: cut at 60 bytes, controls replaced.
 * Lives in the scratch arena. */
const char *quote(struct reader *r, struct slice s);

/* ---- yaml.c ------------------------------------------------------------------- */

/* The tree of `text`, in the scratch arena. NULL after a complaint. */
struct node *yaml_read(struct reader *r, struct slice text);
/* The member's value; NULL if `map` is not a mapping or has no such key. */
struct node *node_get(const struct node *map, const char *key);
/* "a mapping", "a list", "a single value". */
const char *node_kind_text(const struct node *n);
/* An empty plain scalar, `~` or `null`. */
bool node_is_null(const struct node *n);

/* ---- substitute.c ------------------------------------------------------------- */

/* Fills in ${NAME}, ${NAME:-default} and ${file:path} in all scalars below. */
void substitute(struct reader *r, struct node *n);
/* A path of the config as the process must open it: relative ones start from
 * the config file's directory. In the snapshot's arena, NUL-terminated. */
struct slice config_path_of(struct reader *r, struct slice path);
/* Why a TLS setup failed, if a file of it is the reason: true if `path` (NULL:
 * no file) can be read, else false after a complaint at `n`. */
bool config_path_reads(struct reader *r, const struct node *n, const char *path);

/* ---- values.c ------------------------------------------------------------------ */

/* Texts to values. Each gives NULL, or what is wrong with the text as "what;
 * remedy" (static or in `scratch`); *out is then untouched. */
const char *value_duration(struct arena *scratch, struct slice s, int64_t *out_ms);
const char *value_size(struct arena *scratch, struct slice s, int64_t *out_bytes);
const char *value_count(struct arena *scratch, struct slice s, int64_t *out);
/* "20%" or "0.5%", in thousandths of a percent. */
const char *value_percent(struct arena *scratch, struct slice s, int64_t *out_milli);
/* on, yes, true / off, no, false. */
const char *value_bool(struct slice s, bool *out);
/* The reverse of value_duration() and value_size(), in the largest unit that
 * gives a whole number. */
struct slice value_duration_text(struct arena *scratch, int64_t ms);
struct slice value_size_text(struct arena *scratch, int64_t bytes);
/* An address to listen on; localhost is 127.0.0.1. */
const char *value_listen(struct reader *r, struct slice s, struct io_addr *out);
/* Letters, digits and the bytes of `more`; 1 .. max long. */
bool value_is_name(struct slice s, const char *more, size_t max);

/* ---- schema.c, read.c ------------------------------------------------------------------ */

enum value_kind {
	VALUE_NODE,                   /* struct node *: read by code of its own */
	VALUE_SECTION,                /* a mapping, read into the struct at the offset */
	VALUE_DURATION,               /* int64_t, ms */
	VALUE_SIZE,                   /* size_t, bytes */
	VALUE_COUNT,                  /* unsigned */
	VALUE_PERCENT,                /* int64_t, thousandths of a percent; min and max likewise */
	VALUE_CHOICE,                 /* an enum */
	VALUE_TEXT,                   /* struct slice, snapshot's arena */
};

struct choice {
	const char *name;             /* NULL ends the list */
	int value;
};

struct section;

/* One key: where its value goes, its range, and what the reference says. */
struct field {
	const char *key;
	enum value_kind kind;
	size_t offset;
	int64_t min, max;             /* DURATION, SIZE, COUNT */
	const char *fallback;         /* default, written as in a file; NULL: none */
	const char *shape;            /* how values look, for the reference; NULL: by kind */
	const struct section *section;
	const struct choice *choices;
	bool required;
	const char *doc;              /* a sentence or two */
};

/* A key that is no key here but may be looked for: what to do instead. */
struct stray {
	const char *key, *remedy;
};

struct section {
	const char *path;             /* "backends.NAME": heading of the reference */
	const char *what;             /* "a backend": for messages */
	const char *intro;            /* for the reference; may be NULL */
	const struct field *fields;
	size_t field_count;
	const struct stray *strays;   /* ends with a NULL key; may be NULL */
};

/* Fills in the defaults of the section's fields. */
void section_defaults(const struct section *s, void *into);
/* Reads a mapping by its table; fields that are absent keep what `into` has.
 * Complains about what is wrong and goes on. False if `n` is no mapping. */
bool section_read(struct reader *r, const struct section *s, struct node *n, void *into);
/* A choice by name; complains with the nearest one. False: *out untouched. */
bool choice_read(struct reader *r, const char *key, const struct choice *choices,
		 const struct node *n, int *out);
/* "; did you mean …?" for the nearest of `names`, or "; known …: a, b, c". */
const char *suggestion(struct reader *r, struct slice wrong, const struct slice *names,
		       size_t count, const char *known);
/* The scalar's text; complains and gives false for a mapping, a list or nothing. */
bool scalar_of(struct reader *r, const char *key, const struct node *n, struct slice *out);

struct raw_timeouts {
	int64_t connect_ms;
	struct timeout_policy policy;
};

struct raw_breaker {
	unsigned faults, requests;
	int64_t rate_milli;
	int64_t window_ms, open_ms, open_max_ms, ramp_ms;
};

struct raw_ejection {
	int64_t share_milli;
	unsigned factor;
	int64_t slack_ms;
	int64_t time_ms;
};

struct raw_hedge {
	struct node *after, *budget;
};

/* What a model says of streams. */
struct raw_streams {
	int resume;                   /* a bool */
	enum stream_upstream stream_upstream;
	int64_t comments_ms;
	struct node *may_lose;        /* names of CANON_FEATURES */
};

/* What a model says of kept answers. */
struct raw_cache {
	int64_t fresh_ms, stale_ms, refresh_ms, pace_ms, near_milli;
	enum cache_scope scope;
	int tools, resumed, coalesce; /* bools */
	struct node *temperature, *embeddings;
};

struct raw_embeddings {
	struct node *model;
	int64_t least_milli, wait_ms;
};

struct raw_last_resort {
	struct node *message, *model;
};

struct raw_cache_disk {
	struct node *path;
	size_t bytes;
	int64_t wait_ms;
};

struct raw_cache_shared {
	int mode;                     /* enum shared_mode */
	struct node *addresses, *master, *user, *password, *sentinel_user, *sentinel_password, *tls, *prefix;
	unsigned database;
	int64_t wait_ms, connect_ms, lease_ms;
};

struct raw_cache_store {
	size_t memory_bytes, entry_bytes;
	struct node *disk, *shared;
};

struct raw_defaults {
	struct raw_cache cache;
	struct raw_timeouts timeouts;
	struct retry_policy retry;
	struct queue_policy queue;
	enum balance balance;
	struct slice sticky;
	struct raw_breaker breaker;
	struct raw_ejection ejection;
	struct raw_streams streams;
	struct raw_hedge hedge;
};

struct raw_log {
	enum log_level level;
	struct node *access, *syslog;
	int64_t access_sample_milli;
};

struct raw_top {
	struct raw_cache_store cache;
	struct node *prices;
	struct node *tracing;
	struct node *spending;
	struct node *listen, *tls, *admin, *workers, *keys, *backends, *models, *mocks, *alerts;
	int64_t drain_ms;
	struct client_limits limits;
	struct raw_log log;
	struct raw_defaults defaults;
};

#define RATE_SCOPE_AUTO (-1)

enum bedrock_latency { LATENCY_STANDARD, LATENCY_OPTIMIZED };

struct raw_backend {
	int resume;                   /* enum resume_way */
	int rate_scope;               /* enum rate_scope, or RATE_SCOPE_AUTO */
	struct slice region, project, location, api_version, guardrail;
	int latency;                  /* enum bedrock_latency */
	struct node *dialect, *vendor, *endpoints, *url, *urls, *key, *headers, *query, *proxy, *tls, *auth, *capabilities, *probe, *credential;
	unsigned context_window;
	unsigned max_in_flight, min_in_flight;
	int64_t connect_ms, idle_ms;
	unsigned idle_max;
};

struct raw_credential {
	int kind;                     /* enum credential_word */
	struct node *file, *json, *secret, *token, *url;
	struct slice scope, tenant, client, profile;
};

struct raw_probe {
	int kind;                     /* enum probe_kind; -1: not said */
	struct slice path;
	int64_t every_ms, timeout_ms;
};

struct raw_tls {
	struct node *ca, *cert, *key;
};

struct raw_model {
	struct raw_cache cache;
	struct node *last_resort;
	struct raw_streams streams;
	struct raw_hedge hedge;
	struct node *targets, *fallbacks;
	enum balance balance;
	struct slice sticky;
	struct raw_breaker breaker;
	struct raw_ejection ejection;
	struct timeout_policy timeouts;
	struct retry_policy retry;
	struct queue_policy queue;
};

struct raw_target {
	int resume;                   /* enum resume_way */
	struct node *backend, *model, *capabilities;
	unsigned weight, priority, context_window;
};

struct raw_key {
	struct node *name, *key, *sha256, *group;
	enum priority priority;
	int explain;
	unsigned requests, tokens;
};

struct raw_admin {
	struct node *listen, *key, *hosts;
	enum admin_read read;
};

struct raw_alerts {
	int64_t wait_ms, calm_ms, repeat_ms;
	struct node *state, *link, *sinks;
	struct node *source;
};

struct raw_alert_sink {
	enum alert_sink_kind kind;
	enum alert_severity least;
	struct node *url, *secret, *bearer, *proxy;
};

struct raw_tracing {
	struct node *endpoint, *headers, *proxy;
	struct slice service;
	int64_t sample_milli, every_ms;
	int propagate;                /* a bool */
};

struct raw_spending {
	struct node *budgets, *state;
};

struct raw_budget {
	enum budget_period per;
	enum budget_then then;
	int64_t near_milli;
	struct node *cost, *tokens, *keys, *models;
};

struct raw_price {
	struct node *input, *cached, *output;
};

struct raw_mock {
	struct node *listen, *args, *model, *ttft, *gap, *tokens, *seed, *fault;
	int64_t restart_ms;
};

extern const struct section section_top, section_listen_tls, section_admin, section_limits,
	section_key, section_log, section_defaults_of_all, section_default_timeouts, section_retry, section_queue,
	section_hedge, section_cache, section_cache_embeddings, section_last_resort, section_cache_store, section_cache_disk, section_cache_shared,
	section_breaker, section_ejection,
	section_backend, section_backend_tls, section_probe, section_credential, section_model, section_target, section_timeouts,
	section_mock, section_alerts, section_alert_sink;
extern const struct section section_price, section_tracing, section_spending, section_budget;

/* ---- server.c, backends.c, models.c, proxy.c ------------------------------------- */

/* Listeners, admin, workers, keys, log, mocks. */
void build_server(struct reader *r, const struct raw_top *top);
void build_mocks(struct reader *r, const struct raw_top *top);
void build_backends(struct reader *r, const struct raw_top *top);
/* alerts.c: the sinks of alerts. */
void build_alerts(struct reader *r, const struct raw_top *top);
/* budgets.c: what may be spent; behind the models, whose names it checks. */
void build_spending(struct reader *r, const struct raw_top *top);
/* "0.075" in millionths, of at most `max` whole ones. NULL, or what is wrong, as
 * value_duration(); `above` where it is more. */
const char *value_dollars(struct slice s, uint64_t max, const char *above, int64_t *out);
/* A text that a header can carry: no space, ASCII only. */
bool value_is_visible(struct slice s);
/* Unique for what connections may be shared between; `tls_key` tells TLS setups
 * apart, and is empty for the system's. Holds no secret. */
struct slice origin_key_of(struct reader *r, const struct origin *o, struct slice tls_key);
/* The TLS setup with the system's authorities, made once a reading; the reader's.
 * NULL after a complaint at `n`. */
struct io_tls *origin_system_tls(struct reader *r, const struct node *n);
/* A list of what a target can do, as bits of what it lacks; complains. */
unsigned read_capabilities(struct reader *r, const struct node *n);
/* credential.c: names of its kinds for choices. */
extern const struct choice credential_words[];
/* What Google's own tools would find (`credential: {kind: google}`); as below. */
const struct credential_policy *credential_read_google(struct reader *r, struct node *at,
						       struct node *proxy, int64_t connect_ms);
/* A backend's `credential`. NULL after a complaint. */
const struct credential_policy *credential_read(struct reader *r, struct node *n, struct node *proxy,
						int64_t connect_ms);
/* The same where none is written and AWS's own tools would find one. */
const struct credential_policy *credential_read_aws(struct reader *r, struct node *at, struct node *proxy,
						    int64_t connect_ms);
/* After the backends: targets point to them. */
void build_models(struct reader *r, const struct raw_top *top);
/* tracing.c. Complains. */
void build_tracing(struct reader *r, const struct raw_top *top);
/* prices.c: before the models, whose targets are given their prices. */
void build_prices(struct reader *r, const struct raw_top *top);
/* streams.c: names of enum resume_way for choices. */
extern const struct choice resume_ways[], latencies[];
/* vendors.c: what a backend speaks. Complain about what is unknown. */
void read_dialect(struct reader *r, const struct raw_backend *raw, struct backend_policy *out);
/* Behind the URLs: whose row it is, and what follows from it. */
void read_vendor(struct reader *r, const struct raw_backend *raw, struct origin *origins,
		 struct backend_policy *out);
/* Whose the rate limits are that an API there tells of, by what its vendor documents. */
int streams_rate_scope(int said, const struct vendor *vendor, bool has_key);
/* How a target goes on with a broken stream: its own word, its backend's, or what
 * its family and its model are known to take. All are enum resume_way. */
int streams_resume(int target, const struct backend_policy *backend, struct slice model);
/* cached.c: what a model says of kept answers; NULL: it keeps none. Complains. */
const struct cache_policy *read_cache(struct reader *r, const struct raw_cache *raw);
/* Where answers are kept. Complains. */
void read_cache_store(struct reader *r, const struct raw_cache_store *raw, struct cache_store_policy *out);
/* shared.c: the store that several machines share. Complains. */
void read_cache_shared(struct reader *r, struct node *n, struct shared_policy *out);
/* What is said when nothing is left; `n` may be NULL. The model that it names is
 * checked by check_last_resorts(). Complains. */
const struct last_resort_policy *read_last_resort(struct reader *r, struct node *n);
/* After all models: those named as a last resort are there. `nodes`: each model's
 * `last_resort`, or NULL. */
void check_last_resorts(struct reader *r, struct node *const *nodes);
/* The same of those that make vectors, and `cache.embeddings`. */
void check_embeddings(struct reader *r, struct node *const *nodes);
/* A number that changes when other targets or models would give the answers. */
uint64_t cache_epoch_of(const struct model_policy *m);
/* Complains about what is wrong. */
void read_hedge(struct reader *r, const struct raw_hedge *raw, struct hedge_policy *out);
/* Bits of CANON_FEATURES; complains about what is none. NULL: no bits. */
uint64_t read_may_lose(struct reader *r, const struct node *n);
/* The forward proxy for an origin; NULL: none. `n` is the backend's `proxy`,
 * or NULL for what the environment says. Complains about a bad URL. */
const struct proxy_policy *proxy_for(struct reader *r, const struct node *n, bool tls,
				     struct slice host, uint16_t port);
/* True if `host` (lower case) is matched by a NO_PROXY list. */
bool proxy_is_exempt(struct slice no_proxy, struct slice host, uint16_t port);
/* localhost, 127.0.0.0/8, ::1. */
bool host_is_loopback(struct slice host);
/* Lower-case copy in the arena. */
struct slice lower_copy(struct arena *arena, struct slice s);

#endif
