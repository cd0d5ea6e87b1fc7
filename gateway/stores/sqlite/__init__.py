"""The embedded stores: SQLite through apsw, one file for the registry and one for the ledger."""
