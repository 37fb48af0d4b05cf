/* Text for people: a table whose columns fit the terminal, and the small formats. Cells are made printable
 * (str_printable): whatever came out of a sandbox cannot write escape sequences. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/macro.h"

struct table;
/* headings: NULL-terminated, upper case by custom. NULL: out of memory. */
struct table *table_new(const char *const *headings);
struct table *table_free(struct table *t);
DEFINE_CLEANUP(struct table, table_free)
#define _cleanup_table_ _cleanup_(table_free_p)

void table_align_right(struct table *t, size_t column);
void table_flexible(struct table *t, size_t column); /* shortened first (in its middle) where the terminal is narrow */
/* Copies as many cells as there are headings; a NULL cell prints as "-". -ENOMEM on failure, told by table_print too. */
int table_row(struct table *t, const char *const *cells);
/* A row from its arguments: table_add(t, name, state, ...). */
#define table_add(t, ...) table_row((t), (const char *const[]){ __VA_ARGS__ })
size_t table_rows(const struct table *t);
/* Prints with headings (bold on a colour terminal); cut to the terminal's width only where out is one. */
int table_print(const struct table *t, FILE *out);

bool report_color(int fd);     /* a terminal, TERM not dumb, NO_COLOR unset or empty (no-color.org) */
unsigned report_width(int fd); /* columns of the terminal; 0: not one, no limit */
size_t report_columns(const char *s); /* columns that UTF-8 text takes: wcwidth(3) where the locale (table_print sets LC_CTYPE) knows it */

/* Caller frees; NULL: out of memory. */
char *report_bytes(uint64_t n);	      /* "512 B", "1.5 GiB" */
char *report_span(uint64_t ms);	      /* "350ms", "42s", "3m 5s", "2h 10m", "4d 3h" */
char *report_time(int64_t ms);	      /* local "2026-11-23 16:28:41" from milliseconds since the epoch */
char *report_time_iso(int64_t ms);    /* UTC "2026-11-23T16:28:41.123Z" (RFC 3339) */
