/* Texts made from the tables. */
#pragma once

#include <stdio.h>

#include "cli/cmd.h"

int help_overview(void); /* prints on stdout; returns the exit status */
int help_command(const struct cmd *c);

/* text wrapped at blanks into lines of at most width columns, the first beginning at column `at`, the others
 * indented by indent. */
void help_wrap(FILE *out, const char *text, unsigned at, unsigned indent, unsigned width);

/* The sections of commands in the order of the table: the i-th one's name, or NULL. */
const char *help_section(size_t i);
