/* /etc inside: the survey's choice of the host's (directories bound, files copied, links into the system kept), and
 * what describes accounts and names, written for the sandbox. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "engine/compose-private.h"

#define COPY_MAX (1U << 20) /* a larger file is bound */

const char *compose_user(const struct compose *c)
{
	/* root's name is taken, by the 0 that nobody can be inside */
	return c->plan->map_id ? "sandbox" : c->survey->user;
}

/* A link whose target will be there as well stays a link; another is taken for what it leads to. */
static int add_link(struct compose *c, const char *path, char **ret_real)
{
	char link[PATH_MAX];
	ssize_t n = readlink(path, link, sizeof(link) - 1);

	*ret_real = realpath(path, NULL);
	if (n <= 0 || !*ret_real || !survey_is_system(*ret_real))
		return 0;
	link[n] = 0;
	return compose_add(c, PLAN_SYMLINK, 0, link, path, "of /etc") < 0 ? -ENOMEM : 1;
}

static int add_chosen(struct compose *c, const char *path)
{
	_cleanup_free_ char *real = NULL, *text = NULL;
	const char *src = path;
	struct stat st;
	size_t len = 0;

	if (lstat(path, &st) < 0)
		return 0;
	if (S_ISLNK(st.st_mode)) {
		int r = add_link(c, path, &real);

		if (r)
			return r < 0 ? r : 0;
		if (!real || stat(real, &st) < 0)
			return 0;
		src = real;
	}
	if (S_ISDIR(st.st_mode))
		return compose_add(c, PLAN_BIND, PLAN_OPTIONAL, src, path, "of /etc");
	if (fd_read_file(AT_FDCWD, src, COPY_MAX, &text, &len) < 0)
		return compose_add(c, PLAN_BIND, PLAN_OPTIONAL, src, path, "of /etc");
	return plan_add_file(c->plan, path, (st.st_mode & 0111) ? 0755 : 0644, text, len, "of /etc") ? 0 : -ENOMEM;
}

/* One field of passwd(5): no colon, no line end. */
static char *field(const char *s)
{
	char *copy = strdup(s);

	for (char *p = copy; p && *p; p++)
		if (*p == ':' || (unsigned char)*p < 0x20)
			*p = '?';
	return copy;
}

static int add_accounts(struct compose *c)
{
	const struct plan *p = c->plan;
	const char *group = p->map_id || !c->survey->group ? compose_user(c) : c->survey->group;
	_cleanup_free_ char *user = field(compose_user(c)), *gname = field(group), *home = field(p->home),
			    *shell = field(c->survey->shell), *passwd = NULL, *groups = NULL;
	int r;

	if (!user || !gname || !home || !shell)
		return -ENOMEM;
	if (asprintf(&passwd,
		     "root:x:0:0:root:/nonexistent:/usr/sbin/nologin\n"
		     "%s:x:%u:%u:%s:%s:%s\n"
		     "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
		     user, (unsigned)p->uid, (unsigned)p->gid, user, home, shell) < 0)
		return -ENOMEM;
	if (asprintf(&groups, "root:x:0:\ntty:x:5:\n%s:x:%u:\nnogroup:x:65534:\n", gname, (unsigned)p->gid) < 0)
		return -ENOMEM;
	r = compose_text(c, "/etc/passwd", 0644, passwd, "accounts of the sandbox");
	return r == 0 ? compose_text(c, "/etc/group", 0644, groups, "accounts of the sandbox") : r;
}

/* Copies the host's file where the sandbox shares its network; otherwise writes text. */
static int add_network_file(struct compose *c, const char *path, const char *text)
{
	_cleanup_free_ char *host = NULL;

	if (c->plan->net == PLAN_NET_HOST && fd_read_file(AT_FDCWD, path, COPY_MAX, &host, NULL) == 0)
		text = host;
	return compose_text(c, path, 0644, text, "written for the sandbox");
}

static int add_names(struct compose *c)
{
	static const char nsswitch[] = "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nnetworks: files\n"
				       "protocols: files\nservices: files\nethers: files\nrpc: files\n";
	const char *name = c->plan->name;
	_cleanup_free_ char *hosts = NULL, *hostname = NULL, *machine = NULL, *key = NULL;
	int r;

	if (asprintf(&key, "%s\n%s", name, c->plan->project) < 0)
		return -ENOMEM;
	if (asprintf(&machine, "%016llx%016llx\n", (unsigned long long)str_hash(key, strlen(key)),
		     (unsigned long long)str_hash(key, strlen(key) + 1)) < 0)
		return -ENOMEM;
	if (asprintf(&hosts, "127.0.0.1 localhost %s\n::1 localhost ip6-localhost ip6-loopback %s\n", name, name) < 0 ||
	    asprintf(&hostname, "%s\n", name) < 0)
		return -ENOMEM;
	r = add_network_file(c, "/etc/hosts", hosts);
	if (r == 0)
		r = add_network_file(c, "/etc/resolv.conf", "# claude-sandbox: no network\n");
	if (r == 0)
		r = compose_text(c, "/etc/hostname", 0644, hostname, "written for the sandbox");
	if (r == 0)
		r = compose_text(c, "/etc/nsswitch.conf", 0644, nsswitch, "written for the sandbox");
	if (r == 0)
		r = compose_text(c, "/etc/machine-id", 0444, machine, "written for the sandbox");
	return r == 0 ? compose_add(c, PLAN_SYMLINK, 0, "/proc/self/mounts", "/etc/mtab", NULL) : r;
}

int compose_etc(struct compose *c)
{
	int r = add_accounts(c);

	if (r == 0)
		r = add_names(c);
	for (char **p = c->survey->etc; p && *p && r == 0; p++)
		r = add_chosen(c, *p);
	return r;
}
