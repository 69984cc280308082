"""Compiles every header of the tree alone, with the flags of the library itself.

Usage: headers_check.py ROOT BUILD. The flags come from the compile database in BUILD. Prints the
first error of each header that does not stand alone, and exits with 1 if there is any.
"""

import concurrent.futures
import json
import os
import pathlib
import shlex
import subprocess
import sys

FOLDERS = ("coro", "runtime", "shm", "ipc", "tests", "perf", "docs")
SKIPPED = 77


def library_flags(build):
    """The compiler and the flags of one source of the library, without its input and output."""
    for entry in json.loads((build / "compile_commands.json").read_text()):
        if not entry.get("output", "").startswith("libwharf"):
            continue
        words = shlex.split(entry["command"])
        if os.path.basename(words[0]) == "ccache":
            words = words[1:]
        flags = []
        skip = False
        for word in words:
            if skip:
                skip = False
            elif word in {"-o", "-MF", "-MQ", "-c"}:
                skip = True
            elif word != "-MD":
                flags.append(word)
        return flags
    return None


def compile_alone(flags, build, header):
    """What the compiler says about a file that includes `header` alone."""
    done = subprocess.run(
        [*flags, "-fsyntax-only", "-x", "c++", "-"],
        cwd=build, input=f'#include "wharf/{header}"\n', capture_output=True, text=True,
        check=False)
    return done.stderr if done.returncode else ""


def main():
    root, build = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
    flags = library_flags(build)
    if not flags:
        print("the library has no sources yet")
        return SKIPPED
    headers = [file.relative_to(root).as_posix() for folder in FOLDERS
               for file in sorted((root / folder).rglob("*.h"))]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(lambda header: compile_alone(flags, build, header), headers)
    failed = 0
    for header, errors in zip(headers, results):
        if errors:
            failed += 1
            print(f"{header}:1: does not compile alone")
            print("".join(f"    {line}\n" for line in errors.splitlines()[:6]), end="")
    print(f"{len(headers) - failed} of {len(headers)} headers compile alone")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
