"""What is known of a pod sandbox or container: frozen values and their state tables.

Pure: no I/O and no clock. Configs mirror the CRI request, records add what this node decided. Everything here
can be stored as JSON and read back equal.
"""
