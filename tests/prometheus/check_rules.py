#!/usr/bin/env python3
"""Checks deploy/prometheus with promtool: the rules are sound, each alert has a
runbook page and a test, and fires and ends when the stories below say.

Exit 77 (skipped) where promtool is not installed. PyYAML is not needed: the rules
are read with a few patterns, and the tests are written as JSON, which is YAML.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RULES = os.path.join(ROOT, "deploy", "prometheus", "backstay.rules.yaml")
DAY = 86400
PAGE, TICKET = {"severity": "page"}, {"severity": "ticket"}
CHAT = {"model": "chat"}


def requests(status, fault, values):
    return ('backstay_requests_total{model="chat",status="%s",fault="%s"}' % (status, fault), values)


def at(time, alert, *fires):
    """At `time` the alert fires with exactly these labels, or not at all."""
    return {"eval_time": time, "alertname": alert,
            "exp_alerts": [{"exp_labels": labels} for labels in fires]}


BUCKET = 'backstay_time_to_first_token_seconds_bucket{model="chat",le="10.0"}'
COUNT = 'backstay_time_to_first_token_seconds_count{model="chat"}'
OFF = 'backstay_target_out_of_use{target="a/m",why="%s"}'

# A sentence; series with a value each minute (Prometheus' own notation); checks.
STORIES = [
    ("an outage of 20 minutes pages within minutes, and is silent half an hour after it",
     [requests("2xx", "none", "0+60x30 1800+0x20 1800+60x60"),
      requests("5xx", "server_error", "0x30 0+60x20 1200+0x60")],
     [at("25m", "BackstayErrorBudgetBurnsFast"),
      at("36m", "BackstayErrorBudgetBurnsFast", {**PAGE, **CHAT}),
      at("85m", "BackstayErrorBudgetBurnsFast")]),
    ("what callers and content are to blame for does not count",
     [requests("2xx", "none", "0+60x60"), requests("4xx", "caller", "0+600x60"),
      requests("4xx", "policy", "0+600x60"), requests("other", "client_gone", "0+600x60")],
     [at("50m", "BackstayErrorBudgetBurnsFast"), at("50m", "BackstayErrorBudgetBurns")]),
    ("a small leak is a ticket, not a page",
     [requests("2xx", "none", "0+1000x180"), requests("5xx", "silence", "0+4x180")],
     [at("170m", "BackstayErrorBudgetBurnsFast"),
      at("170m", "BackstayErrorBudgetBurns", {**TICKET, **CHAT})]),
    ("half of the answers slow for half an hour: nobody is woken",
     [(BUCKET, "0+60x30 1800+30x30"), (COUNT, "0+60x60")],
     [at("55m", "BackstayFirstTokenBudgetBurnsFast")]),
    ("all answers slow to begin",
     [(BUCKET, "0+0x120"), (COUNT, "0+60x120")],
     [at("30m", "BackstayFirstTokenBudgetBurnsFast", {**PAGE, **CHAT})]),
    ("half of them slow for hours",
     [(BUCKET, "0+30x480"), (COUNT, "0+60x480")],
     [at("7h", "BackstayFirstTokenBudgetBurnsFast"),
      at("7h", "BackstayFirstTokenBudgetBurns", {**TICKET, **CHAT})]),
    ("all targets of a model are out, and come back",
     [('backstay_model_targets_usable{model="chat"}', "2x5 0x10 1x10"),
      ('backstay_model_targets{model="chat"}', "2x30")],
     [at("5m", "BackstayModelDown"), at("10m", "BackstayModelDown", {**PAGE, **CHAT}),
      at("18m", "BackstayModelDown")]),
    ("a model is served by its fallbacks",
     [('backstay_degraded_total{model="chat",kind="fallback"}', "0x10 0+10x30 300x60"),
      requests("2xx", "none", "0+60x100")],
     [at("9m", "BackstayOnFallback"), at("30m", "BackstayOnFallback", {**TICKET, **CHAT}),
      at("60m", "BackstayOnFallback")]),
    ("old answers are given, and the last resort",
     [('backstay_degraded_total{model="chat",kind="stale"}', "0x10 0+1x5 5x30"),
      ('backstay_degraded_total{model="chat",kind="last-resort"}', "0x10 0+1x5 5x30")],
     [at("9m", "BackstayServesStale"), at("15m", "BackstayServesStale", {**TICKET, **CHAT}),
      at("15m", "BackstayLastResort", {**PAGE, **CHAT}), at("40m", "BackstayServesStale"),
      at("40m", "BackstayLastResort")]),
    ("a retry budget is spent",
     [('backstay_retries_refused_total{model="chat"}', "0x10 0+5x10 50x30")],
     [at("10m", "BackstayRetryBudgetExhausted"),
      at("18m", "BackstayRetryBudgetExhausted", {**TICKET, **CHAT}),
      at("40m", "BackstayRetryBudgetExhausted")]),
    ("a queue that fills and empties; one of length 0 is never full",
     [('backstay_queue_length{model="chat"}', "0x5 90x10 3x10"),
      ('backstay_queue_length_max{model="chat"}', "100x30"),
      ('backstay_queue_length{model="off"}', "0x30"),
      ('backstay_queue_length_max{model="off"}', "0x30")],
     [at("5m", "BackstayQueueSaturated"), at("12m", "BackstayQueueSaturated", {**PAGE, **CHAT}),
      at("20m", "BackstayQueueSaturated")]),
    ("requests are turned away",
     [('backstay_shed_total{model="chat",priority="low",reason="queue_full"}', "0x5 0+3x20 60x30")],
     [at("15m", "BackstayQueueSaturated", {**PAGE, **CHAT}), at("45m", "BackstayQueueSaturated")]),
    ("a credential is refused, an account is empty, a model is gone; all are mended",
     [(OFF % why, "0x5 1x10 0x10") for why in ("credential", "no_money", "model_gone")],
     [at("4m", "BackstayCredentialOff"),
      at("10m", "BackstayCredentialOff", {**PAGE, "target": "a/m", "why": "credential"}),
      at("20m", "BackstayCredentialOff"),
      at("10m", "BackstayOutOfMoney", {**PAGE, "target": "a/m", "why": "no_money"}),
      at("20m", "BackstayOutOfMoney"),
      at("13m", "BackstayModelGone", {**TICKET, "target": "a/m", "why": "model_gone"}),
      at("20m", "BackstayModelGone")]),
    ("a budget is nearly spent, spent, and begins anew",
     [('backstay_budget_used_ratio{budget="team"}', "0.5x5 0.85x10 1.1x10 0x10")],
     [at("5m", "BackstayBudgetNear"),
      at("12m", "BackstayBudgetNear", {**TICKET, "budget": "team"}), at("12m", "BackstayBudgetSpent"),
      at("22m", "BackstayBudgetNear"), at("22m", "BackstayBudgetSpent", {**PAGE, "budget": "team"}),
      at("35m", "BackstayBudgetSpent")]),
    ("the process dies, its config is refused, its store is out",
     [('up{job="backstay",instance="i"}', "1x5 0x10 1x10"),
      ('backstay_serving_starts_total{instance="i"}', "1x5 2x30"),
      ('backstay_config_stale{instance="i"}', "0x5 1x10 0x10"),
      ('backstay_cache_store_up{instance="i",store="redis"}', "1x5 0x10 1x10")],
     [at("10m", "BackstayDown", {**PAGE, "job": "backstay", "instance": "i"}),
      at("20m", "BackstayDown"), at("8m", "BackstayRestarted", {**TICKET, "instance": "i"}),
      at("25m", "BackstayRestarted"),
      at("12m", "BackstayConfigRefused", {**TICKET, "instance": "i"}),
      at("20m", "BackstayConfigRefused"),
      at("10m", "BackstayStoreDown", {**TICKET, "instance": "i", "store": "redis"}),
      at("20m", "BackstayStoreDown")]),
    ("a machine that shares the store vanishes and comes back; both others see it",
     [('backstay_cluster_nodes{job="backstay",instance="%s",state="gone"}' % name, "0x5 1x10 0x10")
      for name in ("i", "j")] +
     [('backstay_cluster_nodes{job="backstay",instance="i",state="unknown"}', "1x25")],
     [at("5m", "BackstayNodeGone"), at("8m", "BackstayNodeGone", {**TICKET, "job": "backstay"}),
      at("20m", "BackstayNodeGone")]),
    ("whoever should be told of alerts takes none for a while",
     [('backstay_alert_sink_failing{instance="i",sink="pager"}', "0x2 1x4 0x5 1x20 0x10")],
     [at("10m", "BackstayAlertsNotTaken"),
      at("25m", "BackstayAlertsNotTaken", {**TICKET, "instance": "i", "sink": "pager"}),
      at("38m", "BackstayAlertsNotTaken")]),
    ("certificates: time begins at 0 here",
     [('backstay_certificate_expiry_timestamp_seconds{instance="%s"}' % name, "%dx200" % (days * DAY))
      for name, days in (("far", 20), ("near", 10), ("now", 1))] +
     [('backstay_target_certificate_expiry_timestamp_seconds{instance="far",target="a/m"}', "%dx200" % DAY)],
     [at("2h", "BackstayCertificateExpires", {**TICKET, "instance": "near"},
         {**TICKET, "instance": "now"}, {**TICKET, "instance": "far", "target": "a/m"}),
      at("2h", "BackstayCertificateExpiresSoon", {**PAGE, "instance": "now"},
         {**PAGE, "instance": "far", "target": "a/m"})]),
]


def check_pages(text):
    """Each alert names a page that exists, and a story makes it fire."""
    fired = {c["alertname"] for _, _, checks in STORIES for c in checks if c["exp_alerts"]}
    good = True
    blocks = re.split(r"\n      - (?=alert:|record:)", text)
    for block in blocks:
        name = re.match(r"alert: (\w+)", block)
        if not name:
            continue
        page = re.search(r"runbook: (\S+)", block)
        if not page or not os.path.exists(os.path.join(ROOT, page.group(1))):
            print("%s has no runbook page" % name.group(1))
            good = False
        elif name.group(1) not in open(os.path.join(ROOT, page.group(1)), encoding="utf-8").read():
            print("%s does not speak of %s" % (page.group(1), name.group(1)))
            good = False
        if name.group(1) not in fired:
            print("no story makes %s fire" % name.group(1))
            good = False
    return good


def main():
    promtool = shutil.which("promtool")
    with open(RULES, encoding="utf-8") as file:
        text = file.read()
    good = check_pages(text)
    if not promtool:
        print("promtool is not installed (Debian: prometheus)")
        return 77 if good else 1
    with tempfile.TemporaryDirectory() as directory:
        # Annotations would have to be repeated word by word in every check.
        bare = re.sub(r"\n        annotations:\n(?:          .*\n)+", "\n", text)
        with open(os.path.join(directory, "rules.yaml"), "w", encoding="utf-8") as file:
            file.write(bare)
        stories = [{"name": name, "interval": "1m",
                    "input_series": [{"series": s, "values": v} for s, v in series],
                    "alert_rule_test": checks} for name, series, checks in STORIES]
        tests = os.path.join(directory, "tests.yaml")
        with open(tests, "w", encoding="utf-8") as file:
            json.dump({"rule_files": ["rules.yaml"], "evaluation_interval": "1m",
                       "tests": stories}, file)
        for command in (["check", "rules", RULES], ["test", "rules", tests]):
            good = subprocess.call([promtool, *command]) == 0 and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
