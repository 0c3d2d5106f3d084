"""The pause program: a tiny static process that holds a pod's PID namespace, and how it is built.

`pause.c` needs no C library. Nothing here runs it; `runtime.host.pause_process` says how it is started.
"""
