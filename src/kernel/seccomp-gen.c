/* Makes the seccomp filters at build time: names of system calls become numbers through libseccomp, the lists below
 * become BPF, and the BPF becomes a header full of arrays, so that nothing is compiled while a user waits.
 *
 * The filters are written here and not by libseccomp's own code generator because an allow list must say "ioctl,
 * unless the low 32 bits of its request are one of these" (the kernel ignores the high bits, and so must the check),
 * which libseccomp's comparisons can't; and because neighbours in the table share one comparison: a binary search over
 * ranges is a third of the size, which shows in the time a start takes.
 *
 * Every filter is run against its own table before it is printed: each number below 1,024 must meet its action.
 *
 * Usage: seccomp-gen x86_64|aarch64 strict|lenient   (lenient: the helpers' lists return EPERM instead of killing, for
 * builds with sanitizers, whose runtimes make calls of their own) */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "kernel/seccomp-list.h"

#define NR_MAX	 1024
#define CODE_MAX 4096

/* An action: a value for the kernel, or CHECK + n: look at the arguments. */
#define ALLOW	   SECCOMP_RET_ALLOW
#define ERRNO(e)   (SECCOMP_RET_ERRNO | (uint32_t)(e))
#define CHECK	   0x00010000U
#define IS_CHECK(a) (((a) & 0xffff0000U) == CHECK)

static uint32_t scmp_arch, audit_arch;
static uint32_t table[NR_MAX];
static struct sock_filter code[CODE_MAX];
static size_t ncode;

static _Noreturn void die(const char *what, const char *subject)
{
	fprintf(stderr, "seccomp-gen: %s: %s\n", what, subject);
	exit(1);
}

static size_t emit(uint16_t op, uint32_t k, size_t jt, size_t jf)
{
	if (ncode == CODE_MAX || jt > 255 || jf > 255)
		die("filter too long", "jump");
	code[ncode] = (struct sock_filter)BPF_JUMP(op, k, (unsigned char)jt, (unsigned char)jf);
	return ncode++;
}

static void ret(uint32_t action)
{
	emit(BPF_RET | BPF_K, action, 0, 0);
}

/* Loads the low or the high half of an argument (both machines are little-endian). */
static void low(unsigned n)
{
	emit(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(offsetof(struct seccomp_data, args) + n * 8), 0, 0);
}

static void high(unsigned n)
{
	emit(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(offsetof(struct seccomp_data, args) + n * 8 + 4), 0, 0);
}

static void mask(uint32_t k)
{
	emit(BPF_ALU | BPF_AND | BPF_K, k, 0, 0);
}

/* What is loaded equals k: return action; else go on. */
static void eq(uint32_t k, uint32_t action)
{
	emit(BPF_JMP | BPF_JEQ | BPF_K, k, 0, 1);
	ret(action);
}

/* The same around a block, which must end in ret. */
static size_t open_eq(uint32_t k)
{
	return emit(BPF_JMP | BPF_JEQ | BPF_K, k, 0, 0);
}

static void close_eq(size_t at)
{
	size_t n = ncode - at - 1;

	if (n > 255)
		die("filter too long", "block");
	code[at].jf = (unsigned char)n;
}

/* clone(2): no new namespace of any kind; the kernel looks at the low half only. */
static void check_clone(void)
{
	low(0);
	mask(0x7e020000U);
	eq(0, ALLOW);
	ret(ERRNO(EPERM));
}

/* ioctl(2): no TIOCSTI, TIOCLINUX (typing into a terminal), TIOCSETD (line disciplines load modules). */
static void check_ioctl(void)
{
	low(1);
	eq(0x5412, ERRNO(EPERM));
	eq(0x541c, ERRNO(EPERM));
	eq(0x5423, ERRNO(EPERM));
	ret(ALLOW);
}

