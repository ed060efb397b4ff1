"""Physical clocks in a scene: hum, flicker, and the cadence of frames.

Each is a small pure function that speaks only where its clock is there, and
then gives a likelihood over speed that no scene can move.
"""
