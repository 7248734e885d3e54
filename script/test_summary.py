"""Counts the tests in JUnit reports: script/test_summary.py FOLDER SUITE=EXIT_STATUS...
Each FOLDER/SUITE.xml was written by a ctest or pytest that ended with EXIT_STATUS. Prints one line
for each suite and for each failed test, then "N passed, N failed[, N skipped]"; exits with 1 if
anything failed. A suite without a readable report, without tests, or with a bad exit status that no
test explains, is one failure."""

import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path


def outcome(case):
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    skipped = case.find("skipped")
    if case.get("status", "run") == "run":  # pytest gives none
        return "passed" if skipped is None else "skipped"
    # ctest says "skipped" of a missing program too.
    wanted = skipped is not None and skipped.get("message", "").startswith("SKIP_")
    return "skipped" if wanted else "failed"


def read_report(path, exit_status):
    """The names of the tests of a report, by outcome."""
    names = {"passed": [], "failed": [], "skipped": []}
    try:
        for case in ElementTree.parse(path).iter("testcase"):
            names[outcome(case)].append(case.get("name", "?"))
    except (OSError, ElementTree.ParseError) as error:
        names["failed"].append(f"(no report: {error})")
    if not any(names.values()):
        names["failed"].append("(no tests)")
    if exit_status != "0" and not names["failed"]:
        names["failed"].append(f"(exit status {exit_status})")
    return names


def main(folder, suites):
    total = {"passed": 0, "failed": 0, "skipped": 0}
    for suite in suites:
        suite, exit_status = suite.split("=")
        names = read_report(Path(folder) / f"{suite}.xml", exit_status)
        counts = ", ".join(f"{len(n)} {what}" for what, n in names.items() if n)
        print(f"{suite:10} {counts}")
        for name in names["failed"]:
            print(f"{'':10} failed: {name}")
        for what, n in names.items():
            total[what] += len(n)
    skipped = f", {total['skipped']} skipped" if total["skipped"] else ""
    print(f"{total['passed']} passed, {total['failed']} failed{skipped}")
    return 1 if total["failed"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
