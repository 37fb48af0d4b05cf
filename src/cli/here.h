/* The project that a command without one means: the working directory. */
#pragma once

#include "base/fail.h"

/* Real path of dir (NULL: the working directory) and the top of its main repository (the same where it is no linked
 * worktree). Caller frees both. Nothing is refused: commands about configuration work anywhere. */
int here_project(const char *dir, char **ret_project, char **ret_repository, struct fail *f);

/* Asks a yes/no question on the terminal; 1 yes, 0 no or end of input, -ENOTTY without a terminal. */
int here_ask(const char *question);
