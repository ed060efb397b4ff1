"""Image-to-video at a wanted speed."""
