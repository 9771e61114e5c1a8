"""Killing the router, and failing what it calls."""
