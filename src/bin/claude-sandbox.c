/* The client, which forks into the supervisor of each sandbox it starts. */
#include <fcntl.h>

#include "cli/cmd.h"

/* Descriptors 0 to 2 are open, so that nothing of ours is taken for standard input or output. */
static int open_standard(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
			return -1;
	return 0;
}

int main(int argc, char **argv)
{
	int r;

	if (open_standard() < 0)
		return EXIT_SANDBOX;
	r = cmd_main(argc, argv);
	if (fflush(stdout) == 0 || r)
		return r;
	perror("claude-sandbox: standard output");
	return EXIT_SANDBOX;
}
