#!/usr/bin/env python3
"""Refuses what the house rules forbid. Usage: tidy.py [SOURCE_ROOT]

Each finding is one line, "file:line: rule: remedy". Exit 1 if there are any.
"""

import os
import re
import sys
from collections import namedtuple

Finding = namedtuple("Finding", "path line rule remedy")

FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 1500

# ---- the tree ---------------------------------------------------------------

SKIPPED_DIRS = {".git", "__pycache__", "node_modules", ".venv", "build"}
SKIPPED_DIR_PREFIXES = ("build-",)
# Inputs for programs, not text by people.
SKIPPED_TEXT = ("tests/fuzz/corpus/",)

COMMENT_OR_LITERAL = re.compile(
    r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.S)


def blank(match):
    """Spaces in place of a comment or literal, so that places stay the same."""
    return re.sub(r"[^\n]", " ", match.group())


class Source:
    """One text file, with views of it that C rules need."""

    def __init__(self, path, text):
        self.path = path
        self.text = text
        self.lines = text.split("\n")
        self.is_c = path.endswith((".c", ".h"))
        if self.is_c:
            self.code = COMMENT_OR_LITERAL.sub(blank, text)
            self.code_lines = self.code.split("\n")

    def line_of(self, offset):
        return self.text.count("\n", 0, offset) + 1


def tree_of(texts):
    """The tree from a dict of path -> text."""
    return {path: Source(path, text) for path, text in texts.items()}


def tree_from_disk(root):
    texts = {}
    for folder, dirs, names in os.walk(root):
        dirs[:] = sorted(d for d in dirs if d not in SKIPPED_DIRS
                         and not d.startswith(SKIPPED_DIR_PREFIXES))
        for name in names:
            if name == ".git":
                continue                # a work tree of its own: no text of ours
            path = os.path.join(folder, name)
            try:
                with open(path, encoding="utf-8") as file:
                    texts[os.path.relpath(path, root)] = file.read()
            except (UnicodeDecodeError, OSError):
                continue                # not text
    return tree_of(texts)


def c_files(tree, *roots):
    for path in sorted(tree):
        if tree[path].is_c and path.startswith(roots):
            yield tree[path]


# ---- arrows: who may include whom --------------------------------------------

# What a room may include beside itself: a room, or a single header. "*" stands
# for any room.
ROOMS_BELOW_EXCHANGE = "base io wire resilience dialect admit cache route conn observe"
ARROWS = {
    "base": "",
    "io": "base",
    "io/real": "base io",
    "wire": "base",
    "resilience": "base",
    "dialect": "base wire",
    "admit": "base resilience",
    "cache": "base io wire resilience",
    "route": "base resilience",
    "conn": "base io wire",
    "observe": "base io wire/json.h",
    "config": "base io/io.h wire/url.h wire/json.h wire/ini.h dialect admit/admit.h observe/price.h */policy.h route/known_models.h",
    "exchange": ROOMS_BELOW_EXCHANGE + " config",
    "mock": "base io wire",
    "daemon": ROOMS_BELOW_EXCHANGE + " io/real config exchange mock",
    "sim": ROOMS_BELOW_EXCHANGE + " config exchange mock daemon",
}
NEVER_INCLUDED = {"daemon/main.h"}

# Only these places talk to the machine itself.
MACHINE_PLACES = ("src/io/", "src/daemon/supervisor.")
LOCK_PLACES = ("src/base/lock.",)
MACHINE_HEADERS = re.compile(
    r"(ev\.h|ares\.h|pthread\.h|threads\.h|openssl/ssl\.h|sys/(socket|epoll|random|select)\.h"
    r"|poll\.h|netinet/.*)$")

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">\n]+)[">]', re.M)


def room_of(path):
    """The room of a header as it is included, or of a file below src/."""
    parts = path.split("/")
    if parts[:2] == ["io", "real"]:
        return "io/real"
    return parts[0] if len(parts) > 1 else None


def room_of_file(path):
    return "sim" if path.startswith("sim/") else room_of(path[len("src/"):])


def may_include(room, header):
    if header in NEVER_INCLUDED:
        return False
    target = room_of(header)
    if target == room:
        return True
    allowed = ARROWS.get(room, "").split()
    return target in allowed or header in allowed or (
        "*/" + header.split("/", 1)[1] in allowed)


def check_arrows(tree):
    for source in c_files(tree, "src/", "sim/"):
        room = room_of_file(source.path)
        if room not in ARROWS:
            yield Finding(source.path, 1, "arrows",
                          "the room '%s' has no arrows; add it to ARROWS" % room)
            continue
        for match in INCLUDE.finditer(source.text):
            quote, header = match.groups()
            line = source.line_of(match.start())
            if quote == "<":
                if MACHINE_HEADERS.match(header) and not source.path.startswith(
                        MACHINE_PLACES + LOCK_PLACES):
                    yield Finding(source.path, line, "machine",
                                  "<%s> belongs into src/io; go through io/io.h" % header)
            elif "/" not in header:
                yield Finding(source.path, line, "arrows",
                              'write the path from src/, as in "%s/%s"' % (room, header))
            elif "src/" + header not in tree and header not in tree:
                yield Finding(source.path, line, "arrows", "there is no %s" % header)
            elif not may_include(room, header):
                yield Finding(source.path, line, "arrows",
                              "%s must not know %s; it may include: %s"
                              % (room, header, ARROWS[room] or "itself only"))


