/* request_scan.h: reading what routing needs of a JSON request in one pass,
 * shared by the dialects' read_request(). */
#ifndef BACKSTAY_DIALECT_REQUEST_SCAN_H
#define BACKSTAY_DIALECT_REQUEST_SCAN_H

#include "dialect/dialect.h"
#include "wire/json.h"

#define SCAN_MODEL_BYTES_MAX 256

/* Where the reason of a refusal goes. */
struct scan_refusal { struct slice *why, *param; };

/* Notes the sentence and the member to blame; gives FAULT_CALLER. */
enum fault scan_refuse(struct scan_refusal to, struct slice why, struct slice param);
/* Finds the wanted members of a body, which must be a whole JSON object without
 * any of them twice. */
enum fault scan_request(struct arena *arena, struct slice body, struct json_want *wants, size_t count,
			struct scan_refusal to);
/* The model's name, into model and model_raw. `needed`: to have none is a fault. */
enum fault scan_model(struct arena *arena, const struct json_want *want, bool needed,
		      struct request_facts *out, struct scan_refusal to);
/* "stream": true, false or nothing; true counts where the endpoint may stream. */
enum fault scan_stream(const struct json_want *want, struct request_facts *out,
		       struct scan_refusal to);
/* Is it an array with something in it? */
bool scan_has_elements(const struct json_want *want);

#endif
