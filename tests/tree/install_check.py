"""Installs the library, then builds and runs an outside project against what was installed.

Usage: install_check.py SOURCE BUILD CXX...
Installs into the prefix that BUILD was configured with, which must lie inside BUILD; compiles
outside/main.cc with what `pkg-config --cflags --libs wharf` says, and every installed header too.
"""

import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys

SKIPPED = 77


def run(*command, **options):
    """Runs a command; on failure shows its output and ends the test."""
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False, **options)
    if done.returncode:
        sys.exit(f"failed ({done.returncode}): {shlex.join(map(str, command))}\n{done.stdout}")
    return done.stdout


def build_options(build):
    options = json.loads((build / "meson-info" / "intro-buildoptions.json").read_text())
    return {option["name"]: option["value"] for option in options}


def main():
    source, build = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
    compiler = [word for word in sys.argv[3:] if os.path.basename(word) != "ccache"]
    options = build_options(build)
    prefix = pathlib.Path(options["prefix"])
    if build not in prefix.parents:
        print(f"prefix {prefix} is not inside {build}; configure with --prefix {build}/prefix")
        return SKIPPED

    shutil.rmtree(prefix, ignore_errors=True)
    run("meson", "install", "-C", build, "--no-rebuild", "--quiet")
    environment = dict(os.environ)
    libdir = prefix / options["libdir"]
    environment["PKG_CONFIG_PATH"] = str(libdir / "pkgconfig")
    environment["LD_LIBRARY_PATH"] = str(libdir)
    flags = shlex.split(run("pkg-config", "--cflags", "--libs", "wharf", env=environment))

    work = build / "outside"
    work.mkdir(exist_ok=True)
    main_cc = source / "tests" / "tree" / "outside" / "main.cc"
    run(*compiler, "-std=c++20", "-O1", main_cc, "-o", work / "main", *flags)
    said = run(work / "main", env=environment)
    if said != "ahoy, quay\n":
        sys.exit(f"outside/main.cc printed {said!r}")

    # One source with every header shows that none needs a header that was not installed.
    include = prefix / options["includedir"]
    headers = sorted(file.relative_to(include).as_posix() for file in include.rglob("*.h"))
    every = "".join(f'#include "{header}"\n' for header in headers)
    run(*compiler, "-std=c++20", "-fsyntax-only", "-x", "c++", "-", *flags, input=every)
    print(f"{len(headers)} installed headers compile")
    return 0


if __name__ == "__main__":
    sys.exit(main())
