"""What a name means in our SQL: what Postgres itself brings, whatever a role or database was told to look at first.

Tables and functions of ours are named with their schema everywhere. Without this, who may alter a role or a database
could put functions and operators in the way, and have them run with the rights of whoever asks.
"""

SETTINGS = {"search_path": "pg_catalog, pg_temp"}
"""Settings of every connection (`server_settings`)."""
