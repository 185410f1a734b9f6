import '#deploy/lab/primitives/closed-pipe.ts';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { fingerprintOf } from './authorities.ts';
import { openAuthority, openExisting } from './authority.ts';
import {
  CaError,
  type ProfileName,
  profileNames,
  type RevocationReason,
  revocationReasons,
} from './client.ts';
import { readEnv, toConfig } from './config.ts';
import { replaceFile } from './durable-files.ts';
import { createRootOnly, hasHierarchy } from './hierarchy.ts';
import { issueKeyPair } from './key-pair.ts';
import { splitPem } from './pem.ts';
import { provisionFromCsv } from './provision-command.ts';
import { connectRegistry } from './registration.ts';
import { installIssuing, requestIssuing, signIssuingRequest } from './rotation.ts';
import { forgetHead } from './witness.ts';

const help = `npm run ca -- <command> [options]      the certificate authority, on the machine that holds its keys

  init                    make root and issuing CA; print their fingerprints
    --root-only           a root and nothing else, on a machine that is kept offline
  issue                   make a key and a certificate, or sign a CSR
    --profile NAME        ${profileNames.join(', ')} (default: service)
    --name NAME           common name
    --names A,B           DNS names and IP addresses for the SAN
    --out DIR             writes key.pem, cert.pem (leaf and issuing CA) and ca.pem (root and issuing CA)
    --csr FILE            signs this CSR instead of making a key; prints leaf and chain, or writes them to --out
  provision               keys and certificates for a production run; the same command again goes on where it was stopped
    --csv FILE            a header and a line for each device: id, and any of hardware, name, region, division, csr
    --out DIR             DIR/<id>/key.pem and cert.pem, DIR/ca.pem, DIR/manifest.csv; no key where the device made its own (csr: PEM or a path)
    --url URL             also registers the devices at this webhook (needs hardware, and FLOTA_API_TOKEN)
  revoke SERIAL           revoke one certificate and make a new CRL; that alone disconnects nobody
    --reason REASON       ${Object.keys(revocationReasons).join(', ')}
    --url URL             also tells this webhook, which disconnects its holder at once (needs FLOTA_API_TOKEN)
  crl                     print the current CRLs
    --out FILE            … into a file
  new-audit-log           the webhook's database was replaced on purpose: forget the head of the audit log that was witnessed last
  rotate                  a new issuing CA; the ones before it stay trusted until they expire (needs the root's key here)
  request-issuing         where the root is kept elsewhere: make the key of a new issuing CA here and print its request
    --out FILE            … into a file
  sign-issuing            at the root: sign such a request
    --csr FILE            the request
    --out FILE            where its certificate goes (default: print it)
  install-issuing         take the certificate into use
    --cert FILE           what the root has signed
    --root FILE           the root's certificate (root.pem); needed the first time

  --dir DIR               the authority's directory (default: CA_DIR, or .flota/ca)
  --help

The passphrase of the CA keys comes from CA_PASSPHRASE_FILE or CA_PASSPHRASE; CA_CRL_URL, CA_DEVICE_DAYS, CA_BROKER_DAYS and
CA_SERVICE_DAYS are as for the service (ca/README.md).
`;

try {
  await run(process.argv.slice(2));
} catch (error) {
  // Node adds advice of its own to a mistyped option.
  const { code, message } = error as NodeJS.ErrnoException;
  console.error(`ca: ${code?.startsWith('ERR_PARSE_ARGS') ? message.split('. ')[0] : message}`);
  process.exitCode = 1;
}

async function run(args: string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      dir: { type: 'string' },
      profile: { type: 'string', default: 'service' },
      name: { type: 'string' },
      names: { type: 'string' },
      out: { type: 'string' },
      csr: { type: 'string' },
      reason: { type: 'string', default: 'unspecified' },
      'root-only': { type: 'boolean', default: false },
      cert: { type: 'string' },
      csv: { type: 'string' },
      url: { type: 'string' },
      root: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const [command, argument] = positionals;
  if (values.help || command === undefined) {
    console.log(help);
    if (!values.help) process.exitCode = 1;
    return;
  }
  const config = toConfig(readEnv());
  const options = { ...config, dir: values.dir ?? config.dir };
  switch (command) {
    case 'init':
      return values['root-only'] ? initRoot(options) : init(options);
    case 'rotate':
      return rotated(options);
    case 'request-issuing':
      return put(await requestIssuing(atPresent(options)), values.out);
    case 'sign-issuing':
      return signed(options, values.csr, values.out);
    case 'install-issuing':
      return installed(options, values.cert, values.root);
    case 'issue':
      return issue(options, values);
    case 'provision':
      return provisionFromCsv(options, { ...values, apiToken: config.apiToken });
    case 'revoke':
      return revoke(options, config.apiToken, { ...values, serial: argument });
    case 'crl':
      return put(await (await openExisting(options)).crl(), values.out);
    case 'new-audit-log':
      return newAuditLog(options.dir);
    default:
      throw new CaError('request_invalid', `there is no command "${command}"; see --help`);
  }
}

type Options = Parameters<typeof openAuthority>[0];

