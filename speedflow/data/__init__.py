"""Video as records, and records as training batches.

The way of the data: `catalogue` and `published` list clips, `shots` cuts them
into records of `schema`, `build` writes these to files of `records` on any
number of machines, and `pipeline` makes batches of them. `procedural` makes
records of a world of its own.
"""
