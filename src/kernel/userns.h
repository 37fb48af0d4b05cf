/* User namespaces (user_namespaces(7)). */
#pragma once

#include <sys/types.h>

/* Writes the maps of a process that has made a user namespace: one id each, inside to outside; setgroups is refused in
 * it. pid 0: our own. 0 or negative errno. */
int userns_write_maps(pid_t pid, uid_t in_uid, uid_t out_uid, gid_t in_gid, gid_t out_gid);
/* A user namespace whose only use is an idmapped mount: files of uid from_uid on disk appear as to_uid. A descriptor,
 * or negative errno. Needs CAP_SETUID and CAP_SETGID where we are. */
int userns_for_idmap(uid_t from_uid, uid_t to_uid, gid_t from_gid, gid_t to_gid);
