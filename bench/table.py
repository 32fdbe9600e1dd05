#!/usr/bin/env python3
"""The tables of a run of bench.py, on the screen and in docs/performance.md.

    bench/table.py [--json FILE]                 prints them
    bench/table.py [--json FILE] --write [FILE]  puts them where they belong in the document

In the document each table stands between <!-- figures: NAME --> and <!-- end -->.
Tables of parts that the run did not have stay as they are.
"""

import argparse
import json
import os
import re
import statistics
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
DOCUMENT = os.path.join(HERE, os.pardir, "docs", "performance.md")
BUDGET = os.path.join(HERE, os.pardir, "tests", "budget", "budget.json")
TITLES = {"direct": "no proxy", "relay": "bare relay", "nginx": "nginx", "haproxy": "HAProxy",
          "portkey": "Portkey", "litellm": "LiteLLM",
          "backstay": "Backstay", "backstay-log": "Backstay, access log on",
          "backstay-tuned": "Backstay, least_latency and hedge"}
TROUBLES = {"dead": "one is killed", "errors": "one answers 30 % with 500",
            "slow": "one is ten times slower", "hang": "one takes requests and never answers",
            "cut": "one breaks off each stream after 8 tokens"}

# key, title, digits after the point, which way is better ("less", "more", None)
METRICS = (
    ("rps", "1 KiB requests/s, 64 connections", 0, "more"),
    ("busy", "share of its core used for that, %", 0, None),
    ("cpu_us", "CPU per 1 KiB request, µs", 1, "less"),
    ("cpu_100k_us", "CPU per 100 KiB request, µs", 1, "less"),
    ("cpu_1m_us", "CPU per 1 MiB request, µs", 0, "less"),
    ("p50_us", "p50 at 2,000 requests/s, one core for all, µs", 0, "less"),
    ("added_r500_p50_us", "added at 500/s: p50, µs", 0, "less"),
    ("added_r500_p90_us", "... p90, µs", 0, "less"),
    ("added_r500_p99_us", "... p99, µs", 0, "less"),
    ("added_r500_p99_9_us", "... p99.9, µs", 0, "less"),
    ("added_p50_us", "added at 2,000/s: p50, µs", 0, "less"),
    ("added_p90_us", "... p90, µs", 0, "less"),
    ("added_p99_us", "... p99, µs", 0, "less"),
    ("added_p99_9_us", "... p99.9, µs", 0, "less"),
    ("added_r4000_p50_us", "added at 4,000/s: p50, µs", 0, "less"),
    ("added_r4000_p90_us", "... p90, µs", 0, "less"),
    ("added_r4000_p99_us", "... p99, µs", 0, "less"),
    ("added_r4000_p99_9_us", "... p99.9, µs", 0, "less"),
    ("added_first_p50_us", "added time to first event, p50, µs", 0, "less"),
    ("event_cpu_us", "CPU per paced SSE event, µs", 2, "less"),
    ("delay_p50_us", "event under way, p50, µs", 0, "less"),
    ("delay_p99_us", "event under way, p99, µs", 0, "less"),
    ("burst_eps", "SSE events/s in bursts", 0, "more"),
    ("burst_cpu_us", "CPU per SSE event in bursts, µs", 2, "less"),
    ("stream_kib", "memory per open stream, KiB", 2, "less"),
    ("tls_stream_kib", "the same with TLS on both sides, KiB", 2, "less"),
    ("idle_kib", "memory when idle, KiB", 0, "less"),
    ("binary_kib", "program, without its libraries, KiB", 0, "less"),
    ("start_ms", "time from start to listening, ms", 0, "less"),
)
# Of Backstay alone: which interface the client speaks, which the backend.
SPOKEN = (
    ("OpenAI's", "OpenAI's", "cpu_us", "event_cpu_us", "burst_cpu_us"),
    ("Anthropic's", "Anthropic's", "request_anthropic_anthropic_us", "paced_anthropic_anthropic_us",
     "burst_anthropic_anthropic_us"),
    ("OpenAI's", "Anthropic's", "request_openai_anthropic_us", "paced_openai_anthropic_us",
     "burst_openai_anthropic_us"),
    ("Anthropic's", "OpenAI's", "request_anthropic_openai_us", "paced_anthropic_openai_us",
     "burst_anthropic_openai_us"),
)
WORKERS = (
    ("requests_a_second", "1 KiB requests/s", 0), ("cpu_us_a_request", "CPU per 1 KiB request, µs", 1),
    ("events_a_second", "SSE events/s in bursts", 0), ("cpu_us_a_event", "CPU per SSE event in bursts, µs", 2),
    ("locks_a_request", "locks taken for a request", 2),
    ("held_of_a_million_request", "... of a million, held by another thread", 0),
    ("locks_a_event", "locks taken for an event", 3),
    ("held_of_a_million_event", "... of a million, held by another thread", 0),
    ("futex_a_thousand_requests", "calls of futex for 1,000 requests", 2),
)
TLS = (("request", "1 KiB request", 1), ("body1m", "1 MiB request", 0), ("burst", "event in bursts", 2),
       ("connection", "1 KiB request on a connection of its own", 1))
