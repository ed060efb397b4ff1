"""Networks. They know nothing of meshes, files or losses."""
