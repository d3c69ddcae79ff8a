#!/usr/bin/python3
"""The browser image, proven from outside: boots a build's outputs, opens the player in a headless Chromium beside the
machine, and looks at what arrives.

    sudo python3 Tests/Demo/demo.py out/browser [--out out/demo] [--accelerator kvm]

Everything runs in network, process and mount namespaces of its own, which end with this program, also when it is killed:
no tap device and no process is left. In --out are console.log, screenshot.png, metrics.txt and demo.json, which has what was
seen. Exit status: 0 it streams, 1 it does not, 2 it could not be tried.
"""
import argparse
import base64
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

sys.dont_write_bytecode = True
from chromium import Chromium
from machine import GUEST, Machine, make_network, run

NOBODY = 65534
SERVER = f"http://{GUEST}:8080"
# How far a channel may be off: the page's colour goes through BT.601 at a low bit rate and back.
TOLERANCE = 10
# In seconds; an emulated machine on a busy host is slow, and nothing is tried twice.
READY, PICTURE, COUNTED = 1200, 900, 300


class Shortcoming(Exception):
    """What was to be seen and was not."""


def fetch(path):
    """Status and body; None and the reason where nobody answers."""
    try:
        # No proxy is between this and the machine.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(SERVER + path, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError as error:
        return None, str(error)


def wait(what, seconds, machine, look):
    """Asks `look` once a second for (done, what is there) until it is done."""
    deadline = time.monotonic() + seconds
    while True:
        done, found = look()
        if done:
            return found
        death = machine.death()
        if death or time.monotonic() > deadline:
            raise Shortcoming(f"{what}: {death or f'not within {seconds} s'}; last seen: {found}")
        time.sleep(1)


def color(text):
    return tuple(int(text[index:index + 2], 16) for index in (0, 2, 4))


def holds(picture, wanted):
    """The verdict on one picture."""
    return bool(picture["width"] > 0 and picture["color"]
                and all(abs(a - b) <= TOLERANCE for a, b in zip(picture["color"], wanted)))


def readiness():
    status, body = fetch("/readyz")
    # Not before the page in the machine drew: until then the display is black.
    return status == 200 and json.loads(body)["pageAge"] is not None, body.strip()


def sessions():
    status, body = fetch("/metrics")
    lines = [line for line in body.splitlines() if line.startswith("webrtc_sessions{")]
    return status == 200 and len(lines) == 2 and all(line.endswith(" 0") for line in lines), lines or body


def see(browser, machine, options, report):
    """Looks at the stream; every demand in turn."""
    wanted, wrong = color(options.color), color(options.wrong)
    browser.evaluate("document.body.dataset.state = 'none'")
    empty = browser.picture()
    if holds(empty, wanted):
        raise Shortcoming(f"a page without a stream passes: {empty}")
    began = time.monotonic()
    browser.open(SERVER + "/")
    first = wait("the picture", PICTURE, machine, lambda: (lambda seen: (holds(seen, wanted), seen))(browser.picture()))
    report["pictureAfter"] = round(time.monotonic() - began, 1)
    later = wait(
        "a picture that moves on", PICTURE, machine,
        lambda: (lambda seen: (seen["time"] >= first["time"] + 3, seen))(browser.picture()))
    report["pictures"] = [first, later]
    if not holds(later, wanted):
        raise Shortcoming(f"the colour did not stay #{options.color}: {later}")
    wait("the player says that it is live", PICTURE, machine, lambda: (browser.picture()["state"] == "live", browser.picture()))
    if holds(later, wrong):
        raise Shortcoming(f"the wrong colour #{options.wrong} passes too: {later}")
    report["statistics"] = browser.evaluate(
        "Object.fromEntries([...document.querySelectorAll('dl div')].map((row) => [...row.children].map((cell) => cell.textContent)))")
    with open(os.path.join(options.out, "screenshot.png"), "wb") as file:
        file.write(base64.b64decode(browser.screenshot()))
    with open(os.path.join(options.out, "metrics.txt"), "w") as file:
        file.write(fetch("/metrics")[1])
    # Leaving the page ends the session.
    browser.open("about:blank")
    wait("the end of the session that was left", COUNTED, machine, sessions)


