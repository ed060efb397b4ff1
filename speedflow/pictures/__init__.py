"""Decoded frames in the form of the networks' inputs."""
