/* policy.h: credentials that are fetched, as the config names them. Plain data,
 * owned by the config snapshot, immutable, shared by all workers. */
#ifndef BACKSTAY_EXCHANGE_POLICY_H
#define BACKSTAY_EXCHANGE_POLICY_H

#include "base/slice.h"

struct origin;

enum credential_kind {
	CREDENTIAL_GOOGLE_KEY,        /* a service account's key file: a signed claim for a token */
	CREDENTIAL_GOOGLE_USER,       /* what gcloud keeps for a person: a refresh token */
	CREDENTIAL_GOOGLE_METADATA,   /* the metadata server of a machine in Google's cloud */
	CREDENTIAL_ENTRA,             /* Microsoft Entra, client credentials */
	CREDENTIAL_AZURE_METADATA,    /* the managed identity of a machine in Azure */
	CREDENTIAL_AWS_KEYS,          /* of AWS: keys that are written down */
	CREDENTIAL_AWS_FILE,          /* a profile of the file that AWS's tools share */
	CREDENTIAL_AWS_CONTAINER,     /* the endpoint of a container (ECS, EKS) */
	CREDENTIAL_AWS_INSTANCE,      /* the metadata server of a machine (IMDSv2) */
	CREDENTIAL_KIND_COUNT
};

struct credential_policy {
	enum credential_kind kind;
	/* Tells credentials apart, over reloads too, and names them in the log; of
	 * secrets only a digest. */
	struct slice key, name;
	struct slice account;         /* client_email, client id; may be empty where the server knows */
	struct slice secret;          /* PEM, client secret, refresh token; empty: none */
	struct slice key_id;          /* of a service account's key; may be empty */
	struct slice audience;        /* whom a claim is for: the token endpoint's URL as it was given */
	struct slice scope;           /* of AWS's file: the profile */
	struct slice project;         /* whose the key is, where its file says it (Google); may be empty */
	struct slice session;         /* of AWS's keys: the session token; empty: none */
	const struct origin *origin;  /* where it is asked for; NULL: nobody is asked */
	struct slice path;            /* there, from the root, with query; of AWS's file: its path */
	struct slice token_file;      /* of a container: what is in it is shown; empty: none */
	bool signs;                   /* what it gives signs requests (AWS), and is not shown */
};

#endif
