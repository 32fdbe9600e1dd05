/* budgets.c: what an exchange has to do with budgets: may it spend, what did it? */
#include "exchange/exchange.h"

#include "admit/budgets.h"

static bool concerns(const struct budget_policy *b, const struct exchange *x)
{
	return budget_concerns(b, x->who ? x->who->name : SLICE_NONE, x->who ? x->who->group : SLICE_NONE,
			       x->model->name);
}

void budgets_ask(struct exchange *x)
{
	const struct budgets_policy *all = &x->config->budgets;
	int64_t wall_ms = all->count ? io_wall_ms(x->all->setup.io) : 0;
	struct budget_view v;

	if (x->budget)
		return;
	for (size_t i = 0; i < all->count; i++) {
		const struct budget_policy *b = &all->budgets[i];

		if (b->then == BUDGET_ALERT || (x->budget && x->budget->then >= b->then) || !concerns(b, x))
			continue;
		budget_look(b, wall_ms, &v);
		if (v.used_milli >= BUDGET_WHOLE)
			x->budget = b;
	}
	if (!x->budget)
		return;
	budget_count(x->budget);
	log_line(x->all->setup.log, LOG_DEBUG, "budget_spent", "id=%.*s budget=%.*s then=%s", SLICE_ARG(x->id),
		 SLICE_ARG(x->budget->name), budget_then_name(x->budget->then));
}

bool budgets_refuse(const struct exchange *x)
{
	return x->budget && x->budget->then == BUDGET_REFUSE;
}

void budgets_error(struct exchange *x, struct error_answer *e)
{
	int64_t wall_ms = io_wall_ms(x->all->setup.io);
	struct budget_view v;
	char until[25];

	budget_look(x->budget, wall_ms, &v);
	log_stamp(v.ends_wall_ms, until);
	e->fault = FAULT_BUDGET;
	e->retry_after_ms = v.ends_wall_ms > wall_ms ? v.ends_wall_ms - wall_ms : 0;
	e->message = arena_printf(x->arena, "The budget '%.*s' of this proxy is spent for the present %s; the "
				  "next one begins at %s.", SLICE_ARG(x->budget->name),
				  budget_period_name(x->budget->per), until);
}

void budgets_pay(const struct exchange *x)
{
	const struct budgets_policy *all = &x->config->budgets;
	int64_t wall_ms, tokens = 0;

	if (!all->count || !x->model || !x->attempts)
		return;
	for (unsigned i = 0; i < x->attempts; i++)
		tokens += x->records[i].spent.input_tokens + x->records[i].spent.output_tokens;
	wall_ms = io_wall_ms(x->all->setup.io);
	for (size_t i = 0; i < all->count; i++)
		if (concerns(&all->budgets[i], x))
			budget_add(&all->budgets[i], wall_ms, x->cost_nano_usd, tokens);
}
