#!/usr/bin/env python3
"""Does tidy.py find what it is there for, and nothing else?

Each row: what it says, the path of one file, its text, and the findings as
(line, rule). Every row starts from a small clean tree.
"""

import sys

sys.dont_write_bytecode = True
import tidy

CLEAN = {
    "src/base/slice.h": "/* Cuts. */\nvoid slice_cut(int x);\n",
    "src/base/lock.h": "#include <pthread.h>\n/* Takes. */\nvoid lock_take(pthread_mutex_t *m);\n",
    "src/base/slice.c": '#include "base/slice.h"\n#include "base/lock.h"\n\nvoid slice_cut(int x)\n{\n}\n',
    "src/base/meson.build": "static_library('base', 'slice.c')\n",
    "src/wire/h1.h": '#include "base/slice.h"\n',
    "src/wire/url.h": "",
    "src/route/policy.h": "",
    "src/route/plan.h": "",
    "src/io/io.h": '#include "base/slice.h"\n',
    "src/io/real/real.h": '#include "io/io.h"\n',
    "src/daemon/main.h": "",
    "sim/sim.h": "",
    # A header that nobody includes is dead; tests may include all of them.
    "tests/unit/all.c": "".join('#include "%s"\n' % header for header in (
        "wire/h1.h", "wire/url.h", "route/policy.h", "route/plan.h", "io/real/real.h",
        "daemon/main.h", "sim/sim.h")),
    "tests/unit/meson.build": "executable('all', 'all.c')\n",
}

def function(lines):
    """A function whose braces and body take that many lines."""
    return "static void f(void)\n{\n" + "\tg();\n" * (lines - 2) + "}\n"


BUILD = {"src/%s/meson.build" % room: "static_library('%s', 'new.c')\n" % room
         for room in ("base", "wire", "route", "config", "exchange", "mock", "io", "dialect")}
BUILD["src/base/meson.build"] = "static_library('base', 'slice.c', 'new.c')\n"
BUILD["src/io/meson.build"] = "static_library('io', 'new.c', 'real/new.c')\n"
BUILD["src/daemon/meson.build"] = "executable('backstay', 'new.c', 'supervisor.c')\n"
BUILD["sim/meson.build"] = "static_library('sim', 'new.c')\n"
BUILD["tests/unit/meson.build"] = ("executable('all', 'all.c')\nforeach t : ['slice']\n"
                                   "  executable('test_' + t + '.c')\nendforeach\n")

