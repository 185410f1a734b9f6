/** A production run as a command: from a CSV file, with a progress bar, to be stopped and gone on with. */
import { openExisting } from './authority.ts';
import { CaError } from './client.ts';
import { type ExtraFile, provision } from './provision.ts';
import { readDeviceList } from './provision-list.ts';
import { connectRegistry } from './registration.ts';

export interface ProvisionCommand {
  csv?: string | undefined;
  out?: string | undefined;
  /** Of the webhook that registers the devices. */
  url?: string | undefined;
  apiToken?: string | undefined;
  extra?: ExtraFile;
}

/** Tells what came of it, and sets the exit code: 1 where a device failed, 130 where it was stopped. @throws CaError request_invalid | not_found */
export async function provisionFromCsv(
  options: Parameters<typeof openExisting>[0],
  { csv, out, url, apiToken, extra }: ProvisionCommand,
): Promise<void> {
  if (!csv || !out) throw new CaError('request_invalid', '--csv and --out are needed');
  if (url && !URL.canParse(url)) throw new CaError('request_invalid', '--url is not an address');
  if (url && !apiToken) throw new CaError('request_invalid', '--url needs FLOTA_API_TOKEN');
  const devices = readDeviceList(csv, { hardware: url !== undefined });
  const stop = new AbortController();
  // The second time the system's own way of ending a process applies.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
  const result = await provision({
    authority: await openExisting(options),
    devices,
    out,
    ...(url && apiToken ? { registry: connectRegistry(url, apiToken) } : {}),
    ...(extra && { extra }),
    progress: process.stderr,
    stop: stop.signal,
  });
  console.log(
    `${result.made} made, ${result.before} there before, ${result.failed} failed, ${result.left} left: ${out}`,
  );
  if (result.left > 0) console.log('stopped; the same command goes on from here');
  if (result.left + result.failed > 0) process.exitCode = stop.signal.aborted ? 130 : 1;
}
