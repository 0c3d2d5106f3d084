"""Measures Lading beside containerd in one run: the same image, network, requests and client.

Words: a *contender* is a runtime with its daemon; a *metric* is one named number of every contender;
an *aim* is the ratio to containerd that Lading promises. Never asserts; it prints what was seen.
"""
