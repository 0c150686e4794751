"""The side by side: a training step of GSR-GNN and of every baseline, in time and memory, as one record.

A record is a dict, written as JSON: `side_by_side.run` makes it, `record.read` checks it, `report.table` shows it.
Import the part that is needed: what an experiment measured then stays valid when a table is shown otherwise.
"""
