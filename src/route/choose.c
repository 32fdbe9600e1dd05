#include "route/choose.h"

#include "base/check.h"

#include <math.h>

/* How far above its share of the work a target may be before a conversation that
 * belongs to it goes elsewhere. */
#define SPILL_AT 1.25

/* ---- two by chance --------------------------------------------------------------- */

static size_t open_count(const struct choice *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->count; i++)
		n += c->open[i];
	return n;
}

static size_t nth_open(const struct choice *c, size_t n)
{
	for (size_t i = 0; i < c->count; i++)
		if (c->open[i] && n-- == 0)
			return i;
	never("fewer are open than were counted");
}

/* Asking all would send everybody to the same one until its numbers move. */
static void draw_two(const struct choice *c, size_t *a, size_t *b)
{
	size_t n = open_count(c), first, second;

	must(n > 0);
	first = (size_t)((c->random & 0xffffffff) % n);
	*a = *b = nth_open(c, first);
	if (n == 1)
		return;
	second = (size_t)((c->random >> 32) % (n - 1));
	*b = nth_open(c, second >= first ? second + 1 : second);
}

static double load_of(const struct choice *c, size_t i)
{
	return ((double)c->looks[i]->in_flight + 1) / (double)c->weights[i];
}

/* Who has not answered yet is taken to be as quick as the others on average, so
 * that its load decides: neither flooded nor forgotten. */
static double usual_latency_ms(const struct choice *c)
{
	double sum = 0;
	size_t n = 0;

	for (size_t i = 0; i < c->count; i++) {
		if (c->open[i] && c->looks[i]->latency_ms > 0) {
			sum += c->looks[i]->latency_ms;
			n++;
		}
	}
	return n ? sum / (double)n : 1;
}

static size_t lower_cost(const struct choice *c, bool by_latency)
{
	double usual = by_latency ? usual_latency_ms(c) : 1, cost_a, cost_b;
	size_t a, b;

	draw_two(c, &a, &b);
	cost_a = load_of(c, a);
	cost_b = load_of(c, b);
	if (by_latency) {
		cost_a *= c->looks[a]->latency_ms > 0 ? c->looks[a]->latency_ms : usual;
		cost_b *= c->looks[b]->latency_ms > 0 ? c->looks[b]->latency_ms : usual;
	}
	return cost_b < cost_a ? b : a;
}

/* Those with the fewest requests open for their weight, in turn. Who has nothing
 * to do is equal to all others of that kind, so that small traffic is spread by
 * weight. One that is slow or hangs has more and more open, and gets less. */
static size_t least_loaded(const struct choice *c)
{
	size_t best = SIZE_MAX;

	for (size_t i = 0; i < c->count; i++)
		if (c->open[i] &&
		    (best == SIZE_MAX || (uint64_t)c->looks[i]->in_flight * c->weights[best] <
						 (uint64_t)c->looks[best]->in_flight * c->weights[i]))
			best = i;
	must(best != SIZE_MAX);
	for (size_t i = 0; i < c->count; i++)
		c->least[i] = c->open[i] &&
			      (uint64_t)c->looks[i]->in_flight * c->weights[best] ==
				      (uint64_t)c->looks[best]->in_flight * c->weights[i];
	return rotation_next(c->model->rotation, c->weights, c->least, c->count);
}

/* ---- the same one again --------------------------------------------------------------- */

/* Weighted rendezvous: each target draws a number from the key and its own name;
 * the largest wins. A target that comes or goes moves only its own keys. */
static double draw(const struct choice *c, size_t i, uint64_t key)
{
	const struct target_policy *t = &c->model->targets[i];
	uint64_t hash = slice_hash(t->host_key, key) ^ slice_hash(t->model, ~key);
	double unit;

	hash ^= hash >> 32;
	hash *= 0x9e3779b97f4a7c15;
	hash ^= hash >> 29;
	unit = ((double)(hash >> 11) + 0.5) / 9007199254740992.0;
	return -(double)c->weights[i] / log(unit);
}

static bool has_room(const struct choice *c, size_t i)
{
	double work = 1, weights = 0;

	for (size_t n = 0; n < c->count; n++) {
		if (!c->open[n])
			continue;
		work += c->looks[n]->in_flight;
		weights += c->weights[n];
	}
	return (double)c->looks[i]->in_flight + 1 <=
	       ceil(SPILL_AT * work * (double)c->weights[i] / weights);
}

/* `bounded`: one that has far more to do than its share is passed over. */
static size_t rendezvous(const struct choice *c, uint64_t key, bool bounded)
{
	size_t best = SIZE_MAX;
	double most = 0;

	for (size_t i = 0; i < c->count; i++) {
		double own;

		if (!c->open[i] || (bounded && !has_room(c, i)))
			continue;
		own = draw(c, i, key);
		if (best == SIZE_MAX || own > most) {
			best = i;
			most = own;
		}
	}
	must(best != SIZE_MAX);       /* somebody is at or below the average */
	return best;
}

size_t choose_target(const struct choice *c, const char **why)
{
	if (c->sticky) {
		*why = "sticky";
		return rendezvous(c, c->sticky, false);
	}
	switch (c->model->balance) {
	case BALANCE_LEAST_IN_FLIGHT:
		*why = "least_in_flight";
		return lower_cost(c, false);
	case BALANCE_LEAST_LATENCY:
		*why = "least_latency";
		return lower_cost(c, true);
	case BALANCE_PREFIX_AFFINITY:
		if (c->prefix) {
			*why = "prefix_affinity";
			return rendezvous(c, c->prefix, true);
		}
		*why = "least_loaded";
		return least_loaded(c);
	case BALANCE_LEAST_LOADED:
		*why = "least_loaded";
		return least_loaded(c);
	case BALANCE_ROUND_ROBIN:
		break;
	}
	*why = "round_robin";
	return rotation_next(c->model->rotation, c->weights, c->open, c->count);
}
