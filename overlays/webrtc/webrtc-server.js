#!/usr/bin/env node
// Hands the display out over WebRTC (WHEP), with a page that shows it and with what a supervisor and a Prometheus ask.
// Node's core modules alone; docs/webrtc.md has the addresses and the environment variables.
//
// The media is the helper's (gst-webrtc.py): JSON lines on its stdin and stdout. When it dies, so does this, with
// status 70: one supervisor above is enough, and it starts both again.
'use strict';

const http = require('node:http');
const path = require('node:path');

const { configuration } = require('./lib/configuration.js');
const { Helper } = require('./lib/helper.js');
const { Log } = require('./lib/log.js');
const { Metrics } = require('./lib/metrics.js');
const { readPages } = require('./lib/pages.js');
const { Router } = require('./lib/router.js');
const { Sessions } = require('./lib/sessions.js');
const { Supervision } = require('./lib/supervision.js');

// EX_CONFIG and EX_SOFTWARE of sysexits.h: what a restart does not help, and what it may.
const badConfiguration = 78;
const helperDied = 70;

const { settings, mistakes } = configuration(process.env);
const log = new Log(settings.logLevel);
for (const mistake of mistakes) log.error(mistake);
if (mistakes.length > 0) process.exit(badConfiguration);

const pages = readPages(__dirname);
const helper = new Helper(settings, path.join(__dirname, 'gst-webrtc.py'), log);
const sessions = new Sessions(helper, settings, log);
const supervision = new Supervision(helper, process.env, log);
const metrics = new Metrics({ helper, sessions, supervision });
const router = new Router({ settings, pages, helper, sessions, supervision, metrics, log });

const server = http.createServer((request, response) => router.answer(request, response));
// An offer is small: who needs longer for it holds a place that others need.
server.requestTimeout = 15_000;
server.headersTimeout = 10_000;
server.maxConnections = 256;

let stopping = false;

function stop(status) {
  if (stopping) return;
  stopping = true;
  process.exitCode = status;
  supervision.stop();
  helper.stop();
  server.close();
  // Connections that stay open do not keep the process.
  setTimeout(() => process.exit(status), 500).unref();
}

helper.on('exit', (how, status) => {
  if (stopping) return;
  log.error(`helper pid ${helper.pid} ${how}`);
  // It refused its configuration, and said why.
  stop(status === badConfiguration ? badConfiguration : helperDied);
});
server.on('error', (error) => {
  log.error(`cannot listen on ${settings.address}:${settings.port}: ${error.message}`);
  stop(badConfiguration);
});
server.listen(settings.port, settings.address, () => {
  const { address, port } = server.address();
  log.info(`node ${process.version}, listening on ${address}:${port}, helper pid ${helper.pid}`);
});
for (const signal of ['SIGTERM', 'SIGINT']) {
  process.on(signal, () => {
    log.info(`${signal}: stopping with ${sessions.count} sessions open`);
    stop(0);
  });
}