TLS_ROWS = (("plain-backstay", "Backstay"), ("tls-backstay", "with TLS"), ("plain-haproxy", "HAProxy"),
            ("tls-haproxy", "with TLS"))
BUDGET_TITLES = (
    ("request_1k", "1 KiB request"), ("request_100k", "100 KiB request"), ("request_1m", "1 MiB request"),
    ("answer_100k", "answer of 100 KiB"), ("stream", "a stream without its events"),
    ("event_paced", "event, one by one"), ("event_burst", "event in a burst of 50"),
    ("event_from_anthropic", "... of an Anthropic backend, for a client of OpenAI's interface"),
    ("event_to_anthropic", "... of an OpenAI backend, for a client of Anthropic's interface"),
)


# ---- figures ------------------------------------------------------------------------

def summary(repetitions, once):
    """Medians with least and most; what is added is seen within each repetition."""
    table = {}
    for name in {**once, **(repetitions[0] if repetitions else {})}:
        table[name] = {key: {"median": v, "min": v, "max": v}
                       for key, v in once.get(name, {}).items() if v is not None}
        of_row = [rep for rep in repetitions if name in rep]
        for key in sorted({key for rep in of_row for key in rep[name]} - {"errors"}):
            spread(table[name], key, [rep[name].get(key) for rep in of_row])
            if name != "direct" and all("direct" in rep for rep in of_row):
                spread(table[name], "added_" + key, [
                    rep[name][key] - rep["direct"][key] for rep in of_row
                    if rep[name].get(key) is not None and rep["direct"].get(key) is not None])
    return table


def spread(row, key, values):
    values = [v for v in values if v is not None]
    if values:
        row[key] = {"median": statistics.median(values), "min": min(values), "max": max(values)}


def number(value, digits):
    return "{:,.{}f}".format(value, digits)


def ranged(v, digits):
    if v is None:
        return ""
    if number(v["min"], digits) == number(v["max"], digits):
        return number(v["median"], digits)
    return "%s (%s–%s)" % tuple(number(v[k], digits) for k in ("median", "min", "max"))


def lines_of(heads, rows):
    """A table in Markdown; the first column is text."""
    return ["| " + " | ".join(heads) + " |", "|---|" + "---:|" * (len(heads) - 1)] + [
        "| " + " | ".join(row) + " |" for row in rows]


def engine_rows(text):
    """What bench-engine has printed: [title, ns, allocations]."""
    cells = [[c.strip() for c in line.strip("|").split("|")] for line in text.splitlines()[2:]]
    return [[c[0], float(c[1]), float(c[2])] for c in cells if len(c) == 3]


