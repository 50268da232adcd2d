"""Laboratories that judge the library: `python -m tools.NAME`, from the root of the checkout."""
