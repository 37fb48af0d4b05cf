/* Capabilities (capabilities(7)). */
#pragma once

#include <stdint.h>

/* Gives up every capability of every set, the bounding set too, and locks the securebits so that no uid brings any
 * back. 0 or negative errno. */
int caps_drop(void);
/* Keeps only these (bits of CAP_...) in the effective and permitted sets; none is inheritable. */
int caps_keep(uint64_t mask);
/* True where the calling process has this capability in effect. */
int caps_has(int cap);
