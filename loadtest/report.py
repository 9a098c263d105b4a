"""Draws the report of a load test: one self-contained page and its PNGs, from what was recorded.

    report.py FOLDER [--limit SECONDS]

FOLDER holds what recorder.py wrote (requests.csv, record.jsonl) and run.json (what was run on what). Written beside
them: index.html and the plots.

"Users held" is the largest number of users at which, over a whole stage, no request failed and 95 % of the images of
the stage's second half came within the limit, if the same is true of every stage with fewer users.
"""

import argparse
import base64
import collections
import csv
import html
import json
import pathlib
import re

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402  (the backend must be chosen first)
from matplotlib.ticker import MaxNLocator  # noqa: E402

INK, FAINT = "#22263a", "#8b90a5"
BLUE, ORANGE, GREEN, PINK = "#4c56c9", "#dd6b3d", "#2a8f7d", "#b2498c"
WINDOW = 5  # seconds over which counters become rates
PERCENTILES = (50, 95, 99)
SERVER = "The server's own count"
plt.rcParams.update({
    "axes.edgecolor": FAINT, "axes.grid": True, "axes.labelcolor": INK, "axes.spines.right": False, "axes.spines.top": False,
    "axes.titlelocation": "left", "axes.titlesize": 11, "axes.titleweight": "bold", "axes.titlecolor": INK,
    "figure.dpi": 120, "font.size": 9, "grid.alpha": 0.25, "legend.frameon": False, "legend.fontsize": 9,
    "lines.linewidth": 1.6, "xtick.color": INK, "ytick.color": INK,
})  # fmt: skip


class Run:
    """What was recorded: the requests of the users, and the state of the system once a second."""

    def __init__(self, folder):
        self.facts = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        with open(folder / "record.jsonl", encoding="utf-8") as file:
            self.seconds = [line for line in map(json.loads, file) if "ops" in line]
        with open(folder / "requests.csv", newline="", encoding="utf-8") as file:
            self.requests = [
                {"at": float(row["at"]), "name": row["name"], "seconds": float(row["seconds"]), "fault": row["fault"]}
                for row in csv.DictReader(file)
            ]
        if not self.seconds or not self.requests:
            raise SystemExit(f"{folder}: nothing was recorded.")
        self.zero = self.seconds[0]["at"]

    def answered(self, begin, end):
        """The durations of the requests that succeeded between two times, sorted. Users who disconnect do not count."""
        return sorted(
            r["seconds"] for r in self.requests if begin <= r["at"] < end and not r["fault"] and r["name"] != "disconnected"
        )

    def rate(self, i, counter):
        """A counter of the i-th second as a rate over the window before it; None in the first window."""
        before = self.before(i, WINDOW - 0.5)
        if before is None:
            return None
        now, then = self.seconds[i], self.seconds[before]
        return (counter(now["ops"]) - counter(then["ops"])) / (now["at"] - then["at"])

    def before(self, i, seconds):
        """The index of the newest record that is at least so much older than the i-th, or None."""
        return next((j for j in range(i - 1, -1, -1) if self.seconds[i]["at"] - self.seconds[j]["at"] >= seconds), None)