async function init(options: Options): Promise<void> {
  const existed = await hasHierarchy(options.dir);
  const { root, issuing } = await (await openAuthority(options)).trust();
  console.log(existed ? `already there: ${options.dir}` : `made: ${options.dir}`);
  console.log(`root    sha256 ${fingerprintOf(root)}`);
  console.log(`issuing sha256 ${fingerprintOf(issuing)}`);
}

function atPresent(options: Options): Options & { now: () => number } {
  return { ...options, now: Date.now };
}

async function initRoot(options: Options): Promise<void> {
  const root = await createRootOnly(atPresent(options));
  console.log(`made: ${join(options.dir, 'hierarchy')}`);
  console.log(`root    sha256 ${fingerprintOf(root)}`);
}

async function rotated(options: Options): Promise<void> {
  const authority = await openExisting(options);
  const { number } = await authority.rotate();
  const [issuing = ''] = splitPem((await authority.trust()).issuing);
  console.log(`issuing CA ${number} signs from now on`);
  console.log(`issuing sha256 ${fingerprintOf(issuing)}`);
}

async function signed(options: Options, csr: string | undefined, out: string | undefined): Promise<void> {
  if (!csr) throw new CaError('request_invalid', 'sign-issuing needs --csr');
  const request = { ...atPresent(options), csr: await readFile(csr, 'utf8') };
  await put(await signIssuingRequest(request), out);
}

async function installed(
  options: Options,
  cert: string | undefined,
  root: string | undefined,
): Promise<void> {
  if (!cert) throw new CaError('request_invalid', 'install-issuing needs --cert');
  const certificate = await readFile(cert, 'utf8');
  const given = root === undefined ? {} : { root: await readFile(root, 'utf8') };
  const { number } = await installIssuing({ ...atPresent(options), certificate, ...given });
  console.log(`issuing CA ${number} signs from now on`);
  console.log(`issuing sha256 ${fingerprintOf(certificate)}`);
}

async function newAuditLog(dir: string): Promise<void> {
  if (!(await hasHierarchy(dir))) throw new CaError('not_found', `there is no authority in ${dir}`);
  const last = await forgetHead(dir);
  console.log(
    last ? `forgotten: ${last.id}:${last.hash} of ${last.at}; kept in ${dir}` : 'no head was witnessed',
  );
}

async function put(pem: string, out: string | undefined): Promise<void> {
  if (out) await replaceFile(out, pem);
  else process.stdout.write(pem);
}

interface IssueArguments {
  profile: string;
  name?: string;
  names?: string;
  out?: string;
  csr?: string;
}

async function issue(options: Options, args: IssueArguments): Promise<void> {
  if (!args.name) throw new CaError('request_invalid', 'issue needs --name');
  if (!args.out && !args.csr) throw new CaError('request_invalid', 'issue needs --out or --csr');
  const names = (args.names ?? '').split(',').filter(Boolean);
  const request = { profile: args.profile as ProfileName, commonName: args.name, names };
  const authority = await openExisting(options);
  const { root, issuing } = await authority.trust();
  const issued = args.csr
    ? { ...(await authority.issue({ ...request, csr: await readFile(args.csr, 'utf8') })), key: undefined }
    : await issueKeyPair(authority, request);
  const chain = issued.certificate + issued.chain;
  if (!args.out) {
    process.stdout.write(chain);
    return;
  }
  await mkdir(args.out, { recursive: true });
  if (issued.key !== undefined) await replaceFile(join(args.out, 'key.pem'), issued.key, 0o600);
  await replaceFile(join(args.out, 'cert.pem'), chain);
  await replaceFile(join(args.out, 'ca.pem'), root + issuing);
  console.log(`${args.out}: ${issued.commonName}, serial ${issued.serial}, until ${issued.notAfter}`);
}

async function revoke(
  options: Options,
  apiToken: string | undefined,
  { serial: asked, reason, url }: { serial?: string; reason: string; url?: string },
): Promise<void> {
  if (!asked) throw new CaError('request_invalid', 'revoke needs a serial');
  if (!Object.hasOwn(revocationReasons, reason))
    throw new CaError('request_invalid', `there is no reason "${reason}"`);
  if (url && !URL.canParse(url)) throw new CaError('request_invalid', '--url is not an address');
  if (url && !apiToken) throw new CaError('request_invalid', 'revoke with --url needs FLOTA_API_TOKEN');
  const serial = asked.toUpperCase();
  const authority = await openExisting(options);
  const done = await authority.revoke(serial, reason as RevocationReason).catch((error: unknown) => {
    // The webhook may not have been told yet.
    if (url && error instanceof CaError && error.code === 'already_revoked') return null;
    throw error;
  });
  console.log(
    done ? `${serial} revoked at ${done.revokedAt}; the new CRL has it` : `${serial} was revoked before`,
  );
  if (url && apiToken) {
    await connectRegistry(url, apiToken).revoke(serial, reason);
    console.log(`${url} has disconnected its holder, and publishes the CRL`);
  } else {
    console.log(
      'its holder stays connected, and comes back wherever a broker checks no CRL: the same command with --url URL',
    );
    console.log('has the webhook disconnect it and keep it out, as Revoke in the console does');
  }
}
