/* policy.h: who is told of trouble, and how, what tokens cost, and where traces
 * go, as the config has it. Plain data, owned by the config snapshot, immutable. */
#ifndef BACKSTAY_OBSERVE_POLICY_H
#define BACKSTAY_OBSERVE_POLICY_H

#include "base/slice.h"

struct origin;

#define ALERT_SINKS_MAX 16

enum alert_severity { ALERT_CRITICAL, ALERT_WARNING, ALERT_INFO };

enum alert_sink_kind {
	ALERT_WEBHOOK,                /* our own JSON, signed where there is a secret */
	ALERT_SLACK,                  /* an incoming webhook of Slack, or what speaks like it */
	ALERT_PAGERDUTY,              /* Events API v2 */
	ALERT_ALERTMANAGER,           /* API v2 */
};

struct alert_sink_policy {
	struct slice name;
	enum alert_sink_kind kind;
	const struct origin *origin;
	struct slice target;          /* path and query of the POST */
	struct slice secret;          /* webhook: signs; PagerDuty: the routing key. Secret */
	struct slice bearer;          /* sent as Authorization: Bearer; empty: none. Secret */
	enum alert_severity least;    /* lesser ones are not sent there */
};

struct alert_policy {
	int64_t wait_ms;              /* trouble must last so long; what comes meanwhile is told together */
	int64_t calm_ms;              /* and be over for so long before its end is told */
	int64_t repeat_ms;            /* told again while it lasts; 0: never */
	struct slice state_path;      /* what survives a restart; empty: nothing does */
	struct slice source;          /* who we are; empty: the machine's name */
	struct slice link;            /* put into messages: where people can look; may be empty */
	const struct alert_sink_policy *sinks;
	size_t sink_count;
};

/* What a model's tokens cost; in millionths of a millionth of a US dollar each,
 * which is millionths of a dollar for a million. */
struct price {
	struct slice model;           /* see price_find() */
	int64_t input_pico, cached_pico, output_pico;
	bool built_in;                /* not from the config */
};

/* Where spans go. */
struct trace_policy {
	const struct origin *origin;  /* the collector; NULL: no tracing */
	struct slice target;          /* path and query of the POST */
	struct slice headers;         /* ready lines for it, secrets among them; may be empty */
	struct slice service;         /* service.name */
	int64_t sample_milli;         /* of exchanges, in thousandths of a percent */
	int64_t every_ms;             /* how long spans are gathered at most */
	bool propagate;               /* backends are told of the trace */
};

struct price_table {
	const struct price *prices;   /* the config's first */
	size_t count;
};

#endif
