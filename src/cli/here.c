#include "cli/here.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "survey/survey.h"

int here_project(const char *dir, char **ret_project, char **ret_repository, struct fail *f)
{
	_cleanup_free_ char *project = realpath(dir ? dir : ".", NULL), *repository = NULL;

	if (!project) {
		int r = fail_set(f, errno, "project, '%s'", dir ? dir : ".");

		fail_hint(f, dir ? "cd into the project, or name it with --project DIR"
				 : "this directory has been removed: cd to one that exists");
		return r;
	}
	repository = survey_repository(project);
	if (!repository)
		return fail_set(f, ENOMEM, "project, '%s'", project);
	*ret_project = TAKE_PTR(project);
	*ret_repository = TAKE_PTR(repository);
	return 0;
}

int here_ask(const char *question)
{
	_cleanup_free_ char *line = NULL;
	size_t cap = 0;
	ssize_t n;
	bool yes;

	if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
		return -ENOTTY;
	(void)fprintf(stderr, "%s [y/N] ", question);
	n = getline(&line, &cap, stdin);
	if (n <= 0)
		return 0;
	line[strcspn(line, "\r\n")] = 0;
	return str_to_bool(line, &yes) == 0 ? yes : strcasecmp(line, "y") == 0;
}
