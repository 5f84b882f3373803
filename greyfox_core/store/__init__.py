"""The database: one file, one writer, one history of migrations."""
