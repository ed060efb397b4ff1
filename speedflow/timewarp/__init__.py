"""The physics of speed: resampling in time, exposure, labels, augmentation.

NumPy, OpenCV and PyAV only, so that spawned data workers stay light.
"""
