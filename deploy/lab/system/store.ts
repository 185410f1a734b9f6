/** The file store: here, or as a process of its own. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { type StoreOptions, startStore } from '../../local/store/store.ts';
import { createHere, createProcess, type Part } from './part.ts';
import type { Site } from './site.ts';

export function createStore(site: Site, options: StoreOptions): Part {
  if (!site.apart.has('store')) return createHere('file store', () => startStore(options));
  return createProcess({
    name: 'file store',
    command: process.execPath,
    args: [...site.source('./store-process.ts'), site.file('store.json', JSON.stringify(options))],
    env: site.env,
    logFile: join(site.dir, 'store.log'),
    ready: () => canConnect(options.httpPort),
  });
}

export async function canConnect(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
