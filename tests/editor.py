"""What an editor asks of pyright's language server: what may follow a text, and what is said of it."""

import json
import os
import subprocess
import sys
import threading

PATIENCE = 120  # seconds for all that one server is asked: on an idle machine it takes 5


class Pyright:
    """A server that reads programs in `folder` and knows the packages of this Python; a context."""

    def __init__(self, folder):
        self._folder, self._sent, self._programs = folder, 0, 0

    def __enter__(self):
        command = [sys.executable, "-c", "from pyright.langserver import entrypoint; entrypoint()", "--stdio"]
        self._server = subprocess.Popen(command, cwd=self._folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        env={**os.environ, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"})
        self._alarm = threading.Timer(PATIENCE, self._server.kill)  # then reading ends, and the test fails
        self._alarm.start()
        self._ask("initialize", processId=os.getpid(), rootUri=self._folder.as_uri(),
                  workspaceFolders=[{"uri": self._folder.as_uri(), "name": "programs"}],
                  capabilities={"workspace": {"configuration": True}, "textDocument": {"completion": {
                      "completionItem": {"documentationFormat": ["plaintext"]}}}})
        self._send({"method": "initialized", "params": {}})
        return self

    def __exit__(self, *_):
        self._alarm.cancel()
        self._server.kill()
        self._server.communicate()

    def completions(self, text):
        """{what is offered behind a program's text: the server's item}."""
        uri = (self._folder / f"program{self._programs}.py").as_uri()
        self._programs += 1
        self._send({"method": "textDocument/didOpen", "params": {"textDocument": {
            "uri": uri, "languageId": "python", "version": 1, "text": text}}})
        lines = text.split("\n")
        found = self._ask("textDocument/completion", textDocument={"uri": uri}, context={"triggerKind": 1},
                          position={"line": len(lines) - 1, "character": len(lines[-1])})
        return {item["label"].strip('"'): item for item in found["items"]}

    def documentation(self, item):
        """What an editor shows beside an item: its signature or type, an empty line, and its docstring."""
        return (self._ask("completionItem/resolve", **item).get("documentation") or {"value": ""})["value"]

    def _send(self, message):
        data = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._server.stdin.write(b"Content-Length: %d\r\n\r\n" % len(data) + data)
        self._server.stdin.flush()

    def _read(self):
        length = 0
        while line := self._server.stdout.readline().strip():
            key, _, value = line.partition(b":")
            if key.lower() == b"content-length":
                length = int(value)
        assert length, "pyright's language server ended"
        return json.loads(self._server.stdout.read(length))

    def _ask(self, method, **params):
        self._sent += 1
        mine = self._sent
        self._send({"id": mine, "method": method, "params": params})
        while True:
            message = self._read()
            if "method" in message and "id" in message:  # the server asks, too: for settings
                settings = [{"pythonPath": sys.executable}] * len(message.get("params", {}).get("items", []))
                self._send({"id": message["id"], "result": settings or None})
            elif message.get("id") == mine:
                return message["result"]
