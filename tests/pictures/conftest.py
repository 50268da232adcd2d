"""A headless Chromium for tests that look at pages as a reader would; they are skipped where there is none."""

import os
import shutil

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def chromium():
    """Return the path of a Chromium, or None."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


@pytest.fixture(scope="module")
def browser():
    """Start a browser; it is one module's, since while it runs no other event loop can."""
    driver = pytest.importorskip("playwright.sync_api", reason="needs playwright, of the dependency group browser")
    if chromium() is None:
        pytest.skip("needs Chromium: apt-get install chromium, or CHROMIUM=/path/of/it")
    with driver.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def visitor(browser):
    """Return a visitor for the tests of a module; a page of its own for each would take half of their time."""
    return Visitor(browser)


class Visitor:
    """Opens pages, and remembers whatever they should not have done."""

    def __init__(self, browser):
        self.browser, self.faults, self.usual, self.folder = browser, [], None, None

    def page(self, local=False, **options):
        """Return a new page that is watched; `local` lets it talk to this machine, as a notebook server's page must."""
        options = {"viewport": {"width": 1300, "height": 900}, "reduced_motion": "reduce"} | options
        page = self.browser.new_context(**options).new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda message: None if local else self.faults.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        page.on("dialog", lambda dialog: (self.faults.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: self.asked(request.url, local))
        return page

    def asked(self, url, local):
        """Note what is asked of a network."""
        if not url.startswith(("file:", "data:", "about:", "blob:", *["http://127.0.0.1:"] * local)):
            self.faults.append(f"request: {url}")

    def open(self, html, **options):
        """Save a page as a user would, and open the file: in the usual window, or with options in one of its own."""
        path = self.folder / "page.html"
        path.write_text(html, "utf-8")
        self.usual = self.usual or self.page()
        page = self.page(**options) if options else self.usual
        page.goto(path.as_uri())
        if options.get("java_script_enabled", True):
            page.wait_for_function("[...document.querySelectorAll('[data-ag-picture]')].every(host => host.shadowRoot)")
        return page


@pytest.fixture
def visit(visitor, tmp_path):
    """Open saved pages; after the test none of them may have complained, or asked a network for anything."""
    visitor.faults.clear()
    visitor.folder = tmp_path
    yield visitor
    assert visitor.faults == []
