/* The serving process. The control thread (this file) owns the workers; it
 * carries no traffic itself. */
#include "daemon/server.h"

#include "admit/budgets.h"
#include "base/check.h"
#include "cache/cache.h"
#include "cache/flight.h"
#include "daemon/admin.h"
#include "daemon/budget_state.h"
#include "daemon/command.h"
#include "daemon/drills.h"
#include "daemon/reload.h"
#include "daemon/worker.h"
#include "exchange/lobby.h"
#include "exchange/quotas.h"
#include "exchange/rumours.h"
#include "observe/pulse.h"
#include "route/target.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOG_QUEUE_BYTES    ((size_t)1024 * 1024)
#define ACCESS_QUEUE_BYTES ((size_t)4 * 1024 * 1024)
#define LINES_PATIENCE_MS  1000
#define LAST_WORDS_MS      2000       /* for the honest endings to reach their clients */
#define RELOAD_LOOK_MS     2000
#define REFUSED_MAX        ((size_t)64 * 1024)

struct server {
	const struct server_setup *setup;
	struct io *io;
	struct log log;
	struct io_lines *log_lines, *access_lines;
	enum access_form access;
	struct client_counters clients;
	struct target_registry *registry;
	struct lobby *lobby;
	struct budgets *budgets;
	struct budget_state *budget_state;
	struct config *cache_config;  /* whose stores are used */
	struct cache *cache;
	struct flights *flights;
	struct quotas *quotas;
	struct admin_state state;
	struct admin *admin;
	struct reload *reload;
	struct worker **workers;
	unsigned worker_count, drained;
	struct io_timer drain_limit;
	bool ended_all, left;
	int code;
};

/* ---- the log --------------------------------------------------------------------- */

static void log_sink(void *owner, enum log_level level, struct slice line)
{
	struct server *s = owner;

	(void)level;
	io_lines_write(s->log_lines, line);
}

static int64_t log_wall_ms(void *owner)
{
	(void)owner;
	return io_real_wall_ms();
}

static bool open_access_log(struct server *s, char *why, size_t size)
{
	struct slice to = s->state.config->access_log;
	char *path;

	s->access = ACCESS_JSON;
	if (slice_eq(to, S("off"))) {
		s->access = ACCESS_OFF;
	} else if (slice_eq(to, S("stdout")) || slice_eq(to, S("stderr"))) {
		int fd = slice_eq(to, S("stdout")) ? STDOUT_FILENO : STDERR_FILENO;
		const char *no_colour = getenv("NO_COLOR");

		if (isatty(fd))
			s->access = no_colour && *no_colour ? ACCESS_TERMINAL : ACCESS_TERMINAL_COLOUR;
		s->access_lines = io_lines_to_fd(fd, ACCESS_QUEUE_BYTES);
	} else if (slice_eq(to, S("syslog"))) {
		s->access_lines = io_lines_to_syslog(&s->state.config->syslog, ACCESS_QUEUE_BYTES, why, size);
		return s->access_lines != NULL;
	} else {
		path = slice_to_cstring(to);
		s->access_lines = io_lines_to_file(path, ACCESS_QUEUE_BYTES, why, size);
		free(path);
		return s->access_lines != NULL;
	}
	return true;
}

/* ---- what people are told --------------------------------------------------------- */

static void note_config(struct server *s, bool refused, struct slice text)
{
	const struct alert_event e = { .kind = ALERT_CONFIG_REFUSED, .subject = s->state.config->path,
				       .on = refused, .text = text };

	alerts_note(s->state.alerts, &e);
}

static void note_restart(struct server *s)
{
	const struct alert_event e = { .kind = ALERT_PROCESS_RESTARTED, .subject = S("serving process"),
				       .on = true, .text = S("What was under way is lost. The log has the "
							     "reason, as far as there is one.") };

	if (atomic_load(&s->setup->shared->serving_starts) > 1)
		alerts_note(s->state.alerts, &e);
}

/* ---- the end ------------------------------------------------------------------------ */

static void on_left(void *owner)
{
	struct server *s = owner;

	io_real_stop(s->io);
}

/* The last thing that is done: others are not to miss this node. */
static void leave(struct server *s)
{
	if (!s->left)
		cache_leave(s->cache, on_left, s);
	s->left = true;
}

static void on_drained(void *owner, struct worker *w)
{
	struct server *s = owner;

	(void)w;
	if (++s->drained == s->worker_count) {
		log_line(&s->log, LOG_INFO, "drained", "cut_short=%s", s->ended_all ? "yes" : "no");
		leave(s);
	}
}

