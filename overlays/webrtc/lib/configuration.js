// The environment variables, read once and checked: every mistake is told, not the first only.
'use strict';

const { levels } = require('./log.js');

function number(least, most) {
  return {
    parse: (text) => (/^\d+$/.test(text) && Number(text) >= least && Number(text) <= most ? Number(text) : undefined),
    wanted: `a number from ${least} to ${most}`,
  };
}

function choice(values) {
  return { parse: (text) => (values.includes(text) ? text : undefined), wanted: `one of ${values.join(', ')}` };
}

const text = { parse: (given) => given, wanted: 'a text' };
const origin = {
  parse: (given) => (given === '*' || /^https?:\/\/[^/\s]+$/.test(given) ? given : undefined),
  wanted: '* or an origin such as https://example.org',
};
const token = {
  // token68 of RFC 7235: what can stand in an Authorization header.
  parse: (given) => (/^[A-Za-z0-9._~+/-]+=*$/.test(given) ? given : undefined),
  wanted: 'letters, digits and ._~+/- alone',
};

// docs/webrtc.md has this table too.
const variables = {
  address: { name: 'ADDRESS', initial: '0.0.0.0', ...text },
  port: { name: 'PORT', initial: 8080, ...number(0, 65_535) },
  fps: { name: 'FPS', initial: 30, ...number(1, 120) },
  bitrate: { name: 'BITRATE', initial: 2_500_000, ...number(10_000, 100_000_000) },
  mostSessions: { name: 'MAX_SESSIONS', initial: 8, ...number(1, 1000) },
  offerSeconds: { name: 'OFFER_SECONDS', initial: 90, ...number(10, 3600) },
  allowedOrigin: { name: 'ALLOW_ORIGIN', initial: '*', ...origin },
  token: { name: 'TOKEN', initial: null, ...token },
  logLevel: { name: 'LOG_LEVEL', initial: 'info', ...choice(levels) },
  python: { name: 'PYTHON', initial: '/usr/bin/python3', ...text },
};

/** The settings, and a sentence for each variable that cannot be taken. An empty variable is none. */
function configuration(environment) {
  const settings = {};
  const mistakes = [];
  for (const [key, { name, initial, parse, wanted }] of Object.entries(variables)) {
    const given = environment[name];
    settings[key] = given ? parse(given) : initial;
    if (settings[key] !== undefined) continue;
    settings[key] = initial;
    // A token that is wrong may be nearly right: it is not shown.
    mistakes.push(name === 'TOKEN' ? `TOKEN is not ${wanted}` : `${name} is ${JSON.stringify(given)}, which is not ${wanted}`);
  }
  return { settings: Object.freeze(settings), mistakes };
}

module.exports = { configuration };
