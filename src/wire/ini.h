/* ini.h: files of sections with keys, as AWS's tools keep credentials in
 * (AWS SDKs and Tools Reference Guide, "Shared config and credentials files"):
 * [section], key = value, whole lines of comment behind '#' or ';'. */
#ifndef BACKSTAY_WIRE_INI_H
#define BACKSTAY_WIRE_INI_H

#include "base/slice.h"

/* The value of `key` in `section`, trimmed, as a slice of `text`; SLICE_NONE if
 * either is not there. The last of several counts. Keys ignore ASCII case;
 * what follows a '#' or ';' behind a space is a comment too. Indented lines are
 * parts of the value above them, and not read. */
struct slice ini_value(struct slice text, struct slice section, struct slice key);
/* Is there such a section? */
bool ini_has_section(struct slice text, struct slice section);

#endif
