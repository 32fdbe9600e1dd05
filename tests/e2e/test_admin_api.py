"""The admin port: who may, what it says against its own OpenAPI document, and
that targets, breakers, drills and the cache do as told."""

import itertools
import json
import os
import re

import pytest

from harness import ROOT, backends_of, get, poll, targets_of

KEY = "an-admin-key-of-length"
JSON_TYPE = {"content-type": "application/json"}
TYPES = {"integer": int, "string": str, "boolean": bool, "number": (int, float), "object": dict,
         "array": list, "null": type(None)}


@pytest.fixture(scope="module")
def kept(start_proxy, mocks):
    return start_proxy({
        "backends": backends_of(mocks, connect="500ms"),
        "defaults": {"breaker": {"open": "300ms", "open_max": "500ms", "ramp": "100ms"},
                     "cache": {"fresh": "1h"}},
        "models": {"chat": {"targets": targets_of(mocks), "timeouts": {"first_token": "700ms",
                                                                       "answer": "700ms"}},
                   "only": {"targets": ["alpha/mock-large"]}},
        "admin": {"key": KEY},
    })


numbers = itertools.count()


def chat(proxy, model="chat"):
    """Something nobody has asked before, so that no kept answer helps."""
    return proxy.chat("question %d" % next(numbers), model=model)


def look(proxy, path, headers=None):
    status, body = get(proxy.admin, path, headers=headers)
    return status, json.loads(body)


def act(proxy, path, body, key=KEY, headers=None):
    given = {**JSON_TYPE, **({"authorization": "Bearer " + key} if key else {}), **(headers or {})}
    status, answer = get(proxy.admin, path, "POST", json.dumps(body), given)
    return status, json.loads(answer)


def check(schema, value, document, at="$"):
    """What a schema of ours can say: $ref, allOf, type, required, properties, items."""
    if "$ref" in schema:
        return check(document["components"]["schemas"][schema["$ref"].rpartition("/")[2]], value,
                     document, at)
    for part in schema.get("allOf", []):
        check(part, value, document, at)
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds:
        assert any(isinstance(value, TYPES[k]) and not (isinstance(value, bool) and k != "boolean")
                   for k in kinds), "%s is %r, not %s" % (at, value, kinds)
    for name in schema.get("required", []):
        assert name in value, "%s lacks %s" % (at, name)
    for name, part in schema.get("properties", {}).items():
        if name in value:
            check(part, value[name], document, at + "." + name)
    if schema.get("properties") and "allOf" not in schema and at != "$":
        extra = set(value) - set(schema["properties"])
        assert not extra, "%s has %s, which is not documented" % (at, extra)
    for i, one in enumerate(value if "items" in schema else []):
        check(schema["items"], one, document, "%s[%d]" % (at, i))
    return True


def test_every_document_is_as_its_schema_says(kept, healthy):
    chat(kept)
    document = look(kept, "/admin/openapi.json")[1]
    checked = 0
    for path, methods in document["paths"].items():
        content = methods.get("get", {}).get("responses", {}).get("200", {}).get("content", {})
        needs = [p for p in methods["get"].get("parameters", []) if p.get("required")] if content else []
        if "application/json" not in content or needs:
            continue
        status, answer = look(kept, path, {"authorization": "Bearer " + KEY})
        assert status == 200, path
        check(content["application/json"]["schema"], answer, document)
        checked += 1
    assert checked >= 9


def test_who_may(kept):
    drain = {"target": "alpha/mock-large"}
    assert act(kept, "/admin/targets/drain", drain, key=None)[0] == 401
    assert act(kept, "/admin/targets/drain", drain, key="wrong")[0] == 401
    assert act(kept, "/admin/targets/drain", drain, headers={"origin": "http://evil.example"})[0] == 403
    assert act(kept, "/admin/targets/drain", drain, headers={"content-type": "text/plain"})[0] == 415
    assert look(kept, "/admin/state", {"host": "evil.example"})[0] == 403
    assert look(kept, "/admin/state", {"authorization": "Bearer wrong"})[0] == 401
    assert get(kept.admin, "/healthz", headers={"host": "evil.example"})[0] == 200
    assert get(kept.admin, "/admin/nothing")[0] == 404
    assert get(kept.admin, "/admin/targets/drain")[0] == 405
    poll("the log to say so", lambda: "admin_wrong_key" in kept.said())
    assert kept.targets()["alpha/mock-large"]["hold"] == ""


