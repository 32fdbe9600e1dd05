/* One thread, one loop: wait for a signal or for the next thing that is due. */
#include "daemon/supervisor.h"

#include "base/check.h"
#include "daemon/banner.h"
#include "daemon/command.h"
#include "daemon/limits.h"
#include "daemon/mock_processes.h"
#include "daemon/server.h"
#include "daemon/stderr_log.h"
#include "io/real/real.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* A serving process that lives shorter than this died of its beginning. */
#define SHORT_LIFE_MS   1000
#define BACKOFF_FIRST_MS 100
#define BACKOFF_MAX_MS  5000
/* Longer than the drain's limit and the last words together; then it is stuck. */
#define STUCK_MS        5000
#define MOCKS_END_MS    1000

struct supervisor {
	pid_t pid;
	struct found_config *found;
	struct config *first;         /* what sockets and mocks were made from */
	struct shared *shared;
	struct sockets sockets;
	struct mock_processes *mocks;
	struct log log;
	pid_t serving;                /* 0: none runs */
	mono_ms started_at, due;      /* of the serving process; due: MONO_NEVER while it runs */
	unsigned short_lives;
	bool been_ready;              /* some serving process has been */
	bool stopping, hurried;
	mono_ms kill_at;              /* a stuck serving process is killed; MONO_NEVER: not yet */
	int code;
};

/* ---- children ------------------------------------------------------------------------ */

static void watched_signals(sigset_t *set)
{
	static const int all[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGCHLD, SIGQUIT };

	sigemptyset(set);
	for (size_t i = 0; i < COUNT_OF(all); i++)
		sigaddset(set, all[i]);
}

static void unblock_signals(void)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Nobody is left behind when the supervisor is killed outright: `signo` comes
 * from the kernel then. It may have died already. */
static void tie_to_parent(int signo, pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, signo);
	if (getppid() != parent)
		_exit(EXIT_TROUBLE);
}

static void in_mock(void *owner)
{
	const struct supervisor *v = owner;

	tie_to_parent(SIGKILL, v->pid);
	unblock_signals();
}

static _Noreturn void serve(struct supervisor *v)
{
	struct server_setup setup = {
		.found = v->found,
		.first_config = v->first,
		.sockets = &v->sockets,
		.shared = v->shared,
		.unblock_signals = unblock_signals,
	};
	int code;

	tie_to_parent(SIGTERM, v->pid);     /* streams are finished, then it ends */
	prctl(PR_SET_NAME, "backstay-serve");
	code = server_run(&setup);
	/* What the supervisor holds is given back too, so that leak checkers see what
	 * is really lost. */
	mock_processes_free(v->mocks);
	config_give(v->first);
	config_give(v->found->config);
	exit(code);
}

static void start_serving(struct supervisor *v, mono_ms now)
{
	pid_t pid;

	atomic_store(&v->shared->ready, false);
	v->found->config->generation = atomic_load(&v->shared->generation);
	pid = fork();
	if (pid == 0)
		serve(v);
	if (pid < 0) {
		log_line(&v->log, LOG_ERROR, "serving_not_started", "reason=\"%s\"", strerror(errno));
		v->due = mono_after(now, BACKOFF_MAX_MS);
		return;
	}
	v->serving = pid;
	v->started_at = now;
	v->due = MONO_NEVER;
	atomic_fetch_add(&v->shared->serving_starts, 1);
}

static int64_t backoff_ms(unsigned short_lives)
{
	int64_t ms = BACKOFF_FIRST_MS;

	if (short_lives <= 1)
		return 0;             /* once is chance */
	for (unsigned i = 2; i < short_lives && ms < BACKOFF_MAX_MS; i++)
		ms *= 2;
	return ms < BACKOFF_MAX_MS ? ms : BACKOFF_MAX_MS;
}

