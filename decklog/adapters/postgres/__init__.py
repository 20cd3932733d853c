"""The ledger in PostgreSQL, by asyncpg: connections, migrations, the append-only store.

Nothing outside this package and the services' own SQL sees asyncpg's exceptions: `failures.translated` is the boundary.
"""
