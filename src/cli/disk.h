/* Where everything of ours lies, and how much room it takes. */
#pragma once

#include <stdint.h>

#include "base/fail.h"

enum disk_kind { DISK_HOME, DISK_COPY, DISK_AGENT, DISK_IMAGE, DISK_GIT, DISK_QUARANTINE, DISK_AUDIT, DISK_RUNTIME, DISK_OTHER };

struct disk_item {
	enum disk_kind kind;
	char *name;  /* "homes/NAME" without its directory, or the file's name */
	char *path;
	char *owner; /* a home's project; or NULL */
	uint64_t bytes;
	int64_t newest; /* the latest change of the item itself, milliseconds since the epoch */
};

struct disk {
	struct disk_item *items;
	size_t nitems;
};

/* Everything below the data, state and runtime directories. 0 or negative errno. */
int disk_survey(struct disk *ret, struct fail *f);
void disk_done(struct disk *d);
#define _cleanup_disk_ _cleanup_(disk_done)

const char *disk_kind_name(enum disk_kind k);

/* Bytes that the tree takes on the disk, as du(1) counts; links are not followed, other file systems not entered. What
 * cannot be read counts as nothing. */
uint64_t disk_usage(const char *path);