/* socket(2), socketpair(2): Unix, TCP, UDP, ping, routing netlink. */
static void check_socket(void)
{
	size_t at;

	low(0);
	eq(AF_UNIX, ALLOW);
	eq(AF_VSOCK, ERRNO(EPERM)); /* a kernel without it says EAFNOSUPPORT: a test tells our refusal from that */
	at = open_eq(AF_NETLINK);
	low(2);
	eq(0, ALLOW); /* NETLINK_ROUTE */
	ret(ERRNO(EPROTONOSUPPORT));
	close_eq(at);
	/* AF_INET or AF_INET6, else out */
	emit(BPF_JMP | BPF_JEQ | BPF_K, AF_INET, 2, 0);
	emit(BPF_JMP | BPF_JEQ | BPF_K, AF_INET6, 1, 0);
	ret(ERRNO(EAFNOSUPPORT));
	low(1);
	mask(0xf);
	at = open_eq(SOCK_STREAM);
	low(2);
	eq(0, ALLOW);
	eq(6, ALLOW);	/* TCP */
	eq(262, ALLOW); /* MPTCP */
	ret(ERRNO(EPROTONOSUPPORT));
	close_eq(at);
	at = open_eq(SOCK_DGRAM);
	low(2);
	eq(0, ALLOW);
	eq(17, ALLOW); /* UDP */
	eq(1, ALLOW);  /* ping */
	eq(58, ALLOW);
	ret(ERRNO(EPROTONOSUPPORT));
	close_eq(at);
	ret(ERRNO(EPERM));
}

/* A call whose first argument is a process: not pid 1. */
static void check_pid0(void)
{
	low(0);
	eq(1, ERRNO(EPERM));
	ret(ALLOW);
}

/* prlimit64(2): pid 1's limits may be read, not set. */
static void check_prlimit(void)
{
	size_t at;

	low(0);
	at = open_eq(1);
	low(2);
	emit(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0);
	ret(ERRNO(EPERM));
	high(2);
	eq(0, ALLOW);
	ret(ERRNO(EPERM));
	close_eq(at);
	ret(ALLOW);
}

/* setpriority(2), ioprio_set(2): neither pid 1, its group, nor the whole user. */
static void check_who(uint32_t user)
{
	low(0);
	eq(user, ERRNO(EPERM));
	low(1);
	eq(1, ERRNO(EPERM));
	ret(ALLOW);
}

/* personality(2): as podman. */
static void check_personality(bool no_random)
{
	low(0);
	eq(0, ALLOW);
	eq(0x0008, ALLOW);
	eq(0x20000, ALLOW);
	eq(0x20008, ALLOW);
	eq(0xffffffffU, ALLOW);
	if (no_random)
		eq(0x0040000, ALLOW);
	ret(ERRNO(EPERM));
}

/* chmod(2) and what makes files: no set-user-id, no set-group-id. nosuid holds inside only; on the host such a file in
 * the project would give the user's (root's!) power to whoever runs it. */
static void check_mode(unsigned n)
{
	low(n);
	mask(06000);
	eq(0, ALLOW);
	ret(ERRNO(EPERM));
}

/* open(2): the mode counts only where a file may be made (O_CREAT or O_TMPFILE). */
static void check_open(unsigned flags)
{
	low(flags);
	mask(020000100);
	eq(0, ALLOW);
	check_mode(flags + 1);
}

/* mmap(2), mprotect(2) in helpers: nothing becomes executable. */
static void check_prot(void)
{
	low(2);
	mask(4);
	eq(0, ALLOW);
	ret(ERRNO(EACCES));
}

static void check(uint32_t id)
{
	switch (id) {
	case SECCOMP_CLONE:
		check_clone();
		break;
	case SECCOMP_IOCTL:
		check_ioctl();
		break;
	case SECCOMP_SOCKET:
		check_socket();
		break;
	case SECCOMP_PID0:
		check_pid0();
		break;
	case SECCOMP_PRLIMIT:
		check_prlimit();
		break;
	case SECCOMP_PRIORITY:
		check_who(2);
		break;
	case SECCOMP_IOPRIO:
		check_who(3);
		break;
	case SECCOMP_PERSONALITY:
	case SECCOMP_PERSONALITY_DEBUG:
		check_personality(id == SECCOMP_PERSONALITY_DEBUG);
		break;
	case SECCOMP_MODE1:
	case SECCOMP_MODE2:
		check_mode(id == SECCOMP_MODE1 ? 1 : 2);
		break;
	case SECCOMP_OPEN1:
	case SECCOMP_OPEN2:
		check_open(id == SECCOMP_OPEN1 ? 1 : 2);
		break;
	case SECCOMP_PROT:
		check_prot();
		break;
	default:
		die("no such check", "table");
	}
}

