/* reap COMMAND [ARG...]: runs a command and adopts every orphan of it (PR_SET_CHILD_SUBREAPER, prctl(2)), so that a
 * test can see what it left running: CS_REAPER is this process, CS_REAPER_MAIN the command. Once the command has ended,
 * what still runs three seconds later is named, killed, and makes the status 99. */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STATUS_LEFT 99

static void set_pid(const char *name, pid_t pid)
{
	char text[24];

	snprintf(text, sizeof(text), "%d", (int)pid);
	setenv(name, text, 1);
}

/* Calls for each child that is left; true where there was one. */
static bool each_child(bool do_kill)
{
	char path[64];
	FILE *f;
	int pid;
	bool any = false;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)getpid(), (int)getpid());
	f = fopen(path, "re");
	if (!f)
		return false;
	while (fscanf(f, "%d", &pid) == 1) {
		any = true;
		if (do_kill) {
			fprintf(stderr, "reap: still running at the end: pid %d\n", pid);
			kill(pid, SIGKILL);
		}
	}
	fclose(f);
	return any;
}

int main(int argc, char **argv)
{
	const struct timespec tick = { .tv_nsec = 50 * 1000 * 1000 };
	int status = 0, left;
	pid_t main_pid, p;

	if (argc < 2) {
		fputs("usage: reap COMMAND [ARG...]\n", stderr);
		return 125;
	}
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	set_pid("CS_REAPER", getpid());
	main_pid = fork();
	if (main_pid == 0) {
		set_pid("CS_REAPER_MAIN", getpid());
		execvp(argv[1], argv + 1);
		perror(argv[1]);
		_exit(127);
	}
	do
		p = waitpid(-1, &left, 0);
	while (p != main_pid && (p > 0 || errno == EINTR));
	if (p == main_pid)
		status = WIFEXITED(left) ? WEXITSTATUS(left) : 128 + WTERMSIG(left);
	for (int i = 0; i < 60 && waitpid(-1, NULL, WNOHANG) >= 0; i++)
		nanosleep(&tick, NULL);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	if (each_child(true)) {
		while (wait(NULL) > 0)
			;
		return STATUS_LEFT;
	}
	return status;
}
