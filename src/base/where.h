/* Where the program's own parts lie: in the build tree when it runs from there, else where it was installed. */
#pragma once

/* A helper program ("cs-enter") or a data file ("toolchains/nvm.conf"). Caller frees. -ENOENT where it is missing. */
int where_helper(const char *name, char **ret);
int where_data(const char *name, char **ret);
