/* Paths as strings. Whatever is hostile is opened with kernel/openat2.h instead. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/macro.h"

bool path_is_absolute(const char *p);
/* True where p is dir or lies below it, by whole components; both absolute and normal. */
bool path_is_under(const char *p, const char *dir);
/* The part of p below dir, without leading slash ("" for dir itself); NULL where it is not under dir. */
const char *path_below(const char *p, const char *dir);
const char *path_basename(const char *p);
char *path_join(const char *a, const char *b);	/* caller frees; b absolute replaces a; NULL: out of memory */
char *path_dirname(const char *p);		/* caller frees */
char *path_normalize(const char *p);		/* lexical: no //, /./, trailing slash; .. resolved; caller frees */
/* Expands ~, ~/ and $XDG_CONFIG_HOME, $XDG_DATA_HOME, $XDG_STATE_HOME, $XDG_RUNTIME_DIR, $HOME at the start.
 * 0, or -EINVAL for ~user or another variable. */
int path_expand(const char *p, const char *home, char **ret);
int path_mkdir_p(const char *p, mode_t mode);	/* existing directories are fine */
/* Removes a tree without following links or leaving the file system; an absent one is fine. */
int path_remove_tree(int at, const char *p);

/* The XDG base directories of this user, with the application's name; caller frees. kind: */
enum path_xdg { PATH_CONFIG, PATH_DATA, PATH_STATE, PATH_RUNTIME };
/* PATH_RUNTIME without XDG_RUNTIME_DIR: /run/user/UID where it is ours and 0700, else a private directory under
 * the state directory. 0 or negative errno. */
int path_xdg(enum path_xdg kind, char **ret);
const char *path_home(void); /* $HOME where absolute, else the account's; never freed; NULL where there is none */
