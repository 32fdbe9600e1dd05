/* What comes in at the door: who is it, what is asked, of which model. */
#include "exchange/exchanges.h"

#include "base/check.h"
#include "dialect/event_memo.h"
#include "exchange/answer.h"
#include "exchange/conductor.h"
#include "exchange/queue.h"
#include "exchange/quotas.h"
#include "exchange/recall.h"
#include "observe/trace.h"
#include "wire/url.h"

#include <stdlib.h>

/* What is left of a block is held as long as a stream lasts: the first one has what
 * an exchange with a usual request takes, others are small. */
#define EXCHANGE_USUAL_BYTES (sizeof(struct exchange) + 1216)
#define EXCHANGE_BLOCK_BYTES 512
#define SCRATCH_KEPT ((size_t)64 * 1024)

struct exchanges *exchanges_create(const struct exchanges_setup *setup)
{
	struct exchanges *all = calloc(1, sizeof *all);

	must(all != NULL);
	all->setup = *setup;
	all->config = config_take(setup->config);
	all->id_prefix = io_random(setup->io);
	list_init(&all->running);
	all->told = BUF_INIT(2 * EVENT_BYTES_MAX);
	if (setup->lobby)
		all->desk = lobby_desk_create(setup->lobby, setup->io);
	if (setup->flights)
		all->flights = flight_desk_create(setup->flights, setup->io);
	if (setup->cache)
		all->looks = cache_desk_create(setup->cache, setup->io);
	all->credentials = credentials_create(setup->io, setup->pool, setup->log, all->config);
	all->prober = prober_create(all);
	return all;
}

void exchanges_set_config(struct exchanges *all, struct config *config)
{
	struct config *old = all->config;

	all->config = config_take(config);
	config_give(old);
	credentials_set_config(all->credentials, config);
	prober_update(all->prober);
}

size_t exchanges_count(const struct exchanges *all)
{
	return all->running.count;
}

size_t exchanges_refreshing(const struct exchanges *all)
{
	size_t count = 0;

	LIST_EACH(&all->running, link, after) {
		const struct exchange *x = CONTAINER_OF(link, struct exchange, link);

		count += x->recall && x->recall->refresh;
	}
	return count;
}

size_t exchanges_looks(const struct exchanges *all)
{
	return prober_count(all->prober) + credentials_fetching(all->credentials);
}

void exchanges_end_all(struct exchanges *all)
{
	LIST_EACH(&all->running, link, after)
		exchange_stop(CONTAINER_OF(link, struct exchange, link), FAULT_SHUTDOWN);
}

void exchanges_free(struct exchanges *all)
{
	if (!all)
		return;
	must(list_empty(&all->running));
	prober_free(all->prober);
	cache_desk_close(all->looks);
	credentials_free(all->credentials);
	config_give(all->config);
	arena_free(all->scratch);
	event_memos_free(all->memos);
	buf_free(&all->told);
	free(all->memo);
	free(all);
}

struct arena *exchanges_scratch(struct exchanges *all)
{
	if (all->scratch && arena_size(all->scratch) > SCRATCH_KEPT) {
		arena_free(all->scratch);
		all->scratch = NULL;
	}
	if (!all->scratch)
		all->scratch = arena_create(0);
	return all->scratch;
}

/* ---- ids -------------------------------------------------------------------------- */

/* A client may name its request; anything else than a plain word is not taken
 * over into logs and headers. */
static bool is_plain_id(struct slice id)
{
	if (id.len == 0 || id.len > REQUEST_ID_MAX)
		return false;
	for (size_t i = 0; i < id.len; i++) {
		char c = id.at[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      c == '-' || c == '_' || c == '.' || c == ':'))
			return false;
	}
	return true;
}

/* The last `digits` of them. */
static char *put_hex(char *to, uint64_t value, int digits)
{
	for (int i = digits - 1; i >= 0; i--, value >>= 4)
		to[i] = "0123456789abcdef"[value & 15];
	return to + digits;
}

static struct slice request_id(struct exchanges *all, struct arena *arena, const struct h1_head *head)
{
	char own[] = "req_0123456789abcdef01234567";
	struct slice given = h1_get(head, S("x-request-id"));

	if (is_plain_id(given))
		return arena_copy(arena, given);
	put_hex(put_hex(own + sizeof "req_" - 1, all->id_prefix, 16), ++all->id_next, 8);
	return arena_copy(arena, (struct slice){ own, sizeof own - 1 });
}

