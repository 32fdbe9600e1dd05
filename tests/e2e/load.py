"""A bounded load: threads that ask again and again, and what came of it."""

import http.client
import threading

from harness import poll

PROMPTS = ["storm %d" % i for i in range(16)]


class Load:
    """`threads` clients; each asks in turn for a whole answer and for a stream.

    Counts what was complete and right, what ended in an honest error after
    content had come, and keeps everything else in `wrong`."""

    def __init__(self, proxy, oracle, threads=12, headers=None, model="chat"):
        self.proxy, self.headers, self.model = proxy, headers, model
        self.known = {prompt: oracle.text(prompt) for prompt in PROMPTS}
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.complete = self.honest = self.broken = 0
        self.wrong = []
        self.threads = [threading.Thread(target=self.run, args=(i,)) for i in range(threads)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, kind, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join()
        if kind is None:
            assert not self.wrong, "%d wrong answers, the first: %s" % (len(self.wrong),
                                                                        self.wrong[0])

    def run(self, seed):
        turn = seed
        while not self.stopping.is_set() and len(self.wrong) < 100:
            prompt = PROMPTS[turn % len(PROMPTS)]
            try:
                (self.stream if turn % 2 else self.whole)(prompt)
            except ConnectionRefusedError as error:
                self.note("wrong", "refused: %r" % error)
            except (OSError, http.client.HTTPException) as error:
                self.note("broken", "%s: %r" % (prompt, error))
            except Exception as error:        # pylint: disable=broad-except
                self.note("wrong", "%s: %r" % (prompt, error))
            turn += 1

    def note(self, what, text=None):
        with self.lock:
            if what == "wrong" or (what == "broken" and not self.may_break):
                self.wrong.append(text)
            else:
                setattr(self, what, getattr(self, what) + 1)

    may_break = False             # the proxy itself is being killed

    def whole(self, prompt):
        status, headers, got = self.proxy.chat(prompt, self.headers, model=self.model)
        if status != 200:
            self.note("wrong", "%s: %s %s" % (status, headers.get("x-request-id"), got))
        elif got["choices"][0]["message"]["content"] != self.known[prompt]:
            self.note("wrong", "another text: %s" % got)
        else:
            self.note("complete")

    def stream(self, prompt):
        got = self.proxy.stream(prompt, self.headers, model=self.model)
        whole = self.known[prompt]
        if got.complete and got.text == whole:
            self.note("complete")
        elif got.broken and not got.done and whole.startswith(got.text):
            self.note("broken", "%s: %s" % (prompt, got.broken))
        elif got.status == 200 and len(got.errors) == 1 and not got.done and got.text and \
                whole.startswith(got.text) and "error" in got.events[-1]:
            self.note("honest")
        else:
            self.note("wrong", "stream: %s %s %s %s" % (got.status, got.errors, got.broken,
                                                        got.events[-2:]))

    def wait_for(self, count):
        """So many more complete answers."""
        wanted = self.complete + count
        poll("%d more answers" % count, lambda: self.complete >= wanted or self.wrong)
        assert not self.wrong, self.wrong[0]
