"""What is a video file, and what does it declare of its capture?"""