static void on_serving_died(struct supervisor *v, int status, mono_ms now)
{
	int64_t lived_ms = now - v->started_at, wait_ms;

	v->been_ready = v->been_ready || atomic_load(&v->shared->ready);
	v->short_lives = lived_ms < SHORT_LIFE_MS ? v->short_lives + 1 : 0;
	wait_ms = backoff_ms(v->short_lives);
	if (WIFSIGNALED(status))
		log_line(&v->log, LOG_ERROR, "serving_died", "pid=%ld signal=%d(%s) lived_ms=%lld "
			 "restart_in_ms=%lld", (long)v->serving, WTERMSIG(status),
			 sigabbrev_np(WTERMSIG(status)) ? sigabbrev_np(WTERMSIG(status)) : "?",
			 (long long)lived_ms, (long long)wait_ms);
	else
		log_line(&v->log, LOG_ERROR, "serving_died", "pid=%ld exit=%d lived_ms=%lld "
			 "restart_in_ms=%lld", (long)v->serving, WEXITSTATUS(status),
			 (long long)lived_ms, (long long)wait_ms);
	v->due = mono_after(now, wait_ms);
	if (!v->been_ready && WIFEXITED(status)) {
		/* It said why itself; trying again would change nothing. */
		v->stopping = true;
		v->code = EXIT_TROUBLE;
	}
}

static void on_serving_ended(struct supervisor *v, int status, mono_ms now)
{
	if (v->stopping) {
		bool well = WIFEXITED(status) && WEXITSTATUS(status) == EXIT_GOOD;

		v->code = well ? v->code : EXIT_TROUBLE;
		log_line(&v->log, LOG_INFO, "stopped", "well=%s", well ? "yes" : "no");
	} else {
		on_serving_died(v, status, now);
	}
	v->serving = 0;
}

/* As the first process of a container, others' orphans come here too. */
static void reap(struct supervisor *v, mono_ms now)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == v->serving)
			on_serving_ended(v, status, now);
		else
			(void)mock_processes_reaped(v->mocks, pid, status, now);
	}
}

/* ---- orders ---------------------------------------------------------------------------- */

static void pass_on(const struct supervisor *v, int signo)
{
	if (v->serving)
		kill(v->serving, signo);
}

static void on_stop(struct supervisor *v, int signo, mono_ms now)
{
	log_line(&v->log, LOG_INFO, "stopping", "signal=%s%s", sigabbrev_np(signo),
		 v->stopping ? " at_once=yes" : "");
	pass_on(v, SIGTERM);
	if (v->stopping) {
		v->hurried = true;
		v->kill_at = mono_after(now, STUCK_MS);
		return;
	}
	v->stopping = true;
	v->kill_at = mono_after(now, v->found->config->drain_ms + STUCK_MS);
	/* New clients are refused at once instead of waiting for nobody. */
	sockets_unlink(&v->sockets);
	sockets_close(&v->sockets);
}

/* The serving process uses a new config: the next one is to begin with it. */
static void refresh(struct supervisor *v)
{
	struct buf errors = BUF_INIT(64 * 1024);
	struct config *c = v->found->path
		? find_config_load(v->found->path, v->found->sha256, &errors) : NULL;

	buf_free(&errors);
	if (!c)
		return;
	config_give(v->found->config);
	v->found->config = c;
	v->log.level = c->log_level;
}

static void on_signal(struct supervisor *v, int signo, mono_ms now)
{
	switch (signo) {
	case SIGCHLD:
		break;                /* reaped after every wait */
	case SIGTERM: case SIGINT: case SIGQUIT:
		on_stop(v, signo, now);
		break;
	case SIGUSR2:
		refresh(v);
		break;
	default:
		pass_on(v, signo);
	}
}

/* ---- the loop --------------------------------------------------------------------------- */

static void wait_for_signal(struct supervisor *v, mono_ms until)
{
	mono_ms now = io_real_mono_ms();
	int64_t ms = until == MONO_NEVER ? 3600 * 1000 : until > now ? until - now : 0;
	struct timespec patience = { .tv_sec = (time_t)(ms / 1000),
				     .tv_nsec = (long)(ms % 1000) * 1000000 };
	sigset_t set;
	int signo;

	watched_signals(&set);
	signo = sigtimedwait(&set, NULL, &patience);
	now = io_real_mono_ms();
	if (signo > 0)
		on_signal(v, signo, now);
	reap(v, now);
}

