/* `backstay mock`: the simulated model server on real sockets. */
#include "daemon/command.h"

#include "base/check.h"
#include "daemon/limits.h"
#include "daemon/stderr_log.h"
#include "io/real/real.h"
#include "mock/mock_args.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

struct mock_program {
	struct io *io;
	struct mock *mock;
	struct io_socket *sockets[MOCK_LISTEN_MAX];
	struct io_tls *tls;
	struct log log;
};

static void on_stop(void *owner, int signo)
{
	struct mock_program *p = owner;

	(void)signo;
	io_real_stop(p->io);
}

static bool open_sockets(struct mock_program *p, const struct mock_args *args, char *why, size_t size)
{
	char text[IO_ADDR_TEXT_MAX];

	for (unsigned i = 0; i < args->listen_count; i++) {
		struct io_addr at;

		if (!io_port_is_free(&args->listen[i], why, size))
			return false;
		p->sockets[i] = io_socket_open(&args->listen[i], why, size);
		if (!p->sockets[i] || !mock_listen(p->mock, p->sockets[i], p->tls))
			return false;
		at = io_socket_addr(p->sockets[i]);
		log_line(&p->log, LOG_INFO, "mock_listening", "name=%.*s address=%s%s pid=%ld",
			 SLICE_ARG(args->options.name.len ? args->options.name : S("mock")),
			 p->tls ? "https://" : at.family == IO_UNIX ? "" : "http://",
			 io_addr_text(&at, text), (long)getpid());
	}
	return true;
}

static int serve(struct mock_program *p, const struct mock_args *args)
{
	char why[256] = "";

	if (args->tls_cert && !(p->tls = io_tls_server(args->tls_cert, args->tls_key, why, sizeof why)))
		goto failed;
	p->mock = mock_create(p->io, &args->options, &p->log);
	if (args->fault.len && !mock_set_behaviour(p->mock, args->fault, why, sizeof why))
		goto failed;
	if (!open_sockets(p, args, why, sizeof why))
		goto failed;
	io_real_on_signal(p->io, SIGTERM, on_stop, p);
	io_real_on_signal(p->io, SIGINT, on_stop, p);
	io_real_run(p->io);
	return EXIT_GOOD;
failed:
	fprintf(stderr, "backstay mock: %s\n", why);
	return EXIT_TROUBLE;
}

int command_mock(int argc, char **argv)
{
	struct mock_program p = { .log = stderr_log(LOG_INFO) };
	struct mock_args args;
	char why[256];
	int code;

	if (!mock_args_parse(&args, argc, argv, why, sizeof why))
		return command_complain("mock", why);
	limits_raise_descriptors();
	p.io = io_real_create(why, sizeof why);
	if (!p.io) {
		fprintf(stderr, "backstay mock: %s\n", why);
		return EXIT_TROUBLE;
	}
	code = serve(&p, &args);
	mock_free(p.mock);
	for (size_t i = 0; i < COUNT_OF(p.sockets); i++)
		io_socket_close(p.sockets[i]);
	io_real_free(p.io);
	io_tls_give(p.tls);
	return code;
}
