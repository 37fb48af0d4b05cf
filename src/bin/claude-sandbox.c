/* The client, which forks into the supervisor of each sandbox it starts. */
#include <locale.h>

#include "cli/cmd.h"

int main(int argc, char **argv)
{
	/* characters only: numbers are read and written the same everywhere */
	(void)setlocale(LC_CTYPE, "");
	return cmd_main(argc, argv);
}