static mono_ms next_due(const struct supervisor *v)
{
	if (v->stopping)
		return v->kill_at;
	return mono_earlier(v->due, mock_processes_due(v->mocks));
}

static void look_after(struct supervisor *v)
{
	while (!v->stopping || v->serving) {
		mono_ms now = io_real_mono_ms();

		if (!v->stopping && v->due <= now)
			start_serving(v, now);
		if (!v->stopping)
			mock_processes_start(v->mocks, now);
		if (v->stopping && v->serving && v->kill_at <= now) {
			log_line(&v->log, LOG_ERROR, "serving_stuck", "pid=%ld", (long)v->serving);
			kill(v->serving, SIGKILL);
			v->kill_at = MONO_NEVER;
		}
		wait_for_signal(v, next_due(v));
	}
}

/* Mocks end last, so that streams could be finished. */
static void end_mocks(struct supervisor *v)
{
	mono_ms limit = mono_after(io_real_mono_ms(), MOCKS_END_MS);

	if (mock_processes_stop(v->mocks, SIGTERM) == 0)
		return;
	while (mock_processes_stop(v->mocks, 0) && io_real_mono_ms() < limit)
		wait_for_signal(v, limit);
	(void)mock_processes_stop(v->mocks, SIGKILL);
}

/* ---- the beginning ------------------------------------------------------------------------ */

static void say_where(const struct supervisor *v)
{
	char text[IO_ADDR_TEXT_MAX];
	struct io_addr at;

	for (size_t i = 0; i < v->sockets.per_worker; i++) {
		at = sockets_addr(&v->sockets, i);
		log_line(&v->log, LOG_INFO, "listening", "address=%s tls=%s", io_addr_text(&at, text),
			 v->first->listen_tls ? "yes" : "no");
	}
	if (!v->sockets.admin)
		return;
	at = io_socket_addr(v->sockets.admin);
	log_line(&v->log, LOG_INFO, "admin_listening", "address=%s", io_addr_text(&at, text));
}

static void greet(const struct supervisor *v)
{
	const char *no_colour = getenv("NO_COLOR");
	bool terminal = isatty(STDERR_FILENO);
	char text[1024];

	if (terminal || v->first->mock_count)
		banner_print(stderr, v->first, &v->sockets, v->shared,
			     terminal && !(no_colour && *no_colour));
	else
		say_where(v);
	for (size_t i = 0; i < v->first->note_count; i++)
		log_line(&v->log, LOG_WARN, "config_note", "note=%s",
			 log_quote(v->first->notes[i], text, sizeof text));
}

static bool furnish(struct supervisor *v, char *why, size_t why_size)
{
	unsigned workers = v->first->workers ? v->first->workers : limits_cores();
	sigset_t set;

	v->shared = mmap(NULL, sizeof *v->shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			 -1, 0);
	if (v->shared == MAP_FAILED) {
		snprintf(why, why_size, "no memory to share: %s", strerror(errno));
		return false;
	}
	atomic_store(&v->shared->supervisor_pid, v->pid);
	atomic_store(&v->shared->generation, v->found->config->generation);
	if (!sockets_open(&v->sockets, v->first, workers, why, why_size))
		return false;
	v->mocks = mock_processes_create(v->first, v->shared, &v->log, in_mock, v);
	watched_signals(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return true;
}

int supervisor_run(struct found_config *found)
{
	struct supervisor v = {
		.pid = getpid(),
		.found = found,
		.first = config_take(found->config),
		.log = stderr_log(found->config->log_level),
		.kill_at = MONO_NEVER,
	};
	char why[512];

	limits_raise_descriptors();
	limits_keep_memory();
	if (!furnish(&v, why, sizeof why)) {
		fprintf(stderr, "backstay run: %s\n", why);
		config_give(v.first);
		return EXIT_TROUBLE;
	}
	mock_processes_start(v.mocks, io_real_mono_ms());
	greet(&v);
	look_after(&v);
	sockets_close(&v.sockets);
	end_mocks(&v);
	mock_processes_free(v.mocks);
	munmap(v.shared, sizeof *v.shared);
	config_give(v.first);
	return v.code;
}
