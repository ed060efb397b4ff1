"""Are cuts, dissolves and fades found, and nothing else taken for them?"""
