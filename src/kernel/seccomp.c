#include "kernel/seccomp.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/macro.h"
#include "kernel/seccomp-filters.h"

static int load(const struct sock_filter *code, size_t len, unsigned flags)
{
	struct sock_fprog prog = { .len = (unsigned short)len, .filter = (struct sock_filter *)(uintptr_t)code };

	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog) < 0 ? -errno : 0;
}

int seccomp_sandbox(unsigned relax, bool log)
{
	if (relax >= ARRAY_SIZE(sandbox_filters))
		return -EINVAL;
	return load(sandbox_filters[relax].code, sandbox_filters[relax].len, log ? SECCOMP_FILTER_FLAG_LOG : 0);
}

int seccomp_helper(enum seccomp_list list)
{
	switch (list) {
	case SECCOMP_PARSER:
		return load(filter_parser, ARRAY_SIZE(filter_parser), 0);
	case SECCOMP_READER:
		return load(filter_reader, ARRAY_SIZE(filter_reader), 0);
	case SECCOMP_WATCHER:
		return load(filter_watcher, ARRAY_SIZE(filter_watcher), 0);
	case SECCOMP_KEEPER:
		return load(filter_keeper, ARRAY_SIZE(filter_keeper), 0);
	}
	return -EINVAL;
}
