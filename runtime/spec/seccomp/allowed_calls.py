"""System calls that every container may make, by what they are for.

The facts - which calls are harmless to the host - are those of docker's public default profile ("Seccomp security
profiles for Docker", documentation of Docker Engine; moby's default profile of 2025), checked against syscalls(2) and the
kernel's syscall tables to 6.18. The arrangement is ours. io_uring is absent, as in docker since version 25; so are
keyrings, userfaultfd and everything that `gated_calls` and `refused_calls` name.
"""

_FILE_CONTENT = """
read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 lseek _llseek close close_range dup dup2 dup3
open openat openat2 creat truncate truncate64 ftruncate ftruncate64 fallocate copy_file_range sendfile sendfile64
splice tee vmsplice readahead fadvise64 fadvise64_64 sync syncfs fsync fdatasync sync_file_range cachestat
"""
_FILE_NAMES_AND_STATE = """
access faccessat faccessat2 chdir fchdir getcwd chmod fchmod fchmodat fchmodat2 chown chown32 fchown fchown32 fchownat
lchown lchown32 stat stat64 fstat fstat64 fstatat64 newfstatat lstat lstat64 statx statfs statfs64 fstatfs fstatfs64
statmount listmount getdents getdents64 link linkat symlink symlinkat unlink unlinkat rename renameat renameat2 readlink
readlinkat mkdir mkdirat rmdir mknod mknodat umask utime utimes utimensat utimensat_time64 futimesat name_to_handle_at
fcntl fcntl64 flock ioctl getxattr lgetxattr fgetxattr getxattrat setxattr lsetxattr fsetxattr setxattrat listxattr
llistxattr flistxattr listxattrat removexattr lremovexattr fremovexattr removexattrat file_getattr file_setattr
"""
_WAITING_FOR_FILES = """
select _newselect pselect6 pselect6_time64 poll ppoll ppoll_time64 epoll_create epoll_create1 epoll_ctl epoll_ctl_old
epoll_wait epoll_wait_old epoll_pwait epoll_pwait2 eventfd eventfd2 inotify_init inotify_init1 inotify_add_watch
inotify_rm_watch fanotify_mark pipe pipe2 io_setup io_destroy io_submit io_cancel io_getevents io_pgetevents
io_pgetevents_time64
"""
_MEMORY = """
brk mmap mmap2 munmap mremap mprotect madvise mincore msync mlock mlock2 mlockall munlock munlockall mseal membarrier
memfd_create memfd_secret pkey_alloc pkey_free pkey_mprotect remap_file_pages map_shadow_stack process_mrelease
"""
_PROCESSES = """
execve execveat exit exit_group fork vfork wait4 waitid waitpid getpid getppid gettid getpgid getpgrp setpgid getsid
setsid pidfd_open pidfd_send_signal prctl getrusage getrlimit setrlimit prlimit64 ugetrlimit getpriority setpriority
ioprio_get ioprio_set capget capset seccomp rseq set_tid_address set_thread_area get_thread_area set_robust_list
get_robust_list sched_yield sched_getaffinity sched_setaffinity sched_getattr sched_setattr sched_getparam
sched_setparam sched_getscheduler sched_setscheduler sched_get_priority_max sched_get_priority_min
sched_rr_get_interval sched_rr_get_interval_time64 getcpu uretprobe uprobe
"""
_TRACING_OF_OWN_CHILDREN = """
ptrace process_vm_readv process_vm_writev
"""
_USERS = """
getuid getuid32 geteuid geteuid32 getgid getgid32 getegid getegid32 getresuid getresuid32 getresgid getresgid32
getgroups getgroups32 setuid setuid32 setgid setgid32 setreuid setreuid32 setregid setregid32 setresuid setresuid32
setresgid setresgid32 setfsuid setfsuid32 setfsgid setfsgid32 setgroups setgroups32 landlock_create_ruleset
landlock_add_rule landlock_restrict_self lsm_get_self_attr lsm_set_self_attr lsm_list_modules
"""
_SIGNALS = """
kill tkill tgkill pause sigreturn rt_sigreturn sigprocmask rt_sigprocmask rt_sigaction rt_sigpending rt_sigsuspend
rt_sigqueueinfo rt_tgsigqueueinfo rt_sigtimedwait rt_sigtimedwait_time64 sigaltstack signalfd signalfd4
restart_syscall
"""
_TIME = """
time times gettimeofday clock_gettime clock_gettime64 clock_getres clock_getres_time64 clock_nanosleep
clock_nanosleep_time64 clock_adjtime clock_adjtime64 adjtimex nanosleep alarm getitimer setitimer timer_create
timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd_create
timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64
"""
_SYNCHRONISATION_AND_IPC = """
futex futex_time64 futex_wait futex_wake futex_waitv futex_requeue ipc msgctl msgget msgrcv msgsnd semctl semget semop
semtimedop semtimedop_time64 shmat shmctl shmdt shmget mq_open mq_unlink mq_notify mq_getsetattr mq_timedreceive
mq_timedreceive_time64 mq_timedsend mq_timedsend_time64
"""
_NETWORK = """
socketpair bind connect listen accept accept4 shutdown getsockname getpeername getsockopt setsockopt send sendto sendmsg
sendmmsg recv recvfrom recvmsg recvmmsg recvmmsg_time64
"""
_SYSTEM = """
uname sysinfo getrandom
"""

ALWAYS_ALLOWED: tuple[str, ...] = tuple(
    sorted(
        {
            name
            for group in (
                _FILE_CONTENT,
                _FILE_NAMES_AND_STATE,
                _WAITING_FOR_FILES,
                _MEMORY,
                _PROCESSES,
                _TRACING_OF_OWN_CHILDREN,
                _USERS,
                _SIGNALS,
                _TIME,
                _SYNCHRONISATION_AND_IPC,
                _NETWORK,
                _SYSTEM,
            )
            for name in group.split()
        }
    )
)
"""`socket`, `clone` and `personality` are allowed by argument: see `default_profile`."""
