"""Draws the report of a load test: one self-contained page and its PNGs, from what was recorded.

    report.py FOLDER [--limit SECONDS]

FOLDER holds Locust's CSVs (locust_stats_history.csv, locust_stats.csv, locust_failures.csv), record.jsonl from
recorder.py, and run.json (what was run on what). Written beside them: index.html and the plots.

"Users that a configuration can hold" is the most users at which, over a whole stage, the 95th percentile stayed
under the limit and no request failed.
"""

import argparse
import base64
import csv
import html
import json
import pathlib

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402  (the backend must be chosen first)

INK, LINES = "#222233", ("#5b5bd6", "#e5734d", "#2f9e8f", "#b2498c")


def history(folder):
    """Locust's once-a-second totals: time, users, requests a second, failures so far, p50, p95, p99 (ms)."""
    with open(folder / "locust_stats_history.csv", newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["Name"] == "Aggregated"]
    return [
        {
            "at": float(row["Timestamp"]),
            "users": int(row["User Count"]),
            "rate": float(row["Requests/s"]),
            "failures": int(row["Total Failure Count"]),
            "requests": int(row["Total Request Count"]),
            **{p: float(row[column]) for p, column in (("p50", "50%"), ("p95", "95%"), ("p99", "99%")) if row[column] != "N/A"},
        }
        for row in rows
    ]


def record(folder):
    """What the system said of itself, oldest first."""
    path = folder / "record.jsonl"
    if not path.exists():
        return []
    with open(path, encoding="utf-8") as file:
        return [line for line in map(json.loads, file) if "ops" in line]


