"""The machine that the figures are of, without its name."""

import os
import pathlib
import platform
import re
import subprocess
import time


def first_line(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except OSError:
        return ""
    return (done.stdout.strip().split("\n") or [""])[0].strip()


def cpu_model():
    match = re.search(r"^model name\s*:\s*(.+)$", pathlib.Path("/proc/cpuinfo").read_text(), re.M)
    return match.group(1) if match else platform.machine()


def memory_bytes():
    match = re.search(r"^MemTotal:\s*(\d+) kB", pathlib.Path("/proc/meminfo").read_text(), re.M)
    return int(match.group(1)) * 1024


def disk(folder):
    """File system and kind of disk, as far as the system tells."""
    source, _, kind = first_line("findmnt", "-n", "-o", "SOURCE,FSTYPE", "-T", str(folder)).partition(" ")
    answer = first_line("lsblk", "-n", "-d", "-o", "SIZE,ROTA,TRAN,MODEL", source) if source else ""
    words = answer.split()
    if len(words) < 2:
        return f"{kind.strip() or 'unknown'}, disk unknown"
    name = os.path.basename(source)
    virtual = name.startswith(("vd", "xvd"))
    sort = "virtual" if virtual else "rotating" if words[1] == "1" else "solid state"
    return f"{kind.strip()} on {name}: {words[0]}, {' '.join([sort, *words[2:]])}"


def processor_times():
    """(busy, stolen by the hypervisor, all) since the machine was started, in ticks."""
    words = pathlib.Path("/proc/stat").read_text().split("\n")[0].split()[1:9]
    user, nice, system, idle, iowait, irq, softirq, steal = map(int, words)
    busy = user + nice + system + irq + softirq
    return busy, steal, busy + idle + iowait + steal


def processor_use(since):
    """Shares of all processors' time: {"busy", "stolen"}."""
    busy, steal, total = (now - then for now, then in zip(processor_times(), since))
    return {"busy": busy / max(1, total), "stolen": steal / max(1, total)}


def busy_with_others():
    """Share of the processors that others use, before anything here runs."""
    before = processor_times()
    time.sleep(2)
    return processor_use(before)["busy"]


def describe(folder):
    return {
        "cpu": cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_bytes": memory_bytes(),
        "disk": disk(folder),
        "kernel": platform.release(),
        "compiler": first_line("cc", "--version"),
        "zstd": first_line("pkg-config", "--modversion", "libzstd"),
        "hdf5": first_line("h5repack", "--version").rpartition(" ")[2],
        "busy": busy_with_others(),
    }
