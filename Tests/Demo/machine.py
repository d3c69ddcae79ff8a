"""The machine under test: QEMU's microvm from a build's outputs, on a tap device of this network namespace."""
import json
import os
import re
import subprocess
import threading
import time

HOST, GUEST = "172.16.0.1", "172.16.0.2"
TAP = "tap0"


def run(*words):
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(words)} failed: {done.stderr.strip() or done.stdout.strip()}")


def make_network():
    """lo and a tap device. They go with the namespace, however this ends."""
    run("ip", "link", "set", "lo", "up")
    run("ip", "tuntap", "add", "dev", TAP, "mode", "tap")
    run("ip", "address", "add", f"{HOST}/30", "dev", TAP)
    run("ip", "link", "set", TAP, "up")


def counter_frequency():
    """The time stamp counter in kHz: an emulated guest that measures it on a loaded host hangs or runs slow."""
    with open("/proc/cpuinfo") as file:
        found = re.search(r"^cpu MHz\s*: ([0-9.]+)", file.read(), re.MULTILINE)
    return int(float(found.group(1)) * 1000) if found else None


def command(folder, accelerator):
    """QEMU's words, from what firecracker.json says of the same machine. The image is never written to."""
    with open(os.path.join(folder, "firecracker.json")) as file:
        configuration = json.load(file)
    source, machine, drive = configuration["boot-source"], configuration["machine-config"], configuration["drives"][0]
    line = source["boot_args"].split()
    # microvm has no i8042 to reset the machine with: a triple fault ends it.
    line += ["reboot=t", "panic=-1"]
    if accelerator == "tcg" and (frequency := counter_frequency()):
        line += [f"tsc_early_khz={frequency}", "tsc=reliable"]
    if not any(word.startswith("root=") for word in line):
        line += ["root=/dev/vda", "rw"]
    # The last four bytes are the address (overlays/supervisor, net-up).
    mac = "06:00:" + ":".join(f"{int(part):02x}" for part in GUEST.split("."))
    image = os.path.join(folder, drive["path_on_host"]).replace(",", ",,")
    words = ["qemu-system-x86_64", "-M", "microvm", "-accel", "tcg,thread=multi" if accelerator == "tcg" else "kvm"]
    words += ["-cpu", "max" if accelerator == "tcg" else "host", "-m", str(machine["mem_size_mib"])]
    words += ["-smp", str(machine["vcpu_count"]), "-kernel", os.path.join(folder, source["kernel_image_path"])]
    if "initrd_path" in source:
        words += ["-initrd", os.path.join(folder, source["initrd_path"])]
    words += ["-append", " ".join(line), "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]
    words += ["-serial", "stdio", "-drive", f"id=root,file={image},format=raw,if=none,snapshot=on"]
    words += ["-device", "virtio-blk-device,drive=root", "-device", "virtio-rng-device"]
    words += ["-netdev", f"tap,id=n0,ifname={TAP},script=no,downscript=no"]
    return words + ["-device", f"virtio-net-device,netdev=n0,mac={mac}"]


class Machine:
    """A machine that was started. `lines` is its console so far, each with the seconds since the start."""

    def __init__(self, folder, accelerator, console):
        self.began = time.monotonic()
        self.lines = []
        self.process = subprocess.Popen(
            command(folder, accelerator), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.reader = threading.Thread(target=self.read, args=(console,), daemon=True)
        self.reader.start()

    def read(self, path):
        with open(path, "w", encoding="utf-8") as file:
            for line in self.process.stdout:
                text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f]", "", line.decode("utf-8", "replace")).rstrip()
                self.lines.append((time.monotonic() - self.began, text))
                file.write(f"{self.lines[-1][0]:8.3f} {text}\n")
                file.flush()

    def death(self):
        """Why waiting for it has no use any more; None while it has."""
        if self.process.poll() is not None:
            return f"the machine ended (QEMU's status {self.process.returncode})"
        for _, line in list(self.lines):
            if "Kernel panic" in line or "GAVE UP on" in line or "initramfs: FATAL" in line:
                return line
        return None

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.reader.join(10)
