"""The six promises of DESIGN section 2: tests that hold them, and breaks that each of those tests must notice."""
