#!/usr/bin/env python3
"""Writes the Grafana dashboards in deploy/grafana from the panels below.

  dashboards.py           writes them
  dashboards.py --check   exit 1 where a file is not what is written here, or where a
                          query names a family that docs/metrics.md does not list
  dashboards.py --queries all queries, one a line, tab, the dashboard's and panel's name;
                          variables replaced by what matches everything
"""

import json
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FOLDER = os.path.join(ROOT, "deploy", "grafana", "dashboards")
SOURCE = {"type": "prometheus", "uid": "${source}"}
BAD = 'fault!~"none|caller|client_gone|context|policy"'
COUNTS = 'fault!~"caller|client_gone|context|policy"'
STATES = ["good", "trial due", "ejected", "ramping", "paced", "open", "off"]
COLOURS = ["green", "blue", "orange", "yellow", "purple", "red", "dark-red"]


def target(query, legend):
    return {"datasource": SOURCE, "expr": query, "legendFormat": legend, "refId": ""}


def table(targets, units):
    """What makes one table of several queries, a column each, named as they are."""
    names = {"Value #" + t["refId"] if len(targets) > 1 else "Value": t["legendFormat"] or "value"
             for t in targets}
    for one in targets:
        one["format"] = "table"
    overrides = [{"matcher": {"id": "byName", "options": name},
                  "properties": [{"id": "unit", "value": unit}]} for name, unit in units.items()]
    return overrides, [{"id": "merge", "options": {}},
                       {"id": "organize", "options": {"excludeByName": {"Time": True},
                                                      "renameByName": names}}]


def panel(title, kind, queries, unit="short", width=8, height=8, text="", options=None, units=None,
          **defaults):
    targets = [target(query, legend) for query, legend in queries]
    for i, one in enumerate(targets):
        one["refId"] = "ABCDEFGH"[i]
        if kind in ("stat", "table", "bargauge"):
            one["instant"] = True
    made = {"title": title, "type": kind, "datasource": SOURCE, "description": text,
            "targets": targets, "gridPos": {"w": width, "h": height},
            "fieldConfig": {"defaults": {"unit": unit, **defaults}, "overrides": []}}
    if options:
        made["options"] = options
    if kind == "table":
        made["fieldConfig"]["overrides"], made["transformations"] = table(targets, units or {})
    return made


def lines(title, queries, unit="short", **more):
    return panel(title, "timeseries", queries, unit,
                 options={"legend": {"displayMode": "list", "placement": "bottom"},
                          "tooltip": {"mode": "multi", "sort": "desc"}}, **more)


def stacked(title, queries, unit="short", **more):
    return lines(title, queries, unit, custom={"stacking": {"mode": "normal"}, "fillOpacity": 30},
                 **more)