static void set(const char *name, int fallback, uint32_t action)
{
	int nr = seccomp_syscall_resolve_name_arch(scmp_arch, name);

	if (nr == __NR_SCMP_ERROR)
		nr = fallback;
	if (nr == -1)
		die("no such system call", name);
	if (nr < 0)
		return; /* another architecture's */
	if (nr >= NR_MAX)
		die("number too high", name);
	table[nr] = action;
}

struct range {
	uint32_t first, action;
};

/* A binary search over the ranges [a, b); each leaf returns or jumps to its check, whose place is patched later. */
static void tree(const struct range *r, size_t a, size_t b)
{
	size_t mid = a + (b - a) / 2, at, n;

	if (b - a == 1) {
		if (IS_CHECK(r[a].action))
			emit(BPF_JMP | BPF_JA, r[a].action, 0, 0);
		else
			ret(r[a].action);
		return;
	}
	at = emit(BPF_JMP | BPF_JGE | BPF_K, r[mid].first, 0, 0);
	emit(BPF_JMP | BPF_JA, 0, 0, 0);
	tree(r, a, mid);
	n = ncode - at - 2;
	if (n <= 255) { /* near: without the second jump */
		memmove(code + at + 1, code + at + 2, n * sizeof(*code));
		ncode--;
		code[at].jt = (unsigned char)n;
	} else {
		code[at].jf = 1;
		code[at + 1].k = (uint32_t)n;
		/* taken: over the jump's own place */
		code[at].jt = 0;
	}
	tree(r, mid, b);
}

static void append_checks(void)
{
	size_t place[64] = { 0 };
	size_t end = ncode;

	for (size_t i = 0; i < end; i++) {
		uint32_t id;

		if (code[i].code != (BPF_JMP | BPF_JA) || !IS_CHECK(code[i].k))
			continue;
		id = code[i].k & 0xffff;
		if (!place[id]) {
			place[id] = ncode;
			check(id);
		}
		code[i].k = (uint32_t)(place[id] - i - 1);
	}
}

/* What the filter answers for a call with all arguments 0: an interpreter of the instructions used here. */
static uint32_t run(uint32_t arch, uint32_t nr)
{
	uint32_t acc = 0;

	for (size_t pc = 0; pc < ncode; pc++) {
		const struct sock_filter *c = &code[pc];

		switch (c->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			acc = c->k == offsetof(struct seccomp_data, nr) ? nr :
			      c->k == offsetof(struct seccomp_data, arch) ? arch : 0;
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			acc &= c->k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			pc += acc == c->k ? c->jt : c->jf;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			pc += acc >= c->k ? c->jt : c->jf;
			break;
		case BPF_JMP | BPF_JA:
			pc += c->k;
			break;
		case BPF_RET | BPF_K:
			return c->k;
		default:
			die("bad instruction", "self-check");
		}
	}
	die("fell off the end", "self-check");
}

/* The answer of a check for arguments 0: what run() must find. */
static uint32_t check_zero(uint32_t id)
{
	return id == SECCOMP_SOCKET ? ERRNO(EAFNOSUPPORT) : ALLOW;
}

static void self_check(const char *name, uint32_t def)
{
	for (uint32_t nr = 0; nr < NR_MAX; nr++) {
		uint32_t want = IS_CHECK(table[nr]) ? check_zero(table[nr] & 0xffff) : table[nr];

		if (run(audit_arch, nr) != want)
			die("self-check failed", name);
	}
	if (run(audit_arch, 0x40000000U) != def || run(audit_arch, 0xffffffffU) != def ||
	    run(audit_arch ^ 1, 0) != SECCOMP_RET_KILL_PROCESS)
		die("self-check failed", name);
}

