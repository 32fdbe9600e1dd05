#include "daemon/mock_processes.h"

#include "base/check.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SELF "/proc/self/exe"
#define PATH_MAX_BYTES 4096

struct mock_process {
	const struct mock_policy *policy;
	pid_t pid;                    /* 0: not running */
	mono_ms due;                  /* when to start it; MONO_NEVER while it runs */
};

struct mock_processes {
	struct shared *shared;
	const struct log *log;
	void (*in_child)(void *owner);
	void *owner;
	struct mock_process *mocks;
	size_t count;
	bool stopped;
};

struct mock_processes *mock_processes_create(const struct config *config, struct shared *shared,
					     const struct log *log, void (*in_child)(void *owner),
					     void *owner)
{
	struct mock_processes *m = calloc(1, sizeof *m);

	must(m != NULL);
	must(config->mock_count <= SHARED_MOCKS_MAX);
	m->shared = shared;
	m->log = log;
	m->in_child = in_child;
	m->owner = owner;
	m->count = config->mock_count;
	m->mocks = calloc(m->count + 1, sizeof *m->mocks);
	must(m->mocks != NULL);
	for (size_t i = 0; i < m->count; i++)
		m->mocks[i].policy = &config->mocks[i];
	return m;
}

void mock_processes_free(struct mock_processes *m)
{
	if (!m)
		return;
	free(m->mocks);
	free(m);
}

/* The program's own path, so that `ps` shows its name; the link itself where the
 * file has been replaced meanwhile. */
static const char *self_path(char out[static PATH_MAX_BYTES])
{
	ssize_t len = readlink(SELF, out, PATH_MAX_BYTES - 1);

	if (len <= 0)
		return SELF;
	out[len] = '\0';
	return access(out, X_OK) == 0 ? out : SELF;
}

/* In the child: becomes `backstay mock ...`. */
static _Noreturn void become(const struct mock_policy *p)
{
	size_t count = 0;
	char **argv = calloc(p->arg_count + 7, sizeof *argv);
	char listen_text[IO_ADDR_TEXT_MAX], self[PATH_MAX_BYTES];

	must(argv != NULL);
	argv[count++] = slice_to_cstring(S("backstay"));
	argv[count++] = slice_to_cstring(S("mock"));
	argv[count++] = slice_to_cstring(S("--listen"));
	argv[count++] = slice_to_cstring(slice_of(io_addr_text(&p->listen, listen_text)));
	argv[count++] = slice_to_cstring(S("--name"));
	argv[count++] = slice_to_cstring(p->name);
	for (size_t i = 0; i < p->arg_count; i++)
		argv[count++] = slice_to_cstring(p->args[i]);
	execv(self_path(self), argv);
	fprintf(stderr, "backstay: cannot start a mock: %s: %s\n", SELF, strerror(errno));
	_exit(1);
}

static void start(struct mock_processes *m, size_t i, mono_ms now)
{
	struct mock_process *p = &m->mocks[i];
	pid_t pid = fork();

	if (pid == 0) {
		/* Out of the terminal's group: Ctrl-C is for the supervisor, and mocks
		 * must live on while streams are finished. */
		(void)setpgid(0, 0);
		m->in_child(m->owner);
		become(p->policy);
	}
	if (pid < 0) {
		log_line(m->log, LOG_ERROR, "mock_not_started", "name=%.*s reason=\"%s\"",
			 SLICE_ARG(p->policy->name), strerror(errno));
		p->due = mono_after(now, p->policy->restart_ms);
		return;
	}
	p->pid = pid;
	p->due = MONO_NEVER;
	atomic_store(&m->shared->mocks[i].pid, pid);
	atomic_fetch_add(&m->shared->mocks[i].starts, 1);
}

void mock_processes_start(struct mock_processes *m, mono_ms now)
{
	for (size_t i = 0; i < m->count && !m->stopped; i++)
		if (!m->mocks[i].pid && m->mocks[i].due <= now)
			start(m, i, now);
}

mono_ms mock_processes_due(const struct mock_processes *m)
{
	mono_ms due = MONO_NEVER;

	for (size_t i = 0; i < m->count && !m->stopped; i++)
		if (!m->mocks[i].pid)
			due = mono_earlier(due, m->mocks[i].due);
	return due;
}

static void tell(struct mock_processes *m, const struct mock_process *p, int status)
{
	char how[64];

	if (WIFSIGNALED(status))
		snprintf(how, sizeof how, "signal=%d(%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		snprintf(how, sizeof how, "exit=%d", WEXITSTATUS(status));
	log_line(m->log, LOG_WARN, "mock_ended", "name=%.*s pid=%ld %s restart_ms=%lld",
		 SLICE_ARG(p->policy->name), (long)p->pid, how, (long long)p->policy->restart_ms);
}

bool mock_processes_reaped(struct mock_processes *m, pid_t pid, int status, mono_ms now)
{
	for (size_t i = 0; i < m->count; i++) {
		struct mock_process *p = &m->mocks[i];

		if (p->pid != pid)
			continue;
		if (!m->stopped)
			tell(m, p, status);
		p->pid = 0;
		p->due = mono_after(now, p->policy->restart_ms);
		atomic_store(&m->shared->mocks[i].pid, 0);
		return true;
	}
	return false;
}

size_t mock_processes_stop(struct mock_processes *m, int signo)
{
	size_t running = 0;

	m->stopped = true;
	for (size_t i = 0; i < m->count; i++)
		if (m->mocks[i].pid) {
			kill(m->mocks[i].pid, signo);
			running++;
		}
	return running;
}
