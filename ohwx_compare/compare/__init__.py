"""The comparison: a plan, its cells, the face pass, the ledger filled, the sheet and the page."""
