/** `npm run backup` and `npm run restore`. */
import '#deploy/lab/primitives/closed-pipe.ts';
import { runCommand } from './command.ts';
import { cleanUpOnSignals } from './tools.ts';

cleanUpOnSignals();
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';
process.exitCode = await runCommand(
  process.argv.slice(2),
  process.env,
  (text) => process.stdout.write(text),
  (text) => process.stderr.write(text),
);
