"""Counts the tests in the JUnit reports FOLDER/SUITE.xml: script/test_summary.py FOLDER SUITE...
One line for each suite and for each failed test, then "N passed, N failed[, N skipped]". Exits with
1 if a test failed; a suite without a readable report, or without tests, is one failure."""

import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path


def outcome(case):
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    if case.get("status") in ("fail", "notrun") and case.find("skipped") is None:
        return "failed"
    return "skipped" if case.find("skipped") is not None else "passed"


def read_report(path):
    """The names of the tests of a report, by outcome."""
    names = {"passed": [], "failed": [], "skipped": []}
    try:
        for case in ElementTree.parse(path).iter("testcase"):
            names[outcome(case)].append(case.get("name", "?"))
    except (OSError, ElementTree.ParseError) as error:
        names["failed"].append(f"(no report: {error})")
    if not any(names.values()):
        names["failed"].append("(no tests)")
    return names


def main(folder, suites):
    total = {"passed": 0, "failed": 0, "skipped": 0}
    for suite in suites:
        names = read_report(Path(folder) / f"{suite}.xml")
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
