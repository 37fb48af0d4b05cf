/* The database file: opened, locked while it is made or migrated, moved aside where it is corrupted. */
#pragma once

#include <sqlite3.h>

#include "base/fail.h"

#define SCHEMA_VERSION 1
#define SCHEMA_BUSY_MS 100 /* the longest a write waits for another supervisor's */

/* Opens, makes or migrates the database at path for writing. 0; positive 1 where a corrupted one was moved aside (f
 * tells where to); negative errno. Several processes may do this at once. */
int schema_open(const char *path, sqlite3 **ret, struct fail *f);
/* Opens an existing one for reading only. -ENOENT where there is none; -EUCLEAN where it is corrupted. */
int schema_open_reader(const char *path, sqlite3 **ret, struct fail *f);
/* Runs SQL without results. 0 or schema_errno(). */
int schema_exec(sqlite3 *db, const char *sql);
/* A result code of SQLite as a negative errno: -EAGAIN busy, -ENOSPC full, -EUCLEAN corrupted, -EROFS, -EIO... */
int schema_errno(int rc);
