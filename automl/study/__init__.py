"""The study as the ledger of a search, and how it is kept."""
