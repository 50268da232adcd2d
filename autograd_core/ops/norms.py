"""Norms of vectors and matrices, each with derivative 0 where the norm is 0."""
