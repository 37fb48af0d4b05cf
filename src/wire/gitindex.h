/* git's index (gitformat-index(5)), read for one question: are all its names such as git itself would put there? git
 * checks names when it adds them (verify_path), not when it reads an index: `git checkout .` writes to whatever names
 * the file holds, ".git/hooks/post-checkout" and "../../.bashrc" among them. */
#pragma once

#include <stddef.h>

/* hash: bytes of an object's name, 20 or 32. 0 where every name is harmless; 1 with *ret_name (caller frees, may hold
 * any bytes but NUL) for the first that is not; -EBADMSG for what is no index or could be read in another way than
 * from its beginning to its end; -ENOMEM. */
int gitindex_check(const void *bytes, size_t n, size_t hash, char **ret_name);
