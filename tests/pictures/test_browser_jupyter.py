"""A saved notebook in a real JupyterLab: trusted it is alive, not trusted it shows the image and leaks nothing."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request

import numpy as np
import pytest

import autograd_core as ag

pytestmark = pytest.mark.jupyter


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """Start a JupyterLab with a home of its own on this machine; return its address and folder."""
    pytest.importorskip("jupyterlab", reason="needs JupyterLab, of the dependency group notebooks")
    home = tmp_path_factory.mktemp("lab")
    folder = home / "notebooks"
    folder.mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    places = {f"JUPYTER_{kind}_DIR": str(home / kind.lower()) for kind in ("CONFIG", "DATA", "RUNTIME")}
    environment = {**os.environ, **places, "HOME": str(home), "JUPYTERLAB_SETTINGS_DIR": str(home / "settings")}
    environment |= {"JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces")}
    # No kernels, no news: only what a reader of a saved notebook needs.
    options = ["--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}", f"--ServerApp.root_dir={folder}"]
    options += ["--IdentityProvider.token=", "--ServerApp.password=", "--LabApp.news_url=None"]
    with open(home / "log", "w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options], env=environment, stdout=log, stderr=log
        )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(150):
            try:
                urllib.request.urlopen(f"{address}/api", timeout=2).close()
                break
            except OSError:
                assert server.poll() is None, (home / "log").read_text()
                time.sleep(0.2)
        yield address, folder, environment
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def notebook(html, source):
    """Return a notebook of two cells with the same picture as their output."""
    bundle = {"text/html": html, "text/plain": "a tree of text"}
    output = {"output_type": "execute_result", "execution_count": 1, "metadata": {}, "data": bundle}
    cell = {"cell_type": "code", "execution_count": 1, "metadata": {}, "source": source, "outputs": [output]}
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}  # or it asks which
    return {
        "cells": [cell | {"id": "one"}, cell | {"id": "two"}],
        "metadata": kernel,
        "nbformat": 4,
        "nbformat_minor": 5,
    }


FIGURES = """() => [...document.querySelectorAll(".ag-picture")].map(host => ({
  alive: Boolean(host.shadowRoot), ready: host.dataset.ready, text: host.innerText.trim(),
  image: host.querySelector("img").naturalWidth, scripts: host.querySelectorAll("script, style").length,
}))"""


def test_trusted_and_not(visit, lab):
    address, folder, environment = lab
    picture = ag.draw(np.sum(np.tanh(ag.Tensor([1.0, 2.0], name="x")) ** 2))
    html = picture._repr_mimebundle_()["text/html"]
    if not picture.to_dict()["views"]:
        pytest.skip("needs a layout engine: Graphviz's dot, or pygraphviz")
    for name in ("trusted", "stranger"):  # a signature is of the content: it must not be the same
        (folder / f"{name}.ipynb").write_text(json.dumps(notebook(html, f"# {name}")))
    trust = [sys.executable, "-m", "jupyter", "trust", str(folder / "trusted.ipynb")]
    subprocess.run(trust, env=environment, check=True, capture_output=True)
    for name, alive in (("trusted", True), ("stranger", False)):
        page = visit.page(local=True)
        page.goto(f"{address}/doc/tree/{name}.ipynb")
        page.locator(".ag-picture").nth(1).wait_for(timeout=60_000)
        page.wait_for_function("document.querySelectorAll('.ag-picture img')[1].naturalWidth > 0")
        figures = page.evaluate(FIGURES)
        assert [figure["alive"] for figure in figures] == [alive, alive], figures
        assert all(figure["text"] == "" and figure["image"] > 100 for figure in figures)
        if alive:
            hosts = page.locator(".ag-picture")
            hosts.nth(1).locator(".next").click()
            page.keyboard.press("ArrowRight")
            page.keyboard.press("ArrowDown")  # JupyterLab would select the next cell
            assert [hosts.nth(i).get_attribute("data-step") for i in range(2)] == ["whole", "2"]
            assert page.locator(".jp-Cell.jp-mod-active").count() <= 1
        else:
            assert figures[0]["scripts"] == 0
