// The server of overlays/webrtc as a supervisor and a viewer see it, with a helper that has no media.
'use strict';

const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { test } = require('node:test');

const script = path.join(__dirname, '../../overlays/webrtc/webrtc-server.js');
const offer = 'v=0\r\ns=offer\r\n';

/** A server on a free port; `output` is all that it and its helper wrote. */
class Server {
  constructor(environment = {}) {
    this.output = '';
    this.process = spawn(process.execPath, [script], {
      env: { PATH: process.env.PATH, PYTHON: path.join(__dirname, 'fake-helper.py'), ADDRESS: '127.0.0.1', PORT: '0', ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.process.stdout, this.process.stderr]) stream.on('data', (bytes) => { this.output += bytes; });
    this.ending = once(this.process, 'close').then(([status]) => status);
  }

  async says(text) {
    const deadline = Date.now() + 120_000;
    while (!this.output.includes(text)) {
      assert.ok(Date.now() < deadline, `it never said "${text}": ${this.output}`);
      assert.equal(this.process.exitCode, null, `ended without saying "${text}": ${this.output}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  async start() {
    await this.says('listening on ');
    this.address = `http://${/listening on (\S+),/.exec(this.output)[1]}`;
    return this;
  }

  fetch(where, method = 'GET', { body, headers } = {}) {
    return fetch(new URL(where, this.address), { method, body, headers });
  }

  post(sdp, headers = {}) {
    return this.fetch('/whep', 'POST', { body: sdp, headers: { 'Content-Type': 'application/sdp', ...headers } });
  }

  async metric(line) {
    const text = await (await this.fetch('/metrics')).text();
    return text.split('\n').find((found) => found.startsWith(`${line} `))?.slice(line.length + 1);
  }

  stop() {
    this.process.kill('SIGTERM');
    return this.ending;
  }
}

/** A test with a server that is stopped at its end. */
function served(name, environment, body) {
  test(name, async () => {
    const server = await new Server(environment).start();
    try {
      await body(server);
    } finally {
      await server.stop();
    }
  });
}

served('a session is made, counted and deleted', { FPS: '7', BITRATE: '123456', MAX_SESSIONS: '3' }, async (server) => {
  const answer = await server.post(offer);
  assert.equal(answer.status, 201);
  assert.equal(answer.headers.get('content-type'), 'application/sdp');
  assert.match(answer.headers.get('location'), /^\/whep\/[0-9a-f-]{36}$/);
  assert.match(answer.headers.get('access-control-expose-headers'), /Location/);
  assert.equal(await answer.text(), 'v=0\r\ns=answer ' + script.replace('webrtc-server.js', 'gst-webrtc.py')
    + ' --fps 7 --bitrate 123456 --most-sessions 3 --offer-seconds 90\r\n');
  await server.says('connected after 0.5 s');
  assert.equal(await server.metric('webrtc_sessions{state="connected"}'), '1');
  const session = answer.headers.get('location');
  assert.equal((await server.fetch(session, 'DELETE')).status, 200);
  assert.equal(await server.metric('webrtc_sessions{state="connected"}'), '0');
  assert.equal((await server.fetch(session, 'DELETE')).status, 404);
  assert.equal(await server.metric('webrtc_offers_total{result="answered"}'), '1');
});

served('a session that ends by itself is gone', {}, async (server) => {
  const answer = await server.post(`${offer}leaves\r\n`);
  await server.says('closed: nothing was heard of the viewer for 30 s');
  assert.equal((await server.fetch(answer.headers.get('location'), 'DELETE')).status, 404);
});

served('what cannot be taken has its status', {}, async (server) => {
  const status = async (...words) => (await server.fetch(...words)).status;
  assert.equal((await server.post('no sdp')).status, 400);
  assert.equal((await server.post('')).status, 400);
  assert.equal((await server.post(`${offer}no VP8\r\n`)).status, 422);
  assert.equal((await server.post(`v=0\r\n${'a'.repeat(300_000)}`)).status, 413);
  const full = await server.post(`${offer}full\r\n`);
  assert.equal(full.status, 503);
  assert.equal(full.headers.get('retry-after'), '5');
  const wrong = await server.post(offer, { 'Content-Type': 'application/json' });
  assert.equal(wrong.status, 415);
  assert.equal(wrong.headers.get('accept-post'), 'application/sdp');
  assert.equal(await status('/whep/7e57ab1e-0000-4000-8000-000000000000', 'DELETE'), 404);
  assert.equal(await status('/whep/none', 'DELETE'), 404);
  assert.equal(await status('/nothing'), 404);
  assert.equal(await server.metric('webrtc_offers_total{result="refused"}'), '2');
});

served('methods that are not for an address are 405 and say which are', {}, async (server) => {
  const session = '/whep/7e57ab1e-0000-4000-8000-000000000000';
  for (const [where, method, allowed] of [
    ['/whep', 'GET', 'POST, OPTIONS'], ['/whep', 'PUT', 'POST, OPTIONS'], [session, 'PATCH', 'DELETE, OPTIONS'],
    [session, 'GET', 'DELETE, OPTIONS'], ['/healthz', 'POST', 'GET, HEAD, OPTIONS'], ['/', 'DELETE', 'GET, HEAD, OPTIONS'],
  ]) {
    const answer = await server.fetch(where, method);
    assert.equal(answer.status, 405, `${method} ${where}`);
    assert.equal(answer.headers.get('allow'), allowed);
  }
});

served('a page elsewhere may use it', {}, async (server) => {
  const answer = await server.fetch('/whep', 'OPTIONS', { headers: { Origin: 'https://example.org' } });
  assert.equal(answer.status, 204);
  assert.equal(answer.headers.get('access-control-allow-origin'), '*');
  assert.equal(answer.headers.get('access-control-allow-methods'), 'POST, OPTIONS');
  assert.equal(answer.headers.get('accept-post'), 'application/sdp');
});

served('only the page that is named may use it', { ALLOW_ORIGIN: 'https://example.org' }, async (server) => {
  assert.equal((await server.fetch('/healthz')).headers.get('access-control-allow-origin'), 'https://example.org');
});

served('a token is asked for', { TOKEN: 'abc123==' }, async (server) => {
  const refused = await server.post(offer);
  assert.equal(refused.status, 401);
  assert.equal(refused.headers.get('www-authenticate'), 'Bearer');
  assert.equal((await server.post(offer, { Authorization: 'Bearer abc123' })).status, 401);
  const answer = await server.post(offer, { Authorization: 'Bearer abc123==' });
  assert.equal(answer.status, 201);
  assert.equal((await server.fetch(answer.headers.get('location'), 'DELETE')).status, 401);
  assert.ok(!server.output.includes('abc123'));
});

served('it is ready after a frame and not before', { FAKE: 'blind' }, async (server) => {
  assert.equal((await server.fetch('/healthz')).status, 200);
  const answer = await server.fetch('/readyz');
  assert.equal(answer.status, 503);
  assert.deepEqual(await answer.json(),
    { ok: false, frame: null, frameAge: null, pageAge: null, error: 'no frame captured yet' });
});

served('the page in the machine is seen alive', {}, async (server) => {
  await server.says('captured the first frame');
  const before = await (await server.fetch('/readyz')).json();
  assert.equal(before.ok, true);
  assert.equal(before.frame, 'video/x-raw, width=(int)64');
  assert.equal(before.pageAge, null);
  assert.equal(await server.metric('webrtc_page_age_seconds'), undefined);
  assert.equal((await server.fetch('/beacon', 'POST')).status, 204);
  assert.equal(typeof (await (await server.fetch('/readyz')).json()).pageAge, 'number');
  assert.notEqual(await server.metric('webrtc_page_age_seconds'), undefined);
});

served('the metrics are Prometheus text', {}, async (server) => {
  await server.post(offer);
  const answer = await server.fetch('/metrics');
  assert.equal(answer.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
  const text = await answer.text();
  const described = new Set();
  for (const line of text.trimEnd().split('\n')) {
    const [, kind, name] = /^# (HELP|TYPE) (\S+) ./.exec(line) ?? [];
    if (kind) {
      assert.ok(kind === 'HELP' || !described.has(name), `${name} is described twice`);
      if (kind === 'TYPE') described.add(name);
      continue;
    }
    const [, sample] = /^([a-z_]+)(?:\{[a-z]+="[^"]*"\})? -?[0-9.e+-]+$/.exec(line) ?? [];
    assert.ok(described.has(sample), line);
  }
  for (const name of [
    'webrtc_sessions', 'webrtc_frames_captured_total', 'webrtc_frames_encoded_total', 'webrtc_encoded_bytes_total',
    'webrtc_bitrate_bits_per_second', 'webrtc_frame_age_seconds', 'webrtc_helper_up', 'webrtc_helper_age_seconds',
    'webrtc_helper_resident_memory_bytes', 'process_resident_memory_bytes', 'nodejs_eventloop_delay_seconds',
  ]) assert.ok(described.has(name), name);
});

served('the player is served with a strict policy', {}, async (server) => {
  for (const [where, type] of [['/', 'text/html'], ['/viewer.js', 'text/javascript'], ['/viewer.css', 'text/css'], ['/?a#b', 'text/html']]) {
    const answer = await server.fetch(where);
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get('content-type'), `${type}; charset=utf-8`);
    assert.match(answer.headers.get('content-security-policy'), /^default-src 'none'; script-src 'self';/);
  }
  const page = await (await server.fetch('/')).text();
  // What the policy would not run, and what assistive technology needs.
  assert.doesNotMatch(page, /<style|\son[a-z]+=|<script>/);
  for (const needed of ['<html lang=', '<title>', '<h1>', 'role="status"', 'aria-label=']) assert.ok(page.includes(needed), needed);
});

test('the starts are counted where systemd keeps a directory', async () => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'webrtc-'));
  try {
    for (const restarts of ['0', '1']) {
      const server = await new Server({ RUNTIME_DIRECTORY: directory }).start();
      assert.equal(await server.metric('webrtc_helper_restarts_total'), restarts);
      assert.equal(await server.stop(), 0);
    }
  } finally {
    fs.rmSync(directory, { recursive: true });
  }
});

test('every mistake in the environment is told, and a restart is not asked for', async () => {
  const server = new Server({ PORT: 'x', FPS: '0', LOG_LEVEL: 'loud', TOKEN: 'se cret', ALLOW_ORIGIN: 'example.org' });
  assert.equal(await server.ending, 78);
  assert.deepEqual(server.output.trimEnd().split('\n'), [
    'error: PORT is "x", which is not a number from 0 to 65535',
    'error: FPS is "0", which is not a number from 1 to 120',
    'error: ALLOW_ORIGIN is "example.org", which is not * or an origin such as https://example.org',
    'error: TOKEN is not letters, digits and ._~+/- alone',
    'error: LOG_LEVEL is "loud", which is not one of error, warning, info, debug',
  ]);
});

test('a port that is taken is told', async () => {
  const other = net.createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const server = new Server({ PORT: String(other.address().port) });
  assert.equal(await server.ending, 78);
  assert.match(server.output, /error: cannot listen on 127\.0\.0\.1:\d+: .*EADDRINUSE/);
  other.close();
});

test('a helper that dies ends the server, with its signal', async () => {
  const server = await new Server().start();
  const [answer, status] = await Promise.all([server.post(`${offer}die\r\n`).then((found) => found.status, () => 503), server.ending]);
  assert.equal(answer, 503);
  assert.equal(status, 70);
  assert.match(server.output, /error: helper pid \d+ exited on signal SIGKILL\n/);
});

test('a helper that refuses its machine ends the server as a refusal', async () => {
  const server = new Server({ FAKE: 'refuses' });
  assert.equal(await server.ending, 78);
  assert.match(server.output, /missing GStreamer elements: vp8enc/);
});

test('a helper that cannot be started is told', async () => {
  const server = new Server({ PYTHON: '/nothing/python3' });
  assert.equal(await server.ending, 70);
  assert.match(server.output, /error: helper pid \S+ could not be started: spawn \/nothing\/python3 ENOENT\n/);
});

test('a viewer that leaves before the answer leaves no session', async () => {
  const server = await new Server({ LOG_LEVEL: 'debug' }).start();
  const leaving = new AbortController();
  const asked = fetch(new URL('/whep', server.address), {
    method: 'POST', body: `${offer}slow\r\n`, headers: { 'Content-Type': 'application/sdp' }, signal: leaving.signal,
  });
  await server.says('asks for a session');
  leaving.abort();
  await assert.rejects(asked);
  // The helper answers the offer when it hears this.
  await server.fetch('/healthz');
  await server.says('the viewer left before the answer');
  assert.equal(await server.metric('webrtc_sessions{state="connected"}'), '0');
  await server.stop();
});

test('systemd hears that it is ready, and its watchdog is fed', async () => {
  const server = await new Server({ NOTIFY_SOCKET: '/run/none', WATCHDOG_USEC: '300000' }).start();
  await server.says('notified READY=1');
  await server.says('notified WATCHDOG=1');
  assert.equal(await server.stop(), 0);
});

test('lines of others cannot forge a line of the log', async () => {
  const server = await new Server().start();
  await server.says('warning: helper: no JSON\\u001b[31m\n');
  await server.stop();
});