def number(title, query, unit="short", steps=None, **more):
    colours = {"mode": "absolute", "steps": steps or [{"color": "green", "value": None}]}
    return panel(title, "stat", [(query, "")], unit, width=4, height=4, thresholds=colours,
                 options={"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "value"}, **more)


def history(title, query, legend, **more):
    """What each target could be used for, over time."""
    mapping = [{"type": "value", "options": {
        str(i): {"text": text, "color": COLOURS[i], "index": i} for i, text in enumerate(STATES)}}]
    return panel(title, "state-timeline", [(query, legend)], width=24, height=8, mappings=mapping,
                 options={"mergeValues": True, "showValue": "never", "rowHeight": 0.8}, **more)


def limits(*pairs):
    return [{"color": "green", "value": None}] + [{"color": c, "value": v} for c, v in pairs]


def rate(family, by, selector=""):
    return "sum by (%s) (rate(%s{%s}[$__rate_interval]))" % (by, family, selector)


def quantile(q, family, by, selector=""):
    return "histogram_quantile(%s, sum by (%s, le) (rate(%s_bucket{%s}[$__rate_interval])))" % (
        q, by, family, selector)


def ratio(selector=""):
    more = "," + selector if selector else ""
    whole = "sum(rate(backstay_requests_total{%s%s}[$__rate_interval]))" % (COUNTS, more)
    return "1 - (sum(rate(backstay_requests_total{%s%s}[$__rate_interval])) or 0 * %s) / %s" % (
        BAD, more, whole, whole)


def overview():
    return "Backstay: overview", [], [
        number("Answered well", ratio(), "percentunit",
               [{"color": "red", "value": None}, {"color": "orange", "value": 0.99},
                {"color": "green", "value": 0.999}],
               text="Of the requests that neither the caller nor the content is to blame for."),
        number("Requests a second", "sum(rate(backstay_requests_total[$__rate_interval]))", "reqps"),
        number("In progress", "sum(backstay_requests_in_progress)"),
        number("Waiting", "sum(backstay_queue_length)", steps=limits(("orange", 1), ("red", 50))),
        number("Targets out", "count(backstay_target_use >= 4) or vector(0)",
               steps=limits(("orange", 1), ("red", 3))),
        number("Degraded a minute", "60 * sum(rate(backstay_degraded_total[$__rate_interval]))",
               steps=limits(("orange", 1))),
        stacked("Requests by how they ended", [(rate("backstay_requests_total", "fault"), "{{fault}}")],
                "reqps", width=12),
        stacked("Requests by model", [(rate("backstay_requests_total", "model"), "{{model}}")],
                "reqps", width=12),
        lines("Time to first token", [
            (quantile(0.5, "backstay_time_to_first_token_seconds", "model"), "{{model}} median"),
            (quantile(0.95, "backstay_time_to_first_token_seconds", "model"), "{{model}} p95")], "s"),
        lines("Time between tokens", [
            (quantile(0.5, "backstay_time_between_tokens_seconds", "model"), "{{model}} median"),
            (quantile(0.95, "backstay_time_between_tokens_seconds", "model"), "{{model}} p95")], "s"),
        lines("Backstay's own part", [
            (quantile(0.5, "backstay_overhead_seconds", "job"), "overhead median"),
            (quantile(0.99, "backstay_overhead_seconds", "job"), "overhead p99"),
            (quantile(0.99, "backstay_loop_turn_seconds", "job"), "loop turn p99")], "s"),
        history("Targets", "max by (target) (backstay_target_use)", "{{target}}"),
        lines("Connections", [("sum(backstay_client_connections)", "clients"),
                              ("sum(backstay_upstream_connections)", "backends"),
                              ("sum(backstay_upstream_idle_connections)", "idle")]),
        lines("Memory", [("sum by (instance) (process_resident_memory_bytes)", "{{instance}}"),
                         ("sum(backstay_request_body_bytes)", "request bodies"),
                         ("sum(backstay_cache_memory_bytes)", "kept answers")], "bytes"),
        lines("Descriptors and processor", [
            ("sum by (instance) (process_open_fds)", "{{instance}} open"),
            ("sum by (instance) (rate(process_cpu_seconds_total[$__rate_interval]))",
             "{{instance}} cores")]),
        lines("Nodes that share a store", [
            ("max by (state) (backstay_cluster_nodes)", "{{state}}"),
            ("sum(backstay_cluster_alone)", "alone"),
            ("max(backstay_cluster_configs)", "config files")], width=24, height=5,
              text="As the node says that knows of most; alone: nodes that the store says nothing to."),
        panel("Configs, starts, versions", "table", [
            ("max by (instance) (backstay_config_generation)", "generation"),
            ("max by (instance) (backstay_config_stale)", "refused"),
            ("max by (instance) (backstay_serving_starts_total)", "starts"),
            ("max by (instance, version) (backstay_build_info)", "version")], width=24, height=5),
    ]


def model():
    own = 'model="$model"'
    return "Backstay: one model", [("model", "label_values(backstay_model_targets, model)")], [
        number("Answered well", ratio(own), "percentunit",
               [{"color": "red", "value": None}, {"color": "green", "value": 0.999}]),
        number("Requests a second", "sum(rate(backstay_requests_total{%s}[$__rate_interval]))" % own,
               "reqps"),
        number("Targets usable", "max(backstay_model_targets_usable{%s})" % own,
               steps=[{"color": "red", "value": None}, {"color": "green", "value": 1}]),
        number("Waiting", "sum(backstay_queue_length{%s})" % own),
        number("Retries left", "sum(backstay_model_retries_left{%s})" % own,
               steps=[{"color": "red", "value": None}, {"color": "green", "value": 1}]),
        number("Output tokens a second",
               'sum(rate(backstay_tokens_total{%s,kind="output"}[$__rate_interval]))' % own),
        stacked("How requests ended", [(rate("backstay_requests_total", "fault, status", own),
                                        "{{status}} {{fault}}")], "reqps", width=12),
        stacked("Degraded answers", [(rate("backstay_degraded_total", "kind", own), "{{kind}}")],
                "reqps", width=12),
        lines("Time to first token", [
            (quantile(q, "backstay_time_to_first_token_seconds", "model", own), "p%g" % (q * 100))
            for q in (0.5, 0.9, 0.99)], "s"),
        lines("Time between tokens", [
            (quantile(q, "backstay_time_between_tokens_seconds", "model", own), "p%g" % (q * 100))
            for q in (0.5, 0.95, 0.99)], "s", text="Of each gap; not the mean of a stream."),
        lines("Duration", [
            (quantile(q, "backstay_request_duration_seconds", "model", own), "p%g" % (q * 100))
            for q in (0.5, 0.9, 0.99)], "s"),
        lines("Wait for a place", [
            (quantile(q, "backstay_queue_wait_seconds", "model", own), "p%g" % (q * 100))
            for q in (0.5, 0.99)], "s"),
        stacked("Turned away", [(rate("backstay_shed_total", "priority, reason", own),
                                 "{{priority}} {{reason}}")], "reqps"),
        stacked("Kept answers", [(rate("backstay_cache_total", "use, tier", own), "{{use}} {{tier}}")],
                "reqps", text="What was found, and in which store."),
        stacked("Tokens by target", [(rate("backstay_tokens_total", "target, kind", own),
                                      "{{target}} {{kind}}")]),
    ]


def one_target():
    own = 'target="$target"'
    return "Backstay: one target", [("target", "label_values(backstay_target_use, target)")], [
        number("In flight", "sum(backstay_target_in_flight{%s})" % own),
        number("May have at once", "max(backstay_target_limit{%s})" % own),
        number("Tries a second", "sum(rate(backstay_attempts_total{%s}[$__rate_interval]))" % own,
               "reqps"),
        number("Good", 'sum(rate(backstay_attempts_total{%s,fault="none"}[$__rate_interval])) / '
               "sum(rate(backstay_attempts_total{%s}[$__rate_interval]))" % (own, own), "percentunit"),
        number("Opened today", "sum(increase(backstay_target_breaker_opened_total{%s}[1d]))" % own,
               steps=limits(("orange", 1))),
        number("Requests left", 'max(backstay_target_rate_left{%s,of="requests"})' % own),
        history("Use", "max by (target) (backstay_target_use{%s})" % own, "{{target}}"),
        stacked("Tries by how they ended", [(rate("backstay_attempts_total", "fault", own),
                                             "{{fault}}")], "reqps", width=12),
        lines("First token", [
            (quantile(q, "backstay_attempt_first_token_seconds", "target", own), "p%g" % (q * 100))
            for q in (0.5, 0.9, 0.99)], "s", width=12),
        lines("Breakers", [("max by (breaker) (backstay_breaker_state{%s})" % own, "{{breaker}}")],
              text="0 closed, 1 open, 2 half-open, 3 ramping"),
        lines("Turns of the breakers", [
            ("sum by (breaker, to) (increase(backstay_breaker_transitions_total{%s}"
             "[$__rate_interval]))" % own, "{{breaker}} {{to}}")]),
        lines("Probes", [(rate("backstay_probes_total", "result", own), "{{result}}")]),
        lines("Rate limit left", [("max by (of) (backstay_target_rate_left{%s})" % own, "{{of}}")]),
        lines("Pauses asked for, ejections", [
            ("sum(increase(backstay_target_paced_total{%s}[$__rate_interval]))" % own, "paced"),
            ("sum(increase(backstay_target_ejected_total{%s}[$__rate_interval]))" % own, "ejected")]),
        lines("Out of use", [("max by (why) (backstay_target_out_of_use{%s})" % own, "{{why}}")]),
    ]


def cost():
    return "Backstay: cost", [], [
        number("US dollars, last hour", "sum(increase(backstay_cost_usd_total[1h]))", "currencyUSD"),
        number("Last day", "sum(increase(backstay_cost_usd_total[1d]))", "currencyUSD"),
        number("Last 30 days", "sum(increase(backstay_cost_usd_total[30d]))", "currencyUSD"),
        number("Tokens saved by the cache, last day",
               "sum(increase(backstay_saved_tokens_total[1d])) or vector(0)"),
        number("Tokens without a price, last day",
               "sum(increase(backstay_unpriced_tokens_total[1d]))", steps=limits(("orange", 1)),
               text="They are missing in the cost. Give their models a price in the config."),
        number("Tries that never told their tokens, last day",
               "sum(increase(backstay_usage_untold_total[1d]))", steps=limits(("orange", 1)),
               text="Counted by the tokens that were heard."),
        stacked("Dollars an hour by model",
                [("3600 * " + rate("backstay_cost_usd_total", "model"), "{{model}}")],
                "currencyUSD", width=12),
        stacked("Dollars an hour by target",
                [("3600 * " + rate("backstay_cost_usd_total", "target"), "{{target}}")],
                "currencyUSD", width=12),
        stacked("Dollars an hour by key group",
                [("3600 * " + rate("backstay_cost_usd_total", "key"), "{{key}}")],
                "currencyUSD", width=12),
        stacked("Tokens a second by kind", [(rate("backstay_tokens_total", "kind"), "{{kind}}")],
                width=12, text="Cached is a part of input, reasoning of output."),
        lines("Budgets: share that is spent", [
            ("max by (budget) (backstay_budget_used_ratio)", "{{budget}}")], "percentunit", width=12,
              text="In the present hour, day or month. Machines count each for themselves."),
        stacked("Requests that a spent budget refused, or sent to cheaper targets", [
            (rate("backstay_budget_refused_total", "budget"), "{{budget}} refused"),
            (rate("backstay_budget_moved_total", "budget"), "{{budget}} moved")], "reqps", width=12),
        panel("Budgets: spent, limit, end of the period", "table", [
            ("sum by (budget) (backstay_budget_spent_usd)", "dollars"),
            ("max by (budget) (backstay_budget_limit_usd)", "of dollars"),
            ("sum by (budget) (backstay_budget_spent_tokens)", "tokens"),
            ("max by (budget) (backstay_budget_limit_tokens)", "of tokens"),
            ("1000 * max by (budget) (backstay_budget_period_end_timestamp_seconds)", "ends")],
              width=24, height=7, units={"dollars": "currencyUSD", "of dollars": "currencyUSD",
                                         "ends": "dateTimeAsIso"}),
        panel("Who spends, last day", "table",
              [("sort_desc(sum by (model, target, key) (increase(backstay_cost_usd_total[1d])))",
                "dollars")],
              "currencyUSD", width=24, height=10),
    ]


def story():
    return "Backstay: failures and what was done", [], [
        stacked("What went wrong (tries)", [
            ('sum by (target, fault) (rate(backstay_attempts_total{fault!="none"}[$__rate_interval]))',
             "{{target}} {{fault}}")], "reqps", width=12),
        stacked("What clients saw of it (requests)", [
            (rate("backstay_requests_total", "model, fault", BAD), "{{model}} {{fault}}")], "reqps",
                width=12),
        stacked("What was done", [
            ("sum(rate(backstay_retries_total[$__rate_interval]))", "tried again"),
            ('sum(rate(backstay_hedges_total{result="won"}[$__rate_interval]))', "hedge won"),
            ("sum(rate(backstay_fallbacks_total[$__rate_interval]))", "fallback model"),
            ("sum(rate(backstay_resumed_whole_total[$__rate_interval]))", "stream resumed"),
            ('sum(rate(backstay_degraded_total{kind=~"stale|near|last-resort"}[$__rate_interval]))',
             "old answer or last resort")], "reqps", width=12),
        stacked("Resumes by way and result", [
            (rate("backstay_resumes_total", "way, result"), "{{way}} {{result}}")], "reqps", width=12),
        history("Targets", "max by (target) (backstay_target_use)", "{{target}}"),
        lines("Breakers turned", [
            ("sum by (target, breaker, to) (increase(backstay_breaker_transitions_total"
             "[$__rate_interval])) > 0", "{{target}} {{breaker}} {{to}}")], width=12),
        lines("Budgets", [("min by (model) (backstay_model_retries_left)", "{{model}} retries left"),
                          ("sum by (model) (rate(backstay_retries_refused_total[$__rate_interval]))",
                           "{{model}} refused a second")], width=12),
        lines("Broken answers", [(rate("backstay_broken_answers_total", "model"), "{{model}}")],
              "reqps", width=12, text="Had begun and ended in an honest error."),
        stacked("Connections that failed", [
            ("sum(rate(backstay_upstream_connect_faults_total[$__rate_interval]))", "not made"),
            ("sum(rate(backstay_upstream_stale_replays_total[$__rate_interval]))", "stale, replaced")],
                "reqps", width=12),
        lines("Share of the error budget burnt", [
            ("backstay:request_errors:ratio_rate5m / 0.001", "{{model}} 5 min"),
            ("backstay:request_errors:ratio_rate1h / 0.001", "{{model}} 1 h")], width=12,
              text="1: exactly what 99.9 % allows. From the recording rules."),
        lines("Alerts", [("sum by (alertname, model, target) (ALERTS{alertstate=\"firing\","
                          'alertname=~"Backstay.*"})', "{{alertname}} {{model}}{{target}}")], width=12),
    ]


def variable(name, query):
    return {"name": name, "type": "query", "datasource": SOURCE, "query": query, "refresh": 2,
            "sort": 1, "includeAll": False, "multi": False}


def dashboard(uid, made):
    title, variables, panels = made
    x = y = row = 0
    for number_, one in enumerate(panels):
        place = one["gridPos"]
        if x + place["w"] > 24:
            x, y, row = 0, y + row, 0
        place["x"], place["y"] = x, y
        x, row = x + place["w"], max(row, place["h"])
        one["id"] = number_ + 1
    source = {"name": "source", "type": "datasource", "query": "prometheus", "label": "Prometheus"}
    return {"uid": uid, "title": title, "tags": ["backstay"], "timezone": "", "schemaVersion": 39,
            "editable": True, "refresh": "10s", "time": {"from": "now-1h", "to": "now"},
            "links": [{"title": "Backstay", "type": "dashboards", "tags": ["backstay"],
                       "asDropdown": True, "keepTime": True}],
            "templating": {"list": [source] + [variable(*v) for v in variables]}, "panels": panels}


ALL = {"overview": overview, "model": model, "target": one_target, "cost": cost, "failures": story}


def texts():
    return {name: json.dumps(dashboard("backstay-" + name, make()), indent=1) + "\n"
            for name, make in ALL.items()}


def queries():
    for name, make in ALL.items():
        title, variables, panels = make()
        for one in panels:
            for entry in one["targets"]:
                query = entry["expr"].replace("$__rate_interval", "1m")
                for variable_, _ in variables:
                    query = query.replace('="$%s"' % variable_, '=~".+"')
                yield query, "%s: %s" % (name, one["title"])
        for variable_, query in variables:
            yield re.search(r"label_values\((\w+),", query).group(1), "%s: $%s" % (name, variable_)


def families():
    with open(os.path.join(ROOT, "docs", "metrics.md"), encoding="utf-8") as file:
        return set(re.findall(r"^\| `(\w+)` \| (?:counter|gauge|histogram) ", file.read(), re.M))


def check():
    good = True
    for name, text in texts().items():
        path = os.path.join(FOLDER, name + ".json")
        if not os.path.exists(path) or open(path, encoding="utf-8").read() != text:
            print("%s is not what scripts/dashboards.py writes; run it" % path)
            good = False
    known = families()
    for query, where in queries():
        for family in re.findall(r"\b((?:backstay|process)_\w+)", query):
            base = re.sub(r"_(bucket|sum|count)$", "", family)
            if family not in known and base not in known:
                print("%s: there is no family %s" % (where, family))
                good = False
    rules = os.path.join(ROOT, "deploy", "prometheus", "backstay.rules.yaml")
    with open(rules, encoding="utf-8") as file:
        for family in set(re.findall(r"\b(backstay_\w+)", file.read())):
            if family not in known and re.sub(r"_(bucket|sum|count)$", "", family) not in known:
                print("%s: there is no family %s" % (rules, family))
                good = False
    return good


def main():
    if sys.argv[1:] == ["--check"]:
        return 0 if check() else 1
    if sys.argv[1:] == ["--queries"]:
        for query, where in queries():
            print("%s\t%s" % (query, where))
        return 0
    os.makedirs(FOLDER, exist_ok=True)
    for name, text in texts().items():
        with open(os.path.join(FOLDER, name + ".json"), "w", encoding="utf-8") as file:
            file.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
