"""Icons as SVG in the page, in place of the theme's script of 1.5 MB that has all of Font Awesome's and draws 15."""

import re
from html import escape

STYLES: dict[str, tuple[str, ...]] = {
    "fas": ("fas", "fa-solid", "fa"),
    "far": ("far", "fa-regular"),
    "fab": ("fab", "fa-brands"),
}
"""Font Awesome's names of its sets of icons -> the classes that ask for them."""

ICON = re.compile(r'<(i|span) class="([^"]*\bfa[a-z-]*\b[^"]*)"([^>]*)>\s*</\1>')


class Icons:
    """The drawings in Font Awesome's script, `script`."""

    def __init__(self, script: str) -> None:
        # A set is written down and then given its name: ... d("fas", p).
        ends = {style: script.find(f'("{style}",', script.find(":[")) for style in STYLES}
        self.sets, start = {}, 0
        for style, end in sorted(ends.items(), key=lambda item: item[1]):
            self.sets[style], start = script[start:end], end

    def drawn(self, page: str) -> str:
        """`page` with each icon as SVG.

        Raises KeyError for an icon that the script does not have.
        """
        return ICON.sub(self._svg, page)

    def _svg(self, found: re.Match) -> str:
        classes = found[2].split()
        style = next((name for name, marks in STYLES.items() if set(marks) & set(classes)), None)
        if style is None:
            return found[0]
        width, height, path = self._find(style, classes)
        attributes = re.sub(r'\s*\btitle="[^"]*"', "", found[3])
        return (
            f'<svg class="{escape(" ".join([*classes, "svg-inline--fa"]))}" viewBox="0 0 {width} {height}" '
            f'aria-hidden="true" focusable="false"{attributes}><path fill="currentColor" d="{path}"></path></svg>'
        )

    def _find(self, style: str, classes: list[str]) -> tuple[str, str, str]:
        for name in (one.removeprefix("fa-") for one in classes if one.startswith("fa-")):
            drawing = re.search(
                rf'[{{,]"?{re.escape(name)}"?:\[(\d+),(\d+),\[[^\]]*\],"[0-9a-f]+","([^"]+)"', self.sets[style]
            )
            if drawing:
                return drawing[1], drawing[2], drawing[3]
        raise KeyError(f"Font Awesome has no icon for {' '.join(classes)}")