def test_a_drained_target_empties_and_comes_back(kept, healthy):
    healthy[0].behave("ttft 300ms")
    status, answer = act(kept, "/admin/targets/drain", {"target": "alpha/mock-large"})
    assert status == 200 and answer["targets"][0]["state"] == "drained"
    poll("it to be empty", lambda: kept.targets()["alpha/mock-large"]["in_flight"] == 0)
    before = healthy[0].stats()["requests"]
    for _ in range(12):
        assert chat(kept)[0] == 200
    assert healthy[0].stats()["requests"] == before
    status, _, body = chat(kept, "only")
    assert status == 503, body
    assert act(kept, "/admin/targets/release", {"target": "alpha/mock-large"})[0] == 200
    healthy[0].behave("")
    poll("it to be asked again", lambda: chat(kept) and
         healthy[0].stats()["requests"] > before)
    poll("the log to say so", lambda:
         "admin_action action=drain subject=alpha/mock-large" in kept.said())


def test_breakers_are_opened_and_closed_for_a_while(kept, healthy):
    name = {"target": "bravo/mock-large"}
    assert act(kept, "/admin/targets/open", {**name, "for_ms": 60000})[0] == 200
    assert kept.targets()["bravo/mock-large"]["use"] == "open"
    assert kept.targets()["bravo/mock-large"]["hold_left_ms"] <= 60000
    assert act(kept, "/admin/targets/close", {**name, "for_ms": 200})[0] == 200
    poll("the word to run out", lambda: kept.targets()["bravo/mock-large"]["hold"] == "")
    assert act(kept, "/admin/targets/open", {"target": "nobody"})[0] == 404
    assert act(kept, "/admin/targets/open", {**name, "for_ms": 0})[0] == 400
    assert act(kept, "/admin/targets/open", [])[0] == 400


def drill_of(proxy, number):
    return next(d for d in look(proxy, "/admin/drills")[1]["drills"] if d["number"] == number)


def test_a_drill_that_is_held(kept, healthy):
    status, answer = act(kept, "/admin/drills", {"target": "charlie/mock-large", "fault": "silence",
                                                 "for_ms": 60000})
    assert status == 200
    assert act(kept, "/admin/drills", {"target": "charlie/mock-large", "fault": "cut"})[0] == 409
    before = healthy[2].stats()["requests"]
    poll("a try to meet it", lambda: chat(kept)[0] == 200 and drill_of(kept, answer["number"])["tries"])
    assert kept.targets()["charlie/mock-large"]["drill"] == "silence"
    assert act(kept, "/admin/drills/stop", {"number": answer["number"]})[0] == 200
    over = poll("the verdict", lambda: (lambda d: d if d["state"] not in ("running", "ending") else
                                        None)(drill_of(kept, answer["number"])))
    assert (over["state"], over["lost"], over["stopped"]) == ("held", 0, True)
    assert over["saved"] >= 1
    assert healthy[2].stats()["requests"] == before, "the backend itself was not to be asked"
    assert act(kept, "/admin/drills/stop", {"number": answer["number"]})[0] == 404


@pytest.mark.parametrize("fault", ["connect", "server_error", "overloaded", "rate_limited", "silence", "cut"])
def test_each_fault_can_be_rehearsed(kept, healthy, fault):
    """The try fails as if it were so, the client is answered whole, the mock was asked
    for nothing that it did not finish, and afterwards the target is as it was."""
    assert sorted(look(kept, "/admin/drills")[1]["faults"]) == sorted(
        ["connect", "server_error", "overloaded", "rate_limited", "silence", "cut"])
    status, answer = act(kept, "/admin/drills", {"target": "charlie/mock-large", "fault": fault,
                                                 "for_ms": 60000})
    assert status == 200, answer
    asked = iter(range(1000))

    def met():
        stream = kept.stream("rehearsed %s %d" % (fault, next(asked)))
        assert stream.complete
        return drill_of(kept, answer["number"])["tries"]
    poll("a try to meet it", met)
    assert kept.targets()["charlie/mock-large"]["drill"] == fault
    poll("the log to tell the fault", lambda: [
        a for r in kept.records() for a in r["attempts"]
        if a["target"] == "charlie/mock-large" and a["fault"] in (fault, "bad_answer" if fault == "cut" else fault)])
    assert act(kept, "/admin/drills/stop", {"number": answer["number"]})[0] == 200
    assert kept.targets()["charlie/mock-large"]["drill"] == ""

    def back():
        assert kept.stream("afterwards %s %d" % (fault, next(asked))).complete
        return kept.targets()["charlie/mock-large"]["use"] == "good"
    poll("the target to be back", back)


