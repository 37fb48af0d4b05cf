/* Runs a fuzzer's entry on files: `fuzz-NAME DIRECTORY|FILE...`. Linked where no libFuzzer is, so that each committed
 * corpus runs as a test with any compiler and under any sanitizer. An empty input always comes first. */
#include <dirent.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned runs;

static int run_file(const char *path)
{
	FILE *f = fopen(path, "re");
	unsigned char *data = NULL;
	size_t n = 0, room = 0, got;

	if (!f) {
		perror(path);
		return -1;
	}
	do {
		if (n == room) {
			room = room ? room * 2 : 4096;
			data = realloc(data, room);
			if (!data)
				abort();
		}
		got = fread(data + n, 1, room - n, f);
		n += got;
	} while (got > 0);
	fclose(f);
	/* exactly as large as the input, so that a sanitizer sees a read past its end */
	data = realloc(data, n ? n : 1);
	LLVMFuzzerTestOneInput(data, n);
	free(data);
	runs++;
	return 0;
}

static int run_path(const char *path)
{
	struct stat st;
	struct dirent *e;
	DIR *d;
	int bad = 0;

	if (stat(path, &st) < 0) {
		perror(path);
		return -1;
	}
	if (!S_ISDIR(st.st_mode))
		return run_file(path);
	d = opendir(path);
	if (!d) {
		perror(path);
		return -1;
	}
	while ((e = readdir(d))) {
		char name[4096];

		if (e->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, e->d_name);
		bad |= run_file(name);
	}
	closedir(d);
	return bad;
}

int main(int argc, char **argv)
{
	const uint8_t nothing = 0;
	int bad = 0;

	LLVMFuzzerTestOneInput(&nothing, 0);
	for (int i = 1; i < argc; i++)
		bad |= run_path(argv[i]);
	printf("%u inputs\n", runs);
	return bad ? 1 : 0;
}
