"""The code in README.md is the program that install_check.py builds and runs, letter by letter.

Usage: readme_check.py SOURCE
"""

import pathlib
import re
import sys


def main():
    source = pathlib.Path(sys.argv[1])
    blocks = re.findall(r"```cpp\n(.*?)```", (source / "README.md").read_text(), re.DOTALL)
    program = (source / "tests" / "tree" / "outside" / "main.cc").read_text()
    if program not in blocks:
        sys.exit("README.md: no ```cpp block is the same as tests/tree/outside/main.cc")


if __name__ == "__main__":
    main()
