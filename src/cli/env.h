/* What a session takes along from the client that asks for it. */
#pragma once

#include "base/fail.h"

/* Closed standard descriptors are opened on /dev/null, so that no descriptor of ours is taken for one. */
void env_standard_descriptors(void);

/* Variables that describe the client's terminal, and settings (NAME=VALUE, or NAME for the caller's value). */
int env_of_session(char *const *settings, char ***ret, struct fail *f);

/* The working directory, where it lies in the project; else NULL. Caller frees. */
char *env_cwd(const char *project);
