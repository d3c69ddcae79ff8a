// The player's files, read at the start: a file that is missing is seen then.
'use strict';

const fs = require('node:fs');
const path = require('node:path');

const files = {
  '/': { file: 'viewer.html', type: 'text/html; charset=utf-8' },
  '/viewer.js': { file: 'viewer.js', type: 'text/javascript; charset=utf-8' },
  '/viewer.css': { file: 'viewer.css', type: 'text/css; charset=utf-8' },
};

function readPages(directory) {
  const pages = new Map();
  for (const [address, { file, type }] of Object.entries(files)) {
    pages.set(address, { type, body: fs.readFileSync(path.join(directory, file), 'utf8') });
  }
  return pages;
}

module.exports = { readPages };
