"""Does the model go on with its own words here? Asked the servers themselves."""

import pytest

from world import LONG, TALE, ask_body


def goes_on(world):
    truth = world.truth(LONG, TALE)
    client = world.client(world.servers["left"].port)
    pieces = [chunk.choices[0].delta.content for chunk in client.chat.completions.create(
        **ask_body(LONG, max_tokens=TALE), stream=True) if chunk.choices[0].delta.content]
    for cut in (1, 4, 8, 24):
        body = ask_body(LONG, max_tokens=len(pieces) - cut)
        body["messages"].append({"role": "assistant", "content": "".join(pieces[:cut])})
        rest = client.chat.completions.create(**body)
        if "".join(pieces[:cut]) + rest.choices[0].message.content != truth:
            return False
    return True


def needs_own_words(world):
    """On some processors the model's arithmetic differs between reading a text and
    saying it, so that even alone it words the rest of its own answer differently."""
    if not hasattr(world, "own_words"):
        world.own_words = goes_on(world)
    if not world.own_words:
        pytest.skip("on this processor the model alone does not go on with its own words")
