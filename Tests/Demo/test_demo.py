"""What of the demo needs no machine: `python3 Tests/Demo/test_demo.py`."""
import json
import os
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import demo
import machine

PICTURE = {"width": 1280, "height": 720, "time": 3.0, "color": [198, 30, 98], "state": "live"}


class Verdict(unittest.TestCase):
    def test_the_colour_through_the_codec_passes(self):
        self.assertTrue(demo.holds(PICTURE, demo.color("c81e64")))

    def test_another_colour_fails(self):
        for wrong in ("1e64c8", "000000", "ffffff", "b80861"):
            self.assertFalse(demo.holds(PICTURE, demo.color(wrong)), wrong)

    def test_no_picture_fails(self):
        self.assertFalse(demo.holds({**PICTURE, "width": 0, "color": None}, demo.color("c81e64")))
        self.assertFalse(demo.holds({**PICTURE, "width": 0}, demo.color("c81e64")))


class Command(unittest.TestCase):
    def words(self, source, accelerator="kvm"):
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "firecracker.json"), "w") as file:
                json.dump({"boot-source": source, "machine-config": {"vcpu_count": 2, "mem_size_mib": 512},
                           "drives": [{"path_on_host": "a,b.ext4"}]}, file)
            return [word.replace(folder, "OUT") for word in machine.command(folder, accelerator)]

    def test_it_is_the_machine_of_firecracker_json(self):
        source = {"kernel_image_path": "vmlinux", "initrd_path": "initrd", "boot_args": "console=ttyS0 root=/dev/vda rw"}
        self.assertEqual(
            " ".join(self.words(source)),
            "qemu-system-x86_64 -M microvm -accel kvm -cpu host -m 512 -smp 2 -kernel OUT/vmlinux -initrd OUT/initrd "
            "-append console=ttyS0 root=/dev/vda rw reboot=t panic=-1 -nodefaults -no-user-config -display none "
            "-no-reboot -serial stdio -drive id=root,file=OUT/a,,b.ext4,format=raw,if=none,snapshot=on "
            "-device virtio-blk-device,drive=root -device virtio-rng-device "
            "-netdev tap,id=n0,ifname=tap0,script=no,downscript=no "
            "-device virtio-net-device,netdev=n0,mac=06:00:ac:10:00:02")

    def test_without_an_initrd_firecracker_names_the_root(self):
        words = self.words({"kernel_image_path": "vmlinux", "boot_args": "quiet"})
        self.assertNotIn("-initrd", words)
        self.assertIn("quiet reboot=t panic=-1 root=/dev/vda rw", words)


class Refusals(unittest.TestCase):
    def test_a_folder_that_is_no_output_is_named(self):
        done = subprocess.run(
            [sys.executable, demo.__file__, "/nothing", "--chromium", "no-such-browser"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 2)
        self.assertIn("demo: /nothing has no firecracker.json: it is no build's output\n", done.stderr)
        self.assertIn("demo: no-such-browser is not installed: apt-get install chromium\n", done.stderr)


unittest.main()