static void end_all(struct server *s)
{
	struct metrics_pool p = metrics_pool_sum(s->state.metrics);

	s->ended_all = true;
	log_line(&s->log, LOG_WARN, "drain_over", "unfinished=%llu", (unsigned long long)p.exchanges);
	for (unsigned i = 0; i < s->worker_count; i++)
		worker_end_all(s->workers[i]);
	io_timer_set(s->io, &s->drain_limit, mono_after(io_now(s->io), LAST_WORDS_MS));
}

static void on_drain_limit(struct io_timer *t, mono_ms now)
{
	struct server *s = CONTAINER_OF(t, struct server, drain_limit);

	(void)now;
	if (s->ended_all)
		leave(s);
	else
		end_all(s);
}

static void on_terminate(void *owner, int signo)
{
	struct server *s = owner;

	(void)signo;
	if (s->state.draining) {
		if (!s->ended_all)
			end_all(s);
		return;
	}
	s->state.draining = true;
	atomic_store(&s->setup->shared->ready, false);
	log_line(&s->log, LOG_INFO, "draining", "limit_ms=%lld", (long long)s->state.config->drain_ms);
	for (unsigned i = 0; i < s->worker_count; i++)
		worker_drain(s->workers[i]);
	io_timer_set(s->io, &s->drain_limit,
		     mono_after(io_now(s->io), s->state.config->drain_ms));
}

/* ---- reload -------------------------------------------------------------------------- */

static void know_labels(struct server *s, const struct config *c)
{
	for (size_t i = 0; i < c->model_count; i++) {
		metrics_know_model(s->state.metrics, c->models[i].name);
		for (size_t j = 0; j < c->models[i].target_count; j++)
			metrics_know_target(s->state.metrics, c->models[i].targets[j].name);
	}
}

static bool same_mocks(const struct config *a, const struct config *b)
{
	if (a->mock_count != b->mock_count)
		return false;
	for (size_t i = 0; i < a->mock_count; i++) {
		const struct mock_policy *x = &a->mocks[i], *y = &b->mocks[i];

		if (!slice_eq(x->name, y->name) || !io_addr_eq(&x->listen, &y->listen) ||
		    x->restart_ms != y->restart_ms || x->arg_count != y->arg_count)
			return false;
		for (size_t j = 0; j < x->arg_count; j++)
			if (!slice_eq(x->args[j], y->args[j]))
				return false;
	}
	return true;
}

static bool same_listeners(const struct config *a, const struct config *b)
{
	if (a->listen_count != b->listen_count)
		return false;
	for (size_t i = 0; i < a->listen_count; i++)
		if (!io_addr_eq(&a->listen[i], &b->listen[i]))
			return false;
	return true;
}

/* What a running process cannot change. */
static void warn_of_restart(struct server *s, const struct config *c)
{
	const struct config *first = s->state.first_config;
	bool admin = first->admin_enabled != c->admin_enabled ||
		     (c->admin_enabled && !io_addr_eq(&first->admin_listen, &c->admin_listen));
	const struct { const char *name; bool changed; } settings[] = {
		{ "listen", !same_listeners(first, c) },
		{ "admin", admin },
		{ "workers", first->workers != c->workers },
		{ "log.access", !slice_eq(first->access_log, c->access_log) },
		{ "log.syslog", !io_addr_eq(&first->syslog, &c->syslog) },
		{ "mocks", !same_mocks(first, c) },
		{ "cache", !cache_store_policy_eq(&s->cache_config->cache, &c->cache) },
	};

	for (size_t i = 0; i < COUNT_OF(settings); i++)
		if (settings[i].changed)
			log_line(&s->log, LOG_WARN, "config_needs_restart", "setting=%s", settings[i].name);
}

static void say_notes(struct server *s, const struct config *c)
{
	char text[1024];

	for (size_t i = 0; i < c->note_count; i++)
		log_line(&s->log, LOG_WARN, "config_note", "note=%s",
			 log_quote(c->notes[i], text, sizeof text));
}

