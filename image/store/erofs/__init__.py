"""Show a stored tar as a filesystem: a small EROFS index that points into the tar, which is never rewritten.

Words: a *node* is one file of the layer, however many names it has; the *index* is an EROFS image whose metadata is its
own and whose file data lies in the tar, its extra device; a *chunk* is a run of file data. The code here writes such
indexes and reads none: only the kernel does, and only what was written here (security rule A4). Format: kernel
documentation, filesystems/erofs; fs/erofs/erofs_fs.h. What cannot be expressed is `Unsupported`, never guessed.
"""
