/* openat2(2): paths that others may have shaped, resolved beneath a directory and through no link. */
#pragma once

#include <sys/types.h>

/* Opens path (relative; "" is at itself) beneath the directory at. No component may be a symbolic link; with
 * O_PATH | O_NOFOLLOW the last one may be, and is then what is opened. Negative errno: -ELOOP for a link, -EXDEV for
 * an escape. */
int openat2_beneath(int at, const char *path, int flags, mode_t mode);
