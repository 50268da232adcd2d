"""The pages' examples are run as doctests; the programs beside them are no tests."""

collect_ignore_glob = ["*.py"]
