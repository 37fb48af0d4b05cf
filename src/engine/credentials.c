#include "engine/credentials.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"

#define TOKEN_MIN 20
#define TOKEN_MAX 1024
#define TOKEN	  "CLAUDE_CODE_OAUTH_TOKEN"
#define API_KEY	  "ANTHROPIC_API_KEY"

static int place(char **ret_dir, char **ret_file, struct fail *f)
{
	_cleanup_free_ char *state = NULL;
	int r = path_xdg(PATH_STATE, &state);

	if (r < 0)
		return fail_set(f, -r, "state directory");
	*ret_dir = path_join(state, "credentials");
	*ret_file = *ret_dir ? path_join(*ret_dir, "claude") : NULL;
	return *ret_file ? 0 : fail_set(f, ENOMEM, "credentials");
}

int credentials_load(char ***ret, struct fail *f)
{
	_cleanup_free_ char *dir = NULL, *file = NULL, *text = NULL;
	_cleanup_strv_ char **lines = NULL;
	_cleanup_close_ int fd = -1;
	struct stat st;
	int r = place(&dir, &file, f);

	if (r < 0)
		return r;
	*ret = NULL;
	fd = open(file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return errno == ENOENT ? 0 : fail_set(f, errno, "credentials, '%s'", file);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != getuid() || (st.st_mode & 077)) {
		(void)fail_set(f, 0, "credentials, '%s': others may read it", file);
		fail_hint(f, "chmod 600 %s, or claude-sandbox login --remove", file);
		return -EPERM;
	}
	r = fd_read_fd(fd, TOKEN_MAX + 64, &text, NULL);
	if (r == 0)
		r = strv_split(text, "\n", &lines);
	if (r < 0)
		return fail_set(f, -r, "credentials, '%s'", file);
	if (!lines || strv_len(lines) != 1 || !(str_startswith(lines[0], TOKEN "=") || str_startswith(lines[0], API_KEY "="))) {
		(void)fail_set(f, 0, "credentials, '%s': not what `claude-sandbox login` wrote", file);
		fail_hint(f, "claude-sandbox login");
		return -EBADMSG;
	}
	*ret = TAKE_PTR(lines);
	return 0;
}

static int check(const char *t, bool api_key, struct fail *f)
{
	size_t n = strlen(t), good = strspn(t, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.");

	if (n < TOKEN_MIN || n > TOKEN_MAX || good != n || !str_startswith(t, "sk-ant-")) {
		(void)fail_set(f, 0, "%s: that is none: it begins with sk-ant- and has letters, digits, '-' and '_'",
			       api_key ? "API key" : "token");
		fail_hint(f, api_key ? "copy it from the console, in one piece" : "copy what `claude setup-token` printed, in one piece");
		return -EINVAL;
	}
	if (str_startswith(t, "sk-ant-oat") == api_key) {
		(void)fail_set(f, 0, api_key ? "API key: that is a token of `claude setup-token`" : "token: that is no token of `claude setup-token`");
		fail_hint(f, api_key ? "claude-sandbox login, without --api-key" : "for an API key: claude-sandbox login --api-key");
		return -EINVAL;
	}
	return 0;
}

int credentials_store(const char *text, bool api_key, struct fail *f)
{
	_cleanup_free_ char *dir = NULL, *file = NULL, *token = NULL, *line = NULL;
	size_t n;
	int r;

	while (isspace((unsigned char)*text))
		text++;
	n = strlen(text);
	while (n && isspace((unsigned char)text[n - 1]))
		n--;
	token = strndup(text, n);
	if (!token)
		return fail_set(f, ENOMEM, "credentials");
	r = check(token, api_key, f);
	if (r == 0)
		r = place(&dir, &file, f);
	if (r < 0)
		return r;
	r = path_mkdir_p(dir, 0700);
	if (r == 0 && asprintf(&line, "%s=%s\n", api_key ? API_KEY : TOKEN, token) < 0)
		r = -ENOMEM;
	if (r == 0)
		r = fd_write_file(AT_FDCWD, file, line, strlen(line), 0600);
	if (r < 0) {
		(void)fail_set(f, -r, "credentials, '%s'", file);
		fail_hint(f, "the directory must be writable: nothing was kept");
	}
	if (line)
		explicit_bzero(line, strlen(line));
	explicit_bzero(token, strlen(token));
	return r;
}

int credentials_remove(struct fail *f)
{
	_cleanup_free_ char *dir = NULL, *file = NULL;
	int r = place(&dir, &file, f);

	if (r < 0)
		return r;
	if (unlink(file) == 0)
		return 1;
	return errno == ENOENT ? 0 : fail_set(f, errno, "credentials, '%s'", file);
}
