/* admin_inside.h: between admin.c (HTTP, who may), admin_routes.c (what there is),
 * admin_act.c (what changes something) and admin_events.c (the live stream).
 * Nobody else includes it, tests excepted. */
#ifndef BACKSTAY_DAEMON_ADMIN_INSIDE_H
#define BACKSTAY_DAEMON_ADMIN_INSIDE_H

#include "base/list.h"
#include "daemon/admin.h"

enum admin_access {
	ADMIN_OPEN,                   /* everybody: nothing that is not for everybody's eyes */
	ADMIN_LOOK,                   /* who may read, see enum admin_read */
	ADMIN_ACT,                    /* who has the key */
};

/* One request that was let in. */
struct admin_request {
	struct client_conn *conn;
	const struct h1_head *head;
	struct slice query, body;
};

struct admin_route {
	const char *method, *path;
	enum admin_access access;
	/* Owes exactly one answer. */
	void (*answer)(struct admin *a, const struct admin_request *r);
};

/* All of them; a NULL path ends the table. */
extern const struct admin_route admin_routes[];

struct admin {
	struct io *io;
	const struct admin_state *state;
	const struct log *log;
	struct client_door *door;
	struct client_counters counters;
	struct client_limits limits;
	bool loopback;                /* nobody but this machine can reach it */
	struct buf document;
	/* admin_events.c: */
	struct list listeners;
	struct io_timer tick;
	uint64_t seen;                /* exchanges told to listeners */
	uint64_t told_uses;           /* what targets could be used for, when they were told last */
	mono_ms tell_at;              /* they are told again, whatever it is */
	bool large;                   /* what they are told is */
};

/* ---- who may ------------------------------------------------------------------------- */

enum admin_verdict {
	ADMIN_YES,
	ADMIN_NO_KEY,                 /* the key is wanted: 401 */
	ADMIN_WRONG_KEY,              /* 401 */
	ADMIN_NO_ACTIONS,             /* the config has no key: 403 */
	ADMIN_FOREIGN_HOST,           /* called by a name it does not know: 403 */
	ADMIN_FOREIGN_PAGE,           /* sent by a page of somebody else: 403 */
	ADMIN_VERDICT_COUNT
};
/* May a request with that head have a thing of that access? `loopback`: the port
 * cannot be reached from other machines. Pure; the key is compared in constant
 * time. */
enum admin_verdict admin_judge(const struct admin_policy *policy, bool loopback,
			       enum admin_access access, const struct h1_head *head);

/* ---- answers --------------------------------------------------------------------------- */

/* Answers a plain text, or a document that has been written into a->document
 * (`ok`: whole), which is freed. */
void admin_answer_text(const struct admin_request *r, int status, struct slice text);
void admin_answer_document(struct admin *a, const struct admin_request *r, struct slice type, bool ok);
/* Answers with bytes that live as long as the program. */
void admin_answer_bytes(const struct admin_request *r, struct slice type, struct slice bytes);
/* {"error":{"message":...}} of that status. */
void admin_answer_error(struct admin *a, const struct admin_request *r, int status, struct slice message);

/* ---- actions, admin_act.c ---------------------------------------------------------------- */

/* Each reads a JSON object, does what the route says and answers. */
void admin_drain(struct admin *a, const struct admin_request *r);
void admin_open(struct admin *a, const struct admin_request *r);
void admin_close(struct admin *a, const struct admin_request *r);
void admin_release(struct admin *a, const struct admin_request *r);
void admin_drill_begin(struct admin *a, const struct admin_request *r);
void admin_drill_stop(struct admin *a, const struct admin_request *r);
void admin_alert_test(struct admin *a, const struct admin_request *r);

/* For all of them: is the body a JSON object of the right type, with no other members
 * than `names` (NULL ends them)? False after an answer. And the line of the log. */
bool admin_body_is_object(struct admin *a, const struct admin_request *r, const char *const *names);
void admin_log_action(struct admin *a, const struct admin_request *r, const char *action,
		      struct slice subject, int64_t for_ms);

/* ---- kept answers, admin_cache.c ---------------------------------------------------------- */

/* Numbers of all stores; what is known of one answer in memory; and dropping some. */
void admin_cache(struct admin *a, const struct admin_request *r);
void admin_cache_entry(struct admin *a, const struct admin_request *r);
void admin_cache_purge(struct admin *a, const struct admin_request *r);

/* ---- the live stream, admin_events.c ------------------------------------------------------- */

/* Answers with server-sent events that go on until the client leaves. */
void admin_events(struct admin *a, const struct admin_request *r);
/* Sets the stream's timer up; and ends it: before the door is freed. */
void admin_events_begin(struct admin *a);
void admin_events_end(struct admin *a);

#endif
