"""Rendering: a folder of a commit's tree into Kubernetes objects, in a process that can be killed.

What is rendered was written by others, so it is read in a spawned worker with limits on time, memory, file size and
open files, without a home, a PATH or, where the kernel grants it, a network. `renderer` is the side of the service;
`worker` is the process; `plain` and `kustomize` are what it does. Nothing here knows of clusters or events, and
nothing is remembered between renders: the same tree gives the same objects.
"""
