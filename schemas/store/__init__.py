"""The store: PostgreSQL, the unit of work, the ledger and the migrations."""
