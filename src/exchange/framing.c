/* framing.c: the last step of an answer's bytes on their way to the client. All
 * inside is written as server-sent events; clients of the Gemini API may want
 * a stream as one JSON array instead, element by element. */
#include "exchange/exchange.h"

#include "base/check.h"

struct array_framing {
	struct sse sse;
	bool begun;
};

void framing_init(struct exchange *x, bool as_array)
{
	if (!as_array)
		return;
	x->array = arena_new(x->arena, struct array_framing);
	sse_init(&x->array->sse, EVENT_BYTES_MAX);
}

void framing_free(struct exchange *x)
{
	if (x->array)
		sse_free(&x->array->sse);
	x->array = NULL;
}

struct slice framing_type(const struct exchange *x)
{
	return x->facts.stream && !x->array ? S("text/event-stream; charset=utf-8")
					    : S("application/json");
}

/* Comments have no place in JSON. */
static void give_elements(struct exchange *x, struct slice bytes)
{
	struct array_framing *f = x->array;
	struct sse_event ev;

	while (sse_feed(&f->sse, &bytes, &ev) == SSE_EVENT) {
		if (!ev.has_data)
			continue;
		client_respond_data(x->client, f->begun ? S(",\r\n") : S("["));
		f->begun = true;
		client_respond_data(x->client, ev.data);
	}
}

void framing_give(struct exchange *x, struct slice bytes)
{
	if (x->array && x->facts.stream)
		give_elements(x, bytes);
	else
		client_respond_data(x->client, bytes);
}

void framing_keep_alive(struct exchange *x)
{
	bool silent = x->array || x->dialect->no_comments;
	struct slice bytes = silent ? S("\n") : S(": keep-alive\n\n");

	x->bytes_out += bytes.len;
	client_respond_data(x->client, bytes);
}

void framing_end(struct exchange *x)
{
	if (x->array && x->facts.stream)
		client_respond_data(x->client, x->array->begun ? S("]") : S("[]"));
	client_respond_end(x->client);
}
