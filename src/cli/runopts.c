#include "cli/runopts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/path.h"
#include "base/str.h"
#include "cli/args.h"
#include "kernel/isolate.h"

/* The options that only a run has; OWN_* index this table. */
enum {
	OWN_PROJECT,
	OWN_WORKDIR,
	OWN_NEW,
	OWN_DETACH,
	OWN_TTY,
	OWN_NO_TTY,
	OWN_CONFIG,
	OWN_TRUST,
	OWN_DRY_RUN,
	OWN_JSON,
	OWN_VERBOSE,
	OWN_QUIET,
	OWN__COUNT
};

static const struct cmd_option own[OWN__COUNT] = {
	[OWN_PROJECT] = { "project", 0, "DIR", "The project, instead of the working directory." },
	[OWN_WORKDIR] = { "workdir", 'w', "DIR", "Where the command starts inside, instead of the working directory." },
	[OWN_NEW] = { "new", 0, NULL, "A sandbox of its own, even where this project's runs already." },
	[OWN_DETACH] = { "detach", 'd', NULL, "Starts it and returns; attach, exec and logs reach it." },
	[OWN_TTY] = { "tty", 't', NULL, "A terminal for the command, even where standard input is none." },
	[OWN_NO_TTY] = { "no-tty", 'T', NULL,
			 "No terminal: standard input, output and error are the command's alone, nothing prompts, and "
			 "the sandbox is one of its own." },
	[OWN_CONFIG] = { "config", 0, "FILE", "The user's configuration, instead of ~/.config/claude-sandbox/config." },
	[OWN_TRUST] = { "trust", 0, "HASH", "Trusts the project's own file if its SHA-256 is HASH, for this run." },
	[OWN_DRY_RUN] = { "dry-run", 0, NULL, "Prints the plan of the sandbox and starts nothing." },
	[OWN_JSON] = { "json", 0, NULL, "With --dry-run: prints the plan as JSON." },
	[OWN_VERBOSE] = { "verbose", 0, NULL, "Says what is being done." },
	[OWN_QUIET] = { "quiet", 'q', NULL, "Says only what is wrong." },
};

/* The option table's flags, then own[]; option_of[i] is the id behind entry i. */
static struct cmd_option table[OPT__COUNT + OWN__COUNT + 1];
static enum option_id option_of[OPT__COUNT];
static int nflags;

const struct cmd_option *runopts_table(void)
{
	int n = 0;

	if (nflags)
		return table;
	for (size_t i = 0; i < OPT__COUNT; i++) {
		const struct option_def *o = &option_table[i];

		if (!o->flag)
			continue;
		option_of[n] = (enum option_id)i;
		table[n++] =
			(struct cmd_option){ .name = o->flag, .letter = o->letter, .arg = o->arg, .help = o->help };
	}
	nflags = n;
	for (size_t i = 0; i < OWN__COUNT; i++)
		table[n++] = own[i];
	return table;
}

static int set_string(char **to, const char *value, const char *flag, struct fail *f)
{
	if (!*value)
		return fail_set(f, 0, "run, '--%s': empty", flag);
	free(*to);
	*to = strdup(value);
	return *to ? 0 : fail_set(f, ENOMEM, "run, '--%s'", flag);
}

static int take_own(struct runopts *o, int i, const char *value, struct fail *f)
{
	switch (i) {
	case OWN_PROJECT:
		return set_string(&o->project, value, own[i].name, f);
	case OWN_WORKDIR:
		return set_string(&o->workdir, value, own[i].name, f);
	case OWN_CONFIG:
		return set_string(&o->config_file, value, own[i].name, f);
	case OWN_TRUST:
		if (strlen(value) != 64 || strspn(value, "0123456789abcdefABCDEF") != 64)
			return fail_set(f, 0, "run, '--trust': not a SHA-256 in hex (64 digits): %s", value);
		return set_string(&o->trust, value, own[i].name, f);
	case OWN_NEW:
		o->fresh = true;
		return 0;
	case OWN_DETACH:
		o->detach = true;
		return 0;
	case OWN_TTY:
		o->tty = RUNOPTS_TTY_YES;
		return 0;
	case OWN_NO_TTY:
		o->tty = RUNOPTS_TTY_NO;
		return 0;
	case OWN_DRY_RUN:
		o->dry_run = true;
		return 0;
	case OWN_JSON:
		o->json = true;
		return 0;
	case OWN_VERBOSE:
		o->verbose = true;
		return 0;
	default:
		o->quiet = true;
		return 0;
	}
}

/* A flag of the option table: checked now, applied over the files later. */
static int take_setting(struct runopts *o, struct config *scratch, int i, const char *value, struct fail *f)
{
	enum option_id id = option_of[i];
	struct runopts_setting *p = reallocarray(o->settings, o->nsettings + 1, sizeof(*p)), s = { 0 };
	_cleanup_free_ char *text = NULL;

	if (!p)
		return fail_set(f, ENOMEM, "run, '--%s'", table[i].name);
	o->settings = p;
	/* -e NAME passes the caller's value on */
	if (id == OPT_ENV && *value && *value != '!' && !strchr(value, '='))
		id = OPT_ENV_PASS;
	if (!value)
		value = "yes";
	if (!*value && table[i].arg)
		return fail_set(f, 0, "run, '--%s': empty", table[i].name);
	text = strdup(value);
	if (asprintf(&s.where, "--%s", table[i].name) < 0)
		s.where = NULL;
	s.name = strdup(option_table[id].name);
	s.value = TAKE_PTR(text);
	o->settings[o->nsettings++] = s;
	if (!s.where || !s.name || !s.value)
		return fail_set(f, ENOMEM, "run, '--%s'", table[i].name);
	return config_set(scratch, CONFIG_COMMAND, s.where, s.name, s.value, f);
}

