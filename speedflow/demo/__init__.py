"""The demonstration: all verbs on real clips, and pages that show it."""
