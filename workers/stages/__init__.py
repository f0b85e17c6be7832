"""What a worker does for each kind of work unit: one module per kind, with ``run(unit, lease)``.

Each reads its rows, does the machine work, and commits results and completion in one transaction.
"""
