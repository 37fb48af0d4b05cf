/* Thin helpers over json-c. Strings that are not UTF-8 get U+FFFD for each bad byte (RFC 8259 §8.1), so that the
 * output is always JSON. Every put takes NULL as null, and returns -ENOMEM or 0. */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/macro.h"

static inline void json_put_p(struct json_object **o)
{
	if (*o)
		json_object_put(*o);
}
#define _cleanup_json_ _cleanup_(json_put_p)

struct json_object *json_str(const char *s); /* a new string object, NULL for NULL or no memory */
struct json_object *json_strv(char *const *v);
int json_put_str(struct json_object *o, const char *key, const char *s);
int json_put_int(struct json_object *o, const char *key, int64_t v);
int json_put_u64(struct json_object *o, const char *key, uint64_t v);
int json_put_bool(struct json_object *o, const char *key, bool v);
int json_put_strv(struct json_object *o, const char *key, char *const *v);
int json_put(struct json_object *o, const char *key, struct json_object *v); /* takes v */
int json_push(struct json_object *array, struct json_object *v);	      /* takes v */

/* Prints o and a newline: pretty on request, else one line. */
int json_print(struct json_object *o, bool pretty, FILE *out);

/* Readers for a document of ours: absent or of another type: NULL, the fallback. Strings belong to o. */
const char *json_get_str(struct json_object *o, const char *key);
int64_t json_get_int(struct json_object *o, const char *key, int64_t fallback);