static int check(const struct runopts *o, struct fail *f)
{
	if (o->detach && o->tty == RUNOPTS_TTY_NO && !o->argv)
		return fail_set(f, 0, "run, '-d': with -T it wants a command");
	if (o->json && !o->dry_run)
		return fail_set(f, 0, "run, '--json': only with --dry-run");
	if (o->verbose && o->quiet)
		return fail_set(f, 0, "run, '-q': not with --verbose");
	return 0;
}

int runopts_parse(int argc, char **argv, struct runopts *ret, struct fail *f)
{
	struct args a = ARGS_INIT(argc, argv, runopts_table());
	_cleanup_config_ struct config *scratch = config_new();
	int r;

	*ret = (struct runopts){ 0 };
	a.stop = true;
	if (!scratch)
		return fail_set(f, ENOMEM, "run");
	for (;;) {
		r = args_next(&a, f);
		if (r < 0)
			return r;
		if (r == ARGS_END)
			break;
		r = r < nflags ? take_setting(ret, scratch, r, a.value, f) : take_own(ret, r - nflags, a.value, f);
		if (r < 0)
			return r;
	}
	if (a.next < argc)
		ret->argv = argv + a.next;
	ret->argv = ret->argv ? strv_copy(ret->argv) : NULL;
	if (a.next < argc && !ret->argv)
		return fail_set(f, ENOMEM, "run");
	return check(ret, f);
}

int runopts_files(const char *project, const char *repository, struct runopts_files *ret, struct fail *f)
{
	_cleanup_free_ char *dir = NULL, *state = NULL;
	struct runopts_files r = { 0 };

	if (!path_home()) {
		fail_set(f, 0, "configuration, 'HOME': this account has no home directory");
		fail_hint(f, "set HOME to an absolute path");
		return -ENOENT;
	}
	if (path_xdg(PATH_CONFIG, &dir) < 0 || path_xdg(PATH_STATE, &state) < 0)
		return fail_set(f, ENOMEM, "configuration");
	r.owned[0] = path_join(dir, "config");
	r.owned[1] = path_join(dir, "config.d");
	r.owned[2] = path_join(state, "trust");
	if (!r.owned[0] || !r.owned[1] || !r.owned[2]) {
		runopts_files_done(&r);
		return fail_set(f, ENOMEM, "configuration");
	}
	r.files = (struct config_files){
		.system = "/etc/claude-sandbox/config",
		.user = r.owned[0],
		.dropins = r.owned[1],
		.trust_dir = r.owned[2],
		.project = project,
		.repository = repository,
		.isolate = isolate_parser,
	};
	*ret = r;
	return 0;
}

void runopts_files_done(struct runopts_files *r)
{
	for (size_t i = 0; i < ARRAY_SIZE(r->owned); i++)
		free(r->owned[i]);
	*r = (struct runopts_files){ 0 };
}

/* A configuration that lies where the sandbox could write it (linked into a dotfile repository that is the project)
 * would let the agent write its own policy: it is guarded in the project, and refused in a read-write mount. */
static int protect_sources(struct config *c, const char *project, struct fail *f)
{
	for (char *const *s = config_sources(c); s && *s; s++) {
		const char *below = project ? path_below(*s, project) : NULL;
		_cleanup_free_ char *entry = NULL;
		int r;

		for (char *const *w = config_list(c, OPT_READ_WRITE); w && *w; w++) {
			_cleanup_free_ char *real = realpath(*w, NULL);

			if (!real || !path_is_under(*s, real))
				continue;
			fail_set(f, 0, "read-write, '%s': refused, the configuration '%s' lies there", *w, *s);
			fail_hint(f, "the agent could write its own policy; name a directory beside it");
			return -EPERM;
		}
		if (!below)
			continue;
		if (asprintf(&entry, "./%s", below) < 0)
			return fail_set(f, ENOMEM, "configuration");
		r = config_set(c, CONFIG_COMMAND, "the configuration itself", "guard", entry, f);
		if (r < 0)
			return r;
	}
	return 0;
}

int runopts_load(struct runopts *o, const char *project, const char *repository, struct fail *f)
{
	_cleanup_runopts_files_ struct runopts_files files = { 0 };
	_cleanup_config_ struct config *c = config_new();
	int r;

	if (!c)
		return fail_set(f, ENOMEM, "configuration");
	r = runopts_files(project, repository, &files, f);
	if (r < 0)
		return r;
	if (o->config_file) {
		files.files.user = o->config_file;
		files.files.user_required = true;
	}
	files.files.trust_hash = o->trust;
	r = config_load(c, &files.files, f);
	for (size_t i = 0; r == 0 && i < o->nsettings; i++)
		r = config_set(c, CONFIG_COMMAND, o->settings[i].where, o->settings[i].name, o->settings[i].value, f);
	if (r == 0)
		r = protect_sources(c, project, f);
	if (r < 0)
		return r;
	config_free(o->config);
	o->config = TAKE_PTR(c);
	return 0;
}

void runopts_done(struct runopts *o)
{
	config_free(o->config);
	strv_free(o->argv);
	free(o->project);
	free(o->workdir);
	free(o->config_file);
	free(o->trust);
	for (size_t i = 0; i < o->nsettings; i++) {
		free(o->settings[i].where);
		free(o->settings[i].name);
		free(o->settings[i].value);
	}
	free(o->settings);
	*o = (struct runopts){ 0 };
}
