"""The demo: a fleet repository and an infrastructure repository, made with Git in the state folder.

`fleet` and `infrastructure` beside this file are what they hold first; `${name}` is filled in when they are made.
"""
