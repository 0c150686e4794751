"""A circuit of one's own: Verilog or SystemVerilog, RTL or gates, to a placed and routed netlist in a file.

The steps are those of the circuits that ship (`gsrgnn.circuits.synthesis`); the files and the top module are all there
is to choose. Of a netlist of gates, the file with the gates' modules belongs to the files: it is mapped to our library
all the same.

The files may be untrusted: Yosys reads them as WebAssembly and sees their folders, what lies in these, and nothing
else. An `include` of a file elsewhere is a file that does not exist; `initial` blocks, `$readmemh` and `$system` are
left out; nothing is executed.
"""

import hashlib
import os
import re
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from gsrgnn.circuits import netlist_file, synthesis
from gsrgnn.circuits.synthesis import Recipe

ENDINGS = (".v", ".sv")
_COMMENTS = re.compile(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"", re.DOTALL)
_MODULE = re.compile(r"\b(?:module|macromodule)\s+(?:(?:automatic|static)\s+)?([A-Za-z_][A-Za-z0-9_$]*)")


def build(
    sources: Sequence[str | os.PathLike[str]],
    top: str | None,
    output: str | os.PathLike[str],
    *,
    say: Callable[[str], object] = print,
) -> Path:
    """Synthesises the files `sources`, places and routes the module `top`, and writes the `.npz` file `output`.

    top: may be None where there is one module. say: called with a line of text at every step. The path of the file,
    which `gsrgnn.circuits.load` takes.

    ValueError says which modules there are where `top` is none of them, or names a file that cannot be one of these;
    FileNotFoundError names one that is missing; RuntimeError holds what Yosys said, with file and line;
    ModuleNotFoundError says what to install.
    """
    files = [_checked(Path(source)) for source in sources]
    if not files:
        raise ValueError("no Verilog files: name one or more")
    known = modules(files)
    top = _top(files, known, top)
    folders = list(dict.fromkeys(file.resolve().parent for file in files))
    mounted = {f"rtl{i}": folder for i, folder in enumerate(folders)}
    names = [f"/rtl{folders.index(file.resolve().parent)}/{file.name}" for file in files]
    recipe = Recipe(package="", upstream="", licence="", top=top, sources=tuple(names), wrappers=())
    with tempfile.TemporaryDirectory() as temporary:
        say(f"{top}: {len(files)} file{'s' * (len(files) > 1)}, Yosys {synthesis.yosys_version()}")
        try:
            seconds = synthesis.run_yosys(synthesis.script(recipe), Path(temporary), mounted)
        except RuntimeError as error:
            words = _with_folders(f"Yosys failed on {top}: {error}".rstrip(), folders)
            raise RuntimeError(words if top in known else f"{words}\n{_listed(known)}") from error
        say(f"synthesised in {seconds:.0f} s")
        mapped = synthesis.mapped_netlist(Path(temporary) / "netlist.json")
    netlist, maps = synthesis.laid_out(top, *mapped, say)
    about = {
        "top": top,
        "sources": {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files},
        "yosys": synthesis.yosys_version(),
        "script_sha256": synthesis.script_sha256(recipe),
    }
    output = Path(output)
    output.parent.mkdir(parents=True, exist_ok=True)
    netlist_file.write(output, netlist, maps, about)
    say(f"written: {output}, {netlist.num_cells:,} cells, {len(netlist.cell):,} pins")
    return output


def modules(files: Sequence[Path]) -> list[str]:
    """Names of the modules that the text of the files defines; those of macros and included files are not seen."""
    texts = (_COMMENTS.sub(" ", file.read_text(encoding="utf-8", errors="replace")) for file in files)
    return list(dict.fromkeys(name for text in texts for name in _MODULE.findall(text)))


def _checked(file):
    if file.suffix.lower() not in ENDINGS:
        raise ValueError(f"{file} is no Verilog: files end in {' or '.join(ENDINGS)}")
    if not file.is_file():
        raise FileNotFoundError(f"no file {file}")
    if not re.fullmatch(r"[A-Za-z0-9_.+-]+", file.name):
        raise ValueError(f"{file}: give it a name of letters, digits and _ . + - alone, which a script of Yosys takes")
    return file


def _top(files, known, top):
    if top is None:
        if len(known) == 1:
            return known[0]
        raise ValueError(f"which module is the top? {_listed(known)}: name it with --top")
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_$]*", top) or (top not in known and not _has_macros(files)):
        raise ValueError(f"no module {top[:100]!r}: {_listed(known)}")
    return top


def _listed(known):
    if not known:
        return "the files define none"
    return f"there are {', '.join(known[:20])}{', ...' * (len(known) > 20)}"


def _has_macros(files):
    """Whether there are macros or included files, which may define modules that `modules` does not see."""
    return any("`" in file.read_text(encoding="utf-8", errors="replace") for file in files)


def _with_folders(words, folders):
    """Yosys's words with the files named as they are named here."""
    return re.sub(
        r"\brtl(\d+)/", lambda found: f"{folders[int(found[1])]}/" if int(found[1]) < len(folders) else found[0], words
    )
