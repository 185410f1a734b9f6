/** Registers a firmware and deploys it to one device, by a client that openapi-typescript has generated. Prints the deployment's id. */
import { readFileSync } from 'node:fs';
import createClient from 'openapi-fetch';
import type { components, paths } from './flota.js';

const [url, token, file, version, device] = process.argv.slice(2) as [string, string, string, string, string];
const flota = createClient<paths>({ baseUrl: url, headers: { Authorization: `Bearer ${token}` } });

function insist<T>({ data, error }: { data?: T; error?: components['schemas']['Problem'] }): T {
  if (data === undefined) throw new Error(error ? `${error.code}: ${error.detail}` : 'no answer');
  return data;
}

const fileName = 'generated.bin';
const upload = insist(await flota.POST('/api/s3/presigned_upload', { body: { version, fileName } }));
const sent = await fetch(upload.url, { method: 'PUT', headers: upload.headers, body: readFileSync(file) });
if (!sent.ok) throw new Error(`the store returned ${sent.status}`);
const firmware = insist(
  await flota.POST('/api/firmwares/metadata', {
    body: { version, fileName, s3Path: upload.s3Path, releaseNote: 'From TypeScript', component: 'main' },
  }),
);
const deployment = insist(
  await flota.POST('/api/deployments', { body: { firmwareId: firmware.id, devices: [device] } }),
);
console.log(deployment.id);
