"""The client of Decklog's API: what the command line uses, and what a script may import.

Settings and token (`settings`), one connection (`server`) that turns whatever goes wrong into a `failures` value with a
way out, the shape of every answer (`answers`), one function per endpoint (`api`), and the live stream (`sse` parses it,
`follow` keeps it alive). No printing, no terminal, no exit codes: those are the command line's.
"""