static void on_config(void *owner, struct config *c)
{
	struct server *s = owner;
	struct config *old = s->state.config;

	c->generation = atomic_fetch_add(&s->setup->shared->generation, 1) + 1;
	target_registry_bind(s->registry, c->arena, c->models, c->model_count);
	lobby_bind(s->lobby, c->models, c->model_count);
	budgets_bind(s->budgets, c->budgets.budgets, c->budgets.count);
	budget_state_set_config(s->budget_state, c);
	know_labels(s, c);
	s->state.config = c;
	s->state.config_at = io_now(s->io);
	s->log.level = c->log_level;
	buf_clear(&s->state.refused);
	alerts_set_config(s->state.alerts, c);
	note_config(s, false, SLICE_NONE);
	for (unsigned i = 0; i < s->worker_count; i++)
		worker_set_config(s->workers[i], c);
	log_line(&s->log, LOG_INFO, "config_in_use", "generation=%llu models=%zu backends=%zu",
		 (unsigned long long)c->generation, c->model_count, c->backend_count);
	say_notes(s, c);
	warn_of_restart(s, c);
	config_give(old);
	/* The supervisor reads it too, for the next serving process. */
	if (getppid() == atomic_load(&s->setup->shared->supervisor_pid))
		kill(getppid(), SIGUSR2);
}

static void on_refused(void *owner, struct slice errors)
{
	struct server *s = owner;
	struct slice line;
	char text[1024];

	atomic_fetch_add(&s->setup->shared->reload_failures, 1);
	buf_clear(&s->state.refused);
	(void)!buf_append(&s->state.refused, errors.len <= REFUSED_MAX ? errors
			: slice_sub(errors, 0, REFUSED_MAX));
	s->state.refused_wall_ms = io_real_wall_ms();
	note_config(s, true, errors);
	while (slice_cut(errors, '\n', &line, &errors))
		log_line(&s->log, LOG_ERROR, "config_refused", "error=%s",
			 log_quote(line, text, sizeof text));
	log_line(&s->log, LOG_ERROR, "config_kept", "generation=%llu",
		 (unsigned long long)s->state.config->generation);
}

static void on_hangup(void *owner, int signo)
{
	struct server *s = owner;

	(void)signo;
	if (s->reload)
		reload_now(s->reload);
	else
		log_line(&s->log, LOG_WARN, "no_reload", "reason=\"the config came from the environment\"");
}

static void on_reopen(void *owner, int signo)
{
	struct server *s = owner;

	(void)signo;
	if (s->access_lines)
		io_lines_reopen(s->access_lines);
	log_line(&s->log, LOG_INFO, "logs_reopened", "by=SIGUSR1");
}

/* To others that share the store. */
static void describe(void *owner, struct cache_node *out)
{
	struct server *s = owner;

	admin_describe(&s->state, io_now(s->io), out);
}

static void on_news(void *owner, struct slice what, struct slice about, int64_t span_ms)
{
	struct server *s = owner;

	rumours_hear(s->state.config, &s->log, io_now(s->io), io_random(s->io), what, about, span_ms);
}

/* ---- the beginning --------------------------------------------------------------------- */

static bool start_workers(struct server *s, char *why, size_t size)
{
	struct sockets *sockets = s->setup->sockets;
	struct worker_setup w = {
		.config = s->state.config,
		.socket_count = sockets->per_worker,
		.counters = &s->clients,
		.lobby = s->lobby,
		.cache = s->cache,
		.flights = s->flights,
		.quotas = s->quotas,
		.metrics = s->state.metrics,
		.recent = s->state.recent,
		.troubles = s->state.troubles,
		.pulse = s->state.pulse,
		.drills = s->state.drills,
		.log_lines = s->log_lines,
		.access_lines = s->access_lines,
		.access = s->access,
		.control = s->io,
		.on_drained = on_drained,
		.owner = s,
	};

	s->workers = calloc(sockets->workers, sizeof(struct worker *));
	must(s->workers != NULL);
	for (unsigned i = 0; i < sockets->workers; i++) {
		w.sockets = &sockets->data[i * sockets->per_worker];
		s->workers[i] = worker_start(&w, why, size);
		if (!s->workers[i])
			return false;
		s->worker_count++;
	}
	return true;
}