# ---- the machine: clocks, chance, sockets, threads ---------------------------

# Called by name: not as a member (x->send(...)), not as part of a longer name.
MACHINE_CALLS = re.compile(
    r"(?<![\w.])(?<!->)(" + "|".join((
        "clock_gettime", "clock_getres", "clock_nanosleep", "clock", "gettimeofday", "timespec_get",
        "time", "ftime", r"ev_now\w*", "ev_time", "sleep", "usleep", "nanosleep", "ev_sleep",
        "rand", "srand", "rand_r", "random", "srandom", "drand48", "getrandom", "getentropy",
        r"arc4random\w*", r"RAND_\w+",
        "socket", "socketpair", "connect", "bind", "listen", "accept", "accept4", "recv",
        "recvfrom", "recvmsg", "send", "sendto", "sendmsg", "setsockopt", "getsockopt",
        "getaddrinfo", "gethostbyname", "poll", "ppoll", "select", r"epoll_\w+")) + r")\s*\(")
THREAD_NAMES = re.compile(r"(?<!\w)(pthread_\w+|thrd_\w+|mtx_\w+)")
SLEEPS = re.compile(r"(?<![\w.])(?<!->)(u?sleep|nanosleep|clock_nanosleep)\s*\(")


def check_machine(tree):
    for source in c_files(tree, "src/", "sim/"):
        if source.path.startswith(MACHINE_PLACES):
            continue
        for number, line in enumerate(source.code_lines, 1):
            for match in MACHINE_CALLS.finditer(line):
                yield Finding(source.path, number, "machine",
                              "%s() is for src/io only: take time, chance and streams from "
                              "io/io.h or as arguments" % match.group(1))
            if source.path.startswith(LOCK_PLACES):
                continue
            for match in THREAD_NAMES.finditer(line):
                yield Finding(source.path, number, "machine",
                              "%s: use base/lock.h or io_background()" % match.group(1))
    for source in c_files(tree, "tests/unit/"):
        for number, line in enumerate(source.code_lines, 1):
            if SLEEPS.search(line):
                yield Finding(source.path, number, "machine",
                              "a unit test never sleeps; hand it a later time")


# ---- sizes ----------------------------------------------------------------------

BRACE_BEHIND_HEAD = re.compile(r"^[A-Za-z_].*\)\s*\{\s*$")


def check_sizes(tree):
    for source in c_files(tree, "src/", "sim/"):
        count = source.text.count("\n")
        if count > FILE_LINES_MAX:
            yield Finding(source.path, FILE_LINES_MAX + 1, "size",
                          "%d lines; a file has at most %d: split it by subject"
                          % (count, FILE_LINES_MAX))
        opened = None
        for number, line in enumerate(source.code_lines, 1):
            if line.startswith("{"):
                opened = number
            elif line.startswith("}") and opened:
                length = number - opened + 1
                if length > FUNCTION_LINES_MAX:
                    yield Finding(source.path, opened, "size",
                                  "%d lines; a function has at most %d: name its parts"
                                  % (length, FUNCTION_LINES_MAX))
                opened = None
            elif BRACE_BEHIND_HEAD.match(line) and not line.startswith("LIST_EACH"):
                yield Finding(source.path, number, "size",
                              "the brace of a function stands alone at the start of its line")


# ---- headers are contracts ------------------------------------------------------