def stages(points):
    """Runs of a steady number of users, with what was measured in the second half of each (the first half settles)."""
    found, start = [], 0
    for i in range(1, len(points) + 1):
        if i == len(points) or points[i]["users"] != points[start]["users"]:
            if i - start >= 10:
                half = points[start + (i - start) // 2 : i]
                timed = [point for point in half if "p95" in point]
                if timed:
                    found.append(
                        {
                            "users": points[start]["users"],
                            "rate": sum(point["rate"] for point in half) / len(half),
                            "p50": max(point["p50"] for point in timed),
                            "p95": max(point["p95"] for point in timed),
                            "failures": points[i - 1]["failures"] - points[start]["failures"],
                        }
                    )
            start = i
    return found


def users_held(steps, limit):
    """The most users with p95 under the limit (ms) and no failure, below the first stage that broke either; None if none."""
    held = None
    for step in sorted(steps, key=lambda step: step["users"]):
        if step["p95"] > limit or step["failures"]:
            break
        held = step["users"]
    return held


def plot(folder, name, title, unit, series, x="seconds"):
    """Draws lines over time (or over x) into a PNG."""
    figure, axes = plt.subplots(figsize=(8, 3), dpi=110)
    for (label, points), colour in zip(series, LINES):
        if points:
            axes.plot(*zip(*points), label=label, color=colour, linewidth=1.6, marker="o" if x != "seconds" else None)
    axes.set_title(title, loc="left", fontsize=11, color=INK)
    axes.set_xlabel(x, fontsize=9)
    axes.set_ylabel(unit, fontsize=9)
    axes.set_ylim(bottom=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)
    if len(series) > 1:
        axes.legend(frameon=False, fontsize=9)
    figure.tight_layout()
    figure.savefig(folder / f"{name}.png")
    plt.close(figure)
    return name, title


def plots(folder, points, records, steps):
    """All plots, in the order of the page."""
    zero = points[0]["at"]

    def over_time(rows, value):
        return [(row["at"] - zero, value(row)) for row in rows if value(row) is not None]

    batches = [(len(worker["batch"]), worker) for row in records for worker in row["ops"]["workers"]]
    drawn = [
        plot(folder, "users", "Users", "users", [("users", over_time(points, lambda row: row["users"]))]),
        plot(folder, "throughput", "Pictures a second", "1/s", [("pictures", over_time(points, lambda row: row["rate"]))]),
        plot(folder, "latency", "Time to the picture, last ten seconds", "s",
             [(p, over_time(points, lambda row, p=p: row[p] / 1000 if p in row else None)) for p in ("p50", "p95", "p99")]),
    ]  # fmt: skip
    if records:
        drawn += [
            plot(folder, "queue", "Pictures waiting and in work", "pictures",
                 [("waiting", over_time(records, lambda row: row["ops"]["queue"]["waiting"])),
                  ("in work", over_time(records, lambda row: row["ops"]["queue"]["pending"]))]),
            plot(folder, "workers", "Workers", "workers",
                 [("ready", over_time(records, lambda row: sum(worker["state"] == "ready" for worker in row["ops"]["workers"]))),
                  ("wanted", over_time(records, lambda row: (row["ops"].get("decision") or {}).get("workers")))]),
        ]  # fmt: skip
    if batches:
        drawn.append(
            plot(folder, "batch", "Mean batch size of the busy workers", "pictures",
                 [("batch", over_time(records, lambda row: _mean([len(worker["batch"]) for worker in row["ops"]["workers"] if worker["batch"]])))])
        )  # fmt: skip
    if steps:
        drawn.append(
            plot(folder, "users-latency", "Users against the time to the picture", "s",
                 [(p, [(step["users"], step[p] / 1000) for step in steps]) for p in ("p50", "p95")], x="users")
        )  # fmt: skip
    return drawn


def _mean(values):
    return sum(values) / len(values) if values else None


def page(folder, run, points, steps, held, limit, drawn):
    """The page: what was run, what it held, a table of the stages, the plots."""
    last = points[-1]
    facts = [
        ("Users held", f"{held if held is not None else 'none'} (most users with p95 under {limit:g} s and no failure)"),
        ("Requests", f"{last['requests']:,}, of which failed: {last['failures']:,}"),
        *((key, str(value)) for key, value in run.items()),
    ]
    rows = "".join(
        f"<tr><td>{step['users']}<td>{step['rate']:.1f}<td>{step['p50'] / 1000:.2f}<td>{step['p95'] / 1000:.2f}<td>{step['failures']}" for step in steps
    )
    images = "".join(
        f'<img alt="{html.escape(title)}" src="data:image/png;base64,{base64.b64encode((folder / f"{name}.png").read_bytes()).decode()}">'
        for name, title in drawn
    )
    (folder / "index.html").write_text(
        f"""<!doctype html><html lang="en"><meta charset="utf-8"><title>Muse: load test</title>
<meta name="viewport" content="width=device-width">
<style>body{{font:16px/1.5 system-ui,sans-serif;color:{INK};max-width:62rem;margin:2rem auto;padding:0 1rem}}
table{{border-collapse:collapse}}td,th{{padding:.2rem 1rem .2rem 0;text-align:left;border-bottom:1px solid #ddd}}
img{{max-width:100%;display:block;margin:1rem 0}}dt{{font-weight:600}}dd{{margin:0 0 .4rem}}</style>
<h1>Load test</h1><dl>{''.join(f'<dt>{html.escape(key)}<dd>{html.escape(value)}' for key, value in facts)}</dl>
<h2>Stages</h2><table><tr><th>users<th>pictures/s<th>p50, s<th>p95, s<th>failed{rows}</table>
<h2>Over time</h2>{images}<p><a href="locust.html">Locust's own report</a></p></html>""",
        encoding="utf-8",
    )


def main():
    """Reads the folder and writes the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--limit", type=float, default=10.0, help="p95 limit in seconds (default: 10)")
    arguments = parser.parse_args()
    points = history(arguments.folder)
    if not points:
        raise SystemExit(f"{arguments.folder}/locust_stats_history.csv has no rows: the test did not run.")
    run_file = arguments.folder / "run.json"
    run = json.loads(run_file.read_text(encoding="utf-8")) if run_file.exists() else {}
    steps = stages(points)
    drawn = plots(arguments.folder, points, record(arguments.folder), steps)
    page(arguments.folder, run, points, steps, users_held(steps, arguments.limit * 1000), arguments.limit, drawn)
    print(f"{arguments.folder}/index.html")


if __name__ == "__main__":
    main()
