/* What cs-enter tells the supervisor (wire/inner.h). A supervisor that no longer listens is no error here: its end of
 * the socket is watched elsewhere. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/fail.h"

void say_failed(int sock, const struct fail *f);
void say_event(int sock, const char *kind, const char *path, const char *msg);
/* Sends what b holds, with descriptors. */
void say(int sock, const struct buf *b, const int *fds, size_t nfds);
