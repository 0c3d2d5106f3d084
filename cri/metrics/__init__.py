"""What this node tells Prometheus: instruments that others move, and gauges that are read when asked.

Promise: nothing here is labelled by pod, container, image or id, so a node stays below 2,000 series whatever runs on
it; every label has a short list of values. Taking note of something never waits and never raises.
"""
