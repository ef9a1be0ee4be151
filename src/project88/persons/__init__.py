"""Persons that last: a registry of ids apart from the clusters that the linkage finds, and how it follows them."""
