"""Keeping: journal, Parquet, catalog; disk only, no network."""
