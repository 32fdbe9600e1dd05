/* budget_state.h: what has been spent of budgets, kept in a file. It lives on the
 * control thread's loop and writes in the background. */
#ifndef BACKSTAY_DAEMON_BUDGET_STATE_H
#define BACKSTAY_DAEMON_BUDGET_STATE_H

#include "admit/budgets.h"
#include "base/log.h"
#include "config/config.h"
#include "io/io.h"

struct budget_state;

/* Reads the config's file, if it names one, into `b`; writes it from then on when
 * something has been spent. Before the loop runs. Both are borrowed. */
struct budget_state *budget_state_create(struct io *io, const struct log *log, struct budgets *b,
					 const struct config *c);
/* The config has changed. */
void budget_state_set_config(struct budget_state *s, const struct config *c);
/* Before the loop is freed: writes once more. NULL is fine, here and below. */
void budget_state_stop(struct budget_state *s);
/* After it. */
void budget_state_free(struct budget_state *s);

#endif