# ---- tables ----------------------------------------------------------------------------

def of_machine(data):
    m = data["machine"]
    if not data["repetitions"]:
        return None
    text = ("%(date)s: %(cpu)s, %(cores)d cores, Linux %(kernel)s, %(nginx)s, %(haproxy)s, %(gateways)s; "
            "congestion control %(congestion_control)s. Medians of %(repetitions)d repetitions, with the "
            "least and the most." % m)
    if m["quick"]:
        text += " A quick run, which is less exact."
    if m["busy_before"] > 10:
        text += (" The machine was busy with other work (%.0f %% of it): CPU and memory hold, rates "
                 "and times hardly do." % m["busy_before"])
    return [text]


def of_rows(data):
    rows = [r for r in data["rows"] if r in data["table"]]
    table = data["table"]
    if not data["repetitions"]:
        return None
    found = [(title, [ranged(table[row].get(key), digits) for row in rows])
             for key, title, digits, _ in METRICS]
    return lines_of([""] + [TITLES[r] for r in rows],
                    [[title] + cells for title, cells in found if any(cells)])


def of_ratios(data):
    """Above 1: Backstay is that many times better; below 1: worse."""
    table = data["table"]
    others = [r for r in data["rows"] if r not in ("direct", "backstay") and r in table]
    if not data["repetitions"] or "backstay" not in table:
        return None
    found = []
    for key, title, _, better in METRICS:
        cells = [ratio(data, key, row, better) for row in others]
        if better and any(cells):
            found.append([title.rsplit(",", 1)[0] if "µs" in title or "KiB" in title else title] + cells)
    return lines_of([""] + ["than " + TITLES[r] for r in others], found)


def ratio(data, key, row, better):
    share = share_of(data, key, row)
    return "" if share is None else "%.2f" % (share if better == "more" else 1 / share)


def share_of(data, key, row):
    """What Backstay has, or takes, of what another does: the median of the shares
    within each repetition, since between them the machine changes. None: unknown, or
    nothing that could be compared."""
    pairs = [(rep["backstay"].get(key), rep[row].get(key)) for rep in data["repetitions"]
             if "backstay" in rep and row in rep] if not key.startswith("added_") else []
    pairs = [pair for pair in pairs if None not in pair]
    if not pairs:
        pairs = [(median(data, "backstay", key), median(data, row, key))]
    if any(v is None or v <= 0 for pair in pairs for v in pair):
        return None
    return statistics.median(ours / theirs for ours, theirs in pairs)


def of_translation(data):
    row = data["table"].get("backstay", {})
    if "burst_openai_anthropic" + "_us" not in row:
        return None
    return lines_of(["client's interface, backend's", "1 KiB request, µs", "paced event, µs",
                     "event in bursts, µs", "times an OpenAI event passed on"],
                    [["%s, %s" % (client, backend), ranged(row.get(request), 1), ranged(row.get(paced), 2),
                      ranged(row.get(burst), 2),
                      "%.2f" % (row[burst]["median"] / row["burst_cpu_us"]["median"])]
                     for client, backend, request, paced, burst in SPOKEN])


def of_tls(data):
    if not data.get("tls"):
        return None
    return lines_of(["CPU, µs"] + [title for _, title in TLS_ROWS],
                    [[title] + [number(data["tls"][phase][row], digits) for row, _ in TLS_ROWS]
                     for phase, title, digits in TLS])


def of_streams(data):
    if not data.get("many"):
        return None
    cells = []
    for what, found in data["many"].items():
        count, kind = what.split()
        cells.append([number(int(count), 0), "TLS on both sides" if kind == "tls" else "plain",
                      found.get("skipped") or number(found["kib"], 2), str(found.get("backstays", ""))])
    return lines_of(["open streams", "", "KiB each", "Backstays"], cells)