/* ---- at the head: refuse before the body is read ------------------------------------- */

static const struct client_key *who_is_it(struct exchanges *all, const struct h1_head *head,
					  enum admit_verdict *verdict)
{
	const struct client_key *who = NULL;
	struct slice key = request_presented_key(exchanges_scratch(all), head);

	*verdict = admit_check(&all->config->admit, key, &who);
	return who;
}

/* The endpoint that a head asks for; NULL with *allow as dialect_endpoint(). */
static const struct endpoint *find_endpoint(const struct h1_head *head, struct slice *path,
					    struct slice *query, const struct dialect **dialect,
					    const char **allow)
{
	struct slice target = head->target;
	/* HEAD is served wherever GET is (RFC 9110 9.3.2); conn/ drops the body. */
	struct slice method = slice_eq(head->method, S("HEAD")) ? S("GET") : head->method;
	const struct endpoint *e;
	size_t at;

	/* Absolute form (RFC 9112 3.2.2): what stands behind the authority. */
	if ((at = slice_find_slice(target, S("://"))) != SLICE_NOT_FOUND && target.at[0] != '/') {
		target = slice_from(target, at + 3);
		at = slice_find(target, '/');
		target = at == SLICE_NOT_FOUND ? S("/") : slice_from(target, at);
	}
	*allow = NULL;
	if (!url_split_target(target, path, query))
		return NULL;
	*dialect = dialect_of_client(head);
	if (*dialect && (e = dialect_endpoint_in(*dialect, method, *path, allow)) != NULL)
		return e;
	return dialect_endpoint(method, *path, dialect, allow);
}

static void refuse(struct exchanges *all, struct client_conn *c, const struct h1_head *head,
		   struct error_answer *e, const char *allow)
{
	const struct dialect *dialect = NULL, *spoken = dialect_of_client(head);
	struct arena *arena = arena_create(0);
	struct slice path, query;
	const char *served;

	/* Who does not say what they speak asks at a path that does. */
	if (!spoken && find_endpoint(head, &path, &query, &dialect, &served))
		spoken = dialect;
	e->request_id = request_id(all, arena, head);
	e->retry_after_ms = -1;
	log_line(all->setup.log, LOG_INFO, "request_refused", "id=%.*s status=%d code=%.*s",
		 SLICE_ARG(e->request_id), e->status, SLICE_ARG(e->code));
	answer_refuse(c, spoken ? spoken : &dialect_openai, e, allow);
	arena_free(arena);
}

static bool refuse_key(struct exchanges *all, struct client_conn *c, const struct h1_head *head,
		       enum admit_verdict verdict)
{
	struct error_answer e = {
		.fault = FAULT_CALLER, .status = 401, .type = S("invalid_request_error"),
		.code = S("invalid_api_key"),
		.message = verdict == ADMIT_NO_KEY
			? S("No API key was given. Send one that this proxy knows, as "
			    "'Authorization: Bearer KEY' or 'x-api-key: KEY'.")
			: S("The API key is not one that this proxy knows."),
	};

	refuse(all, c, head, &e, NULL);
	return false;
}

static bool refuse_path(struct exchanges *all, struct client_conn *c, const struct h1_head *head,
			const char *allow)
{
	struct arena *arena = arena_create(0);
	struct error_answer e = {
		.fault = FAULT_CALLER, .status = allow ? 405 : 404, .type = S("invalid_request_error"),
		.code = allow ? S("method_not_allowed") : S("unknown_url"),
		.message = allow
			? arena_printf(arena, "This path wants %s, not %.*s.", allow, SLICE_ARG(head->method))
			: arena_printf(arena, "Unknown path: %.*s %.*s. OpenAI's API is served below /v1, "
				       "for instance POST /v1/chat/completions.", SLICE_ARG(head->method),
				       SLICE_ARG(head->target)),
	};

	refuse(all, c, head, &e, allow);
	arena_free(arena);
	return false;
}

static bool on_head(void *owner, struct client_conn *c, const struct h1_head *head)
{
	struct exchanges *all = owner;
	const struct dialect *dialect;
	struct slice path, query;
	enum admit_verdict verdict;
	const char *allow;

	who_is_it(all, head, &verdict);
	if (verdict != ADMIT_YES)
		return refuse_key(all, c, head, verdict);
	if (!find_endpoint(head, &path, &query, &dialect, &allow))
		return refuse_path(all, c, head, allow);
	return true;
}

