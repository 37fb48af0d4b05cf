/* agent.install = own: a copy of the agent that belongs to the sandboxes, kept up to date beside the machine's.
 *
 *   DATA/agents/claude/VERSION/claude   the program
 *   DATA/agents/claude/current          a link whose text is VERSION, replaced by rename(2): old or new, never half
 *   DATA/agents/claude/checked          its time is the last look at the registry
 *   DATA/agents/claude/lock             flock(2): one refresh at a time */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/fail.h"

/* The current copy: version and the program's path (caller frees both). -ENOENT where there is none yet. */
int agent_own_find(char **ret_version, char **ret_program);

/* When the registry was last asked, in seconds since the epoch; 0: never. */
int64_t agent_own_checked(void);
#define AGENT_OWN_EVERY 86400 /* seconds between two looks */

/* Asks the registry that npm is configured for, and where it has another version fetches it, compares its SHA-512 with
 * the registry's word, unpacks it in a locked-up child, and makes it the current one. wait: for another refresh to end;
 * else -EBUSY. 1: *ret_version is new; 0: it was current already. Caller frees it. The registry's answer is not proof of
 * who built the program: that trust is npm's. npm is looked up on PATH as it is: the caller sees to it that nothing on it
 * is in a sandbox's reach. */
int agent_own_update(bool wait, char **ret_version, struct fail *f);

/* Starts `claude-sandbox agent update` in the background where it is due. Returns at once; errors are not told. */
void agent_own_refresh(void);

/* Exposed for tests: compares a file with an integrity string (Subresource Integrity §3.5, "sha512-" and base64). 0;
 * -EBADMSG where it differs; -EINVAL where the string holds no SHA-512. */
int agent_own_verify(int fd, const char *integrity);
