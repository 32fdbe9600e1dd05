/* mock.c: the mock itself: making, listening, choosing behaviours. */
#include "mock/mock_internal.h"

#include <stdlib.h>
#include <string.h>

#define TOKENS_DEFAULT 24

struct queued {
	struct link link;
	struct mock_behaviour behaviour;
};

struct mock *mock_create(struct io *io, const struct mock_options *options, const struct log *log)
{
	struct mock *mock = calloc(1, sizeof *mock);

	must(mock != NULL);
	must(options->model_count <= MOCK_MODELS_MAX);
	must(options->ttft_ms >= 0);
	must(options->gap_ms >= 0);
	mock->io = io;
	mock->log = log;
	mock->options = *options;
	if (!mock->options.tokens)
		mock->options.tokens = TOKENS_DEFAULT;
	mock->name = slice_to_cstring(options->name.len ? options->name : S("mock"));
	for (char *p = mock->name; *p; p++)
		if ((unsigned char)*p < ' ')
			*p = '_';                /* it stands in a header */
	mock->options.name = slice_of(mock->name);
	if (options->key.len)
		mock->key = slice_to_cstring(options->key);
	for (unsigned i = 0; i < options->model_count; i++) {
		mock->models[i] = slice_to_cstring(options->models[i]);
		mock->options.models[i] = slice_of(mock->models[i]);
	}
	list_init(&mock->connections);
	list_init(&mock->queue);
	rng_seed(&mock->rng, options->seed ^ slice_hash(mock->options.name, 0));
	mock_script_init(&mock->body);
	for (size_t i = 0; i < MOCK_CHOICES_MAX; i++)
		mock_text_init(&mock->texts[i]);
	mock->scratch = mock->prefix = mock->styled = mock->last = BUF_INIT(MOCK_SCRIPT_BYTES_MAX);
	must(mock_set_behaviour(mock, SLICE_NONE, NULL, 0));
	return mock;
}

void mock_free(struct mock *mock)
{
	if (!mock)
		return;
	mock_unlisten(mock);
	mock_conns_close(mock, false, false);
	LIST_EACH(&mock->queue, link, after)
		free(CONTAINER_OF(link, struct queued, link));
	mock_plan_free(mock->standing);
	mock_script_free(&mock->body);
	for (size_t i = 0; i < MOCK_CHOICES_MAX; i++)
		mock_text_free(&mock->texts[i]);
	buf_free(&mock->scratch);
	buf_free(&mock->prefix);
	buf_free(&mock->styled);
	buf_free(&mock->last);
	arena_free(mock->arena);
	for (unsigned i = 0; i < mock->options.model_count; i++)
		free(mock->models[i]);
	free(mock->key);
	free(mock->name);
	free(mock);
}

/* ---- listening -------------------------------------------------------------------------- */

static void on_accept(void *owner, struct io_stream *stream, const struct io_addr *peer)
{
	(void)peer;
	mock_accept(owner, stream);
}

bool mock_listen(struct mock *mock, struct io_socket *socket, struct io_tls *tls)
{
	if (mock->listener_count == MOCK_LISTENERS_MAX)
		return false;
	mock->listeners[mock->listener_count++] = io_listen(mock->io, socket, tls, on_accept, mock);
	return true;
}

void mock_unlisten(struct mock *mock)
{
	while (mock->listener_count)
		io_listener_close(mock->listeners[--mock->listener_count]);
}

unsigned mock_close_idle(struct mock *mock)
{
	return mock_conns_close(mock, true, false);
}

unsigned mock_reset_all(struct mock *mock)
{
	return mock_conns_close(mock, false, true);
}

struct mock_stats mock_stats(const struct mock *mock)
{
	return mock->stats;
}

/* ---- behaviours ---------------------------------------------------------------------------- */

bool mock_set_behaviour(struct mock *mock, struct slice spec, char *why, size_t why_size)
{
	struct mock_plan *plan = mock_plan_parse(spec, why, why_size);

	if (!plan)
		return false;
	mock_plan_free(mock->standing);
	mock->standing = plan;
	return true;
}

bool mock_queue_behaviour(struct mock *mock, struct slice spec, char *why, size_t why_size)
{
	struct mock_plan *plan = mock_plan_parse(spec, why, why_size);
	size_t total = mock->queue.count;

	if (!plan)
		return false;
	for (size_t i = 0; i < mock_plan_count(plan); i++)
		total += mock_plan_at(plan, i)->times;
	if (total > MOCK_QUEUE_MAX) {
		mock_say_why(why, why_size, "at most 1,000 behaviours can wait in the queue");
		mock_plan_free(plan);
		return false;
	}
	for (size_t i = 0; i < mock_plan_count(plan); i++) {
		for (uint32_t k = 0; k < mock_plan_at(plan, i)->times; k++) {
			struct queued *q = calloc(1, sizeof *q);

			must(q != NULL);
			q->behaviour = *mock_plan_at(plan, i);
			list_append(&mock->queue, &q->link);
		}
	}
	mock_plan_free(plan);
	return true;
}

/* Takes the first of the queue, or of the standing plan. */
static void take_next(struct mock *mock, struct mock_behaviour *out)
{
	struct link *first = list_first(&mock->queue);

	if (!first && mock_plan_peek(mock->standing)->connection != CONNECTION_OK) {
		/* Meant for connections to come: this one stood before. */
		*out = mock_behaviour_healthy();
		return;
	}
	if (!first) {
		*out = *mock_plan_next(mock->standing);
		return;
	}
	list_remove(&mock->queue, first);
	*out = CONTAINER_OF(first, struct queued, link)->behaviour;
	free(CONTAINER_OF(first, struct queued, link));
}

/* "percent": mostly it is not done. */
static void apply_share(struct mock *mock, struct mock_behaviour *b)
{
	if (b->percent < 100 && rng_below(&mock->rng, 100) >= b->percent)
		*b = mock_behaviour_healthy();
}

void mock_pick_behaviour(struct mock *mock, const struct h1_head *head, enum mock_endpoint endpoint,
			 struct mock_behaviour *out)
{
	struct slice header = h1_get(head, S("x-mock-fault"));
	char why[256];

	if (endpoint == MOCK_CONTROL) {
		*out = mock_behaviour_healthy();
		return;
	}
	if (header.at && !mock->options.ignore_header) {
		if (mock_behaviour_parse_header(header, mock->options.name, out, why, sizeof why)) {
			apply_share(mock, out);
			return;
		}
		*out = mock_behaviour_healthy();
		out->status = 400;
		out->healthy = false;
		mock_say_why(out->message, sizeof out->message, why);
		mock_say_why(out->code, sizeof out->code, "bad_x_mock_fault");
		return;
	}
	if (endpoint == MOCK_HEALTH || endpoint == MOCK_MODELS)
		*out = *mock_plan_peek(mock->standing);
	else
		take_next(mock, out);
	apply_share(mock, out);
}

const struct mock_behaviour *mock_pick_on_accept(struct mock *mock)
{
	const struct mock_behaviour *b = mock_plan_peek(mock->standing);

	if (!list_empty(&mock->queue) || b->connection == CONNECTION_OK)
		return NULL;
	if (b->percent < 100 && rng_below(&mock->rng, 100) >= b->percent)
		return NULL;
	return mock_plan_next(mock->standing);
}

void mock_say_why(char *why, size_t size, const char *text)
{
	size_t n = strlen(text);

	if (!size)
		return;
	if (n >= size)
		n = size - 1;
	memcpy(why, text, n);
	why[n] = '\0';
}