static void print_filter(const char *name, uint32_t def)
{
	struct range r[NR_MAX + 1];
	size_t n = 0, at;

	ncode = 0;
	for (uint32_t nr = 0; nr < NR_MAX; nr++)
		if (!n || r[n - 1].action != table[nr])
			r[n++] = (struct range){ nr, table[nr] };
	if (r[n - 1].action != def)
		r[n++] = (struct range){ NR_MAX, def };
	emit(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch), 0, 0);
	at = emit(BPF_JMP | BPF_JEQ | BPF_K, audit_arch, 1, 0);
	ret(SECCOMP_RET_KILL_PROCESS);
	(void)at;
	emit(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr), 0, 0);
	tree(r, 0, n);
	append_checks();
	self_check(name, def);

	printf("static const struct sock_filter filter_%s[] = {\n", name);
	for (size_t i = 0; i < ncode; i++)
		printf("\t{ 0x%02x, %u, %u, 0x%08x },\n", code[i].code, code[i].jt, code[i].jf, code[i].k);
	printf("};\n");
}

static void sandbox(unsigned relax)
{
	char name[32];

	for (size_t i = 0; i < NR_MAX; i++)
		table[i] = ERRNO(ENOSYS);
	for (const struct seccomp_entry *e = seccomp_sandbox_list; e->name; e++) {
		uint32_t action = e->check ? CHECK | (uint32_t)e->check : e->error ? ERRNO(e->error) : ALLOW;

		if (e->relax & relax)
			action = e->relaxed_check ? CHECK | (uint32_t)e->relaxed_check : ALLOW;
		set(e->name, e->nr ? e->nr : -1, action);
	}
	snprintf(name, sizeof(name), "sandbox_%u", relax);
	print_filter(name, ERRNO(ENOSYS));
}

static void helper(const char *name, const char *const *const *lists, bool lenient)
{
	uint32_t def = lenient ? ERRNO(EPERM) : SECCOMP_RET_KILL_PROCESS;

	for (size_t i = 0; i < NR_MAX; i++)
		table[i] = def;
	for (; *lists; lists++)
		for (const char *const *s = *lists; *s; s++)
			set(*s, -1, !lenient && (!strcmp(*s, "mmap") || !strcmp(*s, "mprotect")) ? CHECK | SECCOMP_PROT : ALLOW);
	print_filter(name, def);
}

int main(int argc, char **argv)
{
	bool lenient;

	if (argc != 3)
		die("usage", "seccomp-gen ARCH strict|lenient");
	lenient = !strcmp(argv[2], "lenient");
	if (!strcmp(argv[1], "x86_64")) {
		scmp_arch = SCMP_ARCH_X86_64;
		audit_arch = AUDIT_ARCH_X86_64;
	} else if (!strcmp(argv[1], "aarch64")) {
		scmp_arch = SCMP_ARCH_AARCH64;
		audit_arch = AUDIT_ARCH_AARCH64;
	} else {
		die("no filters for this architecture", argv[1]);
	}
	printf("/* Made by seccomp-gen for %s; see seccomp-list.h. */\n", argv[1]);
	for (unsigned relax = 0; relax <= SECCOMP_RELAX_ALL; relax++)
		sandbox(relax);
	printf("#define SANDBOX(n) { filter_sandbox_##n, sizeof(filter_sandbox_##n) / sizeof(*filter_sandbox_##n) }\n");
	printf("static const struct { const struct sock_filter *code; size_t len; } sandbox_filters[] = {\n");
	for (unsigned relax = 0; relax <= SECCOMP_RELAX_ALL; relax++)
		printf("\tSANDBOX(%u),\n", relax);
	printf("};\n");
	for (const struct seccomp_helper *h = seccomp_helpers; h->name; h++)
		helper(h->name, h->lists, lenient);
	return 0;
}
