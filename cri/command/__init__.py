"""The command line, one file per verb. Answers on standard output, everything else on standard error.

Only `serve` and `demo` import grpc; a verb is imported when it is asked for, so that help answers in 60 ms. It never
decides anything that the daemon could: it asks and prints.
"""
