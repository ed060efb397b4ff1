"""speedflow: see, measure and control the flow of time in video."""

__version__ = "0.1.0"
