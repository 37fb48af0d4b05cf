/* What a process that is about to sleep for long can give back. */
#pragma once

/* Frees unused heap and unmaps the pages of code and constants that starting up has touched; what is needed again
 * comes back from the page cache. Nothing that can be written is touched. */
void mem_trim(void);