def percentile(values, percent):
    """The smallest value that this percentage of the sorted values does not exceed; None without values."""
    return values[min(len(values) - 1, -(-len(values) * percent // 100) - 1)] if values else None


def mean(values):
    """The mean; None without values."""
    return sum(values) / len(values) if values else None


def batches(ops):
    """The batch sizes of the busy workers."""
    return [len(worker["batch"]) for worker in ops["workers"] if worker["batch"]]


def ready(ops):
    """The number of ready workers."""
    return sum(worker["state"] == "ready" for worker in ops["workers"])


def stages(run):
    """The times with a constant number of users, with the figures of the second half of each."""
    found, begin = [], 0
    for i in range(1, len(run.seconds) + 1):
        if i < len(run.seconds) and run.seconds[i]["users"] == run.seconds[begin]["users"]:
            continue
        users, start, end = run.seconds[begin]["users"], run.seconds[begin]["at"], run.seconds[i - 1]["at"]
        if users > 0 and end - start >= 10:
            half = run.seconds[begin + (i - begin) // 2 : i]
            waits = run.answered(half[0]["at"], end)
            found.append({
                "users": users,
                "workers": mean([ready(second["ops"]) for second in half]),
                "rate": (half[-1]["ops"]["queue"]["completed"] - half[0]["ops"]["queue"]["completed"]) / (half[-1]["at"] - half[0]["at"]),
                "batch": mean([size for second in half for size in batches(second["ops"])]),
                **{percent: percentile(waits, percent) for percent in PERCENTILES},
                "failed": sum(bool(r["fault"]) for r in run.requests if start <= r["at"] <= end),
            })  # fmt: skip
        begin = i
    return found


def users_held(steps, limit):
    """The most users that kept the limit (seconds) without a failure, with every stage of fewer users; None if no stage did."""
    held = None
    for step in sorted(steps, key=lambda step: step["users"]):
        if step["failed"] or step[95] is None or step[95] > limit:
            break
        held = step["users"]
    return held


# --- Plots -----------------------------------------------------------------------------------------------------------


def over_time(run, folder):
    """Users, throughput, latency, queue, batch and workers, one above the other."""
    at = [second["at"] - run.zero for second in run.seconds]
    ops = [second["ops"] for second in run.seconds]
    waits = [run.answered(second["at"] - WINDOW, second["at"]) for second in run.seconds]
    decided = [(ops_now.get("decision") or {}).get("workers") for ops_now in ops]

    def queue(field):
        return [now["queue"][field] for now in ops]

    def rates(counter):
        return [run.rate(i, lambda now: now["queue"][counter]) for i in range(len(at))]

    panels = [
        ("Users", "users", [("", [second["users"] for second in run.seconds], BLUE)], True),
        ("Images a second", "1/s", [("requested", rates("arrivals"), FAINT), ("completed", rates("completed"), GREEN)], False),
        (f"Time to the image, last {WINDOW} s", "s", [(f"p{percent}", [percentile(wait, percent) for wait in waits], colour)
                                                      for percent, colour in zip(PERCENTILES, (BLUE, ORANGE, PINK))], False),
        ("Queue", "images", [("waiting", queue("waiting"), ORANGE), ("in progress", queue("pending"), GREEN)], False),
        ("Batch of the busy workers, mean", "images", [("", [mean(batches(now)) for now in ops], PINK)], False),
        ("Workers", "workers", [("ready", [ready(now) for now in ops], GREEN), ("wanted", decided, INK)], True),
    ]  # fmt: skip
    figure, axes = plt.subplots(len(panels), 1, figsize=(9, 10.5), sharex=True)
    for axis, (title, unit, lines, steps) in zip(axes, panels):
        for label, values, colour in lines:
            values = [float("nan") if value is None else value for value in values]
            style = "steps-post" if steps else "default"
            axis.plot(at, values, label=label, color=colour, drawstyle=style, linewidth=3 if label == "ready" else None)
        axis.set_title(title)
        axis.set_ylabel(unit)
        axis.set_ylim(bottom=0)
        axis.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=steps))
        if len(lines) > 1:
            axis.legend(loc="upper left", ncols=len(lines))
            axis.set_ylim(top=axis.get_ylim()[1] * 1.25)  # room for the legend
    axes[-1].set_xlim(0, at[-1])
    axes[-1].set_xlabel("seconds")
    return save(figure, folder, "over-time")


def throughput_by_batch(run, folder):
    """The throughput of a worker by the number of images in its batch."""
    histories = collections.defaultdict(list)
    for second in run.seconds:
        for worker in second["ops"]["workers"]:
            if worker["state"] == "ready":
                histories[worker["worker"]].append((second["at"], len(worker["batch"]), worker["painted"]))
    points = []
    for history in histories.values():
        for i in range(WINDOW, len(history), WINDOW):
            window = history[i - WINDOW : i + 1]
            passed = window[-1][0] - window[0][0]
            if all(size for _, size, _ in window) and passed <= WINDOW + 1:
                points.append((mean([size for _, size, _ in window]), (window[-1][2] - window[0][2]) / passed))
    figure, axis = plt.subplots(figsize=(6, 3.6))
    axis.scatter(*zip(*points) if points else ([], []), s=12, color=GREEN, alpha=0.45, linewidths=0, label=f"measured, {WINDOW} s each")
    cost = re.fullmatch(r"simulated:base=(\d+)ms,picture=(\d+)ms.*", run.facts.get("Device", ""))
    if cost:
        base, image = int(cost[1]) / 1000, int(cost[2]) / 1000
        sizes = [1 + i / 10 for i in range(111)]
        allowed = [n / (base + n * image) for n in sizes]
        axis.plot(sizes, allowed, color=INK, linewidth=1, linestyle="--", label="allowed by the device, 20 steps each")
    axis.set(title="Throughput of a worker by its batch", xlabel="images in the batch", ylabel="images a second")
    axis.set(xlim=(0, 12.5), ylim=(0, None))
    axis.legend(loc="upper left")
    return save(figure, folder, "throughput-batch")


def throughput_by_workers(run, folder):
    """The best throughput over ten seconds, by the number of workers."""
    best = {}
    for i, second in enumerate(run.seconds):
        before = run.before(i, 10)
        window = run.seconds[before : i + 1] if before is not None else []
        counts = {ready(other["ops"]) for other in window}
        if len(counts) != 1 or 0 in counts:
            continue
        first = window[0]
        completed = second["ops"]["queue"]["completed"] - first["ops"]["queue"]["completed"]
        rate = completed / (second["at"] - first["at"])
        filled = [len(worker["batch"]) / worker["slots"] for other in window for worker in other["ops"]["workers"]]
        full = (mean(filled) or 0) > 0.9
        best[counts.pop()] = max((rate, full), best.get(ready(second["ops"]), (0, False)))
    figure, axis = plt.subplots(figsize=(6, 3.6))
    groups = (
        (True, BLUE, "full batches: limited by the workers"),
        (False, "#c3c7ea", "batches with room: limited by the requests"),
    )
    for busy, colour, label in groups:
        some = {count: rate for count, (rate, full) in best.items() if full == busy}
        if some:
            axis.bar_label(axis.bar(list(some), list(some.values()), width=0.5, color=colour, label=label), fmt="%.1f", padding=2)
    axis.legend(loc="upper left")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.margins(y=0.3)
    axis.set(title="Throughput by workers: the best ten seconds", xlabel="workers ready", ylabel="images a second")
    axis.grid(axis="x", visible=False)
    return save(figure, folder, "throughput-workers")


def latency_by_users(steps, limit, folder):
    """The time to the image, by the number of users."""
    figure, axis = plt.subplots(figsize=(6, 3.6))
    worst = {step["users"]: step for step in sorted(steps, key=lambda step: step[95] or 0)}
    ordered = [worst[users] for users in sorted(worst)]
    for percent, colour in zip(PERCENTILES, (BLUE, ORANGE, PINK)):
        users, waits = [step["users"] for step in ordered], [step[percent] for step in ordered]
        axis.plot(users, waits, marker="o", markersize=4, color=colour, label=f"p{percent}")
    axis.axhline(limit, color=INK, linewidth=1, linestyle="--", label=f"limit {limit:g} s")
    axis.set(title="Time to the image by users", xlabel="users", ylabel="s", xlim=(0, None), ylim=(0, None))
    axis.legend(loc="upper left", ncols=2)
    axis.set_ylim(top=axis.get_ylim()[1] * 1.2)
    return save(figure, folder, "latency-users")


def save(figure, folder, name):
    """Writes a PNG, and returns it as an element of the page."""
    figure.tight_layout()
    figure.savefig(folder / f"{name}.png")
    plt.close(figure)
    data = base64.b64encode((folder / f"{name}.png").read_bytes()).decode()
    return f'<img alt="{name.replace("-", " ")}" src="data:image/png;base64,{data}">'


# --- The page --------------------------------------------------------------------------------------------------------

STYLE = f"""
body {{ font: 16px/1.5 system-ui, sans-serif; color: {INK}; background: #fff; max-width: 60rem; margin: 2.5rem auto; padding: 0 1rem }}
h1 {{ margin: 0 0 1.5rem }} h2 {{ margin: 2.5rem 0 .75rem }}
.figures {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: 1rem }}
.figures div {{ border: 1px solid #dfe1ea; border-radius: .5rem; padding: .75rem 1rem }}
.figures b {{ display: block; font-size: 1.7rem; line-height: 1.2 }} .figures span {{ color: #5b6078; font-size: .9rem }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums }}
td, th {{ padding: .3rem 1.4rem .3rem 0; text-align: right; border-bottom: 1px solid #dfe1ea }}
.facts td, .facts th {{ text-align: left; vertical-align: top }}
th {{ font-weight: 600; font-size: .9rem; color: #5b6078 }} img {{ max-width: 100%; display: block }}
.pair {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(26rem, 1fr)); gap: 1rem }}
p {{ max-width: 46rem }}"""


def page(run, steps, limit, folder):
    """The page: the result, the stages, the plots, what was run."""
    failed = [r for r in run.requests if r["fault"]]
    last = run.seconds[-1]["ops"]["queue"]
    first = run.seconds[0]["ops"]["queue"]
    # The images that were in progress at the first record are of these users too.
    accepted, ended = (last[counter] - first["completed"] for counter in ("arrivals", "completed"))
    cut_off = accepted - len(run.requests)
    counts = [ready(second["ops"]) for second in run.seconds]
    held = users_held(steps, limit)
    rates = [rate for i in range(len(run.seconds)) if (rate := run.rate(i, lambda now: now["queue"]["completed"])) is not None]
    figures = [
        (f"{held:,}" if held is not None else "none", "users held"),
        (f"{len(failed):,}", f"failed of {len(run.requests):,} requests"),
        (f"{max(rates):.0f}", f"images a second, best {WINDOW} s"),
        (f"{min(count for count in counts if count)} – {max(counts)}", "workers"),
    ]
    facts = {
        **run.facts,
        "Requests": f"{len(run.requests):,} sent by the users: {len(run.requests) - len(failed):,} succeeded, {len(failed):,} failed",
        SERVER: f"{accepted:,} images accepted, {ended:,} ended, {last['waiting'] + last['pending']:,} unfinished at the end, "
        f"{len(run.seconds[-1]['ops'].get('dead_letters', [])):,} given up"
        + (f"; {cut_off:,} of them were cut off by Locust when it stopped the users" if cut_off > 0 else ""),
    }
    rows = "".join(
        f"<tr><td>{step['users']:,}<td>{step['workers']:.1f}<td>{step['rate']:.1f}<td>{cell(step['batch'], 1)}"
        + "".join(f"<td>{cell(step[percent], 2)}" for percent in PERCENTILES) + f"<td>{step['failed']}"
        for step in steps
    )  # fmt: skip
    faults = collections.Counter((r["name"], r["fault"]) for r in failed).most_common(20)
    failure_rows = "".join(
        f"<tr><td>{count}<th>{html.escape(name)}<td>{html.escape(fault)}" for (name, fault), count in faults
    )
    failures = f"<h2>Failures</h2><table>{failure_rows}</table>" if faults else ""
    tiles = "".join(f"<div><b>{html.escape(value)}</b><span>{html.escape(what)}</span></div>" for value, what in figures)
    fact_rows = "".join(f"<tr><th>{html.escape(key)}<td>{html.escape(str(value))}" for key, value in facts.items())
    by_batch, by_workers = throughput_by_batch(run, folder), throughput_by_workers(run, folder)
    (folder / "index.html").write_text(
        f"""<!doctype html><html lang="en"><meta charset="utf-8"><title>Muse under load</title>
<meta name="viewport" content="width=device-width"><style>{STYLE}</style>
<h1>Muse under load</h1>
<div class="figures">{tiles}</div>
<p><b>Users held</b>: the largest number of users at which, over a whole stage, no request failed and 95 % of the images of the stage's
second half came within {limit:g} s, if the same is true of every stage with fewer users. Users who disconnect on purpose count as requests,
but not in the times.</p>
{failures}
<h2>Stages</h2>
<table><tr><th>users<th>workers<th>images/s<th>batch<th>p50, s<th>p95, s<th>p99, s<th>failed{rows}</table>
<p>Measured over the second half of each stage; failures over all of it.</p>
<h2>Over time</h2>{over_time(run, folder)}
<h2>Throughput and latency</h2><div class="pair">{by_batch}{by_workers}{latency_by_users(steps, limit, folder)}</div>
<h2>The run</h2><table class="facts">{fact_rows}</table>
<p>Locust's own report lies beside this page: <a href="locust.html">locust.html</a>.</p></html>""",
        encoding="utf-8",
    )
    print(f"{folder}/index.html: {held if held is not None else 'no'} users held; requests: {facts['Requests']}; {facts[SERVER]}.")


def cell(value, digits):
    """A number of the table, or a dash."""
    return "–" if value is None else f"{value:.{digits}f}"


def main():
    """Reads the folder and writes the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--limit", type=float, default=10.0, help="the 95th percentile's limit in seconds (default: 10)")
    arguments = parser.parse_args()
    run = Run(arguments.folder)
    page(run, stages(run), arguments.limit, arguments.folder)


if __name__ == "__main__":
    main()
