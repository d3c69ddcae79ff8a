/// The initrd's /init, for busybox's shell.
///
/// It reads what the kernel would read of its command line (root= ro rw rootfstype= rootflags= rootwait init=),
/// because a kernel with an initrd leaves all of that to it, and what a VMM appends is in the same words. What it
/// cannot do it says on the console, with what would help, and restarts the machine: a VMM then exits, where a hang
/// would say nothing. It leaves the image as a kernel without an initrd would: only /dev mounted.
let initScript = #"""
    #!/bin/sh
    # Loads the modules the root device needs, mounts it and hands over to its init.
    PATH=/bin
    set -f

    say() { echo "initrd: $*"; }

    list() {
        found=
        for entry in $(ls "$1" 2>/dev/null); do
            case $1 in
            /sys/bus/virtio/devices) read -r id <"$1/$entry/device"; entry="$entry ($id)" ;;
            esac
            found="$found${found:+, }$entry"
        done
        echo "${found:-none}"
    }

    fatal() {
        say "FATAL: $*"
        say "root device: $root"
        say "block devices: $(list /sys/class/block)"
        say "virtio devices: $(list /sys/bus/virtio/devices)"
        say "modules not loaded: ${unloaded:-none}"
        say "command line: $cmdline"
        case " $cmdline " in
        *" nomodule "*) say "hint: nomodule is on the command line, and the drivers are modules: remove it" ;;
        esac
        say "restarting"
        sync
        # What was written to a serial line is still on its way.
        sleep 1
        reboot -f
        exit 1
    }

    root=/dev/vda type=ext4 flags= mode=ro init= limit=10 cmdline= unloaded=
    mount -t proc proc /proc || fatal "cannot mount /proc"
    mount -t sysfs sysfs /sys || fatal "cannot mount /sys"
    mount -t devtmpfs -o mode=0755,nosuid devtmpfs /dev || fatal "cannot mount /dev"
    if (: >/dev/console) 2>/dev/null; then exec </dev/console >/dev/console 2>&1; fi

    read -r cmdline </proc/cmdline
    for word in $cmdline; do
        case $word in
        --) break ;;
        root=*) root=${word#*=} ;;
        rootfstype=*) type=${word#*=} ;;
        rootflags=*) flags=${word#*=} ;;
        rootwait) limit= ;;
        rootwait=*) limit=${word#*=} ;;
        init=*) init=${word#*=} ;;
        ro | rw) mode=$word ;;
        esac
    done
    case $limit in
    *[!0-9]*) say "rootwait=$limit is not a number of seconds"; limit=10 ;;
    esac

    while read -r module; do
        options=
        for word in $cmdline; do
            case $word in
            "$module".*=*) options="$options ${word#*.}" ;;
            esac
        done
        if ! insmod "/lib/modules/$module.ko" $options; then
            say "cannot load the module $module"
            unloaded="$unloaded${unloaded:+ }$module"
        fi
    done </lib/modules/order

    find_root() {
        case $root in
        /dev/*) device=$root ;;
        UUID=* | LABEL=*) device=$(findfs "$root" 2>/dev/null) ;;
        *) fatal "root=$root is not understood: it takes /dev/NAME, UUID=… or LABEL=…" ;;
        esac
        [ -b "$device" ]
    }

    read -r now rest </proc/uptime
    start=${now%%.*} said=
    until find_root; do
        read -r now rest </proc/uptime
        waited=$((${now%%.*} - start))
        if [ -n "$limit" ]; then
            [ "$waited" -lt "$limit" ] || fatal "root device $root did not appear within $limit s"
        elif [ -z "$said" ] && [ "$waited" -ge 10 ]; then
            say "still waiting for the root device $root (rootwait); block devices: $(list /sys/class/block)"
            said=1
        fi
        sleep 0.1
    done

    options=$mode${flags:+,$flags}
    mount -t "$type" -o "$options" "$device" /root || fatal "cannot mount $device as $type ($options)"

    # Whether the image has this program. A link may mean a place that only the image's own root can tell.
    has() {
        [ -x "/root$1" ] || [ -L "/root$1" ] || { [ -L "/root${1%/*}" ] && ! [ -d "/root${1%/*}" ]; }
    }

    if [ -n "$init" ]; then
        has "$init" || fatal "init=$init is not a program in $device"
    else
        for init in /sbin/init /etc/init /bin/init /bin/sh none; do
            if has "$init"; then break; fi
        done
        [ "$init" != none ] || fatal "there is no init in $device: no /sbin/init, /etc/init, /bin/init or /bin/sh"
    fi

    umount /proc
    umount /sys
    if [ -d /root/dev ]; then mount --move /dev /root/dev; else umount -l /dev; fi
    exec switch_root /root "$init" "$@"

    """#
