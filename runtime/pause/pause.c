/*
 * lading-pause: hold a PID namespace for a pod.
 *
 *   lading-pause [--net PATH] [--ipc PATH] [--uts PATH] [--cgroup-procs FILE]... --pin PATH
 *
 * Enters the cgroups and namespaces that are named, makes a new PID and mount namespace with a child in them, pins the
 * PID namespace at PATH by a bind mount, prints the child's process id on stdout and exits. The child is process 1 of
 * the namespace: it sees an empty read-only file system, has no descriptor, no capability and no user of the host, and
 * does nothing but collect zombies until SIGTERM or SIGINT.
 *
 * No C library: the program is 10 KB and takes a few pages, one for each pod that shares its process ids. Pages of
 * section 2 are cited where the reason is not plain.
 */

#include <asm/signal.h>
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/mount.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/unistd.h>
#include <linux/wait.h>

#define NOBODY 65534
#define LINUX_EINTR 4
#define UMOUNT_DETACH 2 /* MNT_DETACH */

static long call(long number, long a, long b, long c, long d, long e)
{
#if defined(__x86_64__)
	long result;
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
			 : "rcx", "r11", "memory");
	return result;
#elif defined(__aarch64__)
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	__asm__ volatile("svc 0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4)
			 : "memory");
	return x0;
#else
#error "pause.c knows x86_64 and aarch64"
#endif
}

#define CALL1(n, a) call(n, (long)(a), 0, 0, 0, 0)
#define CALL2(n, a, b) call(n, (long)(a), (long)(b), 0, 0, 0)
#define CALL3(n, a, b, c) call(n, (long)(a), (long)(b), (long)(c), 0, 0)
#define CALL4(n, a, b, c, d) call(n, (long)(a), (long)(b), (long)(c), (long)(d), 0)
#define CALL5(n, a, b, c, d, e) call(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e))

/* gcc may turn loops into calls of these even with -ffreestanding. */
void *memset(void *to, int value, unsigned long size)
{
	volatile char *byte = to;
	while (size--)
		*byte++ = (char)value;
	return to;
}

static unsigned long length(const char *text)
{
	unsigned long count = 0;
	while (text[count])
		count++;
	return count;
}

