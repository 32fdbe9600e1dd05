/* trace_export.h: gives the spans of one worker to a collector, by OTLP/HTTP
 * (JSON). Never waits: what the collector does not take in time is dropped and
 * counted. */
#ifndef BACKSTAY_DAEMON_TRACE_EXPORT_H
#define BACKSTAY_DAEMON_TRACE_EXPORT_H

#include "base/log.h"
#include "config/config.h"
#include "io/io.h"
#include "observe/metrics.h"
#include "observe/record.h"

struct trace_export;

/* By the config's `tracing`; a reference of it is taken. `log` and `sheet` (the
 * worker's) are borrowed. */
struct trace_export *trace_export_create(struct io *io, const struct log *log,
					 struct metrics_sheet *sheet, struct config *config);
/* The config has changed: what is gathered goes to the new place. */
void trace_export_set_config(struct trace_export *e, struct config *config);
/* An exchange has ended: its spans are gathered, if it has a trace and they are
 * wanted. */
void trace_export_add(struct trace_export *e, const struct exchange_record *r);
/* Sends what is gathered now, not when it is time. */
void trace_export_flush(struct trace_export *e);
/* Nothing is gathered and nothing on its way? */
bool trace_export_idle(const struct trace_export *e);
/* Gives up what is left; NULL is fine. */
void trace_export_free(struct trace_export *e);

#endif
