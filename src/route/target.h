/* target.h: what a process knows of its targets while they work: how many
 * requests each has in flight. Shared by all workers and kept over config
 * reloads; each state has its own small lock. */
#ifndef BACKSTAY_ROUTE_TARGET_H
#define BACKSTAY_ROUTE_TARGET_H

#include "base/arena.h"
#include "route/policy.h"

struct target_registry;

/* One for a process. States live as long as it does: a target that leaves the
 * config and comes back finds its state again. */
struct target_registry *target_registry_create(void);
void target_registry_free(struct target_registry *r);
/* Fills in `state` of every target and `rotation` of the models, making what
 * does not exist yet. `arena` is the snapshot's. Any one thread at a time. */
void target_registry_bind(struct target_registry *r, struct arena *arena,
			  struct model_policy *models, size_t model_count);

/* `on_free` is told after each place that was given back, on the thread that
 * gave it, with the target's bits of target_places(); at most one listener, set
 * before any place is taken. */
void target_registry_watch(struct target_registry *r,
			   void (*on_free)(void *owner, uint64_t places), void *owner);
/* One bit that all targets which share a limit have in common. Others may have
 * the same. */
uint64_t target_places(const struct target *t);

/* Takes a place on the target. False if the backend URL it lives on already
 * has `max_in_flight` requests (0: no limit). Each true is answered by exactly
 * one target_leave(). Any thread. */
bool target_enter(struct target *t, unsigned max_in_flight);
void target_leave(struct target *t);
/* Requests in flight on this target now. Any thread. */
unsigned target_in_flight(struct target *t);
/* Requests in flight over all targets; 0 when nothing is going on. */
unsigned target_registry_in_flight(struct target_registry *r);

/* Smooth weighted round robin over those of `count` candidates whose `open` is
 * set: each is chosen in proportion to its weight, spread as evenly as can be.
 * Gives the index; at least one must be open. Any thread. */
size_t rotation_next(struct rotation *r, const unsigned *weights, const bool *open, size_t count);

#endif
