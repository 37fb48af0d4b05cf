/* The plan as text and as JSON: --dry-run, and the policy that the audit keeps. Values of variables that look like
 * secrets are not shown in either. */
#pragma once

#include <json-c/json.h>
#include <stdio.h>

#include "policy/plan.h"

/* A line an operation, in order, then identity, limits, environment. -ENOMEM or 0. */
int plan_text_print(const struct plan *p, FILE *out);

/* A new object (json_object_put), NULL: out of memory. Contents of files are given by length, not in full. */
struct json_object *plan_text_json(const struct plan *p);
