/* What `run --verbose` says on standard error. */
#pragma once

#include "cli/runopts.h"
#include "policy/plan.h"
#include "survey/survey.h"

void verbose_start(const struct runopts *o, const struct survey *s, const struct plan *p, const char *home_dir);
