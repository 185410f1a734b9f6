/**
 * EMQX reads every environment variable that begins with `EMQX_` as its own configuration, and with `EMQX_API_KEY` set it does
 * not start. So ours begin with `BROKER_`: one shell or unit may then start the broker and Flota. The names used before are
 * understood until 0.3.0.
 */
const renamed = [
  'API_URL',
  'API_KEY',
  'API_KEY_FILE',
  'API_SECRET',
  'API_SECRET_FILE',
  'API_PORT',
  'MQTT_URL',
  'DASHBOARD_URL',
  'RESTART_CMD',
];

type Environment = Record<string, string | undefined>;

/** The environment with the settings of the broker under their names of today; what has an old name is told in one line. */
export function withBrokerNames(env: Environment, warn: (line: string) => void = console.warn): Environment {
  const old = renamed.filter((name) => env[`EMQX_${name}`]);
  if (old.length === 0) return env;
  const given = { ...env };
  for (const name of old) given[`BROKER_${name}`] ||= env[`EMQX_${name}`];
  const list = (prefix: string) => old.map((name) => prefix + name).join(', ');
  warn(
    `${list('EMQX_')}: write ${list('BROKER_')}. EMQX takes what begins with EMQX_ for its own; the old names work until 0.3.0.`,
  );
  return given;
}
