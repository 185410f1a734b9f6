/** Debian's nginx with the proxy file of deploy/compose, filled in as nginx's image does it. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createProcess, type Part } from './part.ts';
import { canConnect } from './store.ts';

const template = new URL('../../compose/proxy/flota.conf.template', import.meta.url);

export type ProxyValues = Record<`PROXY_${string}`, string>;

/** Throws when a variable of the file has no value. */
export function fillIn(text: string, values: ProxyValues): string {
  return text.replace(/\$\{(PROXY_[A-Z0-9_]+)\}/g, (_, name: `PROXY_${string}`) => {
    const value = values[name];
    if (value === undefined) throw new Error(`the proxy file needs ${name}`);
    return value;
  });
}

export function findNginx(): string | null {
  for (const path of ['nginx', '/usr/sbin/nginx']) if (!spawnSync(path, ['-v']).error) return path;
  return null;
}

export function createProxy(dir: string, values: ProxyValues): Part {
  const nginx = findNginx();
  if (!nginx) throw new Error('nginx is needed (Debian: nginx-light)');
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, 'flota.conf'), fillIn(readFileSync(template, 'utf8'), values));
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${dir}/${kind};`,
  );
  writeFileSync(
    join(dir, 'nginx.conf'),
    `${process.getuid?.() === 0 ? 'user root;' : ''}
worker_processes 1; daemon off; pid ${dir}/nginx.pid; error_log stderr warn;
events { worker_connections 2048; }
http { access_log off; ${temporary.join(' ')} include ${dir}/flota.conf; }
`,
  );
  return createProcess({
    name: 'proxy',
    command: nginx,
    args: ['-p', dir, '-c', join(dir, 'nginx.conf'), '-e', 'stderr'],
    logFile: join(dir, 'nginx.log'),
    ready: () => canConnect(Number(values.PROXY_EVENTS_PORT)),
  });
}
