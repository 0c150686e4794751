"""A content security policy for each page: it runs the site's scripts and its own, and loads nothing from outside.

Scripts in the page are allowed one by one, by their hash. Styles in the page are allowed, since figures and MathJax are
full of them; a style runs nothing.
"""

import base64
import hashlib
import re

SCRIPT = re.compile(r"<script\b([^>]*)>(.*?)</script>", re.DOTALL | re.IGNORECASE)
HANDLER = re.compile(r"<[a-z][^<>]*\s(on(?:[a-z]+))\s*=\s*[\"']", re.IGNORECASE)
CHARSET: str = '<meta charset="utf-8" />'


def with_policy(page: str) -> str:
    """`page` with its policy as the second element of its head.

    Raises ValueError where an attribute such as onclick holds code, which no hash allows, or where there is no head.
    """
    handler = HANDLER.search(page)
    if handler:
        raise ValueError(f"code in an attribute, {handler[0][-80:]}...: use addEventListener in a script")
    if CHARSET not in page:
        raise ValueError(f"no {CHARSET} to put the policy after")
    scripts = " ".join(dict.fromkeys(f"'sha256-{_hash(code)}'" for code in _inline(page)))
    rules = {
        "default-src": "'none'",
        "script-src": f"'self' {scripts}".strip(),
        "style-src": "'self' 'unsafe-inline'",
        "img-src": "'self' data:",
        "font-src": "'self'",
        "media-src": "'self' data:",
        "connect-src": "'self'",
        "form-action": "'self'",
        "base-uri": "'none'",
    }
    words = "; ".join(f"{name} {value}" for name, value in rules.items())
    return page.replace(CHARSET, f'{CHARSET}\n<meta http-equiv="Content-Security-Policy" content="{words}" />', 1)


def _inline(page: str) -> list[str]:
    return [
        code
        for attributes, code in SCRIPT.findall(page)
        if "src=" not in attributes and not re.search(r'type="(?!text/javascript|module)', attributes)
    ]


def _hash(code: str) -> str:
    return base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