def of_engine(data):
    if not data.get("engine"):
        return None
    return lines_of(["what a request's decisions cost", "ns of CPU time", "allocations"],
                    [[title, number(ns, 0), "%.1f" % count] for title, ns, count in data["engine"]])


def of_workers(data):
    if not data.get("workers"):
        return None
    found = {int(n): row for n, row in data["workers"].items()}
    return lines_of(["workers"] + [str(n) for n in sorted(found)],
                    [[title] + [number(found[n][key], digits) if key in found[n] else ""
                                for n in sorted(found)] for key, title, digits in WORKERS])


def of_brownout(data):
    if not data.get("brownout"):
        return None
    rows = []
    for trouble, of_trouble in data["brownout"].items():
        for row, f in of_trouble.items():
            rows.append([TROUBLES[trouble], TITLES[row], number(f["rate"], 1),
                         "0 %" if not f["failed_percent"] else "%.2f %%" % f["failed_percent"]] +
                        [number(f[k], 0) for k in ("p50", "p90", "p99", "max")] +
                        ["to the end" if f["to_the_end"] else number(f["noticed_s"], 1) + " s"])
    return lines_of(["of three backends", "proxy", "right answers/s", "failed", "p50, ms", "p90, ms",
                     "p99, ms", "longest, ms", "noticed for"], rows)


def of_budget(_):
    with open(BUDGET) as f:
        counts = json.load(f)["instructions"]
    return lines_of(["", "instructions"],
                    [[title, number(counts[key], 0)] for key, title in BUDGET_TITLES if key in counts])


# ---- targets ------------------------------------------------------------------------------

def median(data, row, key):
    v = data["table"].get(row, {}).get(key)
    return None if v is None else v["median"]


def against(data, key, others, limits):
    """Text and verdict of Backstay's share of what others take."""
    text, good = [], True
    for row, limit in zip(others, limits):
        share = share_of(data, key, row)
        if share is not None:
            text.append("%.2f of %s's" % (share, TITLES[row]))
            good = good and share <= limit
    return ", ".join(text), good


def target_latency(data):
    text, good = [], True
    for front, rate in (("r500_", "500/s"), ("", "2,000/s"), ("r4000_", "4,000/s")):
        values = {row: [median(data, row, "added_%s%s_us" % (front, p)) for p in ("p50", "p90")]
                  for row in ("backstay", "nginx", "haproxy")}
        if any(v is None for row in values.values() for v in row):
            continue
        text.append("%s: %.0f and %.0f µs (nginx %.0f and %.0f, HAProxy %.0f and %.0f)" % (
            (rate,) + tuple(v for row in ("backstay", "nginx", "haproxy") for v in values[row])))
        good = good and all(ours <= min(values["nginx"][i], values["haproxy"][i])
                            for i, ours in enumerate(values["backstay"]))
    return "; ".join(text), good


def target_p99(data):
    text, good = [], True
    for front, rate in (("r500_", "500/s"), ("", "2,000/s"), ("r4000_", "4,000/s")):
        ours, plain = (median(data, row, front + "p99_us") for row in ("backstay", "direct"))
        if ours is None or plain is None:
            continue
        text.append("%s: %.0f µs (direct %.0f)" % (rate, ours, plain))
        good = good and (ours < 1000 or plain >= 1000)
    return "; ".join(text), good


def target_gateways(data):
    shares = [(share_of(data, "cpu_us", row), row) for row in ("portkey", "litellm")]
    shares = [s for s in shares if s[0]]
    if not shares:
        return "", True
    most, best = max(shares)
    return "%.0f times (%s's)" % (1 / most, TITLES[best]), most <= 0.1


def target_translated(data):
    row = data["table"].get("backstay", {})
    if "burst_openai_anthropic_us" not in row:
        return "", True
    there, back = (row[k]["median"] / row["burst_cpu_us"]["median"]
                   for k in ("burst_openai_anthropic_us", "burst_anthropic_openai_us"))
    return "%.2f and %.2f times in bursts" % (there, back), max(there, back) <= 3


