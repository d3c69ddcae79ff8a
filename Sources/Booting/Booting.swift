// Booting starts a virtual machine from a kernel, an initrd and an image, follows its console to a verdict, and ends it.
// It knows QEMU's microvm, Firecracker and the words of kernel, initrd, systemd and supervisor; it knows nothing of
// packages, layers or recipes. The image is never written to. Whatever happens to this process, the
// machine it started ends with it: the guard in CBooting sees to that. It is one of the places that read a clock
// (the monotonic one, for times and deadlines), since waiting is what it is for.
