"""People at their browsers, as lean as can be: one keep-alive connection each, in a process of its own.

Reads one JSON object from standard input, works for the given time, writes one JSON object: latency in ms
of every request of the measured time by route, as the client saw it (sent to last byte of the reply).
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from typing import Any
from uuid import uuid4

import orjson

PAYLOAD: dict[str, Any] = {
    "marks": [1] * 6,
    "first_error": None,
    "verdict": "right",
    "comments": {},
    "corrections": {},
    "unsure": [],
    "kinds": {},
    "spans": {},
    "confidence": 3,
    "branches": [],
}

Sample = tuple[str, float, float]  # route, when it was sent, ms


class Person:
    def __init__(self, who: dict[str, str], work: dict[str, Any]) -> None:
        self.work, self.samples, self.errors = work, list[Sample](), list[str]()
        self.head = (
            f" HTTP/1.1\r\nHost: {work['host']}:{work['port']}\r\nAccept: application/json\r\n"
            f"Cookie: sessionid={who['session']}; csrftoken={who['csrf']}\r\nX-CSRFToken: {who['csrf']}\r\n"
            "Content-Type: application/json\r\nContent-Length: "
        )
        self.streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, route: str, method: str, path: str, body: dict[str, Any]) -> Any:
        if self.streams is None:
            self.streams = await asyncio.open_connection(self.work["host"], self.work["port"])
        reader, writer = self.streams
        content = orjson.dumps(body)
        sent = time.perf_counter()
        writer.write(f"{method} {path}{self.head}{len(content)}\r\n\r\n".encode() + content)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        size = int(head.split(b"content-length: ", 1)[1].split(b"\r\n", 1)[0])
        reply = await reader.readexactly(size)
        self.samples.append((route, sent, 1000 * (time.perf_counter() - sent)))
        if not head.startswith(b"http/1.1 200"):
            self.errors.append(f"{route}: {head[:60]!r} {reply[:300]!r}")
            if b"connection: close" in head:
                writer.close()
                self.streams = None
            return None
        return orjson.loads(reply)

    async def run(self, delay: float, end: float) -> None:
        await asyncio.sleep(delay)
        think, project = self.work["think"], self.work["project"]
        while time.perf_counter() < end:
            reply = await self.ask("next", "POST", f"/api/projects/{project}/tasks/next", {})
            if reply is None or reply["item"] is None:
                self.errors.append(f"next: nothing came: {reply}")
                await asyncio.sleep(0.5)
                continue
            base = f"/api/assignments/{reply['item']['token']}"
            if think:
                await asyncio.sleep(think / 2)
                draft = {"payload": {"marks": [1, 1, None]}, "revision": 0}
                await self.ask("draft", "PUT", f"{base}/draft", draft)
                await asyncio.sleep(think / 2)
            answer = {"submit_key": str(uuid4()), "payload": PAYLOAD, "seconds": 5.0}
            await self.ask("submit", "POST", f"{base}/submit", answer)


async def main() -> None:
    work = json.load(sys.stdin)
    people = [Person(who, work) for who in work["people"]]
    begun = time.perf_counter()
    warm, end = begun + work["warm"], begun + work["warm"] + work["seconds"]
    starts = [random.uniform(0, work["think"]) for _ in people]
    await asyncio.gather(*(p.run(delay, end) for p, delay in zip(people, starts, strict=True)))
    found: dict[str, list[float]] = {}
    for person in people:
        for route, sent, ms in person.samples:
            if warm <= sent < end:
                found.setdefault(route, []).append(round(ms, 3))
    errors = [e for p in people for e in p.errors]
    items = sum(route == "submit" for p in people for route, _, _ in p.samples)
    cpu = {"cpu_seconds": time.process_time(), "items": items}
    json.dump({"ms": found, "errors": len(errors), "first_errors": errors[:3], **cpu}, sys.stdout)


if __name__ == "__main__":
    asyncio.run(main())
