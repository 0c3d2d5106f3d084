"""System calls that a capability opens, calls of single architectures, and calls that are refused by name.

Same sources as `allowed_calls`. A gated call is harmless without its capability in most kernels, and refused all the same:
the filter is there for the kernels in which it is not. Calls that no list names are answered with ENOSYS, not EPERM, as in
CRI-O's profile: a C library then falls back to an older call, where EPERM would end the program.
"""

from collections.abc import Mapping

_GATES = {
    "CAP_DAC_READ_SEARCH": "open_by_handle_at",
    "CAP_SYS_ADMIN": """
        bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie mount mount_setattr move_mount
        open_tree open_tree_attr perf_event_open quotactl quotactl_fd setdomainname sethostname setns syslog umount
        umount2 unshare
    """,
    "CAP_BPF": "bpf",
    "CAP_PERFMON": "perf_event_open",
    "CAP_SYSLOG": "syslog",
    "CAP_SYS_BOOT": "reboot",
    "CAP_SYS_CHROOT": "chroot",
    "CAP_SYS_MODULE": "delete_module init_module finit_module",
    "CAP_SYS_NICE": "get_mempolicy mbind set_mempolicy set_mempolicy_home_node",
    "CAP_SYS_PACCT": "acct",
    "CAP_SYS_PTRACE": "kcmp pidfd_getfd process_madvise",
    "CAP_SYS_RAWIO": "iopl ioperm",
    "CAP_SYS_TIME": "settimeofday stime clock_settime clock_settime64",
    "CAP_SYS_TTY_CONFIG": "vhangup",
}

GATED: Mapping[str, tuple[str, ...]] = {
    gate: tuple(calls.split()) for gate, calls in _GATES.items()
}
"""Capability -> calls that it opens. One capability of several is enough."""

_BY_ARCHITECTURE = {
    "SCMP_ARCH_X86_64": "arch_prctl modify_ldt",
    "SCMP_ARCH_X86": "modify_ldt",
    "SCMP_ARCH_X32": "arch_prctl modify_ldt",
    "SCMP_ARCH_ARM": "arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls",
    "SCMP_ARCH_AARCH64": "arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls",
    "SCMP_ARCH_PPC64LE": "sync_file_range2 swapcontext",
    "SCMP_ARCH_S390X": "s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr",
    "SCMP_ARCH_RISCV64": "riscv_flush_icache riscv_hwprobe",
}

OF_ARCHITECTURE: Mapping[str, tuple[str, ...]] = {
    architecture: tuple(calls.split()) for architecture, calls in _BY_ARCHITECTURE.items()
}
"""Architecture -> further calls that its programs may make."""

REFUSED: tuple[str, ...] = tuple(
    """
    _sysctl add_key afs_syscall bdflush break create_module ftime get_kernel_syms getpmsg gtty idle
    io_uring_enter io_uring_register io_uring_setup kexec_file_load kexec_load keyctl lock migrate_pages move_pages mpx
    nfsservctl nice oldfstat oldlstat oldolduname oldstat olduname pciconfig_iobase pciconfig_read pciconfig_write
    pivot_root prof profil putpmsg query_module request_key security sgetmask socketcall ssetmask
    stty swapoff swapon sysfs tuxcall ulimit uselib userfaultfd ustat vm86 vm86old vserver
    """.split()
)
"""Calls that exist and are answered with EPERM whatever the capabilities are. socketcall hides the address family from the
filter (security rule D8)."""
