/** Which EMQX `npm run test:emqx` talks to. Every problem is listed before anything starts. */
import { readEnv, toConfig as toCaConfig } from '#ca/config.ts';

export interface EmqxUnderTest {
  mqttUrl: string;
  api: { url: string; key: string; secret: string };
  restartCommand: string | null;
  /** Where the broker reaches this machine. */
  host: string;
  /** The authority under which the broker has its certificate; the devices get theirs from it. */
  ca: { dir: string; passphrase?: string };
}

export function readEmqxUnderTest(env = readEnv()): EmqxUnderTest {
  const problems: string[] = [];
  const need = (name: string, form: RegExp, what: string) => {
    const value = env[name] ?? '';
    if (!form.test(value)) problems.push(`${name} must be ${what}`);
    return value;
  };
  const config = {
    api: {
      url: need('EMQX_API_URL', /^https?:\/\/./, "the address of EMQX's HTTP API (http://127.0.0.1:18083)"),
      key: need('EMQX_API_KEY', /./, 'an API key'),
      secret: need('EMQX_API_SECRET', /./, "the API key's secret"),
    },
    mqttUrl: need('EMQX_MQTT_URL', /^mqtts:\/\/./, 'mqtts://host:8883'),
    restartCommand: env.EMQX_RESTART_CMD || null,
    host: env.OUTAGE_HOST || '127.0.0.1',
  };
  if (problems.length > 0) throw new Error(problems.join('; '));
  const { dir, passphrase } = toCaConfig(env);
  return { ...config, ca: { dir, passphrase } };
}
