"""MCP servers for the chaos run: healthy ones of both eras and one for every fault, each on a port of its own.

They answer one tool, `work`, whose argument `call` names the call. A `Ledger` counts what they have carried out, and which
sessions they have opened and lost. What a fault looks like is in one function, `Faulty.work`.
"""

import asyncio
import gzip
import json
import random
import socket
import struct
import zlib
from collections import Counter

NOTHING = b""
TOOL = {"name": "work", "inputSchema": {"type": "object"}}
INITIALIZED = {"protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": {"name": "chaos", "version": "1"}}
DISCOVERED = {"resultType": "complete", "supportedVersions": ["2026-07-28"], "capabilities": {}}
SECRET = "PAGE-SECRET"


class Ledger:
    """What has happened on all servers together."""

    def __init__(self):
        self.executed = Counter()
        self.opened = Counter()
        self.open = {}
        self.cancelled = Counter()
        self.requests = Counter()


class Request:
    def __init__(self, method, path, headers, body):
        self.method, self.path, self.headers = method, path, headers
        self.message = json.loads(body) if body else {}
        self.rpc = self.message.get("method", "")

    @property
    def session(self):
        return self.headers.get("mcp-session-id")

    def reply(self, result):
        return json.dumps({"jsonrpc": "2.0", "id": self.message.get("id"), "result": result}).encode()

    def error(self, code, message="no"):
        error = {"code": code, "message": message}
        return json.dumps({"jsonrpc": "2.0", "id": self.message.get("id"), "error": error}).encode()


def call_of(request):
    return request.message["params"]["arguments"].get("call")


class Gone(Exception):
    """The connection is over."""