static void furnish(struct server *s, struct config *config)
{
	s->registry = target_registry_create();
	s->lobby = lobby_create();
	s->budgets = budgets_create();
	s->budget_state = budget_state_create(s->io, &s->log, s->budgets, config);
	s->cache_config = config_take(config);
	s->cache = cache_create(&s->cache_config->cache, io_random(s->io), s->io, &s->log);
	cache_hear(s->cache, on_news, s);
	cache_meet(s->cache, describe, s);
	s->flights = flights_create(io_random(s->io));
	s->quotas = quotas_create(s->cache, &s->log);
	target_registry_watch(s->registry, lobby_on_free, s->lobby);
	s->state = (struct admin_state){
		.io = s->io,
		.config = config_take(config),
		.first_config = s->setup->first_config,
		.cache = s->cache,
		.flights = s->flights,
		.quotas = s->quotas,
		.metrics = metrics_create(),
		.recent = recent_create(),
		.troubles = recent_create(),
		.pulse = pulse_create(),
		.clients = &s->clients,
		.log_lines = s->log_lines,
		.shared = s->setup->shared,
		.workers = s->setup->sockets->workers,
		.started_at = io_now(s->io),
		.config_at = io_now(s->io),
		.started_wall_ms = io_real_wall_ms(),
		.refused = BUF_INIT(REFUSED_MAX),
	};
	s->drain_limit.fire = on_drain_limit;
	target_registry_bind(s->registry, config->arena, config->models, config->model_count);
	lobby_bind(s->lobby, config->models, config->model_count);
	budgets_bind(s->budgets, config->budgets.budgets, config->budgets.count);
	know_labels(s, config);
	s->state.alerts = alerts_create(s->io, &s->log, config);
	alerts_watch_cache(s->state.alerts, s->cache);
	s->state.drills = drills_create(s->io, &s->log, s->state.alerts);
	note_restart(s);
}

static void watch(struct server *s)
{
	const struct found_config *found = s->setup->found;
	struct reload_setup r = {
		.io = s->io, .path = found->path, .look_ms = RELOAD_LOOK_MS, .on_config = on_config,
		.on_refused = on_refused, .owner = s,
	};

	memcpy(r.sha256, found->sha256, sizeof r.sha256);
	if (found->path)
		s->reload = reload_create(&r);
	if (s->setup->sockets->admin)
		s->admin = admin_create(s->io, s->setup->sockets->admin, &s->state, &s->log);
	signal(SIGINT, SIG_IGN);     /* a terminal tells the whole group; the supervisor says what to do */
	io_real_on_signal(s->io, SIGTERM, on_terminate, s);
	io_real_on_signal(s->io, SIGHUP, on_hangup, s);
	io_real_on_signal(s->io, SIGUSR1, on_reopen, s);
	s->setup->unblock_signals();
}

static void clear_away(struct server *s)
{
	for (unsigned i = 0; i < s->worker_count; i++)
		worker_stop(s->workers[i]);
	free(s->workers);
	cache_close(s->cache);
	admin_free(s->admin);
	alerts_stop(s->state.alerts);
	budget_state_stop(s->budget_state);
	sockets_close(s->setup->sockets);
	io_real_free(s->io);         /* joins what reads the config in the background */
	reload_free(s->reload);
	alerts_free(s->state.alerts);
	budget_state_free(s->budget_state);
	config_give(s->state.config);
	metrics_free(s->state.metrics);
	recent_free(s->state.recent);
	recent_free(s->state.troubles);
	pulse_free(s->state.pulse);
	drills_free(s->state.drills);
	buf_free(&s->state.refused);
	target_registry_free(s->registry);
	lobby_free(s->lobby);
	budgets_free(s->budgets);
	cache_free(s->cache);
	config_give(s->cache_config);
	flights_free(s->flights);
	quotas_free(s->quotas);
	io_lines_close(s->access_lines, LINES_PATIENCE_MS);
	io_lines_close(s->log_lines, LINES_PATIENCE_MS);
}

int server_run(const struct server_setup *setup)
{
	struct server s = { .setup = setup, .code = EXIT_GOOD };
	struct config *config = setup->found->config;
	char why[512] = "no thread for the log";

	s.log = (struct log){ .sink = log_sink, .wall_ms = log_wall_ms, .owner = &s,
			      .level = config->log_level };
	s.log_lines = io_lines_to_fd(STDERR_FILENO, LOG_QUEUE_BYTES);
	s.io = s.log_lines ? io_real_create(why, sizeof why) : NULL;
	if (!s.io) {
		io_lines_close(s.log_lines, 0);
		return EXIT_TROUBLE;
	}
	furnish(&s, config);
	if (!open_access_log(&s, why, sizeof why) || !start_workers(&s, why, sizeof why)) {
		char text[600];

		log_line(&s.log, LOG_ERROR, "cannot_serve", "reason=%s",
			 log_quote(slice_of(why), text, sizeof text));
		s.code = EXIT_TROUBLE;
	} else {
		s.state.access_lines = s.access_lines;
		watch(&s);
		atomic_store(&setup->shared->ready, true);
		log_line(&s.log, LOG_INFO, "serving", "pid=%ld workers=%u generation=%llu models=%zu",
			 (long)getpid(), s.worker_count,
			 (unsigned long long)atomic_load(&setup->shared->generation), config->model_count);
		io_real_run(s.io);
	}
	clear_away(&s);
	return s.code;
}
