/* bedrock_fault.c: which fault an error of Bedrock is. Sources: Bedrock API
 * Reference, "Common errors" and the errors of Converse and ConverseStream;
 * User Guide, "Troubleshooting Amazon Bedrock API error codes". */
#include "dialect/bedrock.h"

#include "base/check.h"

struct slice bedrock_error_name(struct slice text)
{
	struct slice head, tail;

	text = slice_trim(text);
	if (slice_cut(text, '#', &head, &tail))
		text = tail;
	if (slice_cut(text, ':', &head, &tail))
		text = head;
	return text;
}

/* Names of errors. As in HTTP's header; in streams the first letter is small. */
static const struct { struct slice name; enum fault fault; } names[] = {
	{ S_INIT("ThrottlingException"), FAULT_RATE_LIMITED },
	{ S_INIT("TooManyRequestsException"), FAULT_RATE_LIMITED },
	{ S_INIT("ServiceQuotaExceededException"), FAULT_RATE_LIMITED },
	{ S_INIT("ServiceUnavailableException"), FAULT_OVERLOADED },
	{ S_INIT("ServiceUnavailable"), FAULT_OVERLOADED },
	{ S_INIT("ModelNotReadyException"), FAULT_OVERLOADED },
	{ S_INIT("InternalServerException"), FAULT_SERVER_ERROR },
	{ S_INIT("InternalFailure"), FAULT_SERVER_ERROR },
	{ S_INIT("ModelErrorException"), FAULT_SERVER_ERROR },
	{ S_INIT("ModelStreamErrorException"), FAULT_SERVER_ERROR },
	{ S_INIT("ModelTimeoutException"), FAULT_SERVER_ERROR },
	{ S_INIT("ConflictException"), FAULT_SERVER_ERROR },
	{ S_INIT("ResourceNotFoundException"), FAULT_MODEL_GONE },
	{ S_INIT("AccessDeniedException"), FAULT_CREDENTIAL },
	{ S_INIT("AccessDenied"), FAULT_CREDENTIAL },
	{ S_INIT("UnrecognizedClientException"), FAULT_CREDENTIAL },
	{ S_INIT("InvalidClientTokenId"), FAULT_CREDENTIAL },
	{ S_INIT("InvalidSignatureException"), FAULT_CREDENTIAL },
	{ S_INIT("SignatureDoesNotMatch"), FAULT_CREDENTIAL },
	{ S_INIT("IncompleteSignature"), FAULT_CREDENTIAL },
	{ S_INIT("IncompleteSignatureException"), FAULT_CREDENTIAL },
	{ S_INIT("MissingAuthenticationToken"), FAULT_CREDENTIAL },
	{ S_INIT("MissingAuthenticationTokenException"), FAULT_CREDENTIAL },
	{ S_INIT("ExpiredTokenException"), FAULT_CREDENTIAL },
	{ S_INIT("ExpiredToken"), FAULT_CREDENTIAL },
	{ S_INIT("RequestExpired"), FAULT_CREDENTIAL },
	{ S_INIT("RequestTimeTooSkewed"), FAULT_CREDENTIAL },
	{ S_INIT("NotAuthorized"), FAULT_CREDENTIAL },
	{ S_INIT("OptInRequired"), FAULT_CREDENTIAL },
	{ S_INIT("UnknownOperationException"), FAULT_UNSUPPORTED },
	{ S_INIT("ValidationException"), FAULT_CALLER },
	{ S_INIT("ValidationError"), FAULT_CALLER },
};

/* Sentences that say more than the name does. A sentence of a ValidationException
 * may repeat words of the request: what takes a model out of use is believed only
 * where the sentence begins with it. */
