/** A plain file host of a built page, whose files can be exchanged, and which can go away. */
import { createReadStream, existsSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { extname, join, normalize } from 'node:path';

const TYPES: Record<string, string> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.wasm': 'application/wasm',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.webmanifest': 'application/manifest+json',
  '.txt': 'text/plain',
  '.png': 'image/png',
};

export class Site {
  /** The folder that is served. */
  folder = 'dist';
  /** Paths that are answered with 404. */
  missing: RegExp | null = null;
  /** The address of the page, below a path as on many hosts. */
  address = '';
  /** Sent with every file. */
  headers: Record<string, string> = {};
  #server: Server | null = null;

  async start(): Promise<this> {
    const server = createServer((request, response) => {
      const { pathname } = new URL(request.url ?? '/', 'http://localhost');
      const path = normalize(pathname.replace(/^\/some\/path\//, '/'));
      const file = join(this.folder, path, pathname.endsWith('/') ? 'index.html' : '');
      const isFile = existsSync(file) && statSync(file).isFile();
      if (!pathname.startsWith('/some/path/') || !isFile || this.missing?.test(pathname)) {
        response.writeHead(404).end();
        return;
      }
      const type = TYPES[extname(file)] ?? 'application/octet-stream';
      response.writeHead(200, { 'Content-Type': type, ...this.headers });
      createReadStream(file).pipe(response);
    });
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    const address = server.address();
    if (!address || typeof address === 'string') throw new Error('The file server has no port.');
    this.#server = server;
    this.address = `http://127.0.0.1:${address.port}/some/path/`;
    return this;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    if (!server) return;
    await new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    });
  }
}
