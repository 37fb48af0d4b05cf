#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "wire/gitconf.h"

static const char *value_of(const char *text, const char *key)
{
	static char kept[256];
	_cleanup_gitconf_ struct gitconf *c = NULL;
	const char *v;

	if (gitconf_parse(text, strlen(text), &c) < 0)
		return "BAD";
	v = gitconf_get(c, key);
	if (!v)
		return "ABSENT";
	(void)snprintf(kept, sizeof(kept), "%s", v);
	return kept;
}

static void test_syntax(void **state)
{
	static const struct {
		const char *text, *key, *value;
	} cases[] = {
		{ "[core]\n\tbare = true\n", "core.bare", "true" },
		{ "[CORE]\n\tBare=true", "core.bare", "true" },
		{ "[core] bare\n", "core.bare", "" },
		{ "[core]\r\n\tbare = x\r\n", "core.bare", "x" },
		{ "\xef\xbb\xbf[a]b=c", "a.b", "c" },
		{ "[remote \"Or.i\\\"gin\"]\nurl = u\n", "remote.Or.i\"gin.url", "u" },
		{ "[a \"X\"] b = 1\n[a \"x\"] b = 2\n", "a.X.b", "1" },
		{ "[Branch.Main]\nmerge = y", "branch.main.merge", "y" },
		{ "[a]\nb = one # two\n", "a.b", "one" },
		{ "[a]\nb = one ; two\n", "a.b", "one" },
		{ "[a]\nb = \"one # two\" three   \n", "a.b", "one # two three" },
		{ "[a]\nb = one\\\n  two\n", "a.b", "one  two" },
		{ "[a]\nb = \\t\\n\\\\\\\"\n", "a.b", "\t\n\\\"" },
		{ "[a]\nb=1\nb=2\n", "a.b", "2" },
		{ "; c\n# d\n[a]b=1", "a.b", "1" },
		{ "[a]\nb = \"unclosed\n", "a.b", "BAD" },
		{ "[a]\nb = \\q\n", "a.b", "BAD" },
		{ "b = 1\n", "b", "BAD" },
		{ "[a]\n1b = 1\n", "a.1b", "BAD" },
		{ "[a\nb = 1\n", "a.b", "BAD" },
		{ "[a \"b\nc\"]\nd=1", "a.b.d", "BAD" },
		{ "[a_b]\nd=1", "a_b.d", "BAD" },
		{ "", "a.b", "ABSENT" },
	};
	struct gitconf *c = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(value_of(cases[i].text, cases[i].key), cases[i].value);
	assert_int_equal(gitconf_parse("[a]\0b=1", 8, &c), -EBADMSG);
	assert_null(c);
}

static bool harmless(const char *key, const char *value)
{
	char k[128], v[256];
	struct gitconf_entry e = { .key = k, .value = v };

	(void)snprintf(k, sizeof(k), "%s", key);
	(void)snprintf(v, sizeof(v), "%s", value);
	return gitconf_harmless(&e);
}

static void test_harmless(void **state)
{
	(void)state;
	assert_true(harmless("core.bare", "false"));
	assert_true(harmless("remote.origin.url", "https://example.org/x.git"));
	assert_true(harmless("remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*"));
	assert_true(harmless("submodule.x.update", "checkout"));
	assert_true(harmless("filter.lfs.clean", "git-lfs clean -- %f"));
	assert_false(harmless("filter.lfs.clean", "touch x"));
	assert_false(harmless("submodule.x.update", "!touch x"));
	assert_false(harmless("core.fsmonitor", "touch x"));
	assert_false(harmless("core.fsmonitor.x", "true"));
	assert_false(harmless("core.hookspath", "h"));
	assert_false(harmless("core.worktree", ".."));
	assert_false(harmless("include.path", "x"));
	assert_false(harmless("includeif.gitdir:/.path", "x"));
	assert_false(harmless("alias.st", "!x"));
	assert_false(harmless("remote.origin.uploadpack", "x"));
	assert_false(harmless("remote.origin.url", "ext::sh -c x"));
	assert_false(harmless("remote.origin.url", "-oProxyCommand=x"));
	assert_false(harmless("remote.ext::sh.fetch", "x"));
	assert_false(harmless("core.sshcommand", "x"));
}

static void test_url(void **state)
{
	static const char *const good[] = { "https://example.org/a.git", "https://u@example.org:8443/a", "ssh://git@example.org/x",
					    "git@example.org:a/b.git", "host:path", "git://example.org/x", "ssh://[::1]/x" };
	static const char *const bad[] = { "/srv/x", "./x", "x/y", "x", "file:///x", "ext::sh -c x", "ssh://-oProxyCommand=x/y",
					   "-oProxyCommand=x:y", "ssh://u@-oProxy/x", "foo://x/y", "https:///x", "git@ho st:x",
					   "fd::7", "a\nb:c", "" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		if (!gitconf_url_plain(good[i]))
			fail_msg("refused: %s", good[i]);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (gitconf_url_plain(bad[i]))
			fail_msg("taken: %s", bad[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_syntax),
		cmocka_unit_test(test_harmless),
		cmocka_unit_test(test_url),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
