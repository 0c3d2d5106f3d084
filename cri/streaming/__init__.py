"""The streaming server: the URLs that Exec, Attach and PortForward answer with, and the sessions behind them.

A *link* is one client's connection, a *stream* one of the byte streams on it (stdin, a forwarded port), a *session* what
happens between streams and pod, a *token* the right to begin one session once. One session code serves every protocol.
It never decides who may connect: whoever holds a token may use it, so the server listens on loopback.
"""
