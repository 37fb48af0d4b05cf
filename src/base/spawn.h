/* Runs a host program and collects what it says: no shell, bounded output, bounded time. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct spawn {
	char *const *argv;  /* argv[0] looked up on PATH where it has no slash */
	bool any_path;	    /* all of PATH; else only the system's directories on it: a project may be on PATH too (an
			     * activated venv, node_modules/.bin), and a sandbox may have put a `git` there */
	char *const *env;   /* NULL: ours */
	const char *cwd;    /* NULL: ours */
	const char *input;  /* stdin's text; NULL: /dev/null */
	uint64_t timeout_ms; /* 0: none; then TERM, and KILL a second later */
	struct buf *out;    /* collects stdout (its max bounds it); NULL: /dev/null */
	bool keep_stderr;   /* else /dev/null */
};

/* Returns the exit status 0..255, 128+n for a signal, or -ETIMEDOUT, -ENOENT, -EFBIG (out is full), other errno. */
int spawn_run(const struct spawn *s);
