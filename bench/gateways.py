"""The LLM gateways that package registries deliver, for comparison. Installed into
the build folder once; one that does not install is left out, by name.

A gateway is asked for the bench's backend with the words of its own interface,
with nothing switched on that it does not need for that.
"""

import os
import shutil
import subprocess
import sys

NAMES = ("portkey", "litellm")
MODEL = {"portkey": "bench-model", "litellm": "chat"}
# Portkey's gateway streams only with the HTTP adapter of its own lock file.
PORTKEY = ["@portkey-ai/gateway@1.15.2", "@hono/node-server@1.13.5", "@hono/node-ws@1.2.0",
           "hono@4.9.7"]
LITELLM = ["litellm[proxy]==1.108.7"]
VERSIONS = "Portkey's gateway 1.15.2, LiteLLM 1.108.7"
LITELLM_CONFIG = """model_list:
  - model_name: chat
    litellm_params: {model: openai/bench-model, api_base: "http://127.0.0.1:%d/v1", api_key: sk-none}
litellm_settings: {telemetry: false, num_retries: 0, request_timeout: 600}
general_settings: {master_key: sk-bench-0123456789abcdef0123456789abcdef}
"""


def headers(name, backend):
    """Header lines that a request needs there."""
    if name != "portkey":
        return []
    return ["x-portkey-provider: openai", "x-portkey-custom-host: http://127.0.0.1:%d/v1" % backend]


def command(name, home, directory, port, backend):
    if name == "portkey":
        return ["node", os.path.join(home, "portkey", "node_modules", "@portkey-ai", "gateway",
                                     "build", "start-server.js"), "--port=%d" % port, "--headless"]
    config = os.path.join(directory, "litellm.yaml")
    with open(config, "w") as f:
        f.write(LITELLM_CONFIG % backend)
    return [os.path.join(home, "litellm", "bin", "litellm"), "--config", config, "--host", "127.0.0.1",
            "--port", str(port), "--num_workers", "1"]


def run(command_line, log):
    with open(log, "ab") as f:
        return subprocess.call(command_line, stdout=f, stderr=f, stdin=subprocess.DEVNULL) == 0


def install_portkey(home):
    if not shutil.which("npm"):
        return False
    os.makedirs(home, exist_ok=True)
    return run(["npm", "install", "--no-audit", "--no-fund", "--prefix", home] + PORTKEY,
               home + ".log")


def install_litellm(home):
    return (run([sys.executable, "-m", "venv", home], home + ".log") and
            run([os.path.join(home, "bin", "pip"), "install", "-q"] + LITELLM, home + ".log"))


def install(home, names):
    """Those of `names` that are there afterwards."""
    os.makedirs(home, exist_ok=True)
    there = []
    for name in names:
        place = os.path.join(home, name)
        mark = place + ".installed"
        if not os.path.exists(mark):
            print("installing %s into %s" % (name, place), file=sys.stderr)
            if not {"portkey": install_portkey, "litellm": install_litellm}[name](place):
                print("left out: %s does not install here (%s.log)" % (name, place), file=sys.stderr)
                continue
            with open(mark, "w"):
                pass
        there.append(name)
    return there
