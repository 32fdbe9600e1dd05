/* otlp.h: an exchange as spans, in OTLP's JSON form (the mapping of
 * opentelemetry-proto's ExportTraceServiceRequest): one span for the exchange, one
 * for each attempt, with attributes of the GenAI semantic conventions. Never
 * prompt text, never a key. */
#ifndef BACKSTAY_OBSERVE_OTLP_H
#define BACKSTAY_OBSERVE_OTLP_H

#include "base/buf.h"
#include "observe/record.h"
#include "observe/trace.h"

/* The longest text that otlp_write_spans() makes of one exchange: the room its
 * buf must have. */
#define OTLP_EXCHANGE_MAX ((size_t)192 * 1024)

/* What stands before the spans, and behind them, in a request. */
void otlp_write_head(struct buf *out, struct slice service);
void otlp_write_tail(struct buf *out);
/* Appends the spans of an exchange that has a trace (`r->trace`), separated by
 * commas, with one in front where `out` holds some already. Gives how many. */
size_t otlp_write_spans(const struct exchange_record *r, struct buf *out);
/* Is it to be exported: sampled, or did something go wrong on its way? */
bool otlp_wants(const struct exchange_record *r);
/* The GenAI conventions' name for who runs a server ("openai", "aws.bedrock" ...),
 * by its host; what is not known is "openai_compatible". Static. */
struct slice otlp_provider(struct slice authority);

#endif
