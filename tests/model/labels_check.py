"""Checks docs/models.md against the code and the models: each row's labels and functions are where it says.

Usage: labels_check.py ROOT. Prints one line for each that is not, and exits with 1 if there are any.
"""

import pathlib
import re
import sys

FILE = re.compile(r"`([a-z_/]+\.(?:h|cc))`")
FUNCTION = re.compile(r"`([A-Z]\w+)::(\w+)`")
LABEL = re.compile(r"^[A-Z]\d$")


def problems_of_row(root, model, label, model_text, code):
    """What is wrong with one row of a table of steps."""
    files = [root / name for name in FILE.findall(code)]
    for file in files:
        if not file.is_file():
            yield f"{file.relative_to(root)} does not exist"
    texts = [file.read_text() for file in files if file.is_file()]
    for owner, name in FUNCTION.findall(code):
        # Defined in a header's class, or out of line.
        inside = re.compile(rf"class {owner}\b.*\b{name}\(", re.S)
        if not any(f"{owner}::{name}(" in text or inside.search(text) for text in texts):
            yield f"{owner}::{name} is in none of its files"
    if LABEL.match(label):
        named = re.compile(rf"\b{label}\b")
        if not named.search(model_text):
            yield f"{label} is not in {model}"
        if not any(named.search(text) for text in texts):
            yield f"{label} is in no comment of {', '.join(FILE.findall(code))}"


def check(root):
    model, model_text = None, ""
    rows = 0
    for number, line in enumerate((root / "docs/models.md").read_text().splitlines(), 1):
        heading = re.match(r"## .*: (\w+\.pml)$", line)
        if heading:
            model = heading[1]
            model_text = (root / "tests/model" / model).read_text()
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if model is None or not line.startswith("|") or len(cells) != 3 or cells[0] in {"step", "---"}:
            continue
        rows += 1
        for problem in problems_of_row(root, model, *cells[:1], model_text, cells[2]):
            yield f"docs/models.md:{number}: {problem}"
    if rows < 10:
        yield "docs/models.md: its tables were not found"


def main():
    problems = list(check(pathlib.Path(sys.argv[1]).resolve()))
    print("\n".join(problems) or "every step is where docs/models.md says")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
