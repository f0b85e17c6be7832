"""Iterations as rules see them, in one line."""

from loop.evaluate.alarms import RULES, Seen, Turn, fired


def turn(acceptor="", rows=("sample",), sampling="", control=False, **values):
    """Values as (value, low, high) or (value, low, high, n); ``gv_gap`` is that of the acceptor."""
    seen = {
        f"gv_gap:{acceptor}" if name == "gv_gap" else name: Seen(*(v if len(v) == 4 else (*v, 100)))
        for name, v in values.items()
    }
    return Turn(seen, acceptor, frozenset(rows), sampling, control)


def text(key, now, history=(), limit=None):
    """What the rule says, or None."""
    said = fired(RULES[key], now, history, limit)
    return said and said.text


def metric(key, now, history=()):
    said = fired(RULES[key], now, history)
    return said and said.metric
