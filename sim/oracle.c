/* oracle.c: asks a mock that nothing befalls, in a world of its own. */
#include "sim/scenario_inside.h"

static struct slice ask_healthy(struct scenario *sc, const struct asked *asked, struct sim *sim)
{
	struct io *io = sim_io_create(sim, "oracle"), *client_io = sim_io_create(sim, "asker");
	struct io_addr at = sim_addr("10.2.0.1:80");
	struct io_socket *socket = io_socket_open(&at, NULL, 0);
	struct mock_options options = sc->backends[0].options;
	struct sim_client *client = sim_client_create(client_io, &at);
	struct slice text;
	struct mock *mock;

	options.key = SLICE_NONE;
	options.model_count = 0;
	options.ttft_ms = options.gap_ms = 0;
	options.ignore_header = true;
	mock = mock_create(io, &options, NULL);
	must(mock_listen(mock, socket, NULL));
	sim_client_ask(client, &(struct sim_client_request){ .method = asked->method,
							     .path = asked->path,
							     .headers = S("anthropic-version: 2023-06-01\r\n"),
							     .body = asked->body });
	sim_run_for(sim, 60000);
	text = arena_copy(sc->arena, buf_slice(&sim_client_answer(client)->text));
	sim_client_free(client);
	mock_free(mock);
	sim_run_for(sim, 1);
	io_socket_close(socket);
	return text;
}

struct slice scenario_oracle(struct scenario *sc, const struct asked *asked)
{
	struct sim *sim;
	struct slice text;

	if (!sc->backend_count || !asked->path.len)
		return SLICE_NONE;
	sim = sim_create(1);
	text = ask_healthy(sc, asked, sim);
	sim_free(sim);
	return text;
}
