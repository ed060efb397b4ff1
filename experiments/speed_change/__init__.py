"""See where speed changes: one shot, two speeds, and the moment between."""