ROWS = (
    # arrows
    ("a room may use the rooms below", "src/wire/new.c", '#include "base/slice.h"\n', []),
    ("base uses nobody", "src/base/new.c", '#include "wire/h1.h"\n', [(1, "arrows")]),
    ("wire does no I/O", "src/wire/new.c", '\n#include "io/io.h"\n', [(2, "arrows")]),
    ("route knows no wire", "src/route/new.c", '#include "wire/h1.h"\n', [(1, "arrows")]),
    ("the real door is the daemon's choice", "src/exchange/new.c", '#include "io/real/real.h"\n',
     [(1, "arrows")]),
    ("the real door knows the door", "src/io/real/new.c", '#include "io/io.h"\n', []),
    ("the door does not know the real one", "src/io/new.c", '#include "io/real/real.h"\n',
     [(1, "arrows")]),
    ("the daemon knows all", "src/daemon/new.c", '#include "io/real/real.h"\n#include "wire/h1.h"\n',
     []),
    ("config takes policies", "src/config/new.c", '#include "route/policy.h"\n', []),
    ("config takes nothing else of a room", "src/config/new.c", '#include "route/plan.h"\n',
     [(1, "arrows")]),
    ("what ships never knows the simulator", "src/daemon/new.c", '#include "sim/sim.h"\n',
     [(1, "arrows")]),
    ("the simulator is not real", "sim/new.c", '#include "io/real/real.h"\n', [(1, "arrows")]),
    ("nor a program", "sim/new.c", '#include "daemon/main.h"\n', [(1, "arrows")]),
    ("the simulator knows the rest", "sim/new.c", '#include "wire/h1.h"\n#include "sim/sim.h"\n', []),
    ("paths start at src/", "src/base/new.c", '#include "slice.h"\n', [(1, "arrows")]),
    ("a header has to be there", "src/base/new.c", '#include "base/gone.h"\n', [(1, "arrows")]),
    ("a new room needs arrows", "src/attic/new.c", "", [(1, "arrows"), (1, "dead")]),
    # the machine
    ("no clock", "src/wire/new.c", "\tclock_gettime(0, &t);\n", [(1, "machine")]),
    ("no other clock", "src/wire/new.c", "\tx = time (NULL);\n", [(1, "machine")]),
    ("no chance", "sim/new.c", "int x = rand();\n", [(1, "machine")]),
    ("no sockets", "src/mock/new.c", "\tfd = socket(1, 2, 3);\n", [(1, "machine")]),
    ("no threads", "src/wire/new.c", "pthread_t t;\n", [(1, "machine")]),
    ("no sockets' headers", "src/wire/new.c", "#include <sys/socket.h>\n", [(1, "machine")]),
    ("no loop", "src/wire/new.c", "#include <ev.h>\n", [(1, "machine")]),
    ("a longer name is another one", "src/wire/new.c", "\tx = run_time(gmtime_r(a), io_random(io));\n",
     []),
    ("members may be called so", "src/wire/new.c", "\to->send(1);\n\to.connect(2);\n", []),
    ("so may words in comments and texts", "src/wire/new.c",
     '/* rand() and\n * time() */\nchar *a = "socket(";\n', []),
    ("the door itself may", "src/io/real/new.c", "\tclock_gettime(0, &t);\npthread_t t;\n", []),
    ("the supervisor may", "src/daemon/supervisor.c", "\tfd = socket(1, 2, 3);\n", []),
    ("other parts of the daemon may not", "src/daemon/new.c", "\tfd = socket(1, 2, 3);\n",
     [(1, "machine")]),
    ("unit tests do not sleep", "tests/unit/test_slice.c", "\tusleep(10);\n", [(1, "machine")]),
    # sizes
    ("70 lines are a function", "src/wire/new.c", function(70), []),
    ("71 are too many", "src/wire/new.c", function(71), [(2, "size")]),
    ("of two functions the long one is found", "src/wire/new.c", function(10) + function(80),
     [(13, "size")]),
    ("a long table is no function", "src/wire/new.c", "int t[] = {\n" + "\t1,\n" * 100 + "};\n", []),
    ("1,500 lines are a file", "src/wire/new.c", "\n" * 1500, []),
    ("1,501 are too many", "src/wire/new.c", "\n" * 1501, [(1501, "size")]),
    ("functions start with a brace of their own", "src/wire/new.c", "int f(void) {\n\treturn 1;\n}\n",
     [(1, "size")]),
    # contracts
    ("a comment above", "src/wire/h1.h", "/* Feeds. */\nint h1_feed(int x,\n\t    int y);\n", []),
    ("no comment", "src/wire/h1.h", "\nint h1_feed(int x);\n", [(2, "contract")]),
    ("a group shares one", "src/wire/h1.h", "/* Both. */\nint a(int x);\nstruct b *c(void);\n", []),
    ("a blank line ends the group", "src/wire/h1.h", "/* One. */\nint a(int x);\n\nint b(void);\n",
     [(4, "contract")]),
    ("a comment below is none", "src/wire/h1.h", "int a(int x);\n/* b. */\nint b(void);\n",
     [(1, "contract")]),
    ("a comment behind is one", "src/wire/h1.h", "int a(int x);   /* 1 .. 5 */\n", []),
    ("inline functions too", "src/wire/h1.h",
     "static inline int a(void)\n{\n\treturn 1;   /* why */\n}\n", [(1, "contract")]),
    ("an inline function with one", "src/wire/h1.h",
     "/* A. */\nstatic inline int a(void)\n{\n\tint x;\n\n\treturn x;\n}\n", []),
    ("structs, enums, macros and variables need none", "src/wire/h1.h",
     "struct s {\n\tint (*f)(void);\n};\n\nenum e { A(1) };\n\n#define F(x) \\\n\tg(x)\n"
     "extern const int t[];\n\ntypedef int (*f)(void);\n", []),
    # banned
    ("no strcpy", "src/wire/new.c", "\tstrcpy(a, b);\n", [(1, "banned")]),
    ("no sprintf, in tests either", "tests/unit/test_slice.c", "\tsprintf(a, b);\n", [(1, "banned")]),
    ("snprintf is another one", "src/wire/new.c", "\tsnprintf(a, 1, b);\n", []),
    ("no strtok, gets, atoi, strcat", "src/wire/new.c",
     "strtok(a);\ngets(a);\natoi(a);\nstrcat(a, b);\n",
     [(1, "banned"), (2, "banned"), (3, "banned"), (4, "banned")]),
    # words
    ("nothing unfinished", "src/wire/new.c", "/* TO" "DO: later */\n", [(1, "unfinished")]),
    ("nor in documents", "docs/a.md", "a\nFIX" "ME\n", [(2, "unfinished")]),
    ("a template of mkstemp is no word", "src/wire/new.c", 'char t[] = "aXX' 'XXXX";\n', []),
    ("no paths of a machine", "docs/a.md", "see /wo" "rk/main\n", [(1, "local")]),
    ("a path below another is fine", "docs/a.md", "see examples/wo" "rk/main\n", []),
    ("no registry hosts", "docs/a.md", "from https://pyp" "i.org/x\n", [(1, "local")]),
    # dead files
    ("a source nobody builds", "src/wire/old.c", "", [(1, "dead")]),
    ("a header nobody includes", "src/wire/old.h", "", [(1, "dead")]),
    ("built by a loop", "tests/unit/test_slice.c", "", []),
    ("in a folder below its meson.build", "src/io/real/new.c", "", []),
)


def main():
    failed = 0
    rows = (("the clean tree is clean", "src/base/slice.c", CLEAN["src/base/slice.c"], []),) + ROWS
    for says, path, text, expected in rows:
        found = tidy.findings(tidy.tree_of({**CLEAN, **BUILD, path: text}))
        got = [(f.line, f.rule) for f in found if f.path == path]
        elsewhere = [f for f in found if f.path != path]
        if got != expected or elsewhere:
            failed += 1
            print("FAILED: %s: expected %s, got %s, elsewhere %s" % (says, expected, got, elsewhere))
    print("%d rows, %d failed" % (len(rows), failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