/* ---- a whole request -------------------------------------------------------------------- */

/* What the query says to us is not passed on. */
static void keep_query(struct exchange *x, struct slice query)
{
	struct client_query q = { .rest = query };

	if (x->dialect->read_query)
		x->dialect->read_query(x->arena, x->endpoint, query, &q);
	x->query = arena_copy(x->arena, q.rest);
	framing_init(x, q.as_array);
}

/* The trace that the request belongs to, or a new one. */
static void join_trace(struct exchange *x, const struct h1_head *head)
{
	const struct trace_policy *p = &x->config->tracing;
	struct io *io = x->all->setup.io;
	const uint64_t random[3] = { io_random(io), io_random(io), io_random(io) };

	x->trace = arena_new(x->arena, struct trace_context);
	trace_begin(x->trace, h1_get(head, S("traceparent")), p->sample_milli, random);
}

static void keep_request(struct exchange *x, const struct h1_head *head, struct buf *body)
{
	const struct io_addr peer = client_peer(x->client);
	char text[IO_ADDR_TEXT_MAX];
	struct slice path, query;
	enum admit_verdict verdict;
	const char *allow;

	x->who = who_is_it(x->all, head, &verdict);
	x->endpoint = find_endpoint(head, &path, &query, &x->dialect, &allow);
	must(x->endpoint != NULL);      /* on_head() has seen it */
	x->id = request_id(x->all, x->arena, head);
	x->method = arena_copy(x->arena, head->method);
	x->path = arena_copy(x->arena, path);
	keep_query(x, query);
	x->content_type = arena_copy(x->arena, h1_get(head, S("content-type")));
	x->peer = arena_copy(x->arena, slice_of(io_addr_text(&peer, text)));
	if (x->config->tracing.origin)
		join_trace(x, head);
	request_keep_headers(x, head);
	queue_init(x, head);
	x->bytes_in = buf_len(body);
	x->body = *body;
	*body = BUF_INIT(body->max);
}

static struct exchange *exchange_new(struct exchanges *all, struct client_conn *c)
{
	struct arena *arena = arena_create_for(EXCHANGE_USUAL_BYTES, EXCHANGE_BLOCK_BYTES);
	struct exchange *x = arena_new(arena, struct exchange);

	x->magic = EXCHANGE_MAGIC;
	x->all = all;
	x->arena = arena;
	x->config = config_take(all->config);
	x->client = c;
	x->started_at = io_now(all->setup.io);
	x->wall_ms = io_wall_ms(all->setup.io);
	x->committed_at = MONO_NEVER;
	x->piece_at = MONO_NEVER;
	list_append(&all->running, &x->link);
	if (c)
		client_claim(c, &exchange_client_events, x);
	return x;
}

struct exchange *exchange_copy(const struct exchange *from)
{
	struct exchange *x = exchange_new(from->all, NULL);
	struct slice why, param;
	enum fault fault;

	config_give(x->config);
	x->config = config_take(from->config);
	x->who = from->who;
	x->endpoint = from->endpoint;
	x->dialect = from->dialect;
	x->id = arena_printf(x->arena, "%.*s.refresh", SLICE_ARG(from->id));
	x->method = arena_copy(x->arena, from->method);
	x->path = arena_copy(x->arena, from->path);
	x->query = arena_copy(x->arena, from->query);
	x->content_type = arena_copy(x->arena, from->content_type);
	x->peer = arena_copy(x->arena, from->peer);
	x->client_lines = arena_copy(x->arena, from->client_lines);
	queue_init(x, &(struct h1_head){ 0 });
	x->priority = PRIORITY_LOW;
	x->body = BUF_INIT(buf_len(&from->body) + 1);
	must(buf_append(&x->body, buf_slice(&from->body)));
	fault = x->dialect->read_request(x->arena, x->endpoint, x->content_type, x->path,
					 buf_slice(&x->body), &x->facts, &why, &param);
	must(fault == FAULT_NONE);      /* it was none for the one it is copied from */
	x->facts.model = arena_copy(x->arena, from->facts.model);
	return x;
}

struct exchange *exchange_of_ours(const struct exchange *from, struct slice path, struct slice body)
{
	struct exchange *x = exchange_new(from->all, NULL);
	struct slice why, param;
	const char *allow;
	enum fault fault;

