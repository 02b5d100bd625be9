// Serves the built client with the stand-in API, under the policy that the real server sends:
//   node tests/serve.mjs --port 5199 [--dist dist]
// For looking at screens and for trying e2e/run.mjs without a server. User amina, "correct horse".
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { parseArgs } from 'node:util';
import { createServer as createVite } from 'vite';

const { values } = parseArgs({
  options: { port: { type: 'string', default: '5199' }, dist: { type: 'string', default: 'dist' } },
});
const vite = await createVite({
  server: { middlewareMode: true, ws: false, hmr: false },
  appType: 'custom',
  logLevel: 'error',
});
const { filledApi } = await vite.ssrLoadModule('/tests/fake_api.ts');
const api = filledApi();

const kTypes = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
};
const kPolicy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

async function readBody(request) {
  const parts = [];
  for await (const part of request) parts.push(part);
  return Buffer.concat(parts).toString('utf8');
}

async function readPage(path) {
  const file = normalize(path).replace(/^\/+/, '');
  try {
    return { type: kTypes[extname(file)], content: await readFile(join(values.dist, file)) };
  } catch {
    return { type: kTypes['.html'], content: await readFile(join(values.dist, 'index.html')) };
  }
}

const server = createServer(async (request, response) => {
  const url = new URL(request.url, 'http://127.0.0.1');
  response.setHeader('Content-Security-Policy', kPolicy);
  if (url.pathname.startsWith('/api/')) {
    const answer = await api.answer(request.method, url, await readBody(request));
    const isProblem = answer.status >= 400;
    const type = isProblem ? 'application/problem+json' : 'application/json';
    response.writeHead(answer.status, { 'Content-Type': type });
    response.end(answer.body === undefined ? '' : JSON.stringify(answer.body));
    return;
  }
  const { type, content } = await readPage(url.pathname);
  response.writeHead(200, { 'Content-Type': type ?? 'application/octet-stream' });
  response.end(content);
});
server.listen(Number(values.port), '127.0.0.1', () => {
  console.log(`ready http://127.0.0.1:${values.port}`);
});
