/** Which broker these tests talk to: the stand-in, or under `npm run test:emqx` a running EMQX. Every problem is listed before anything starts. */
import { readEnv, toConfig as toCaConfig } from '#ca/config.ts';
import { withBrokerNames } from '#emqx/setting-names.ts';
import { defaultOptions, type SystemOptions } from '../system/options.ts';

const defaultCrlUrl = 'http://localhost:8080/crl/crl.pem';

/** The broker's other node; each command is one line of a shell. */
export interface SecondNode {
  apiUrl: string;
  mqttUrl: string;
  /** At once, as a machine that loses its power. */
  killCommand: string;
  startCommand: string;
  /** Takes an Erlang expression as one more argument, evaluates it on that node and prints what comes of it. */
  evalCommand: string;
}

export interface EmqxUnderTest {
  system: Pick<SystemOptions, 'emqx' | 'authority' | 'gate' | 'ports'>;
  /** Null: nobody said how. */
  restartCommand: string | null;
  /** Null: it is a single one, as far as we are told. */
  second: SecondNode | null;
}

/** All of them, or none. */
export const secondNodeSettings = ['API_URL', 'MQTT_URL', 'KILL_CMD', 'START_CMD', 'EVAL_CMD'].map(
  (name) => `BROKER_NODE2_${name}`,
);

/** Null: the stand-in. `npm test` never looks for an EMQX, for its rules would be replaced. */
export function readEmqxUnderTest(environment = readEnv()): EmqxUnderTest | null {
  if (!environment.FLOTA_TEST_EMQX) return null;
  const env = withBrokerNames(environment);
  if (!env.BROKER_API_URL) return null;
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
  const isSecondNamed = secondNodeSettings.some((name) => env[name]);
  const second = isSecondNamed
    ? {
        apiUrl: need('BROKER_NODE2_API_URL', /^https?:\/\/./, "the address of the second node's HTTP API"),
        mqttUrl: need('BROKER_NODE2_MQTT_URL', /^mqtts:\/\/./, 'mqtts://host:8883 of the second node'),
        killCommand: need('BROKER_NODE2_KILL_CMD', /./, 'a command (docker kill emqx2)'),
        startCommand: need('BROKER_NODE2_START_CMD', /./, 'a command (docker start emqx2)'),
        evalCommand: need('BROKER_NODE2_EVAL_CMD', /./, 'a command (docker exec emqx2 emqx eval)'),
      }
    : null;
  if (problems.length > 0) throw new Error(problems.join('; '));
  const { dir, passphrase } = toCaConfig(env);
  return {
    system: {
      emqx,
      // The broker has its certificate from this authority; the devices get theirs from it.
      authority: { dir, ...(passphrase && { passphrase }) },
      gate: { host: env.OUTAGE_HOST || '127.0.0.1' },
      // The CRL says where it is, and is kept with the authority: it is always the same place.
      ports: { ...defaultOptions.ports, http: Number(new URL(env.CA_CRL_URL || defaultCrlUrl).port) },
    },
    restartCommand: env.BROKER_RESTART_CMD || null,
    second,
  };
}