	config_give(x->config);
	x->config = config_take(from->config);
	x->who = from->who;
	x->dialect = &dialect_openai;
	x->endpoint = dialect_endpoint_in(x->dialect, S("POST"), path, &allow);
	must(x->endpoint != NULL);
	x->id = arena_printf(x->arena, "%.*s.own", SLICE_ARG(from->id));
	x->method = S("POST");
	x->path = arena_copy(x->arena, path);
	x->content_type = S("application/json");
	x->peer = arena_copy(x->arena, from->peer);
	queue_init(x, &(struct h1_head){ 0 });
	x->priority = PRIORITY_LOW;
	x->body = BUF_INIT(body.len + 1);
	must(buf_append(&x->body, body));
	fault = x->dialect->read_request(x->arena, x->endpoint, x->content_type, x->path,
					 buf_slice(&x->body), &x->facts, &why, &param);
	must(fault == FAULT_NONE);
	x->facts.model = arena_copy(x->arena, x->facts.model);
	return x;
}

static void end_with(struct exchange *x, const struct error_answer *e)
{
	answer_error(x, e, SLICE_NONE);
	exchange_end(x, e->fault);
}

/* Endpoints without a model in the request (files, batches) belong to the model
 * that a header names, else to the first of the config. */
static struct slice model_from_header(const struct exchange *x, const struct h1_head *head)
{
	struct slice named = h1_get(head, S("x-backstay-model"));

	if (named.len)
		return arena_copy(x->arena, named);
	for (size_t i = 0; i < x->config->model_count; i++)
		if (!x->config->models[i].is_pattern)
			return x->config->models[i].name;
	return SLICE_NONE;
}

/* True: the client key has used up its minute; it has been told. */
static bool is_over_its_limit(struct exchange *x)
{
	struct error_answer e = {
		.fault = FAULT_CALLER, .status = 429, .type = S("rate_limit_error"),
		.code = S("rate_limit_exceeded"), .request_id = x->id,
	};
	bool tokens = false;

	if (quotas_enter(x->all->setup.quotas, x->who, io_now(x->all->setup.io), &e.retry_after_ms, &tokens))
		return false;
	e.message = arena_printf(x->arena, "The client key %.*s has used its %lld %s per minute; the next request "
				 "may come in %lld s.", SLICE_ARG(x->who->name),
				 (long long)(tokens ? x->who->tokens_per_minute : x->who->requests_per_minute),
				 tokens ? "tokens" : "requests", (long long)(e.retry_after_ms + 999) / 1000);
	end_with(x, &e);
	return true;
}

static void on_request(void *owner, struct client_conn *c, const struct h1_head *head,
		       struct buf *body)
{
	struct exchange *x = exchange_new(owner, c);
	struct error_answer e = { .retry_after_ms = -1 };
	const struct model_policy *model;
	struct slice star = SLICE_NONE;

	keep_request(x, head, body);
	e.request_id = x->id;
	if (x->endpoint->kind == ENDPOINT_MODELS) {
		answer_models(x);
		exchange_end(x, x->status_sent == 200 ? FAULT_NONE : FAULT_CALLER);
		return;
	}
	e.fault = x->dialect->read_request(x->arena, x->endpoint, x->content_type, x->path,
					   buf_slice(&x->body), &x->facts, &e.message, &e.param);
	if (e.fault != FAULT_NONE) {
		end_with(x, &e);
		return;
	}
	/* The body goes at the commit point; plan, log and record name the model longer. */
	if (x->facts.model.len)
		x->facts.model = arena_copy(x->arena, x->facts.model);
	else
		x->facts.model = model_from_header(x, head);
	model = config_model(x->config, x->facts.model, &star);
	if (!model) {
		answer_unknown_model(x, x->facts.model, &e);
		end_with(x, &e);
		return;
	}
	if (is_over_its_limit(x))
		return;
	explain_read(x, head, model);
	recall_read(x, head, model);
	exchange_begin(x, model, star);
}

/* ---- what the connection says by itself ---------------------------------------------------- */

static struct slice write_error(void *owner, int status, struct slice sentence, struct buf *out)
{
	struct error_answer e = {
		.fault = status >= 500 ? FAULT_SHED : FAULT_CALLER,
		.status = status,
		.message = sentence,
		.retry_after_ms = -1,
	};

	(void)owner;
	dialect_openai.write_error(&e, out);
	return S("application/json");
}

const struct client_door_events exchanges_door_events = {
	.on_head = on_head,
	.on_request = on_request,
	.write_error = write_error,
};
