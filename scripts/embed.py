#!/usr/bin/env python3
"""Makes a C source of a file: embed.py INPUT OUTPUT HEADER NAME. NAME becomes a
struct slice with the file's bytes, as HEADER declares it."""

import sys

source, output, header, name = sys.argv[1:]
with open(source, "rb") as file:
    data = file.read()
with open(output, "w", encoding="ascii") as file:
    file.write('#include "%s"\n\nstatic const unsigned char bytes[] = {\n' % header)
    for at in range(0, len(data), 16):
        file.write("\t" + " ".join("%d," % b for b in data[at:at + 16]) + "\n")
    file.write("};\n\nconst struct slice %s = { (const char *)bytes, sizeof bytes };\n" % name)