PREPROCESSOR = re.compile(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", re.M)
FUNCTION_HEAD = re.compile(r"(?!typedef\b)[\w\s*]*?\b([a-z]\w*)\s*\(")


def statements(code):
    """(start, end, head) of what stands at the top level of C code."""
    depth, start, head_end = 0, 0, None
    for at, c in enumerate(code):
        if c == "{":
            if depth == 0 and head_end is None:
                head_end = at
            depth += 1
        elif c == "}":
            depth -= 1
            head = code[start:head_end]
            if depth == 0 and "(" in head:          # a function's body ends it
                yield start, at, head
                start, head_end = at + 1, None
        elif c == ";" and depth == 0:
            yield start, at, code[start:head_end if head_end is not None else at]
            start, head_end = at + 1, None


def check_headers(tree):
    for source in c_files(tree, "src/"):
        if not source.path.endswith(".h"):
            continue
        comments = [m.start() for m in COMMENT_OR_LITERAL.finditer(source.text)
                    if m.group().startswith("/")]
        code = PREPROCESSOR.sub(blank, source.code)
        for start, end, head in statements(code):
            match = FUNCTION_HEAD.match(head.lstrip())
            if not match:
                continue
            start += len(head) - len(head.lstrip())
            line = source.line_of(start)
            first = line
            while first > 1 and source.lines[first - 2].strip():
                first -= 1
            group_start = sum(len(l) + 1 for l in source.lines[:first - 1])
            line_end = source.text.find("\n", end)
            last = len(head.rstrip()) + start if "{" in code[start:end] else line_end
            if not any(group_start <= c < max(last, start) for c in comments):
                yield Finding(source.path, line, "contract",
                              "%s() needs a comment above it or its group: what, units, "
                              "ownership, errors" % match.group(1))


# ---- banned functions ---------------------------------------------------------------

BANNED = {
    "strcpy": "memcpy with a known size, or arena_copy()",
    "strncpy": "memcpy with a known size, or arena_copy()",
    "strcat": "buf_append()",
    "strncat": "buf_append()",
    "sprintf": "snprintf(), buf_printf() or arena_printf()",
    "vsprintf": "vsnprintf()",
    "gets": "io_stream or fgets()",
    "strtok": "slice_cut() or slice_next_in_list()",
    "strtok_r": "slice_cut() or slice_next_in_list()",
    "atoi": "slice_to_u64() or slice_to_i64()",
    "atol": "slice_to_u64() or slice_to_i64()",
    "atoll": "slice_to_u64() or slice_to_i64()",
    "atof": "slice_to_milli()",
    "alloca": "an arena or a buf",
}
BANNED_CALL = re.compile(r"(?<![\w.])(?<!->)(%s)\s*\(" % "|".join(BANNED))


def check_banned(tree):
    for source in c_files(tree, "src/", "sim/", "tests/", "bench/"):
        for number, line in enumerate(source.code_lines, 1):
            for match in BANNED_CALL.finditer(line):
                yield Finding(source.path, number, "banned",
                              "%s(): use %s" % (match.group(1), BANNED[match.group(1)]))


# ---- words that must not be in any text --------------------------------------------------

# Put together here, so that this file may be checked like any other.
UNFINISHED = re.compile(r"\b(%s)\b" % "|".join(("TO" "DO", "FIX" "ME", "X" "XX", "HA" "CK")))
LOCAL_PATHS = re.compile(r"(?<![\w.\-])/(%s)" % "|".join(("work" "/", "tmp" "/plan", "tmp" "/build-")))
REGISTRY_HOSTS = re.compile(r"\b(%s)\b" % "|".join(r"\.".join(host) for host in (
    ("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("npmjs", "com"),
    ("crates", "io"), ("rubygems", "org"), ("proxy", "golang", "org"), ("deb", "debian", "org"),
    ("snapshot", "debian", "org"), ("repo", "maven", "apache", "org"))))
WORDS = (
    (UNFINISHED, "unfinished", "finish it, or leave it out"),
    (LOCAL_PATHS, "local", "a path of one machine: make it relative or an option"),
    (REGISTRY_HOSTS, "local", "name the package, not the host it comes from"),
)


def check_words(tree):
    for path in sorted(tree):
        if path.startswith(SKIPPED_TEXT):
            continue
        for number, line in enumerate(tree[path].lines, 1):
            for pattern, rule, remedy in WORDS:
                match = pattern.search(line)
                if match:
                    yield Finding(path, number, rule, "'%s': %s" % (match.group(), remedy))


# ---- dead files --------------------------------------------------------------------------

QUOTED = re.compile(r"'([^'\n]*)'")
LOOPED_PREFIXES = ("test_", "fuzz_")


def names_in_build(path):
    """How a meson.build beside or above may name a file: its path from there, or
    what a loop puts between "test_" and ".c"."""
    parts = path.split("/")
    for depth in range(len(parts) - 1, -1, -1):
        folder = "/".join(parts[:depth])
        below = "/".join(parts[depth:])
        stem = below[:-len(".c")]
        names = {below, stem}
        head, _, last = stem.rpartition("/")
        for prefix in LOOPED_PREFIXES:
            if last.startswith(prefix):
                names.add((head + "/" if head else "") + last[len(prefix):])
        yield (folder + "/" if folder else "") + "meson.build", names


def check_dead(tree):
    named = {path: set(QUOTED.findall(tree[path].text))
             for path in tree if os.path.basename(path) == "meson.build"}
    included = set()
    for source in c_files(tree, ""):
        for match in INCLUDE.finditer(source.text):
            header = match.group(2)
            beside = os.path.normpath(os.path.join(os.path.dirname(source.path), header))
            included.update(("src/" + header, header, beside))
    for source in c_files(tree, "src/", "sim/", "tests/", "bench/"):
        if source.path.endswith(".h"):
            if source.path not in included:
                yield Finding(source.path, 1, "dead", "nobody includes it: use it or remove it")
        elif not any(named.get(build, set()) & names
                     for build, names in names_in_build(source.path)):
            yield Finding(source.path, 1, "dead", "no meson.build names it: add it or remove it")


CHECKS = (check_arrows, check_machine, check_sizes, check_headers, check_banned, check_words,
          check_dead)


def findings(tree):
    return [finding for check in CHECKS for finding in check(tree)]


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, "..", "..")
    found = findings(tree_from_disk(root))
    for f in found:
        print("%s:%d: %s: %s" % f)
    print("tidy: %d findings" % len(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
