/* Reading what the sheets hold. */
#include "observe/metrics_inside.h"

uint64_t metrics_get(const metrics_number *n)
{
	return atomic_load_explicit(n, memory_order_relaxed);
}

static const struct metrics_block *block_at(struct metrics_sheet *s, enum metric_scope scope, size_t id)
{
	return atomic_load_explicit(&s->blocks[metrics_labelled(scope)][id], memory_order_acquire);
}

uint64_t metrics_sum(struct metrics *m, enum metric_scope s, size_t id, size_t cell)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < atomic_load(&m->sheet_count); i++) {
		if (s == SCOPE_WORKER) {
			sum += metrics_get(&m->sheets[i]->worker[cell]);
		} else {
			const struct metrics_block *b = block_at(m->sheets[i], s, id);

			sum += b ? metrics_get(&b->cells[cell]) : 0;
		}
	}
	return sum;
}

static uint64_t worker_sum(struct metrics *m, size_t cell)
{
	return metrics_sum(m, SCOPE_WORKER, 0, cell);
}

struct metrics_pool metrics_pool_sum(struct metrics *m)
{
	return (struct metrics_pool){
		.connects = worker_sum(m, AT_WORKER_CONNECTS),
		.connect_faults = worker_sum(m, AT_WORKER_CONNECT_FAULTS),
		.reuses = worker_sum(m, AT_WORKER_REUSES),
		.stale_replays = worker_sum(m, AT_WORKER_STALE_REPLAYS),
		.junk_discards = worker_sum(m, AT_WORKER_JUNK_DISCARDS),
		.open = worker_sum(m, AT_WORKER_OPEN),
		.idle = worker_sum(m, AT_WORKER_IDLE),
		.exchanges = worker_sum(m, AT_WORKER_EXCHANGES),
	};
}

/* ---- a target --------------------------------------------------------------------- */

static bool blames(enum fault f)
{
	enum fault_blame blame = fault_row(f)->blame;

	return blame == BLAME_TARGET || blame == BLAME_CREDENTIAL || blame == BLAME_MODEL;
}

static void add_target(struct metrics_target *sum, const struct metrics_block *b)
{
	int64_t at = (int64_t)metrics_get(&b->last_fault_wall_ms);

	for (enum fault f = FAULT_NONE; f < FAULT_COUNT; f++) {
		uint64_t count = metrics_get(&b->cells[AT_TARGET_ATTEMPTS + f]);

		sum->attempts += count;
		sum->good += f == FAULT_NONE ? count : 0;
		sum->blamed += blames(f) ? count : 0;
	}
	if (at > sum->last_fault_wall_ms) {
		sum->last_fault_wall_ms = at;
		sum->last_fault = (enum fault)metrics_get(&b->last_fault);
	}
}

struct metrics_target metrics_target_sum(struct metrics *m, struct slice name)
{
	struct metrics_target sum = { 0 };
	size_t id = metrics_find(m, SCOPE_TARGET, name);

	for (size_t i = 0; id && i < atomic_load(&m->sheet_count); i++) {
		const struct metrics_block *b = block_at(m->sheets[i], SCOPE_TARGET, id);

		if (b)
			add_target(&sum, b);
	}
	return sum;
}

/* ---- everything ------------------------------------------------------------------------ */

static void add_model(struct metrics_total *sum, const struct metrics_block *b)
{
	for (size_t class = 0; class < METRICS_CLASSES; class++)
		for (enum fault f = FAULT_NONE; f < FAULT_COUNT; f++) {
			size_t cell = AT_MODEL_REQUESTS + class * FAULT_COUNT + f;
			uint64_t count = metrics_get(&b->cells[cell]);
			bool caller = f == FAULT_CALLER || f == FAULT_CLIENT_GONE ||
				      f == FAULT_CONTEXT || f == FAULT_POLICY;

			sum->exchanges += count;
			*(f == FAULT_NONE ? &sum->good : caller ? &sum->caller : &sum->failed) += count;
		}
	sum->fallbacks += metrics_get(&b->cells[AT_MODEL_FALLBACKS]);
}

static void add_spend(struct metrics_total *sum, const struct metrics_block *b)
{
	sum->input_tokens += metrics_get(&b->cells[AT_SPEND_TOKENS]);
	sum->output_tokens += metrics_get(&b->cells[AT_SPEND_TOKENS + 1]);
	sum->cost_nano_usd += metrics_get(&b->cells[AT_SPEND_COST]);
}

struct metrics_total metrics_total(struct metrics *m)
{
	struct metrics_total sum = { 0 };
	size_t models = metrics_label_count(m, SCOPE_MODEL), spends = metrics_label_count(m, SCOPE_SPEND);

	for (size_t i = 0; i < atomic_load(&m->sheet_count); i++) {
		const struct metrics_block *b;

		for (size_t id = 0; id < models; id++)
			if ((b = block_at(m->sheets[i], SCOPE_MODEL, id)))
				add_model(&sum, b);
		for (size_t id = 0; id < spends; id++)
			if ((b = block_at(m->sheets[i], SCOPE_SPEND, id)))
				add_spend(&sum, b);
	}
	return sum;
}
