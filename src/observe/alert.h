/* alert.h: what people are told of: kinds of trouble, events, notes to sinks.
 *
 *   event   something is wrong, or well again, as whoever saw it says
 *   alert   what is made of the events of one kind about one subject
 *   note    one alert's firing or end, on its way to one sink */
#ifndef BACKSTAY_OBSERVE_ALERT_H
#define BACKSTAY_OBSERVE_ALERT_H

#include "base/mono.h"
#include "observe/policy.h"

#define ALERT_SUBJECT_MAX 160         /* bytes; what is longer is cut */
#define ALERT_TEXT_MAX    600

/* name, severity, lasts_ms (0: until it is told to be over), title */
#define ALERT_KINDS(X)                                                                          \
	X(TARGET_OPEN,      "target_open",      WARNING,  0, "a target is out")                 \
	X(MODEL_DEGRADED,   "model_degraded",   WARNING,  0, "a model is served by its fallbacks") \
	X(MODEL_DOWN,       "model_down",       CRITICAL, 0, "a model cannot be served")        \
	X(CREDENTIAL_OFF,   "credential_off",   CRITICAL, 0, "a credential is refused")         \
	X(OUT_OF_MONEY,     "out_of_money",     CRITICAL, 0, "a backend's account is out of money") \
	X(MODEL_GONE,       "model_gone",       WARNING,  0, "a target's model is not there")   \
	X(RETRIES_SPENT,    "retries_spent",    WARNING,  0, "a model's retry budget is spent") \
	X(BUDGET_NEAR,      "budget_near",      WARNING,  0, "a budget is nearly spent")        \
	X(BUDGET_SPENT,     "budget_spent",     CRITICAL, 0, "a budget is spent")               \
	X(CONFIG_REFUSED,   "config_refused",   WARNING,  0, "a changed config is refused")     \
	X(STORE_DOWN,       "store_down",       WARNING,  0, "a store is out")                  \
	X(NODE_GONE,        "node_gone",        WARNING,  0, "a machine that shares the store has vanished") \
	X(PROCESS_RESTARTED, "process_restarted", WARNING, 300000, "the serving process has died and was started again") \
	X(DRILL_FAILED,     "drill_failed",     WARNING,  300000, "a drill has failed")         \
	X(TEST,             "test",             INFO,     60000, "a test, nothing is wrong")
#define AS_ENUM(id, ...) ALERT_##id,
enum alert_kind { ALERT_KINDS(AS_ENUM) ALERT_KIND_COUNT };
#undef AS_ENUM

struct alert_kind_row {
	const char *name;
	enum alert_severity severity;
	int64_t lasts_ms;
	const char *title;
};
/* The kind's row of the table. */
const struct alert_kind_row *alert_kind_row(enum alert_kind kind);
/* By name; false: there is none. */
bool alert_kind_find(struct slice name, enum alert_kind *out);
/* "critical", "warning", "info". */
const char *alert_severity_name(enum alert_severity s);

struct alert_event {
	enum alert_kind kind;
	struct slice subject;         /* a target's, a model's, a key's name ... */
	bool on;                      /* false: it is over */
	struct slice text;            /* what is known of it; one sentence or a few */
};

/* One alert's news for one sink. */
struct alert_note {
	enum alert_kind kind;
	char subject[ALERT_SUBJECT_MAX + 1], text[ALERT_TEXT_MAX + 1];
	bool firing;                  /* false: resolved */
	bool flapping;                /* it comes and goes */
	bool repeated;                /* told before */
	int64_t since_wall_ms;        /* Unix time of its beginning */
	int64_t until_wall_ms;        /* of its end; 0 while it fires */
	int64_t noted_wall_ms;
};

#endif
