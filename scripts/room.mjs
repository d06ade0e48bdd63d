/**
 * `npm run room`: serves the page to a classroom, with a signalling server for its rooms on the same
 * origin (`Train together` in the page). Weights go from laptop to laptop and never through it.
 *
 *     npm run room -- [--port 8443] [--cert FILE --key FILE] [--host ADDRESS]
 */
import { existsSync, readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { parseArgs } from 'node:util';
import { pathToFileURL } from 'node:url';
import { ExpressPeerServer } from 'peer';
import { preview } from 'vite';
import { buildIfStale, ROOT } from './serve.mjs';

const USAGE = `Usage: npm run room -- [options]
  --port N              port (8443 with a certificate, else 8080)
  --cert FILE           certificate in PEM format, for https
  --key FILE            its private key
  --host ADDRESS        address to listen on (all)`;

/** Path of the signalling server; src/parallel/pool/transport/peer_room.ts has the same. */
const SIGNALS = '/signals';

/** An error in the command line. */
class UsageError extends Error {}

const log = (line) => console.error(line);

export function readOptions(args) {
  let values;
  try {
    const text = { type: 'string' };
    const options = { port: text, cert: text, key: text, host: text, help: { type: 'boolean' } };
    values = parseArgs({ args, options }).values;
  } catch (error) {
    throw new UsageError(error.message);
  }
  const { cert, key, host = '0.0.0.0', help = false } = values;
  if ((cert === undefined) !== (key === undefined)) {
    throw new UsageError('--cert and --key belong together: give both, or none.');
  }
  for (const file of [cert, key]) {
    if (file !== undefined && !existsSync(file)) throw new UsageError(`There is no file ${file}.`);
  }
  const port = Number(values.port ?? (cert ? 8443 : 8080));
  if (!Number.isInteger(port) || port < 1 || port > 65535) {
    throw new UsageError(`--port takes a number from 1 to 65535, not ${values.port}.`);
  }
  return { cert, key, host, port, help };
}

/** Addresses of this machine in its networks, as a browser there would type them. */
export function addressesOf(interfaces, { port, secure }) {
  const scheme = secure ? 'https' : 'http';
  return Object.values(interfaces)
    .flat()
    .filter(({ family, internal }) => family === 'IPv4' && !internal)
    .map(({ address }) => `${scheme}://${address}:${port}/`);
}

/** Serves `dist` and the rooms: `{ port, close }`. */
export async function serveRoom({ cert, key, host, port }) {
  const https = cert ? { cert: readFileSync(cert), key: readFileSync(key) } : undefined;
  const server = await preview({
    root: ROOT,
    logLevel: 'error',
    preview: { host, port, strictPort: true, https, allowedHosts: true },
  });
  // Mounting attaches the WebSocket to the server. Pages choose their own ids and ask for nothing by
  // HTTP, so the app around it is not reachable itself.
  const app = ExpressPeerServer(server.httpServer);
  app.use(SIGNALS, ExpressPeerServer(server.httpServer, { path: '/' }));
  return { close: () => server.close() };
}

async function main() {
  const options = readOptions(process.argv.slice(2));
  if (options.help) {
    console.log(USAGE);
    return;
  }
  await buildIfStale(log);
  await serveRoom(options);
  const secure = options.cert !== undefined;
  const addresses = addressesOf(networkInterfaces(), { port: options.port, secure });
  log('The page and its rooms are served. In the same network, open one of:');
  for (const address of addresses) log(`  ${address}`);
  log(`  ${secure ? 'https' : 'http'}://localhost:${options.port}/ (on this machine)`);
  if (!secure) {
    log(
      'Other machines need https (--cert and --key): browsers offer WebGPU and shared memory to secure pages only.',
    );
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  main().catch((error) => {
    log(error instanceof UsageError ? `${error.message}\n\n${USAGE}` : error.message);
    process.exit(error instanceof UsageError ? 2 : 1);
  });
}
