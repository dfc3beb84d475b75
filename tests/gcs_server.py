"""A Google Cloud Storage of our own on localhost: the JSON API as far as gcsfs and TensorStore speak it.

Objects are held in memory, strongly consistent, whole or not at all; there are no folders, renames of folders or
appends. Every write gives an object a new generation, and preconditions on generations are kept.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sys
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from urllib.parse import parse_qs, unquote, urlsplit

_STEP = 256 << 10  # parts of a resumable upload but the last are multiples of it
_OBJECT = r"/b/(?P<bucket>[^/]+)/o/(?P<name>[^/]+)"
_ROUTES = [
    ("GET", r"/storage/v1/b/(?P<bucket>[^/]+)", "get_bucket"),
    ("GET", r"/storage/v1/b/(?P<bucket>[^/]+)/o", "list_objects"),
    ("GET", rf"(/download)?/storage/v1{_OBJECT}", "get_object"),
    ("DELETE", rf"/storage/v1{_OBJECT}", "delete_object"),
    ("POST", rf"/storage/v1{_OBJECT}/rewriteTo/b/(?P<bucket_2>[^/]+)/o/(?P<name_2>[^/]+)", "rewrite_object"),
    ("POST", rf"/storage/v1{_OBJECT}/moveTo/o/(?P<name_2>[^/]+)", "move_object"),
    ("POST", r"/upload/storage/v1/b/(?P<bucket>[^/]+)/o", "upload"),
]


@dataclass
class Object:
    content: bytes
    generation: int
    updated: str


@dataclass
class Upload:
    bucket: str
    name: str
    query: dict[str, str]
    content: bytearray = field(default_factory=bytearray)


class Refused(Exception):
    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status


class GcsServer(ThreadingHTTPServer):
    """Serves in a thread; `url` is what STORAGE_EMULATOR_HOST and TENSORSTORE_GCS_HTTP_URL are to be.

    page    most entries of one answer to a listing
    before  called with method, bucket and name before an object is changed; tests break the work off there
    fails   requests still to be answered with 503, which clients are to try again
    """

    daemon_threads = True

    def __init__(self, page: int = 1000):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.page, self.fails = page, 0
        self.before: Callable[[str, str, str], None] = lambda method, bucket, name: None
        self.buckets: dict[str, dict[str, Object]] = {}
        self.uploads: dict[str, Upload] = {}
        self.requests: list[str] = []
        self.lock = threading.RLock()
        self._numbers = count(1)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request, client_address):
        if not isinstance(sys.exception(), ConnectionError):  # gcsfs hangs up where another answer came first
            super().handle_error(request, client_address)

    def number(self) -> int:
        return next(self._numbers)

    def files(self, bucket: str) -> dict[str, bytes]:
        """Contents by name."""
        with self.lock:
            return {name: found.content for name, found in sorted(self.buckets[bucket].items())}


def environment(server: GcsServer) -> dict[str, str]:
    """What makes gcsfs, google-cloud-storage and TensorStore of a process talk to the server, without credentials.

    gcsfs asks for the kind of a bucket by gRPC, which this server does not speak.
    """
    return {
        "STORAGE_EMULATOR_HOST": server.url,
        "TENSORSTORE_GCS_HTTP_URL": server.url,
        "FSSPEC_GS_TOKEN": "anon",
        "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false",
        "GOOGLE_AUTH_TOKEN_FOR_TESTING": "none",
    }


@contextmanager
def served(page: int = 1000):
    with GcsServer(page) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # head and content in one packet
    disable_nagle_algorithm = True
    server: GcsServer

    def log_message(self, format, *arguments):
        pass

    def do_GET(self):
        self._answer("GET")

    def do_POST(self):
        self._answer("POST")

    def do_PUT(self):
        self._answer("POST")  # a resumable upload's parts

    def do_DELETE(self):
        self._answer("DELETE")

    def _answer(self, method: str) -> None:
        url = urlsplit(self.path)
        self.query = {key: values[0] for key, values in parse_qs(url.query, keep_blank_values=True).items()}
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            with self.server.lock:
                self.server.requests.append(f"{method} {url.path}")
                if self.server.fails:
                    self.server.fails -= 1
                    raise Refused(503, "try again")
                for verb, pattern, name in _ROUTES:
                    if verb == method and (found := re.fullmatch(pattern, url.path)):
                        parts = {key: unquote(value) for key, value in found.groupdict().items()}
                        answer = getattr(self, f"_{name}")(**parts)
                        break
                else:
                    raise Refused(501, f"this server has no {method} {url.path}")
        except Refused as refused:
            error = {"error": {"code": refused.status, "message": str(refused)}}
            answer = refused.status, json.dumps(error).encode(), {}
        self._send(*answer)

    def _send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        if status not in (204, 304):
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if status not in (204, 304):
            self.wfile.write(content)

    def _bucket(self, name: str) -> dict[str, Object]:
        if name not in self.server.buckets:
            raise Refused(404, "The specified bucket does not exist.")
        return self.server.buckets[name]

    def _object(self, bucket: str, name: str) -> Object:
        found = self._bucket(bucket).get(name)
        if found is None or self.query.get("generation", str(found.generation)) != str(found.generation):
            raise Refused(404, f"No such object: {bucket}/{name}")
        return found

    def _write(self, bucket: str, name: str, content: bytes, query: dict[str, str]):
        objects = self._bucket(bucket)
        generation = objects[name].generation if name in objects else 0
        if query.get("ifGenerationMatch", str(generation)) != str(generation):
            raise Refused(412, "At least one of the pre-conditions you specified did not hold.")
        self.server.before("write", bucket, name)
        updated = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
        objects[name] = Object(content, self.server.number(), updated)
        return 200, json.dumps(self._resource(bucket, name)).encode(), {}

    def _resource(self, bucket: str, name: str) -> dict[str, str]:
        found = self.server.buckets[bucket][name]
        return {
            "kind": "storage#object",
            "bucket": bucket,
            "name": name,
            "generation": str(found.generation),
            "metageneration": "1",
            "contentType": "application/octet-stream",
            "storageClass": "STANDARD",
            "size": str(len(found.content)),
            "md5Hash": base64.b64encode(hashlib.md5(found.content).digest()).decode(),
            "etag": str(found.generation),
            "timeCreated": found.updated,
            "updated": found.updated,
        }

    def _get_bucket(self, bucket: str):
        self._bucket(bucket)
        return 200, json.dumps({"kind": "storage#bucket", "id": bucket, "name": bucket}).encode(), {}

    def _list_objects(self, bucket: str):
        prefix, delimiter = self.query.get("prefix", ""), self.query.get("delimiter", "")
        start, end = self.query.get("startOffset", ""), self.query.get("endOffset", "")
        entries: dict[str, bool] = {}  # whether it is a prefix, by name
        for name in sorted(self._bucket(bucket)):
            if name.startswith(prefix) and name >= start and (not end or name < end):
                rest = name[len(prefix) :]
                cut = rest.find(delimiter) if delimiter else -1
                entries.setdefault(name if cut < 0 else prefix + rest[: cut + len(delimiter)], cut >= 0)
        waiting = [name for name in entries if name > self.query.get("pageToken", "")]
        shown = waiting[: min(self.server.page, int(self.query.get("maxResults", self.server.page)))]
        answer = {
            "kind": "storage#objects",
            "prefixes": [name for name in shown if entries[name]],
            "items": [self._resource(bucket, name) for name in shown if not entries[name]],
        }
        if len(shown) < len(waiting):
            answer["nextPageToken"] = shown[-1]
        return 200, json.dumps(answer).encode(), {}

    def _get_object(self, bucket: str, name: str):
        found = self._object(bucket, name)
        generation = str(found.generation)
        if self.query.get("ifGenerationMatch", generation) != generation:
            raise Refused(412, "At least one of the pre-conditions you specified did not hold.")
        if self.query.get("ifGenerationNotMatch") == generation:
            return 304, b"", {}
        if self.query.get("alt") != "media":
            return 200, json.dumps(self._resource(bucket, name)).encode(), {}
        headers = {"Content-Type": "application/octet-stream", "x-goog-generation": generation}
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        if not wanted:
            return 200, found.content, headers
        size, start = len(found.content), int(wanted[1])
        if start >= size:
            raise Refused(416, "The requested range cannot be satisfied.")
        end = min(int(wanted[2] or size - 1), size - 1)
        return 206, found.content[start : end + 1], headers | {"Content-Range": f"bytes {start}-{end}/{size}"}

    def _delete_object(self, bucket: str, name: str):
        found = self._object(bucket, name)
        if self.query.get("ifGenerationMatch", str(found.generation)) != str(found.generation):
            raise Refused(412, "At least one of the pre-conditions you specified did not hold.")
        self.server.before("delete", bucket, name)
        del self.server.buckets[bucket][name]
        return 204, b"", {}

    def _rewrite_object(self, bucket: str, name: str, bucket_2: str, name_2: str):
        content = self._object(bucket, name).content
        self._write(bucket_2, name_2, content, self.query)
        resource = self._resource(bucket_2, name_2)
        return 200, json.dumps({"kind": "storage#rewriteResponse", "done": True, "resource": resource}).encode(), {}

    def _move_object(self, bucket: str, name: str, name_2: str):
        answer = self._write(bucket, name_2, self._object(bucket, name).content, self.query)
        del self.server.buckets[bucket][name]
        return answer

    def _upload(self, bucket: str):
        if "upload_id" in self.query:
            return self._upload_part(self.query["upload_id"])
        kind = self.query.get("uploadType")
        if kind == "media":
            return self._write(bucket, self.query["name"], self.body, self.query)
        if kind == "multipart":
            described, content = _parts(self.body, self.headers["Content-Type"])
            return self._write(bucket, self.query.get("name") or json.loads(described)["name"], content, self.query)
        name = self.query.get("name") or json.loads(self.body)["name"]
        self._bucket(bucket)
        upload = f"upload-{self.server.number()}"
        self.server.uploads[upload] = Upload(bucket, name, self.query)
        where = f"{self.server.url}/upload/storage/v1/b/{bucket}/o?uploadType=resumable&upload_id={upload}"
        return 200, b"", {"Location": where}

    def _upload_part(self, id: str):
        upload = self.server.uploads[id]
        wanted = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)", self.headers["Content-Range"])
        if not wanted or (wanted[1] is not None and int(wanted[1]) != len(upload.content)):
            raise Refused(400, f"the range {self.headers['Content-Range']!r} does not begin where the upload is")
        if wanted[2] == "*" and len(self.body) % _STEP:
            raise Refused(400, f"{len(self.body)} bytes are no multiple of {_STEP}")
        upload.content += self.body
        if wanted[2] == "*":
            return 308, b"", {"Range": f"bytes=0-{len(upload.content) - 1}"}
        del self.server.uploads[id]
        return self._write(upload.bucket, upload.name, bytes(upload.content), upload.query)


def _parts(body: bytes, content_type: str) -> tuple[bytes, bytes]:
    """The contents of both parts of a multipart body."""
    found = re.search(r'boundary="?([^";]+)', content_type)
    assert found
    line = b"\r\n" if b"\r\n" in body.split(found[1].encode(), 2)[1][:2] else b"\n"
    dashes = b"--" + found[1].encode()
    _, described, rest = (line + body).split(line + dashes, 2)
    content = rest.rpartition(line + dashes + b"--")[0]
    return tuple(part.partition(line + line)[2] for part in (described, content))
