/* The host's side of `selftest`: a made-up home full of canaries, a project with things worth attacking, sockets that
 * listen, a process to be killed; and, afterwards, the look at whether anything of it was touched. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/fail.h"

enum selftest_verdict { SELFTEST_CONTAINED, SELFTEST_ESCAPED, SELFTEST_SKIPPED };

struct selftest_row {
	char *category, *name, *tried, *expected, *seen;
	enum selftest_verdict verdict;
};

struct selftest {
	struct selftest_row *rows;
	size_t nrows;
};

void selftest_done(struct selftest *t);
#define _cleanup_selftest_ _cleanup_(selftest_done)
/* Copies the strings. -ENOMEM. */
int selftest_add(struct selftest *t, const char *category, const char *name, enum selftest_verdict v, const char *tried,
		 const char *expected, const char *seen);
/* Adds what cs-probe printed; suffix is put behind each name. Lines that are none of its are passed over. The count, or
 * negative errno. */
int selftest_parse(struct selftest *t, const char *text, const char *suffix);

struct selftest_host;

/* Plants everything in a new directory. Negative errno with f filled. */
int selftest_plant(struct selftest_host **ret, struct fail *f);
/* Whether what was planted is as it was: a row each, category "host". */
int selftest_verify(struct selftest_host *h, struct selftest *t);
/* Removes everything; NULL is fine. */
struct selftest_host *selftest_remove(struct selftest_host *h);
DEFINE_CLEANUP(struct selftest_host, selftest_remove)

const char *selftest_project(const struct selftest_host *h);
char *const *selftest_env(const struct selftest_host *h);	/* for the program under test */
char *const *selftest_arguments(const struct selftest_host *h); /* KEY=VALUE for cs-probe */
