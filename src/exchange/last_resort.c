/* last_resort.c: when no target could answer and no kept answer is there. */
#include "exchange/recall.h"

#include "base/check.h"
#include "exchange/conductor.h"

#define MORE_ATTEMPTS LAST_RESORT_ATTEMPTS
#define SAID_MAX ((size_t)64 * 1024)

static bool ask_model(struct exchange *x, mono_ms now)
{
	const struct model_policy *model;
	struct slice star;

	if (x->resorted || !x->model->last_resort->model.len || now >= x->deadline_at ||
	    !x->endpoint->may_retry)
		return false;
	model = config_model(x->config, x->model->last_resort->model, &star);
	if (!model)
		return false;
	x->resorted = true;
	x->attempts_allowed = x->attempts + MORE_ATTEMPTS;
	x->plan = plan_create(x->arena, model, model->name, star, x->deadline_at);
	explain_plan(x);
	log_line(x->all->setup.log, LOG_INFO, "last_resort", "id=%.*s model=%.*s asks=%.*s",
		 SLICE_ARG(x->id), SLICE_ARG(x->model->name), SLICE_ARG(model->name));
	exchange_try(x, now);
	return true;
}

/* The message as the client wants it; false: there is no such form. */
static bool write_said(struct exchange *x, struct buf *out)
{
	const struct dialect *d = x->dialect;
	struct buf whole = BUF_INIT(SAID_MAX);
	bool said = d->write_message &&
		    d->write_message(x->endpoint, x->model->last_resort->message, x->facts.model, x->id,
				     x->wall_ms / 1000, &whole);

	if (said && x->facts.stream)
		said = d->answer_to_stream &&
		       d->answer_to_stream(x->arena, x->endpoint, &x->facts, buf_slice(&whole), out);
	else if (said)
		said = buf_append(out, buf_slice(&whole));
	buf_free(&whole);
	return said;
}

static bool say_message(struct exchange *x, mono_ms now)
{
	struct buf said = BUF_INIT(SAID_MAX * 2);
	bool good;

	if (!x->client || !x->model->last_resort->message.len)
		return false;
	good = write_said(x, &said);
	if (good) {
		x->degraded_by = DEGRADED_LAST_RESORT;
		x->served_target = S("last-resort");
		log_line(x->all->setup.log, LOG_INFO, "last_resort", "id=%.*s model=%.*s says=message",
			 SLICE_ARG(x->id), SLICE_ARG(x->model->name));
		give_answer(x, buf_slice(&said), 0, now);
	}
	buf_free(&said);
	return good;
}

bool last_resort(struct exchange *x, enum fault why, mono_ms now)
{
	if (!x->model->last_resort || !recall_is_trouble(why))
		return false;
	recall_let_go(x);
	return ask_model(x, now) || say_message(x, now);
}
