"""What survives the daemon: the state database, the operation journal and the directories of a pod.

Writes are transactions; an intent is stored before its effect. It starts nothing and mounts nothing.
"""
