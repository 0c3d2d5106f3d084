"""The registry's protocol without the network: challenges, errors, ranges, retries and mirror rules.

Pure: header values, bodies and clock readings in, decisions out. It opens no file and no socket, and never sees a
secret that it could print.
"""
