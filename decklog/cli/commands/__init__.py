"""The commands, one module per noun: read the command line, ask the server, show the answer.

Modules here import nothing heavy at their top: the whole tree is imported to print `--help`.
"""