def target_memory(data, key, kind, limit):
    values = [median(data, "backstay", key)] + [
        found.get("kib") for what, found in data.get("many", {}).items() if what.endswith(" " + kind)]
    values = [v for v in values if v]
    return ", ".join("%.1f" % v for v in values), all(v <= limit for v in values)


def target_workers(data):
    found = {int(n): row for n, row in (data.get("workers") or {}).items()}
    if 4 not in found or 1 not in found:
        return "", True
    growth = found[4]["cpu_us_a_request"] / found[1]["cpu_us_a_request"]
    return ("with four on %d cores a request costs %.2f of what it costs with one; %.1f locks a request, of a "
            "million %.0f held by another" % (data["machine"]["cores"], growth, found[4]["locks_a_request"],
                                             found[4]["held_of_a_million_request"])), growth < 1.3


def of_targets(data):
    if not data["repetitions"] or "backstay" not in data["table"]:
        return None
    three = ("haproxy", "nginx", "relay")
    rows = (
        ("CPU per 1 KiB request no worse than HAProxy's and nginx's, within 1.4 of the bare relay's",
         against(data, "cpu_us", three, (1, 1, 1.4))),
        ("ten times better than the best LLM gateway", target_gateways(data)),
        ("CPU per event no worse than nginx's, one by one", against(data, "event_cpu_us", ("nginx",), (1,))),
        ("... in bursts", against(data, "burst_cpu_us", ("nginx",), (1,))),
        ("translated events at most 3 times those passed on", target_translated(data)),
        ("1 MiB requests at most 1.5 times the relay's CPU",
         against(data, "cpu_1m_us", ("relay", "haproxy", "nginx"), (1.5, 1e9, 1e9))),
        ("p50 and p90 added no more than HAProxy's and nginx's", target_latency(data)),
        ("p99 below 1 ms wherever it is without a proxy", target_p99(data)),
        ("at most 4 KiB a stream", target_memory(data, "stream_kib", "plain", 4)),
        ("at most 24 KiB a stream with TLS on both sides", target_memory(data, "tls_stream_kib", "tls", 24)),
        ("four workers cost a request no more than one does", target_workers(data)),
    )
    return lines_of(["target", "here", ""],
                    [[title, text, "met" if good else "missed"] for title, (text, good) in rows if text])


TABLES = {"machine": of_machine, "rows": of_rows, "ratios": of_ratios, "translation": of_translation,
          "tls": of_tls, "streams": of_streams, "engine": of_engine, "workers": of_workers, "targets": of_targets,
          "brownout": of_brownout, "budget": of_budget}
HEADINGS = {"ratios": "How many times better Backstay (access log off) is; below 1 it is worse:"}


def show(data):
    for name, make in TABLES.items():
        lines = make(data)
        if lines:
            print("\n".join(([HEADINGS[name], ""] if name in HEADINGS else []) + lines) + "\n")


def write(data, path):
    with open(path) as f:
        text = f.read()
    for name, make in TABLES.items():
        lines = make(data)
        place = re.compile(r"(<!-- figures: %s -->\n).*?(<!-- end -->)" % name, re.S)
        if lines and place.search(text):
            text = place.sub(lambda m, lines=lines: m.group(1) + "\n".join(lines) + "\n" + m.group(2), text)
            print("%s: written" % name, file=sys.stderr)
    with open(path, "w") as f:
        f.write(text)


def main():
    parser = argparse.ArgumentParser(description="tables of a run of bench.py")
    parser.add_argument("--json", default=os.path.join(HERE, "results.json"))
    parser.add_argument("--write", nargs="?", const=DOCUMENT)
    options = parser.parse_args()
    with open(options.json) as f:
        data = json.load(f)
    if options.write:
        write(data, options.write)
    else:
        show(data)


if __name__ == "__main__":
    main()
