"""The examples of docs/nn.md run, each in the order in which they stand; in a checkout, where the page is."""

import doctest
from pathlib import Path

import numpy as np
import pytest

PAGE = Path(__file__).parents[2] / "docs" / "nn.md"


@pytest.mark.skipif(not PAGE.exists(), reason="the documents are in the checkout only")
def test_the_page_about_networks():
    with np.printoptions():  # the page may set its own
        found = doctest.testfile(str(PAGE), module_relative=False, encoding="utf-8")
    assert found.attempted > 20
    assert not found.failed