class Connection:
    """One connection, with what a server writes on it."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    async def read(self):
        head = await self.reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")[:-2]
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await self.reader.readexactly(int(headers.get("content-length", 0)))
        method, path, _ = first.split(" ")
        return Request(method, path, headers, body)

    async def write(self, data):
        self.writer.write(data)
        await self.writer.drain()

    async def whole(self, status, body=NOTHING, kind="application/json", extra=""):
        head = f"HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n{extra}\r\n"
        await self.write(head.encode() + body)

    async def stream(self, extra=""):
        await self.write(f"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n{extra}"
                         "transfer-encoding: chunked\r\n\r\n".encode())

    async def chunk(self, data):
        await self.write(b"%x\r\n%s\r\n" % (len(data), data))

    async def event(self, data, more=""):
        await self.chunk(f"event: message\n{more}data: ".encode() + data + b"\n\n")

    async def end(self):
        await self.write(b"0\r\n\r\n")

    async def until_closed(self):
        await self.reader.read(1)
        raise Gone

    async def say(self, queue):
        """Sends what comes through the queue until the other side closes."""
        closed = asyncio.ensure_future(self.reader.read(1))
        try:
            while not closed.done():
                said = asyncio.ensure_future(queue.get())
                await asyncio.wait({closed, said}, return_when=asyncio.FIRST_COMPLETED)
                if said.done():
                    await self.event(said.result())
                else:
                    said.cancel()
        finally:
            closed.cancel()
        raise Gone

    def finish(self):
        """Ends this side of the connection."""
        self.writer.write_eof()

    def reset(self):
        raw = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()
        raise Gone


class Server:
    """What all servers have in common. One without sessions, which answers in JSON."""

    sessions = False
    modern = False
    streams = False

    def __init__(self, name, ledger, rng):
        self.name, self.ledger, self.rng = name, ledger, rng
        self.waiting = {}

    async def start(self):
        self.listener = await asyncio.start_server(self.serve, "127.0.0.1", 0, limit=1 << 22)
        self.port = self.listener.sockets[0].getsockname()[1]
        return self

    async def serve(self, reader, writer):
        connection = Connection(reader, writer)
        try:
            while True:
                request = await connection.read()
                self.ledger.requests[self.name] += 1
                await self.answer(connection, request)
        except (Gone, OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def answer(self, connection, request):
        if request.method == "DELETE":
            known = self.sessions and self.lose(request.session)
            return await connection.whole(200 if known else 404)
        if request.method == "GET":
            return await self.listen(connection, request)
        if request.rpc == "notifications/cancelled":
            self.ledger.cancelled[self.name] += 1
        if "id" in request.message and not request.rpc:
            self.heard(request.message["id"])
        if "id" not in request.message or not request.rpc:
            return await connection.whole(202)
        if request.rpc == "initialize":
            return await self.initialize(connection, request)
        if self.sessions and request.session not in self.ledger.open:
            return await connection.whole(404 if request.session else 400, request.error(-32000))
        if request.rpc == "server/discover" and not self.modern:
            return await connection.whole(400, request.error(-32000))
        if request.rpc == "server/discover":
            return await self.send(connection, request.reply(DISCOVERED))
        if request.rpc == "tools/list":
            return await self.send(connection, request.reply({"resultType": "complete", "tools": [TOOL]}))
        if request.rpc == "tools/call":
            return await self.work(connection, request)
        await self.send(connection, request.reply({}))

    async def initialize(self, connection, request):
        extra = ""
        if self.sessions:
            identity = f"SESSION-{self.rng.getrandbits(96):x}"
            self.ledger.opened[self.name] += 1
            self.ledger.open[identity] = self.name
            extra = f"mcp-session-id: {identity}\r\n"
        await connection.whole(200, request.reply(INITIALIZED), extra=extra)

    def lose(self, session):
        return self.ledger.open.pop(session, None) is not None

    async def listen(self, connection, request):
        await connection.whole(405)

    def heard(self, identity):
        if identity in self.waiting:
            self.waiting.pop(identity).set_result(None)

    def execute(self, request):
        # Calls that pry into schemas have no name.
        if call_of(request):
            self.ledger.executed[call_of(request)] += 1

    def result(self, request):
        return request.reply({"resultType": "complete", "content": [{"type": "text", "text": f"done {call_of(request)}."}]})

    async def work(self, connection, request):
        self.execute(request)
        await self.send(connection, self.result(request))

    async def send(self, connection, message):
        if not self.streams:
            return await connection.whole(200, message)
        await connection.stream()
        await connection.event(message)
        await connection.end()


class Stateful(Server):
    sessions = True


class StatefulStream(Server):
    sessions = True
    streams = True


class Modern(Server):
    modern = True


class ModernStream(Server):
    modern = True
    streams = True


class Slow(Stateful):
    async def work(self, connection, request):
        await asyncio.sleep(self.rng.uniform(0.02, 0.3))
        await super().work(connection, request)


class Asks(Stateful):
    """Asks its client before it answers, on the stream of the call or on that of the session."""

    async def listen(self, connection, request):
        self.waiting[request.session] = asyncio.Queue()
        await connection.stream()
        await connection.chunk(b": ok\n\n")
        await connection.say(self.waiting[request.session])

    async def work(self, connection, request):
        self.execute(request)
        await connection.stream()
        for method in ("ping", "sampling/createMessage"):
            identity = self.rng.getrandbits(40)
            self.waiting[identity] = asyncio.get_running_loop().create_future()
            answered = self.waiting[identity]
            question = json.dumps({"jsonrpc": "2.0", "id": identity, "method": method}).encode()
            beside = self.waiting.get(request.session)
            if beside and self.rng.random() < 0.5:
                beside.put_nowait(question)
            else:
                await connection.event(question)
            await answered
        await connection.event(self.result(request))
        await connection.end()


class Polls(Stateful):
    """Ends every stream early, and answers on the third."""

    async def work(self, connection, request):
        self.execute(request)
        key = f"{self.rng.getrandbits(64):x}"
        self.waiting[key] = self.result(request)
        await connection.stream()
        await connection.chunk(f"id: {key}/0\nretry: 10\ndata: \n\n".encode())
        await connection.end()

    async def listen(self, connection, request):
        key, _, number = request.headers.get("last-event-id", "").partition("/")
        if key not in self.waiting:
            return await connection.whole(405)
        await connection.stream()
        if number == "2":
            await connection.event(self.waiting.pop(key))
        else:
            await connection.chunk(f"id: {key}/{int(number) + 1}\nretry: 10\ndata: \n\n".encode())
        await connection.end()


class HttpSse(Server):
    """2024-11-05: the stream is the session."""

    async def listen(self, connection, request):
        identity = f"SESSION-{self.rng.getrandbits(96):x}"
        self.ledger.opened[self.name] += 1
        self.ledger.open[identity] = self.name
        self.waiting[identity] = queue = asyncio.Queue()
        try:
            await connection.stream()
            await connection.chunk(f"event: endpoint\ndata: /messages?session_id={identity}\n\n".encode())
            await connection.say(queue)
        finally:
            self.ledger.open.pop(identity, None)

    async def answer(self, connection, request):
        if request.method == "GET":
            return await self.listen(connection, request)
        queue = self.waiting.get(request.path.partition("session_id=")[2])
        if queue is None:
            return await connection.whole(404, b"no such session", "text/plain")
        await connection.whole(202, b"Accepted", "text/plain")
        if request.rpc == "notifications/cancelled":
            self.ledger.cancelled[self.name] += 1
        if request.rpc == "initialize":
            queue.put_nowait(request.reply(INITIALIZED))
        elif request.rpc == "tools/list":
            queue.put_nowait(request.reply({"tools": [TOOL]}))
        elif request.rpc == "tools/call":
            self.execute(request)
            queue.put_nowait(self.result(request))
        elif request.rpc and "id" in request.message:
            queue.put_nowait(request.reply({}))


class Closes(Server):
    """Closes connections without a word: some with the answer, others while they are idle."""

    async def serve(self, reader, writer):
        connection = Connection(reader, writer)
        try:
            while True:
                idle = self.rng.choice((0.0, 0.002, 0.02, 0.2, 1.0))
                request = await asyncio.wait_for(connection.read(), idle or 30)
                await self.answer(connection, request)
                if not idle:
                    break
        except (Gone, OSError, asyncio.IncompleteReadError, asyncio.TimeoutError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


class Forgets(Stateful):
    """Loses sessions."""

    async def work(self, connection, request):
        if self.rng.random() < 0.3:
            self.lose(request.session)
            return await connection.whole(404, request.error(-32001))
        await super().work(connection, request)


class Big(Server):
    """Answers with what a caller may be slow to read."""

    def result(self, request):
        text = f"done {call_of(request)}." + "x" * self.rng.randrange(200_000, 900_000)
        return request.reply({"content": [{"type": "text", "text": text}]})


class Hostile(Modern):
    """Offers tools whose schemas are made to cost whoever uses them."""

    def __init__(self, *rest):
        super().__init__(*rest)
        schemas = {
            "patterns": {"properties": {f"p{n}": {"pattern": "(a|b|ab)*c{1,1000}" + str(n)} for n in range(2000)}},
            "one-pattern": {"properties": {"text": {"pattern": "((((a{1,100}){1,100}){1,100}){1,100})"}}},
            "defaults": {"properties": {f"d{n}": {"default": "x" * 2000} for n in range(100)}},
            "doubling": {"$ref": "#/$defs/d0", "$defs": {
                f"d{n}": {"properties": {side: {"$ref": f"#/$defs/d{n + 1}"} for side in "lr"}, "required": ["l", "r"]}
                for n in range(30)} | {"d30": {"default": "x" * 1000}}},
            "chain": {"$ref": "#/$defs/d0", "$defs": {f"d{n}": {"$ref": f"#/$defs/d{(n + 1) % 3000}"} for n in range(3000)}},
            "wide": {"properties": {f"w{n}": {"type": "string", "enum": ["a", "b"]} for n in range(5000)}},
            "deep": json.loads('{"properties":{"a":' * 40 + "{}" + "}}" * 40),
        }
        self.tools = [TOOL] + [{"name": name, "inputSchema": {"type": "object", **schema},
                                "annotations": {"readOnlyHint": True}} for name, schema in schemas.items()]

    async def send(self, connection, message):
        listed = b'"tools": ['
        if listed in message:
            said = json.loads(message)
            said["result"]["tools"] = self.tools
            message = json.dumps(said).encode()
        await super().send(connection, message)


class Faulty(Stateful):
    """Does one thing wrong in its answer to a call, which it has carried out before."""

    def __init__(self, fault, *rest):
        super().__init__(fault, *rest)
        self.fault = fault

    async def work(self, connection, request):
        if self.fault in ("limited", "refuses"):
            if self.fault == "limited":
                return await connection.whole(429, extra="retry-after: 3\r\n")
            return await connection.whole(400, request.error(-32602))
        self.execute(request)
        answer = self.result(request)
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: "
        match self.fault:
            case "reset":
                connection.reset()
            case "end-reset":
                connection.finish()
                await asyncio.sleep(self.rng.choice((0, 0.001, 0.01)))
                connection.reset()
            case "interim":
                await connection.write(b"HTTP/1.1 103 Early Hints\r\nlink: </x>; rel=preload\r\n\r\n")
                await connection.whole(200, answer)
            case "continue":
                await connection.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                await connection.whole(200, answer)
            case "unframed":
                await connection.write(b"HTTP/1.1 500 X\r\ncontent-type: application/json\r\n\r\n" + request.error(-32603))
            case "late":
                other = request.error(-32603, "of another caller").replace(request.message["id"].encode(), b"other")
                await connection.whole(200, answer)
                await connection.whole(400, other)
            case "reset-mid":
                await connection.write(head + b"100\r\n\r\n{")
                connection.reset()
            case "cut":
                await connection.write(head + b"%d\r\n\r\n" % len(answer) + answer[:self.rng.randrange(len(answer))])
                raise Gone
            case "half-head":
                await connection.write(head)
                raise Gone
            case "wrong-length":
                await connection.write(head + b"%d\r\n\r\n" % (len(answer) + 9) + answer)
                raise Gone
            case "flood":
                await connection.stream()
                while True:
                    await connection.chunk(b"data: {\"method\":\"x\"}\n\n" * 500)
            case "bomb":
                body = gzip.compress(b'{"x":"' + b"x" * (8 << 20))
                await connection.whole(200, body, extra="content-encoding: gzip\r\n")
            case "page":
                await connection.whole(200, f"<h1>{SECRET}</h1>".encode(), "text/html")
            case "failing":
                await connection.whole(500, f"<h1>{SECRET}</h1>".encode(), "text/html")
            case "busy":
                await connection.whole(503, extra="retry-after: 3\r\n")
            case "empty":
                await connection.whole(200)
            case "wrong-id":
                await connection.whole(200, b'{"jsonrpc":"2.0","id":"other","result":{}}')
            case "error":
                await connection.whole(200, request.error(-32603))
            case "hang":
                await connection.until_closed()
            case "silent-stream":
                await connection.stream()
                await connection.until_closed()
            case "drip":
                for byte in head + b"%d\r\n\r\n" % len(answer) + answer:
                    await connection.write(bytes([byte]))


# Name, how it is made, whether each of its calls must succeed, and its entry in the configuration.
HEALTHY = {
    "stateless": Server,
    "stateful": Stateful,
    "stateful-stream": StatefulStream,
    "modern": Modern,
    "modern-stream": ModernStream,
    "slow": Slow,
    "asks": Asks,
    "polls": Polls,
    "http-sse": HttpSse,
    "closes": Closes,
}
FAULTS = ("reset", "reset-mid", "end-reset", "interim", "continue", "unframed", "late", "cut", "half-head", "wrong-length", "flood",
          "bomb", "page", "failing", "busy", "empty", "wrong-id", "error", "hang", "silent-stream", "limited", "refuses", "drip")


async def start_all(ledger, seed):
    """Every server by its name; those of `HEALTHY` first."""
    servers = {}
    for name, kind in HEALTHY.items():
        servers[name] = await kind(name, ledger, random.Random(f"{seed} {name}")).start()
    servers["forgets"] = await Forgets("forgets", ledger, random.Random(f"{seed} forgets")).start()
    servers["big"] = await Big("big", ledger, random.Random(f"{seed} big")).start()
    servers["hostile"] = await Hostile("hostile", ledger, random.Random(f"{seed} hostile")).start()
    servers["few"] = await Slow("few", ledger, random.Random(f"{seed} few")).start()
    for fault in FAULTS:
        servers[fault] = await Faulty(fault, ledger, random.Random(zlib.crc32(f"{seed} {fault}".encode()))).start()
    return servers