def test_a_drill_that_fails_is_told(kept, healthy):
    number = act(kept, "/admin/drills", {"target": "alpha/mock-large", "fault": "server_error",
                                         "for_ms": 60000})[1]["number"]
    poll("a client to notice", lambda: chat(kept, "only")[0] >= 500)
    act(kept, "/admin/drills/stop", {"number": number})
    poll("the verdict", lambda: drill_of(kept, number)["state"] == "failed")
    poll("the alert", lambda: "drill_failed" in [
        a["kind"] for a in look(kept, "/admin/alerts")[1]["firing"]])


def test_the_last_exchanges_can_be_asked_for(kept, healthy):
    healthy[0].next("status 500")
    poll("one with a failed try", lambda: chat(kept, "only") and
         look(kept, "/admin/exchanges?failed=1&model=only")[1]["exchanges"])
    assert len(look(kept, "/admin/exchanges?limit=1")[1]["exchanges"]) == 1
    assert look(kept, "/admin/exchanges?limit=0")[0] == 400


def test_the_cache_is_purged(kept, healthy):
    assert act(kept, "/admin/cache/purge", {})[0] == 400
    status, answer = act(kept, "/admin/cache/purge", {"all": True})
    assert status == 200 and answer["purged"] >= 0


def test_the_live_stream(kept, healthy):
    import http.client
    connection = http.client.HTTPConnection("127.0.0.1", kept.admin, timeout=30)
    connection.request("GET", "/admin/events")
    answer = connection.getresponse()
    assert answer.getheader("content-type") == "text/event-stream"
    kinds, asked = [], False
    while not (asked and "exchange" in kinds[-3:] and kinds.count("state") >= 3):
        line = answer.readline().decode()
        if line.startswith("event: "):
            kinds.append(line[7:].strip())
        elif line.startswith("data: "):
            json.loads(line[6:])
            if not asked:
                asked = chat(kept)[0] == 200
    connection.close()


def posts_of(document):
    """{path: the names of the members that its POST takes}"""
    found = {}
    for path, methods in document["paths"].items():
        if "post" in methods:
            schema = methods["post"].get("requestBody", {}).get("content", {}).get(
                "application/json", {}).get("schema", {})
            found[path] = set(schema.get("properties", {}))
            assert not found[path] or schema["additionalProperties"] is False, path
    return found


def test_members_that_nobody_knows_are_refused_by_name(kept, healthy):
    """A misspelt member must not mean its default; and what is told to exist is what
    the document says."""
    posts = posts_of(look(kept, "/admin/openapi.json")[1])
    drills = len(look(kept, "/admin/drills")[1]["drills"])
    assert len(posts) >= 8
    for path, names in posts.items():
        status, answer = act(kept, path, {"target": "alpha/mock-large", "fro_ms": 5} if
                             "target" in names else {"fro_ms": 5})
        told = answer["error"]["message"]
        assert status == 400 and '"fro_ms"' in told, (path, answer)
        assert set(re.findall(r'"(\w+)"', told)) - {"fro_ms"} == names, (path, told)
    assert kept.targets()["alpha/mock-large"]["hold"] == ""
    assert len(look(kept, "/admin/drills")[1]["drills"]) == drills


def test_the_page_can_do_nothing_that_is_not_documented(kept):
    document = look(kept, "/admin/openapi.json")[1]
    posts = posts_of(document)
    with open(os.path.join(ROOT, "src", "daemon", "status_page.html"), encoding="utf-8") as file:
        page = file.read()
    done = re.findall(r'act\("(/admin/[^"]+)", (\{[^}]*\}|\w+)', page)
    assert {path for path, _ in done} <= set(posts)
    for path, body in done:
        members = set(re.findall(r"(\w+):", body))
        assert members <= posts[path], (path, body)
    assert {path for path, _ in done} >= {
        "/admin/targets/drain", "/admin/targets/open", "/admin/targets/close", "/admin/targets/release",
        "/admin/drills", "/admin/drills/stop", "/admin/cache/purge"}
    for path in set(re.findall(r'fetch\("(/[^"?]*)', page)):
        assert path in document["paths"], path
