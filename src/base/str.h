/* Strings, string vectors, and the small readers of numbers, sizes and durations. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/macro.h"

bool str_startswith(const char *s, const char *prefix);
bool str_endswith(const char *s, const char *suffix);
static inline bool str_empty(const char *s)
{
	return !s || !*s;
}
bool str_eq(const char *a, const char *b); /* NULL equals only NULL */

/* A string vector: NULL-terminated, owned, NULL when empty. The functions return 0 or -ENOMEM. */
char **strv_free(char **v);
static inline void strv_free_p(char ***v)
{
	strv_free(*v);
}
#define _cleanup_strv_ _cleanup_(strv_free_p)
size_t strv_len(char *const *v);
int strv_add(char ***v, const char *s);	   /* copies */
int strv_take(char ***v, char *s);	   /* takes s, frees it on failure; NULL is -ENOMEM */
int strv_addf(char ***v, const char *fmt, ...) _printf_(2, 3);
bool strv_contains(char *const *v, const char *s);
void strv_remove(char **v, const char *s); /* every one equal to s */
int strv_split(const char *s, const char *separators, char ***ret); /* empty pieces are skipped */
char **strv_copy(char *const *v);				     /* NULL when empty or out of memory */
const char *env_get(char *const *env, const char *name);	     /* in a vector of NAME=VALUE */
int env_set(char ***env, const char *name, const char *value);      /* replaces; NULL removes */

/* Whole-string readers: 0, or -EINVAL / -ERANGE. */
int str_to_u64(const char *s, uint64_t *ret);
int str_to_size(const char *s, uint64_t *ret);	   /* bytes: 512, 64K, 4G, 1.5G (powers of 1024) */
int str_to_duration(const char *s, uint64_t *ret); /* milliseconds: 30 (seconds), 500ms, 30s, 5m, 2h, 1d */
int str_to_bool(const char *s, bool *ret);	   /* yes/no true/false on/off 1/0 */
int str_to_signal(const char *s, int *ret);	   /* TERM, SIGTERM, 15 */

/* The bytes of s as one line that is safe to print on a terminal: control characters, invalid UTF-8 and bidi
 * controls (U+202A..202E, 2066..2069, 200E/F, 061C) become \xNN escapes. Caller frees; NULL: out of memory. */
char *str_printable(const char *s, size_t n);

/* s quoted for a POSIX shell, only where it must be. Caller frees. */
char *str_shell_quote(const char *s);

/* The entry of names[] nearest to s, or NULL where none is near: a Damerau-Levenshtein distance of 1 for words of up to
 * three letters, 2 up to eight, then a third of the length. */
const char *str_nearest(const char *s, const char *const *names, size_t n);

uint64_t str_hash(const void *p, size_t n); /* FNV-1a 64; for names, never for trust */
