"""Decklog: GitOps with a memory that stands up in court. The shared kernel, the client and the command line."""
