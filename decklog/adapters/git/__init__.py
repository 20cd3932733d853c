"""The Git mirror: git's own CLI talks to the network, libgit2 reads objects.

What belongs here: running git hermetically (its own configuration, no prompts, no hooks, an allow-list of transports,
killed with its whole process group), the bare repository of each source on disk, and the translation of what git says
into `mirror.Unavailable` and `mirror.Unusable`. What does not: what a commit means to the product.
"""
