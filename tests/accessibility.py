"""What axe-core, the common checker of accessibility, says of a page in the browser."""

from axe_playwright_python.sync_playwright import Axe


def broken_rules(page, within=None):
    """Rules that the page, or what a selector finds on it, breaks as it stands, and where.

    The page's context is one with `bypass_csp`.
    """
    found = Axe().run(page, within).response["violations"]
    return [(rule["id"], node["html"]) for rule in found for node in rule["nodes"]]