static int same(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

static char *write_decimal(char *end, unsigned long value)
{
	do
		*--end = (char)('0' + value % 10);
	while (value /= 10);
	return end;
}

static void say(int descriptor, const char *text)
{
	CALL3(__NR_write, descriptor, text, length(text));
}

/* One line for the daemon's error message: what failed, on what, and errno. */
static void die(const char *what, const char *subject, long result)
{
	char digits[24] = {0};
	say(2, what);
	say(2, " ");
	say(2, subject);
	say(2, ": errno ");
	say(2, write_decimal(digits + sizeof digits - 1, (unsigned long)-result));
	say(2, "\n");
	CALL1(__NR_exit_group, 1);
	__builtin_unreachable();
}

static long open_file(const char *path, int flags, int mode)
{
	return CALL4(__NR_openat, AT_FDCWD, path, flags | O_CLOEXEC, mode);
}

static void enter_cgroup(const char *procs)
{
	long file = open_file(procs, O_WRONLY, 0);
	/* 0 is whoever writes (cgroups(7)). */
	long result = file < 0 ? file : CALL3(__NR_write, file, "0", 1);
	if (result < 0)
		die("enter cgroup", procs, result);
	CALL1(__NR_close, file);
}

static void enter_namespace(const char *path, int kind)
{
	long file = open_file(path, O_RDONLY, 0);
	long result = file < 0 ? file : CALL2(__NR_setns, file, kind);
	if (result < 0)
		die("enter namespace", path, result);
	CALL1(__NR_close, file);
}

/* Like the references' pause: the last to be killed for want of memory. Without CAP_SYS_RESOURCE it stays as it is. */
static void lower_oom_score(void)
{
	long file = open_file("/proc/self/oom_score_adj", O_WRONLY, 0);
	if (file >= 0) {
		CALL3(__NR_write, file, "-998", 4);
		CALL1(__NR_close, file);
	}
}

/* Make an empty read-only tmpfs the root, so that /proc/1/root inside the pod shows nothing of the host. */
static void leave_host_files(void)
{
	const long flags = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;
	long result = CALL5(__NR_mount, "none", "/", 0, MS_REC | MS_PRIVATE, 0);
	if (result >= 0)
		result = CALL5(__NR_mount, "tmpfs", "/proc", "tmpfs", flags, "size=4k,nr_inodes=2,mode=555");
	if (result >= 0)
		result = CALL1(__NR_chdir, "/proc");
	if (result >= 0) /* the same place twice: the old root then lies on top (pivot_root(2)) */
		result = CALL2(__NR_pivot_root, ".", ".");
	if (result >= 0)
		result = CALL2(__NR_umount2, ".", UMOUNT_DETACH);
	if (result >= 0)
		result = CALL1(__NR_chdir, "/");
	if (result < 0)
		die("leave", "the host's files", result);
}

static void drop_power(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};
	long result;

	for (long capability = 0; capability < 64; capability++)
		CALL5(__NR_prctl, PR_CAPBSET_DROP, capability, 0, 0, 0); /* EINVAL ends the known ones */
	CALL5(__NR_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	/* In a user namespace that lacks id 65534 these fail, and root of that namespace is no power outside. */
	CALL2(__NR_setgroups, 0, 0);
	CALL3(__NR_setresgid, NOBODY, NOBODY, NOBODY);
	CALL3(__NR_setresuid, NOBODY, NOBODY, NOBODY);
	result = CALL2(__NR_capset, &header, none);
	if (result >= 0)
		result = CALL5(__NR_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (result < 0)
		die("drop", "capabilities", result);
}

/* Process 1 of the pod. The signals are blocked, so that they are queued although their action is the default one. */
static void hold(const sigset_t *awaited)
{
	for (;;) {
		long number = CALL4(__NR_rt_sigtimedwait, awaited, 0, 0, sizeof *awaited);
		if (number == SIGTERM || number == SIGINT)
			CALL1(__NR_exit_group, 0);
		while (CALL4(__NR_wait4, -1, 0, WNOHANG, 0) > 0)
			;
	}
}

static void child(int ready, int go)
{
	char byte;
	const sigset_t awaited = (1UL << (SIGTERM - 1)) | (1UL << (SIGINT - 1)) | (1UL << (SIGCHLD - 1));

	CALL4(__NR_rt_sigprocmask, SIG_BLOCK, &awaited, 0, sizeof awaited);
	CALL1(__NR_setsid, 0);
	leave_host_files();
	drop_power();
	CALL5(__NR_prctl, PR_SET_NAME, "lading-pause", 0, 0, 0);
	CALL3(__NR_write, ready, "k", 1);
	/* Whatever ends the parent before the pin is there ends this process too: nobody would know it. */
	if (CALL3(__NR_read, go, &byte, 1) != 1)
		CALL1(__NR_exit_group, 1);
	CALL3(__NR_close_range, 0, ~0U, 0);
	hold(&awaited);
}

static void pin_namespace(const char *pin, const char *process)
{
	char path[64] = "/proc/";
	char *end = path + length(path);
	long file, result;

	while (*process)
		*end++ = *process++;
	for (const char *rest = "/ns/pid"; *rest;)
		*end++ = *rest++;
	file = open_file(pin, O_RDONLY | O_CREAT | O_EXCL, 0600);
	if (file < 0)
		die("make", pin, file);
	CALL1(__NR_close, file);
	result = CALL5(__NR_mount, path, pin, 0, MS_BIND, 0);
	if (result < 0) {
		CALL3(__NR_unlinkat, AT_FDCWD, pin, 0);
		die("pin the namespace at", pin, result);
	}
}

static void parent(long process, int ready, int go, const char *pin)
{
	char digits[24] = {0};
	char *number = write_decimal(digits + sizeof digits - 1, (unsigned long)process);
	char byte;
	long got;

	do
		got = CALL3(__NR_read, ready, &byte, 1);
	while (got == -LINUX_EINTR);
	if (got != 1) /* the child has said why */
		CALL1(__NR_exit_group, 1);
	pin_namespace(pin, number);
	CALL3(__NR_write, go, "g", 1);
	say(1, number);
	say(1, "\n");
	CALL1(__NR_exit_group, 0);
}

static void start(const char *pin)
{
	int ready[2], go[2];
	long result = CALL2(__NR_pipe2, ready, O_CLOEXEC);
	if (result >= 0)
		result = CALL2(__NR_pipe2, go, O_CLOEXEC);
	if (result < 0)
		die("make", "a pipe", result);
	/* The same as fork, with namespaces; a null stack means a copy of ours (clone(2)). */
	result = CALL5(__NR_clone, CLONE_NEWPID | CLONE_NEWNS | SIGCHLD, 0, 0, 0, 0);
	if (result < 0)
		die("make", "a PID namespace", result);
	if (result == 0) {
		CALL1(__NR_close, ready[0]);
		CALL1(__NR_close, go[1]);
		child(ready[1], go[0]);
	}
	CALL1(__NR_close, ready[1]);
	CALL1(__NR_close, go[0]);
	parent(result, ready[0], go[1], pin);
}

__attribute__((used, noreturn)) void run(long *stack)
{
	char **argument = (char **)(stack + 2); /* after argc and argv[0] */
	const char *pin = 0;

	for (; argument[0] && argument[1]; argument += 2) {
		if (same(argument[0], "--cgroup-procs"))
			enter_cgroup(argument[1]);
		else if (same(argument[0], "--net"))
			enter_namespace(argument[1], CLONE_NEWNET);
		else if (same(argument[0], "--ipc"))
			enter_namespace(argument[1], CLONE_NEWIPC);
		else if (same(argument[0], "--uts"))
			enter_namespace(argument[1], CLONE_NEWUTS);
		else if (same(argument[0], "--pin"))
			pin = argument[1];
		else
			die("unknown option", argument[0], 0);
	}
	if (!pin || argument[0])
		die("usage: lading-pause [--net|--ipc|--uts|--cgroup-procs PATH]...", "--pin PATH", 0);
	lower_oom_score();
	start(pin);
	__builtin_unreachable();
}

#if defined(__x86_64__)
__asm__(".globl _start\n_start:\n\txor %ebp, %ebp\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall run\n");
#else
__asm__(".globl _start\n_start:\n\tmov x0, sp\n\tbl run\n");
#endif
