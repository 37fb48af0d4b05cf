/* Meeting the host's processes in memory: System V and POSIX IPC, shared memory files. */
#include "probe.h"

#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <unistd.h>

static enum verdict shm_segment(const struct attempt *a)
{
	(void)a;
	if (!probe.shmkey)
		return SKIPPED;
	return refused(shmget((key_t)probe.shmkey, 1, 0));
}

static enum verdict shm_list(const struct attempt *a)
{
	char line[256];
	int n = -1;
	FILE *f = fopen(a->path, "re");

	if (!f)
		return refused(-1);
	while (fgets(line, sizeof(line), f))
		n++;
	(void)fclose(f);
	say("%d in sight", n < 0 ? 0 : n);
	return n > 0 ? ESCAPED : CONTAINED;
}

static enum verdict shm_file(const struct attempt *a)
{
	const struct attempt there = { .path = probe.shm };

	(void)a;
	return try_read(&there);
}

static enum verdict queue(const struct attempt *a)
{
	mqd_t q;
	char name[128];

	(void)a;
	(void)snprintf(name, sizeof(name), "/%s", probe.abstract);
	q = mq_open(name, O_RDONLY | O_NONBLOCK);
	return refused((long)q);
}

static const struct attempt attempts[] = {
	{ .name = "sysv-shm", .tried = "attach a shared memory segment of the host's", .run = shm_segment },
	{ .name = "sysv-shm-list",
	  .expected = "none",
	  .tried = "see the host's shared memory segments",
	  .run = shm_list,
	  .path = "/proc/sysvipc/shm" },
	{ .name = "sysv-sem-list",
	  .expected = "none",
	  .tried = "see the host's semaphores",
	  .run = shm_list,
	  .path = "/proc/sysvipc/sem" },
	{ .name = "sysv-msg-list",
	  .expected = "none",
	  .tried = "see the host's message queues",
	  .run = shm_list,
	  .path = "/proc/sysvipc/msg" },
	{ .name = "dev-shm", .tried = "read a file in the host's /dev/shm", .run = shm_file },
	{ .name = "mqueue", .tried = "open a message queue of the host's", .run = queue },
	{ 0 },
};

const struct category ipc_category = { "IPC", attempts };
