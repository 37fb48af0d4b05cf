#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"

static void test_normalize(void **state _unused_)
{
	static const char *const cases[][2] = {
		{ "/", "/" },
		{ "//", "/" },
		{ "/a/b", "/a/b" },
		{ "/a//b/./c/", "/a/b/c" },
		{ "/a/../b", "/b" },
		{ "/..", "/" },
		{ "/../../a", "/a" },
		{ "/a/b/../..", "/" },
		{ "a/..", "." },
		{ "", "." },
		{ ".", "." },
		{ "./a", "a" },
		{ "..", ".." },
		{ "../..", "../.." },
		{ "../../a", "../../a" },
		{ "a/../..", ".." },
		{ "../a/../b", "../b" },
		{ "...", "..." },
		{ "/...", "/..." },
		{ "a/b/..", "a" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *p = path_normalize(cases[i][0]);

		if (strcmp(p, cases[i][1]))
			fail_msg("'%s' became '%s', not '%s'", cases[i][0], p, cases[i][1]);
	}
}

static void test_under(void **state _unused_)
{
	assert_true(path_is_under("/a/b", "/a"));
	assert_true(path_is_under("/a", "/a"));
	assert_true(path_is_under("/a", "/"));
	assert_false(path_is_under("/ab", "/a"));
	assert_false(path_is_under("/a", "/a/b"));
	assert_string_equal(path_below("/a/b/c", "/a"), "b/c");
	assert_string_equal(path_below("/a", "/a"), "");
	assert_string_equal(path_below("/a", "/"), "a");
	assert_string_equal(path_below("/", "/"), "");
}

static void test_parts(void **state _unused_)
{
	_cleanup_free_ char *a = path_join("/a", "b"), *b = path_join("/a/", "b"), *c = path_join("/a", "/b"),
			    *d = path_join("", "b"), *e = path_join("/a", ""), *g = path_dirname("/a/b"),
			    *h = path_dirname("/a"), *i = path_dirname("a");

	assert_string_equal(a, "/a/b");
	assert_string_equal(b, "/a/b");
	assert_string_equal(c, "/b");
	assert_string_equal(d, "b");
	assert_string_equal(e, "/a");
	assert_string_equal(g, "/a");
	assert_string_equal(h, "/");
	assert_string_equal(i, ".");
	assert_string_equal(path_basename("/a/b"), "b");
	assert_string_equal(path_basename("b"), "b");
}

static void expands(const char *p, const char *want)
{
	_cleanup_free_ char *s = NULL;
	int r = path_expand(p, "/home/u", &s);

	if (!want)
		assert_int_equal(r, -EINVAL);
	else if (r < 0 || strcmp(s, want))
		fail_msg("'%s' became '%s', not '%s'", p, s ? s : "an error", want);
}

static void test_expand(void **state _unused_)
{
	unsetenv("XDG_CONFIG_HOME");
	unsetenv("XDG_RUNTIME_DIR");
	setenv("XDG_DATA_HOME", "/data", 1);
	setenv("XDG_STATE_HOME", "relative", 1);
	expands("~", "/home/u");
	expands("~/x", "/home/u/x");
	expands("~//etc", "/home/u/etc");
	expands("$HOME/x", "/home/u/x");
	expands("$XDG_CONFIG_HOME/x", "/home/u/.config/x");
	expands("$XDG_DATA_HOME/x", "/data/x");
	expands("$XDG_STATE_HOME/x",
		"/home/u/.local/state/x"); /* a relative one is ignored (XDG base directory spec) */
	expands("$XDG_RUNTIME_DIR/x", NULL);
	expands("$XDG_CONFIG_HOMES/x", NULL);
	expands("~root/x", NULL);
	expands("$PATH", NULL);
	expands("/a/~", "/a/~");
	expands("a", "a");
}

static void make(const char *dir, const char *name)
{
	_cleanup_free_ char *p = path_join(dir, name);

	assert_int_equal(path_mkdir_p(p, 0755), 0);
}

static void test_mkdir(void **state _unused_)
{
	char dir[] = "/tmp/test-path-XXXXXX";
	_cleanup_free_ char *file = NULL, *below = NULL;

	assert_non_null(mkdtemp(dir));
	make(dir, "a/b/c");
	make(dir, "a/b/c");
	make(dir, "a//d/");
	file = path_join(dir, "file");
	below = path_join(dir, "file/x");
	assert_int_equal(fd_write_file(AT_FDCWD, file, "x", 1, 0600), 0);
	assert_int_equal(path_mkdir_p(file, 0755), -ENOTDIR);
	assert_int_equal(path_mkdir_p(below, 0755), -ENOTDIR);
	assert_int_equal(path_remove_tree(AT_FDCWD, dir), 0);
	assert_int_equal(access(dir, F_OK), -1);
	assert_int_equal(path_remove_tree(AT_FDCWD, dir), 0);
}

/* What ran inside made directories that cannot be read, links that lead out, and a tree deeper than any descriptor table. */
static void test_remove_hostile(void **state _unused_)
{
	char dir[] = "/tmp/test-path-XXXXXX", outside[] = "/tmp/test-path-XXXXXX";
	_cleanup_free_ char *tree = NULL, *link = NULL, *kept = NULL;
	int fd, next;

	assert_non_null(mkdtemp(dir));
	assert_non_null(mkdtemp(outside));
	kept = path_join(outside, "kept");
	assert_int_equal(fd_write_file(AT_FDCWD, kept, "x", 1, 0600), 0);
	tree = path_join(dir, "tree");
	make(tree, "shut/inner");
	make(tree, "listed/inner");
	link = path_join(tree, "link");
	assert_int_equal(symlink(outside, link), 0);
	fd = open(tree, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(fchmodat(fd, "shut", 0, 0), 0);
	assert_int_equal(fchmodat(fd, "listed", 0400, 0), 0);
	for (int i = 0; i < 3000; i++) {
		assert_int_equal(mkdirat(fd, "d", 0755), 0);
		next = openat(fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(next >= 0);
		fd_close(fd);
		fd = next;
	}
	fd_close(fd);
	assert_int_equal(chmod(tree, 0500), 0);
	assert_int_equal(path_remove_tree(AT_FDCWD, tree), 0);
	assert_int_equal(access(tree, F_OK), -1);
	assert_int_equal(access(kept, F_OK), 0);
	assert_int_equal(path_remove_tree(AT_FDCWD, dir), 0);
	assert_int_equal(path_remove_tree(AT_FDCWD, outside), 0);
}

static void test_files(void **state _unused_)
{
	char dir[] = "/tmp/test-path-XXXXXX";
	_cleanup_free_ char *p = NULL, *text = NULL;
	struct stat st;
	size_t n;

	assert_non_null(mkdtemp(dir));
	p = path_join(dir, "f");
	assert_int_equal(fd_write_file(AT_FDCWD, p, "one\0two", 7, 0600), 0);
	assert_int_equal(fd_read_file(AT_FDCWD, p, 7, &text, &n), 0);
	assert_int_equal(n, 7);
	assert_memory_equal(text, "one\0two", 8);
	assert_int_equal(fd_read_file(AT_FDCWD, p, 6, &text, &n), -EFBIG);
	assert_int_equal(fd_read_file(AT_FDCWD, dir, 6, &text, &n), -EISDIR);
	assert_int_equal(fd_read_file(AT_FDCWD, "/dev/null", 6, &text, &n), -EINVAL);
	assert_int_equal(stat(p, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(path_remove_tree(AT_FDCWD, dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_normalize), cmocka_unit_test(test_under), cmocka_unit_test(test_parts),
		cmocka_unit_test(test_expand),	  cmocka_unit_test(test_mkdir), cmocka_unit_test(test_remove_hostile),
		cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
