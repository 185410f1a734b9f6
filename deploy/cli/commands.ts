/** Every command, in the order of the help. */
import { certs } from './certs.ts';
import type { Command } from './command.ts';
import { completion } from './completion.ts';
import * as crashes from './crashes.ts';
import * as cve from './cve.ts';
import * as deployments from './deploy.ts';
import * as devices from './devices.ts';
import * as firmware from './firmware.ts';
import { apply } from './fleet-file/apply.ts';
import { plan } from './fleet-file/plan.ts';
import { pull } from './fleet-file/pull.ts';
import { login, logout } from './login.ts';
import { logs } from './logs.ts';
import * as patches from './patches.ts';
import * as token from './token.ts';
import { undo } from './undo.ts';
import { watch } from './watch.ts';

export const commands: Command[] = [
  login,
  logout,
  token.create,
  token.list,
  token.revoke,
  firmware.upload,
  firmware.list,
  patches.list,
  patches.make,
  patches.sign,
  deployments.deploy,
  watch,
  deployments.cancel,
  undo,
  deployments.list,
  devices.list,
  devices.show,
  devices.query,
  logs,
  certs,
  crashes.list,
  crashes.show,
  cve.list,
  cve.show,
  cve.devices,
  cve.bring,
  cve.state,
  cve.evidence,
  cve.components,
  plan,
  apply,
  pull,
];
commands.push(completion(commands));
