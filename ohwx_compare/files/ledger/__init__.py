"""The run ledger: one SQLite file a run folder, with one transaction a cell.

`schema` has the tables, `rows` has what stands in them, `journal` and `own` say whether SQLite may be let near a file
and whether it is ours, `access` opens it to be read and `adopt` takes over one that was made elsewhere. `writer` holds
a folder and fills it, and `reader` reads one, whole or in part, on any machine and during a run. `measures` has what
was measured and voted, `marks` what a person thinks of the pictures.
"""
