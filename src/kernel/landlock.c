#include "kernel/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"

/* The kernel's numbers, here because build machines have older headers than the machines that run. */
enum {
	FS_EXECUTE = 1 << 0, FS_WRITE_FILE = 1 << 1, FS_READ_FILE = 1 << 2, FS_READ_DIR = 1 << 3, FS_REMOVE_DIR = 1 << 4,
	FS_REMOVE_FILE = 1 << 5, FS_MAKE_CHAR = 1 << 6, FS_MAKE_DIR = 1 << 7, FS_MAKE_REG = 1 << 8, FS_MAKE_SOCK = 1 << 9,
	FS_MAKE_FIFO = 1 << 10, FS_MAKE_BLOCK = 1 << 11, FS_MAKE_SYM = 1 << 12, FS_REFER = 1 << 13, FS_TRUNCATE = 1 << 14,
	FS_IOCTL_DEV = 1 << 15,
};
#define FS_FILE_RIGHTS (FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV)
enum { NET_BIND_TCP = 1, NET_CONNECT_TCP = 2, SCOPE_ABSTRACT = 1, SCOPE_SIGNAL = 2 };

struct ruleset_attr {
	uint64_t fs, net, scoped;
};

struct path_beneath {
	uint64_t allowed;
	int32_t parent_fd;
} __attribute__((packed));

int landlock_abi(void)
{
	static int abi = -1;

	if (abi < 0) {
		long r = syscall(SYS_landlock_create_ruleset, NULL, 0, 1 /* LANDLOCK_CREATE_RULESET_VERSION */);

		abi = r < 0 ? 0 : (int)r;
	}
	return abi;
}

static uint64_t rights_of(int abi)
{
	uint64_t all = (1 << 13) - 1;

	if (abi >= 2)
		all |= FS_REFER;
	if (abi >= 3)
		all |= FS_TRUNCATE;
	if (abi >= 5)
		all |= FS_IOCTL_DEV;
	return all;
}

int landlock_ruleset(bool files, bool net)
{
	int abi = landlock_abi();
	struct ruleset_attr a = { 0 };
	size_t size = abi >= 6 ? sizeof(a) : abi >= 4 ? 16 : 8;
	long fd;

	if (abi <= 0)
		return -EOPNOTSUPP;
	if (files)
		a.fs = rights_of(abi);
	if (net && abi >= 4)
		a.net = NET_BIND_TCP | NET_CONNECT_TCP;
	if (abi >= 6)
		a.scoped = SCOPE_ABSTRACT | SCOPE_SIGNAL;
	fd = syscall(SYS_landlock_create_ruleset, &a, size, 0);
	return fd < 0 ? -errno : (int)fd;
}

/* REFER is always handled (a domain that does not name it refuses it) and so must be granted where renames may be. */
#define NAMES (FS_MAKE_DIR | FS_MAKE_REG | FS_MAKE_FIFO | FS_MAKE_SYM | FS_REFER)

int landlock_names(void)
{
	struct ruleset_attr a = { .fs = NAMES & rights_of(landlock_abi()) };
	long fd;

	if (landlock_abi() <= 0)
		return -EOPNOTSUPP;
	fd = syscall(SYS_landlock_create_ruleset, &a, 8, 0);
	return fd < 0 ? -errno : (int)fd;
}

int landlock_grant_fd(int ruleset, int fd, unsigned grants)
{
	struct path_beneath b = { .parent_fd = fd };
	struct stat st;

	if (grants & LANDLOCK_READ)
		b.allowed |= FS_READ_FILE | FS_READ_DIR;
	if (grants & LANDLOCK_EXEC)
		b.allowed |= FS_EXECUTE;
	if (grants & LANDLOCK_WRITE)
		b.allowed |= FS_WRITE_FILE | FS_TRUNCATE | FS_REMOVE_DIR | FS_REMOVE_FILE | FS_MAKE_DIR | FS_MAKE_REG |
			     FS_MAKE_SOCK | FS_MAKE_FIFO | FS_MAKE_SYM | FS_REFER;
	if (grants & LANDLOCK_IOCTL)
		b.allowed |= FS_IOCTL_DEV;
	if (grants & LANDLOCK_NAMES)
		b.allowed |= NAMES;
	b.allowed &= rights_of(landlock_abi());
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode))
		b.allowed &= FS_FILE_RIGHTS;
	return syscall(SYS_landlock_add_rule, ruleset, 1 /* LANDLOCK_RULE_PATH_BENEATH */, &b, 0) < 0 ? -errno : 0;
}

int landlock_grant_path(int ruleset, const char *path, unsigned grants)
{
	_cleanup_close_ int fd = open(path, O_PATH | O_CLOEXEC);

	return fd < 0 ? -errno : landlock_grant_fd(ruleset, fd, grants);
}

int landlock_enforce(int ruleset)
{
	return syscall(SYS_landlock_restrict_self, ruleset, 0) < 0 ? -errno : 0;
}
