// HTTP: who asks for what, and the statuses of WHEP (draft-ietf-wish-whep, which takes them from RFC 9725).
//
// A session is made by one POST with all candidates; there is no trickling and no ICE restart, so PATCH is 405.
'use strict';

const { timingSafeEqual, createHash } = require('node:crypto');

const largestOffer = 256 * 1024;
const pingTimeout = 5_000;
const sessionPath = /^\/whep\/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/;
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; media-src 'self' blob:; img-src data:; base-uri 'none'; form-action 'none'";

class Refusal extends Error {
  constructor(status, message, headers = {}) {
    super(message);
    Object.assign(this, { status, headers });
  }
}

class Router {
  constructor(parts) {
    Object.assign(this, parts);
  }

  answer(request, response) {
    this.route(request, response).catch((error) => {
      const status = error.status || 500;
      // The supervisor asks for health while the helper still starts, over and over.
      const level = status >= 500 && request.url !== '/healthz' ? 'warning' : 'debug';
      this.log.write(level, `${request.method} ${request.url} of ${viewerOf(request)}: ${status} ${error.message}`);
      if (!error.status) this.log.error(error.stack);
      if (response.headersSent) {
        response.destroy();
        return;
      }
      const headers = { ...error.headers };
      if (status === 503) headers['Retry-After'] = '5';
      if (status === 413) headers.Connection = 'close';
      this.send(response, status, 'text/plain; charset=utf-8', `${error.message}\n`, headers);
    });
  }

  async route(request, response) {
    const path = request.url.split('?', 1)[0];
    const page = this.pages.get(path);
    const session = sessionPath.exec(path)?.[1];
    if (page) {
      return this.dispatch(request, response, { GET: () => this.send(response, 200, page.type, page.body, { 'Content-Security-Policy': contentPolicy }) });
    }
    if (session) return this.dispatch(request, response, { DELETE: () => this.deleteSession(request, response, session) });
    switch (path) {
      case '/whep': return this.dispatch(request, response, { POST: () => this.postOffer(request, response) });
      case '/beacon': return this.dispatch(request, response, { POST: () => this.postBeacon(request, response) });
      case '/healthz': return this.dispatch(request, response, { GET: () => this.getHealth(response) });
      case '/readyz': return this.dispatch(request, response, { GET: () => this.getReadiness(response) });
      case '/metrics': return this.dispatch(request, response, { GET: () => this.getMetrics(response) });
      default: throw new Refusal(404, path.startsWith('/whep/') ? 'no such session' : 'no such page');
    }
  }

  /** Calls what is there for the method. HEAD is GET without its body, which Node leaves out itself. */
  dispatch(request, response, handlers) {
    const methods = Object.keys(handlers).flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method]));
    const allowed = [...methods, 'OPTIONS'].join(', ');
    if (request.method === 'OPTIONS') {
      const headers = { Allow: allowed, 'Access-Control-Allow-Methods': allowed };
      headers['Access-Control-Allow-Headers'] = 'Content-Type, Authorization';
      headers['Access-Control-Max-Age'] = '86400';
      if (request.url.startsWith('/whep')) headers['Accept-Post'] = 'application/sdp';
      return this.send(response, 204, null, '', headers);
    }
    const handler = handlers[request.method === 'HEAD' ? 'GET' : request.method];
    if (!handler) throw new Refusal(405, `${request.method} is not for this address`, { Allow: allowed });
    return handler();
  }

  send(response, status, type, body, headers = {}) {
    const all = {
      'Access-Control-Allow-Origin': this.settings.allowedOrigin,
      'Access-Control-Expose-Headers': 'Location, Retry-After, Accept-Post',
      'Cache-Control': 'no-store',
      'X-Content-Type-Options': 'nosniff',
      ...headers,
    };
    if (type) all['Content-Type'] = type;
    if (status !== 204) all['Content-Length'] = Buffer.byteLength(body);
    response.writeHead(status, all);
    response.end(body);
  }

  sendJSON(response, status, value) {
    this.send(response, status, 'application/json', `${JSON.stringify(value)}\n`);
  }

  // ---- WHEP

  authorize(request) {
    if (this.settings.token === null) return;
    const given = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1] ?? '';
    const [one, other] = [given, this.settings.token].map((text) => createHash('sha256').update(text).digest());
    if (!timingSafeEqual(one, other)) throw new Refusal(401, 'the token is missing or wrong', { 'WWW-Authenticate': 'Bearer' });
  }

  async postOffer(request, response) {
    this.authorize(request);
    if (!/^application\/sdp\s*(;|$)/i.test(request.headers['content-type'] ?? '')) {
      throw new Refusal(415, 'an offer is application/sdp', { 'Accept-Post': 'application/sdp' });
    }
    const sdp = await readBody(request);
    if (!/^v=0\r?\n/.test(sdp)) throw new Refusal(400, 'the offer is no SDP');
    const { name, answer } = await this.sessions.offer(sdp, viewerOf(request));
    if (response.destroyed) {
      // Nobody has the session's address.
      await this.sessions.close(name, 'the viewer left before the answer');
      return;
    }
    this.send(response, 201, 'application/sdp', answer, { Location: `/whep/${name}` });
  }

  async deleteSession(request, response, name) {
    this.authorize(request);
    if (!(await this.sessions.close(name, 'deleted by the viewer'))) throw new Refusal(404, 'no such session');
    this.send(response, 200, 'text/plain; charset=utf-8', '');
  }

  // ---- what supervisors and the page in the machine ask

  async getHealth(response) {
    const begin = process.hrtime.bigint();
    await this.helper.call({ do: 'ping' }, pingTimeout);
    const milliseconds = Number((process.hrtime.bigint() - begin) / 1_000_000n);
    this.sendJSON(response, 200, { ok: true, helper: this.helper.pid, milliseconds, sessions: this.sessions.count });
  }

  getReadiness(response) {
    const readiness = this.supervision.readiness();
    this.sendJSON(response, readiness.ok ? 200 : 503, readiness);
  }

  async getMetrics(response) {
    this.send(response, 200, 'text/plain; version=0.0.4; charset=utf-8', await this.metrics.text());
  }

  postBeacon(request, response) {
    request.resume();
    // The page is in this machine; anybody else's word says nothing of it.
    if (!/^(::ffff:)?127\.|^::1$/.test(request.socket.remoteAddress ?? '')) throw new Refusal(403, 'beacons come from this machine');
    this.supervision.beacon();
    this.send(response, 204, null, '');
  }
}

function viewerOf(request) {
  return (request.socket.remoteAddress ?? 'somebody').replace(/^::ffff:/, '');
}

function readBody(request) {
  return new Promise((resolve, reject) => {
    const chunks = [];
    let size = 0;
    request.on('data', (chunk) => {
      size += chunk.length;
      if (size <= largestOffer) {
        chunks.push(chunk);
      } else {
        request.pause();
        reject(new Refusal(413, `the offer is larger than ${largestOffer} bytes`));
      }
    });
    request.on('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
    request.on('error', () => reject(new Refusal(400, 'the offer ended early')));
  });
}

module.exports = { Router };
