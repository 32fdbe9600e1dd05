/* recall_embed.c: the vector of a question, from an embeddings model of the config:
 * behind each answer that is kept (in the background, a few at a time), and in an
 * outage, within a limit, to find the kept answer to a question that means the same.
 * Each is a request of our own, without a client, through the same targets, breakers
 * and limits as any other. */
#include "exchange/recall.h"

#include "base/check.h"
#include "exchange/conductor.h"
#include "wire/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define UNDER_WAY_MAX 4               /* at once in a worker, of those in the background */
#define BACKGROUND_MS 30000

/* ---- asking -------------------------------------------------------------------------------- */

/* The numbers of the one vector in an answer; 0: there is none. */
static size_t read_vector(struct slice answer, float *out)
{
	struct slice data = json_member(answer, S("data")), one = SLICE_NONE, numbers, number;
	size_t count = 0;
	char text[40];

	if (json_type_of(data) != JSON_ARRAY || !json_next(&data, NULL, &one))
		return 0;
	numbers = json_member(one, S("embedding"));
	if (json_type_of(numbers) != JSON_ARRAY)
		return 0;
	while (json_next(&numbers, NULL, &number)) {
		if (count == VECTOR_MAX || number.len >= sizeof text || json_type_of(number) != JSON_NUMBER)
			return 0;
		memcpy(text, number.at, number.len);
		text[number.len] = 0;
		out[count++] = strtof(text, NULL);
		if (!isfinite(out[count - 1]))
			return 0;
	}
	return count;
}

/* The exchange has its answer, whole. */
void recall_embed_heard(struct exchange *x)
{
	struct recall_embed *e = x->recall->embed;

	if (e && !x->recall->noted_lost)
		e->count = read_vector(buf_slice(&x->recall->noted), e->numbers);
}

/* It ends, with an answer or without. */
void recall_embed_end(struct exchange *x)
{
	struct recall_embed *e = x->recall->embed;

	x->recall->embed = NULL;
	if (e) {
		e->asks = NULL;
		e->done(e);
	}
}

/* Asks for the vector of x's question. False: the model is none for that. */
static bool ask(const struct exchange *x, struct recall_embed *e, int64_t wait_ms)
{
	const struct recall *from = x->recall;
	struct recall *r;
	struct buf body = BUF_INIT(2 * RECALL_QUESTION_MAX + 1024);
	const struct model_policy *model;
	struct slice star = SLICE_NONE;
	struct exchange *asks;

	model = config_model(x->config, from->policy->embed_model, &star);
	if (!model)
		return false;
	buf_puts(&body, "{\"model\":");
	json_write_string(&body, from->policy->embed_model);
	buf_puts(&body, ",\"encoding_format\":\"float\",\"input\":");
	json_write_string(&body, from->question);
	buf_puts(&body, "}");
	asks = exchange_of_ours(x, S("/v1/embeddings"), buf_slice(&body));
	buf_free(&body);
	if (!asks)
		return false;
	r = recall_for_ours(asks, from->policy);
	r->embed = e;
	asks->recall = r;
	asks->client_timeout_ms = wait_ms;
	e->asks = asks;
	e->count = 0;
	exchange_begin(asks, model, star);
	return true;
}

/* ---- behind an answer that is kept -------------------------------------------------------------- */

struct job {
	struct recall_embed embed;
	struct exchanges *all;
	uint64_t context;
	struct cache_key key;
};

static void on_embedded(struct recall_embed *e)
{
	struct job *job = CONTAINER_OF(e, struct job, embed);

	job->all->embedding--;
	if (e->count)
		cache_vector_put(job->all->setup.cache, job->context, &job->key, e->numbers, e->count);
	free(e->numbers);
	free(job);
}

static float *room_for_numbers(void)
{
	float *numbers = calloc(VECTOR_MAX, sizeof *numbers);

	must(numbers != NULL);
	return numbers;
}

void recall_embed_kept(struct exchange *x)
{
	const struct recall *r = x->recall;
	struct job *job;

	if (!r->policy->embed_model.len || !r->question.len || x->all->embedding >= UNDER_WAY_MAX)
		return;
	job = calloc(1, sizeof *job);
	must(job != NULL);
	job->all = x->all;
	job->context = r->context;
	job->key = r->key;
	job->embed.done = on_embedded;
	job->embed.numbers = room_for_numbers();
	x->all->embedding++;
	if (!ask(x, &job->embed, BACKGROUND_MS))
		on_embedded(&job->embed);
}

/* ---- when nothing else is left --------------------------------------------------------------------- */

static void on_told(struct io_timer *t, mono_ms now)
{
	struct recall_embed *e = CONTAINER_OF(t, struct recall_embed, told);
	struct exchange *x = e->x;

	recall_go_on(x, now);
}

/* The exchange that asked ends: not in the middle of that. */
static void on_meant(struct recall_embed *e)
{
	e->told.fire = on_told;
	io_timer_set(e->x->all->setup.io, &e->told, io_now(e->x->all->setup.io));
}

bool recall_embed_look(struct exchange *x)
{
	struct recall *r = x->recall;

	if (r->meaning || !r->policy->embed_model.len || !r->question.len || !cache_vectors(x->all->setup.cache))
		return false;
	r->meaning = arena_new(x->arena, struct recall_embed);
	r->meaning->x = x;
	r->meaning->done = on_meant;
	r->meaning->numbers = room_for_numbers();
	if (x->state != EXCHANGE_RECALLING)
		exchange_enter(x, EXCHANGE_RECALLING);
	return ask(x, r->meaning, r->policy->embed_wait_ms);
}

void recall_embed_drop(struct exchange *x)
{
	struct recall_embed *e = x->recall->meaning;

	if (!e)
		return;
	if (e->asks)                    /* it ends by itself, soon */
		e->asks->recall->embed = NULL;
	e->asks = NULL;
	io_timer_clear(x->all->setup.io, &e->told);
}

void recall_embed_free(struct exchange *x)
{
	if (!x->recall->meaning)
		return;
	recall_embed_drop(x);
	free(x->recall->meaning->numbers);
	x->recall->meaning = NULL;
}
