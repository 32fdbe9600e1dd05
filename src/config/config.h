/* config.h: from a YAML text to an immutable snapshot.
 *
 * A snapshot is built whole or not at all; every complaint names file, line,
 * column and the remedy. It is counted: workers keep the one their exchanges
 * began with until those end. */
#ifndef BACKSTAY_CONFIG_CONFIG_H
#define BACKSTAY_CONFIG_CONFIG_H

#include "admit/admit.h"
#include "admit/policy.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/lock.h"
#include "base/log.h"
#include "cache/policy.h"
#include "conn/policy.h"
#include "observe/policy.h"
#include "route/policy.h"

/* A simulated model server to start beside the proxy (demo, tests). */
struct mock_policy {
	struct slice name;
	struct io_addr listen;
	struct slice const *args;     /* further `backstay mock` options, e.g. "--ttft", "300ms" */
	size_t arg_count;
	int64_t restart_ms;           /* a killed one comes back after; default 15 s */
};

/* Who may see and do what on the admin port. */
enum admin_read {
	ADMIN_READ_AUTO,              /* all where it listens on a loopback address, else who has the key */
	ADMIN_READ_ALL, ADMIN_READ_KEY,
};

struct admin_policy {
	bool has_key;                 /* without one there are no actions */
	uint8_t key_sha256[DIGEST_SHA256_BYTES];
	enum admin_read read;
	const struct slice *hosts;    /* names, lower case, by which browsers may call it */
	size_t host_count;
};

struct config {
	struct refcount refs;
	struct arena *arena;
	struct slice path;            /* file it came from; "environment" without one */
	uint8_t sha256[DIGEST_SHA256_BYTES];  /* of its text, before anything is put in for ${NAMES} */
	uint64_t generation;          /* set by the daemon: 1, 2, 3 … */

	const struct io_addr *listen; /* data plane */
	size_t listen_count;
	struct io_tls *listen_tls;    /* NULL: plain */
	bool admin_enabled;
	struct io_addr admin_listen;
	struct admin_policy admin;
	unsigned workers;             /* 0: one a core */
	int64_t drain_ms;             /* longest wait for streams at shutdown; default 30 s */

	struct client_limits limits;
	struct admit_policy admit;
	struct budgets_policy budgets;

	struct cache_store_policy cache;
	struct alert_policy alerts;

	enum log_level log_level;
	struct slice access_log;      /* "stdout", "stderr", "syslog", "off" or a file's path */
	struct io_addr syslog;        /* where "syslog" is */
	int64_t access_sample_milli;  /* of requests that went well, in thousandths of a percent */

	struct price_table prices;
	struct trace_policy tracing;

	const struct backend_policy *backends;
	size_t backend_count;
	struct model_policy *models;  /* in file order; patterns are asked last */
	size_t model_count;
	const struct mock_policy *mocks;
	size_t mock_count;

	const struct slice *notes;    /* things worth saying that are no errors */
	size_t note_count;
};

/* How a config reaches the environment and the disk: arguments, so that tests
 * and the simulator need neither. */
struct config_source {
	/* Value of an environment variable, or NULL. */
	const char *(*env)(void *owner, const char *name);
	/* Whole content of a file; false with a sentence in `why`. */
	bool (*read_file)(void *owner, const char *path, struct buf *out, struct buf *why);
	void *owner;
};
extern const struct config_source config_source_process;   /* getenv() and files; owner NULL */

/* Reads a YAML text. On success a snapshot with one reference. NULL: one or
 * more lines "file:line:column: what is wrong; remedy" in `errors` (all that
 * could be found, not just the first; 64 KiB are enough). `file` is only for
 * messages and for the directory that relative paths in the config start from.
 * TLS setups are made here (io_tls_client(), io_tls_server()). Any thread. */
struct config *config_parse(struct slice file, struct slice text,
			    const struct config_source *source, struct buf *errors);
/* Reads a file; the same results. */
struct config *config_load(const char *path, const struct config_source *source,
			   struct buf *errors);
/* A config made from environment variables alone; `open_ports` are local model
 * servers found to answer (may be empty). NULL with a helpful text in `errors`
 * if nothing is there. `found` gets a line for each backend made. */
struct config_local_server {
	const char *name;             /* "ollama", "vllm", "llamacpp", "lmstudio" */
	uint16_t port;
};
extern const struct config_local_server config_local_servers[];
extern const size_t config_local_server_count;
struct config *config_from_environment(const struct config_source *source,
				       const struct config_local_server *const *answering,
				       size_t answering_count, struct buf *found,
				       struct buf *errors);

/* One more reference; gives `c`. Any thread. */
struct config *config_take(struct config *c);
/* Gives a reference back; the last one frees the snapshot. NULL is fine; any thread. */
void config_give(struct config *c);

/* The model for a name that a client asked for: exact first, then the longest
 * pattern. NULL: none. *star is the part that a pattern's star stands for. */
const struct model_policy *config_model(const struct config *c, struct slice name,
					struct slice *star);
/* The known model name nearest to a misspelt one; SLICE_NONE if none is near. */
struct slice config_nearest_model(const struct config *c, struct slice name);

/* The built-in price table, as YAML (deploy/prices.yaml). */
extern const struct slice config_default_prices;

/* The reference of every key, as Markdown; docs/config.md holds it. */
void config_write_reference(struct buf *out);

#endif
