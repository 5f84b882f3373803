"""Migrations by Alembic, run by the program itself. `HEAD` is the revision that `tables.py` describes."""

HEAD = "0002"
