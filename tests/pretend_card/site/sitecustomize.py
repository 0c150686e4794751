"""Python imports this module when it starts, wherever the folder is on its path."""

import os

if os.environ.get("PRETEND_CARD"):
    import pretend_card

    pretend_card.install()
