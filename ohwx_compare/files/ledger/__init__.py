"""The run ledger: one SQLite file a run folder, with one transaction a cell.

`schema` has the tables and opens the file, `rows` has what stands in them, `writer` holds a folder and fills it, and
`reader` reads one, whole or in part, on any machine and during a run. `measures` has what was measured and voted.
"""
