/* Cleanup attributes and ownership transfer, after systemd's CODING_STYLE: a destructor takes NULL (or -1) and
 * what leaves the function is taken out of the variable with TAKE_PTR or TAKE_FD. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

#define _cleanup_(f) __attribute__((cleanup(f)))
#define _printf_(a, b) __attribute__((format(printf, a, b)))
#define _unused_ __attribute__((unused))
#define _must_check_ __attribute__((warn_unused_result))

static inline void free_p(void *p)
{
	free(*(void **)p);
}
#define _cleanup_free_ _cleanup_(free_p)

#define TAKE_PTR(p)                          \
	({                                   \
		__typeof__(p) take_ = (p);   \
		(p) = NULL;                  \
		take_;                       \
	})
#define TAKE_FD(fd)              \
	({                       \
		int take_ = (fd); \
		(fd) = -1;       \
		take_;           \
	})

/* Defines NAME_p(), the cleanup form of a destructor that takes and returns a pointer. */
#define DEFINE_CLEANUP(type, destructor)                       \
	static inline void destructor##_p(type **p)            \
	{                                                      \
		destructor(*p);                                \
	}