def inside(options):
    """In the namespaces."""
    # The terminal's Ctrl-C, and a stop from outside, unwind the same way.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    report = {"passed": False, "color": options.color, "accelerator": options.accelerator}
    os.makedirs(options.out, exist_ok=True)
    make_network()
    # Chromium's profile lies in memory that goes with the namespace.
    run("mount", "-t", "tmpfs", "-o", "mode=0755", "demo", "/run")
    home = "/run/demo"
    os.mkdir(home, 0o700)
    os.chown(home, NOBODY, NOBODY)
    machine = browser = None
    try:
        machine = Machine(options.folder, options.accelerator, os.path.join(options.out, "console.log"))
        print("booting; its console is in", os.path.join(options.out, "console.log"), flush=True)
        ready = wait("/readyz", READY, machine, readiness)
        report["readyAfter"] = round(time.monotonic() - machine.began, 1)
        print(f"ready after {report['readyAfter']} s: {ready}", flush=True)
        with open(os.path.join(options.out, "chromium.log"), "w") as log:
            browser = Chromium(options.chromium, home, log, NOBODY)
            see(browser, machine, options, report)
        report["passed"] = True
    except Shortcoming as shortcoming:
        report["failure"] = str(shortcoming)
        for seconds, line in machine.lines[-25:]:
            print(f"  | {seconds:8.3f} {line}", file=sys.stderr)
        print(f"demo: {shortcoming}", file=sys.stderr)
    finally:
        if browser:
            browser.close()
        if machine:
            machine.stop()
        with open(os.path.join(options.out, "demo.json"), "w") as file:
            json.dump(report, file, indent=2, sort_keys=True)
            file.write("\n")
    if report["passed"]:
        print(f"passed: the picture came after {report['pictureAfter']} s and moves on, "
              f"#{options.color} is in its middle, #{options.wrong} is not; see {options.out}")
    return 0 if report["passed"] else 1


def outside(arguments):
    """Runs this program in namespaces, and ends them with itself, however it ends."""
    words = ["unshare", "--net", "--pid", "--mount", "--mount-proc", "--fork", "--kill-child", sys.executable]
    # PR_SET_PDEATHSIG: unshare is not to outlive this, nor, by --kill-child, what is inside.
    death = ctypes.CDLL(None).prctl
    child = subprocess.Popen(
        words + [os.path.abspath(__file__)] + arguments, preexec_fn=lambda: death(1, signal.SIGKILL))

    def stop(*_):
        # unshare blocks it; the first of the namespace is its only child.
        with open(f"/proc/{child.pid}/task/{child.pid}/children") as file:
            for inner in file.read().split():
                os.kill(int(inner), signal.SIGTERM)

    # Ctrl-C reaches those inside by itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    return child.wait()


def missing(options):
    """What keeps this from being tried, each with what to do."""
    if os.geteuid() != 0:
        yield "it needs root, for the tap device: run it with sudo"
    if not os.path.exists("/dev/net/tun"):
        yield "there is no /dev/net/tun: load the module tun"
    if options.accelerator == "kvm" and not os.access("/dev/kvm", os.R_OK | os.W_OK):
        yield "/dev/kvm cannot be opened: leave --accelerator out"
    for program, package in (("qemu-system-x86_64", "qemu-system-x86"), ("ip", "iproute2"), ("unshare", "util-linux"),
                             (options.chromium, "chromium")):
        if not shutil.which(program):
            yield f"{program} is not installed: apt-get install {package}"
    for name in ("firecracker.json", "image.json"):
        if not os.path.exists(os.path.join(options.folder, name)):
            yield f"{options.folder} has no {name}: it is no build's output"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", help="a build's outputs: out/browser")
    parser.add_argument("--out", default="out/demo", help="where the evidence goes")
    parser.add_argument("--accelerator", choices=["tcg", "kvm"], default="tcg")
    parser.add_argument("--color", default="c81e64", help="what is in the middle of the page in the machine")
    parser.add_argument("--wrong", default="1e64c8", help="a colour that has to fail")
    parser.add_argument("--chromium", default="chromium")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        return inside(options)
    reasons = list(missing(options))
    for reason in reasons:
        print(f"demo: {reason}", file=sys.stderr)
    if reasons:
        return 2
    return outside(["--inside"] + sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
