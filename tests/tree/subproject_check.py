"""Builds and runs outside/main.cc in a project that has wharf as a Meson subproject.

Usage: subproject_check.py SOURCE WORK CXX...
WORK is a folder for the project; what it holds is replaced.
"""

import os
import pathlib
import shutil
import subprocess
import sys

MESON_BUILD = """\
project('outside', 'cpp', default_options: ['cpp_std=c++20'])
executable('outside', 'main.cc', dependencies: dependency('wharf', fallback: 'wharf'))
"""


def run(*command, **options):
    """Runs a command; on failure shows its output and ends the test."""
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False, **options)
    if done.returncode:
        sys.exit(f"failed ({done.returncode}): {' '.join(map(str, command))}\n{done.stdout}")
    return done.stdout


def main():
    source, work = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
    shutil.rmtree(work, ignore_errors=True)
    (work / "subprojects").mkdir(parents=True)
    (work / "subprojects" / "wharf").symlink_to(source)
    (work / "meson.build").write_text(MESON_BUILD)
    shutil.copy(source / "tests" / "tree" / "outside" / "main.cc", work)

    # The quickest build will do: the sources are compiled for good elsewhere.
    environment = dict(os.environ, CXX=" ".join(sys.argv[3:]))
    run("meson", "setup", work / "build", work, "-Dbuildtype=plain",
        "--force-fallback-for=wharf", env=environment)
    run("ninja", "-C", work / "build", env=environment)
    built = sorted(file.name for file in (work / "build").rglob("*_test"))
    if built:
        sys.exit(f"a subproject built its tests: {built}")
    print(run(work / "build" / "outside"), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
