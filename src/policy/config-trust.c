/* Trust in a project's own file: which content (SHA-256) of which main repository the person has agreed to. One file
 * per repository in the state directory, named by the SHA-256 of the repository's path; its first line is that path,
 * percent-encoded, each further line "HASH SECONDS". */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sha2.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "policy/config-internal.h"

#define TRUST_FILE_MAX (1U << 20)

char *trust_sha256(const void *p, size_t n)
{
	char hex[SHA256_DIGEST_STRING_LENGTH];

	return SHA256Data(p, n, hex) ? strdup(hex) : NULL;
}

/* A path as one word: control characters, blanks and '%' as %XX. */
static char *encode(const char *path)
{
	_cleanup_buf_ struct buf b = BUF_INIT(strlen(path) * 3 + 1);

	for (; *path; path++) {
		if ((unsigned char)*path <= ' ' || *path == '%' || *path == 0x7f)
			buf_printf(&b, "%%%02x", (unsigned)(unsigned char)*path);
		else
			buf_putc(&b, *path);
	}
	return b.error ? NULL : TAKE_PTR(b.data);
}

static char *decode(const char *word)
{
	char *out = strdup(word), *to = out;

	for (const char *s = word; out && *s; s++) {
		char hex[3] = { 0 };

		if (*s == '%' && isxdigit((unsigned char)s[1]) && isxdigit((unsigned char)s[2])) {
			hex[0] = s[1];
			hex[1] = s[2];
			*to++ = (char)strtoul(hex, NULL, 16);
			s += 2;
		} else {
			*to++ = *s;
		}
	}
	if (out)
		*to = 0;
	return out;
}

static int repository_file(const char *dir, const char *repository, char **ret)
{
	_cleanup_free_ char *hash = trust_sha256(repository, strlen(repository));

	if (!hash)
		return -ENOMEM;
	*ret = path_join(dir, hash);
	return *ret ? 0 : -ENOMEM;
}

/* The lines of a repository's file; none where there is none. */
static int read_lines(const char *path, char ***ret)
{
	_cleanup_free_ char *text = NULL;
	int r;

	r = fd_read_file(AT_FDCWD, path, TRUST_FILE_MAX, &text, NULL);
	if (r == -ENOENT || r == -ENOTDIR)
		return 0;
	return r < 0 ? r : strv_split(text, "\n", ret);
}

int trust_has(const char *dir, const char *repository, const char *hash)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_strv_ char **lines = NULL;
	size_t n = strlen(hash);
	int r;

	r = repository_file(dir, repository, &path);
	if (r == 0)
		r = read_lines(path, &lines);
	if (r < 0)
		return r;
	for (char **l = lines ? lines + 1 : NULL; l && *l; l++)
		if (strncmp(*l, hash, n) == 0 && (*l)[n] == ' ')
			return 1;
	return 0;
}

int config_trust_add(const char *dir, const char *repository, const char *hash, struct fail *f)
{
	_cleanup_free_ char *path = NULL, *word = NULL;
	_cleanup_strv_ char **lines = NULL;
	_cleanup_close_ int lock = -1;
	_cleanup_buf_ struct buf b = BUF_INIT(TRUST_FILE_MAX);
	int r;

	r = path_mkdir_p(dir, 0700);
	if (r == 0)
		r = lock = fd_lock_dir(dir);
	if (r >= 0)
		r = trust_has(dir, repository, hash);
	if (r == 1)
		return 0;
	if (r == 0)
		r = repository_file(dir, repository, &path);
	if (r == 0)
		r = read_lines(path, &lines);
	if (r < 0)
		return fail_set(f, -r, "trust, '%s'", dir);
	word = encode(repository);
	if (!word)
		return fail_set(f, ENOMEM, "trust, '%s'", repository);
	buf_printf(&b, "%s\n", word);
	for (char **l = lines ? lines + 1 : NULL; l && *l; l++)
		buf_printf(&b, "%s\n", *l);
	buf_printf(&b, "%s %lld\n", hash, (long long)time(NULL));
	r = b.error ? b.error : fd_write_file(AT_FDCWD, path, b.data, b.len, 0600);
	return r < 0 ? fail_set(f, -r, "trust, '%s'", path) : 0;
}

int config_trust_remove(const char *dir, const char *repository, struct fail *f)
{
	_cleanup_free_ char *path = NULL;
	int r;

	r = repository_file(dir, repository, &path);
	if (r < 0)
		return fail_set(f, -r, "trust, '%s'", repository);
	if (unlink(path) == 0)
		return 1;
	return errno == ENOENT || errno == ENOTDIR ? 0 : fail_set(f, errno, "trust, '%s'", path);
}

static int list_file(const char *path, int (*fn)(void *, const char *, const char *, int64_t), void *user)
{
	_cleanup_strv_ char **lines = NULL;
	_cleanup_free_ char *repository = NULL;
	int r;

	r = read_lines(path, &lines);
	if (r < 0 || !lines)
		return r;
	repository = decode(lines[0]);
	if (!repository)
		return -ENOMEM;
	for (size_t i = 1; r >= 0 && lines[i]; i++) {
		char *blank = strchr(lines[i], ' ');
		uint64_t when;

		if (!blank || str_to_u64(blank + 1, &when) < 0)
			continue;
		*blank = 0;
		r = fn(user, repository, lines[i], (int64_t)when);
	}
	return r;
}

int config_trust_list(const char *dir, int (*fn)(void *user, const char *repository, const char *hash, int64_t when),
		      void *user, struct fail *f)
{
	struct dirent **names = NULL;
	int n, r = 0;

	n = scandir(dir, &names, NULL, alphasort);
	if (n < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : fail_set(f, errno, "trust, '%s'", dir);
	for (int i = 0; i < n; i++) {
		_cleanup_free_ char *path = path_join(dir, names[i]->d_name);

		/* 64 hex digits: not the temporary file of a writer */
		if (r == 0 && strlen(names[i]->d_name) == 64)
			r = path ? list_file(path, fn, user) : -ENOMEM;
		free(names[i]);
	}
	free(names);
	return r < 0 ? fail_set(f, -r, "trust, '%s'", dir) : 0;
}
