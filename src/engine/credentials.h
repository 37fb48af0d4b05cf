/* What `claude-sandbox login` keeps for the agent: one token or key, STATE/credentials/claude, 0600. */
#pragma once

#include <stdbool.h>

#include "base/fail.h"

/* The variables to set inside (NAME=VALUE, strv_free), NULL where nothing is kept. -EPERM with f filled where the file
 * is not ours alone. */
int credentials_load(char ***ret, struct fail *f);

/* Checks a token or key that a person gave (blanks around it are dropped) and keeps it. api_key: it is to be an API key,
 * not a token of `claude setup-token`. */
int credentials_store(const char *text, bool api_key, struct fail *f);

/* 1: removed; 0: there was none. */
int credentials_remove(struct fail *f);
