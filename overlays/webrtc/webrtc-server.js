#!/usr/bin/env node
// Hands the display out over WebRTC: WHEP (POST an SDP offer to /whep, get the answer; DELETE the session's
// Location), a page that shows it, and what a supervisor asks. Node's core modules alone.
//
//   GET /healthz   a round trip through the helper process: is anybody at home
//   GET /readyz    the caps of a frame that was really captured: is there a picture
//
// The media is the helper's (gst-webrtc.py): JSON lines on its stdin and stdout. When it dies, so does this, with
// status 70: one supervisor above is enough, and it starts both again.
'use strict';

const { spawn } = require('node:child_process');
const { randomUUID } = require('node:crypto');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const readline = require('node:readline');

const port = Number(process.env.PORT || 8080);
const address = process.env.ADDRESS || '0.0.0.0';
// The first session of a process opens plugins and makes a certificate: 7 to 18 seconds on an emulated machine.
const offerTimeout = 60_000;
const largestOffer = 256 * 1024;
const sessions = new Set();
let frame = null;
let stopping = false;

function log(text) {
  process.stdout.write(`webrtc: ${text}\n`);
}

// ---- the helper

const helper = spawn(process.env.PYTHON || '/usr/bin/python3', ['-u', path.join(__dirname, 'gst-webrtc.py')], {
  stdio: ['pipe', 'pipe', 'inherit'],
});
const waiting = new Map();
let lastCall = 0;

function end(status) {
  stopping = true;
  process.exitCode = status;
  server.close();
  // Connections that stay open do not keep the process.
  setTimeout(() => process.exit(status), 500).unref();
}

helper.on('error', (error) => {
  log(`cannot start the helper: ${error.message}`);
  end(70);
});
helper.on('exit', (code, signal) => {
  if (stopping) return;
  log(`helper pid ${helper.pid} ${signal ? `exited on signal ${signal}` : `exited with status ${code}`}`);
  // 78: it refused its configuration, and said why.
  end(code === 78 ? 78 : 70);
});
// A helper that is gone is told by 'exit'; its broken pipe says nothing more.
helper.stdin.on('error', () => {});

readline.createInterface({ input: helper.stdout }).on('line', (line) => {
  let message;
  try {
    message = JSON.parse(line);
  } catch {
    log(`helper: ${line}`);
    return;
  }
  if (message.event === 'frame') {
    frame = message.caps;
    log(`captured a frame: ${frame}`);
  } else if (message.event === 'closed') {
    if (sessions.delete(message.session)) log(`session ${message.session} closed: ${message.reason}`);
  } else if (waiting.has(message.id)) {
    const { resolve, reject, timer } = waiting.get(message.id);
    waiting.delete(message.id);
    clearTimeout(timer);
    if (message.error) reject(Object.assign(new Error(message.error), { status: message.status || 500 }));
    else resolve(message);
  }
});

function call(what, timeout) {
  return new Promise((resolve, reject) => {
    const id = ++lastCall;
    const timer = setTimeout(() => {
      waiting.delete(id);
      reject(Object.assign(new Error(`the helper gave no answer to ${what.do} within ${timeout / 1000} s`), { status: 503 }));
    }, timeout);
    waiting.set(id, { resolve, reject, timer });
    helper.stdin.write(JSON.stringify({ ...what, id }) + '\n');
  });
}

// ---- HTTP

function answer(response, status, body, headers = {}) {
  const isText = typeof body === 'string';
  response.writeHead(status, {
    'Access-Control-Allow-Origin': '*',
    'Access-Control-Allow-Methods': 'GET, POST, DELETE, OPTIONS',
    'Access-Control-Allow-Headers': 'Content-Type, Authorization',
    'Access-Control-Expose-Headers': 'Location',
    'Cache-Control': 'no-store',
    'Content-Type': isText ? 'text/plain; charset=utf-8' : 'application/json',
    ...headers,
  });
  response.end(isText ? body : JSON.stringify(body) + '\n');
}

function readBody(request) {
  return new Promise((resolve, reject) => {
    const chunks = [];
    let size = 0;
    request.on('data', (chunk) => {
      size += chunk.length;
      if (size > largestOffer) {
        request.pause();
        reject(Object.assign(new Error(`the offer is larger than ${largestOffer} bytes`), { status: 413 }));
      } else {
        chunks.push(chunk);
      }
    });
    request.on('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
    request.on('error', reject);
  });
}

async function route(request, response) {
  const url = new URL(request.url, 'http://localhost');
  const what = `${request.method} ${url.pathname}`;
  if (request.method === 'OPTIONS') return answer(response, 204, '');
  if (what === 'GET /healthz') {
    const begin = process.hrtime.bigint();
    await call({ do: 'ping' }, 5_000);
    const milliseconds = Number((process.hrtime.bigint() - begin) / 1_000_000n);
    return answer(response, 200, { ok: true, helper: helper.pid, milliseconds, sessions: sessions.size });
  }
  if (what === 'GET /readyz') {
    return frame ? answer(response, 200, { ok: true, frame }) : answer(response, 503, { ok: false, error: 'no frame captured yet' });
  }
  if (what === 'GET /') {
    const page = await fs.promises.readFile(path.join(__dirname, 'viewer.html'), 'utf8');
    return answer(response, 200, page, { 'Content-Type': 'text/html; charset=utf-8' });
  }
  if (what === 'POST /whep') {
    if (!/^application\/sdp\b/i.test(request.headers['content-type'] || '')) {
      return answer(response, 415, 'an offer is application/sdp\n');
    }
    const sdp = await readBody(request);
    const session = randomUUID();
    sessions.add(session);
    try {
      const reply = await call({ do: 'offer', session, sdp }, offerTimeout);
      log(`session ${session} answered`);
      return answer(response, 201, reply.sdp, { 'Content-Type': 'application/sdp', Location: `/whep/${session}` });
    } catch (error) {
      sessions.delete(session);
      // Whatever of it there is goes.
      call({ do: 'close', session }, 10_000).catch(() => {});
      throw error;
    }
  }
  const named = /^\/whep\/([0-9a-f-]{36})$/.exec(url.pathname);
  if (request.method === 'DELETE' && named) {
    if (!sessions.delete(named[1])) return answer(response, 404, 'no such session\n');
    await call({ do: 'close', session: named[1] }, 10_000);
    log(`session ${named[1]} deleted`);
    return answer(response, 200, '');
  }
  return answer(response, 404, 'there is GET /, /healthz and /readyz, POST /whep, DELETE /whep/SESSION\n');
}

const server = http.createServer((request, response) => {
  route(request, response).catch((error) => {
    // The supervisor asks for health while the helper still starts, over and over.
    if (request.url !== '/healthz') log(`${request.method} ${request.url}: ${error.message}`);
    if (!response.headersSent) answer(response, error.status || 500, { ok: false, error: error.message });
    else response.destroy();
  });
});
server.on('error', (error) => {
  log(`cannot listen on ${address}:${port}: ${error.message}`);
  process.exit(78);
});
server.listen(port, address, () => log(`node ${process.version}, listening on ${address}:${port}, helper pid ${helper.pid}`));

for (const signal of ['SIGTERM', 'SIGINT']) {
  process.on(signal, () => {
    log(`${signal}: stopping`);
    helper.kill('SIGTERM');
    end(0);
  });
}