static const struct {
	struct slice name;           /* of the error; empty: any */
	bool at_start;
	struct slice words;
	enum fault fault;
} sentences[] = {
	{ S_INIT("ValidationException"), true, S_INIT("The provided model identifier is invalid"), FAULT_MODEL_GONE },
	{ S_INIT("ValidationException"), true, S_INIT("Invocation of model ID"), FAULT_MODEL_GONE },
	{ S_INIT("ValidationException"), true, S_INIT("The requested operation is not recognized"), FAULT_UNSUPPORTED },
	{ S_INIT("ValidationException"), true, S_INIT("This action doesn't support the model"), FAULT_UNSUPPORTED },
	{ S_INIT("ValidationException"), true, S_INIT("Operation not allowed"), FAULT_CREDENTIAL },
	{ S_INIT("ValidationException"), false, S_INIT("Input is too long"), FAULT_CONTEXT },
	{ S_INIT("ValidationException"), false, S_INIT("prompt is too long"), FAULT_CONTEXT },
	{ S_INIT("ValidationException"), false, S_INIT("too many input tokens"), FAULT_CONTEXT },
	{ S_INIT("ValidationException"), false, S_INIT("input tokens exceeded"), FAULT_CONTEXT },
	{ S_INIT("ValidationException"), false, S_INIT("maximum context length"), FAULT_CONTEXT },
	{ S_INIT("ValidationException"), false, S_INIT("exceed context limit"), FAULT_CONTEXT },
	{ S_INIT("ValidationException"), false, S_INIT("exceeds the context window"), FAULT_CONTEXT },
	{ S_INIT("ModelStreamErrorException"), false, S_INIT("too long"), FAULT_CONTEXT },
	/* Rights are given a model at a time: the key may be good for others. */
	{ S_INIT("AccessDeniedException"), false, S_INIT("INVALID_PAYMENT_INSTRUMENT"), FAULT_NO_MONEY },
	{ S_INIT("AccessDeniedException"), false, S_INIT("access to the model"), FAULT_MODEL_GONE },
	{ S_INIT("AccessDeniedException"), false, S_INIT("Model access is denied"), FAULT_MODEL_GONE },
	{ S_INIT("AccessDeniedException"), false, S_INIT("foundation-model/"), FAULT_MODEL_GONE },
	{ S_INIT("AccessDeniedException"), false, S_INIT("inference-profile/"), FAULT_MODEL_GONE },
	{ S_INIT("ServiceUnavailableException"), false, S_INIT("Too many connections"), FAULT_RATE_LIMITED },
};

static enum fault fault_of_status(int status)
{
	switch (status) {
	case 0:             return FAULT_SERVER_ERROR;
	case 401: case 403: return FAULT_CREDENTIAL;
	case 402:           return FAULT_NO_MONEY;
	case 404:           return FAULT_MODEL_GONE;
	case 405: case 501: return FAULT_UNSUPPORTED;
	case 408: case 409: case 424: case 425: return FAULT_SERVER_ERROR;
	case 429:           return FAULT_RATE_LIMITED;
	case 503: case 529: return FAULT_OVERLOADED;
	default:            break;
	}
	if (status >= 500)
		return FAULT_SERVER_ERROR;
	return status >= 400 ? FAULT_CALLER : FAULT_BAD_ANSWER;
}

enum fault bedrock_fault_of(struct slice name, int status, struct slice message)
{
	for (size_t i = 0; i < COUNT_OF(sentences); i++) {
		if (!slice_eq_nocase(name, sentences[i].name))
			continue;
		if (sentences[i].at_start ? slice_starts_nocase(message, sentences[i].words)
					  : slice_find_nocase(message, sentences[i].words) != SLICE_NOT_FOUND)
			return sentences[i].fault;
	}
	for (size_t i = 0; i < COUNT_OF(names); i++)
		if (slice_eq_nocase(name, names[i].name))
			return names[i].fault;
	return fault_of_status(status);
}

enum fault bedrock_fault_of_stop(struct slice reason)
{
	/* The model's words were no answer: another one may do better. */
	if (slice_eq(reason, S("malformed_model_output")) || slice_eq(reason, S("malformed_tool_use")))
		return FAULT_SERVER_ERROR;
	return FAULT_NONE;
}
