/** Which EMQX `npm run test:emqx` talks to. Every problem is listed before anything starts. */
import { readEnv, toConfig as toCaConfig } from '#ca/config.ts';
import { withBrokerNames } from '#emqx/setting-names.ts';
import type { Settings } from './settings.ts';

export type EmqxUnderTest = NonNullable<Settings['emqx']> & {
  /** Where the broker reaches this machine. */
  host: string;
};

export function readEmqxUnderTest(environment = readEnv()): EmqxUnderTest {
  const env = withBrokerNames(environment);
  const problems: string[] = [];
  const need = (name: string, form: RegExp, what: string) => {
    const value = env[name] ?? '';
    if (!form.test(value)) problems.push(`${name} must be ${what}`);
    return value;
  };
  const emqx = {
    url: need('BROKER_API_URL', /^https?:\/\/./, "the address of EMQX's HTTP API (http://127.0.0.1:18083)"),
    key: need('BROKER_API_KEY', /./, 'an API key'),
    secret: need('BROKER_API_SECRET', /./, "the API key's secret"),
    mqttUrl: need('BROKER_MQTT_URL', /^mqtts:\/\/./, 'mqtts://host:8883'),
  };
  if (problems.length > 0) throw new Error(problems.join('; '));
  const { dir, passphrase } = toCaConfig(env);
  return {
    emqx,
    // The broker has its certificate from this authority; the devices get theirs from it.
    ca: { dir, ...(passphrase && { passphrase }) },
    restartCommand: env.BROKER_RESTART_CMD || null,
    host: env.OUTAGE_HOST || '127.0.0.1',
  };
}
