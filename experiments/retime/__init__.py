"""Is a retimed video as fast as was asked, and as good as true footage?"""
