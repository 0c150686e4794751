"""A chapter's button that opens its notebook in a service where it can be run.

The services open files of a repository on GitHub, which has sources and no notebooks: these are on a branch of their
own, `BRANCH`, where .github/workflows/pages.yml puts what the site offers for download.
"""

from typing import Any

BRANCH: str = "notebooks"
"""It holds chapters/NAME.ipynb."""

BUTTONS: dict[str, dict[str, str]] = {
    "colab": {"colab_url": "https://colab.research.google.com"},
    "binder": {"binderhub_url": "https://mybinder.org", "notebook_interface": "jupyterlab"},
}


def options(launch: str) -> dict[str, Any]:
    """The theme's options for a service of `address.LAUNCHERS`."""
    return {"launch_buttons": BUTTONS[launch], "repository_branch": BRANCH}
