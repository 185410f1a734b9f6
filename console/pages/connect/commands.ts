/**
 * What brings a device of one's own in, as commands to copy, by kind of device. They are run as they stand by a test
 * (`deploy/local/browser.test.ts`), so they must stay whole: nothing in them is left to fill in but what only its owner knows.
 */
export const kinds = ['mosquitto', 'host', 'esp32', 'arduino'] as const;
export type Kind = (typeof kinds)[number];

export type Facts = {
  id: string;
  hardware: string;
  /** For one certificate request. */
  token: string;
  /** Of the API. */
  url: string;
  mqttUrl: string;
  /** PEM. */
  root: string;
  /** JSON Web Key Set. */
  keys: object;
};

export type BlockName = 'files' | 'key' | 'certificate' | 'hello' | 'update' | 'run' | 'settings' | 'sketch';
export type Block = { name: BlockName; text: string };

const lines = (...all: string[]) => all.join('\n');

const file = (name: string, content: string) => lines(`cat > ${name} <<'EOF'`, content.trim(), 'EOF');

const folder = ({ id }: Facts) => `mkdir -p ${id} && cd ${id}`;

function mosquitto(facts: Facts): Block[] {
  const { hostname, port } = new URL(facts.mqttUrl);
  const broker = lines(
    `-h ${hostname} -p ${port || 8883} -i ${facts.id} -V mqttv311 -q 1 \\`,
    '    --cafile root.pem --cert device.pem --key device.key',
  );
  const hello = JSON.stringify({ id: 'hello', at: null, level: 'info', message: 'hello' });
  return [
    { name: 'files', text: lines(folder(facts), file('root.pem', facts.root)) },
    {
      name: 'key',
      text: lines(
        'openssl ecparam -name prime256v1 -genkey -noout -out device.key',
        `openssl req -new -key device.key -subj /CN=${facts.id} -out device.csr`,
      ),
    },
    {
      name: 'certificate',
      text: lines(
        "jq -n --rawfile csr device.csr '{csr: $csr}' |",
        `  curl -sS --fail-with-body -H 'Authorization: Bearer ${facts.token}' \\`,
        `    -H 'Content-Type: application/json' -d @- -o issued.json ${facts.url}/api/issue_cert`,
        "jq -r '.certificate + .chain' issued.json > device.pem",
      ),
    },
    {
      name: 'hello',
      text: lines(
        `mosquitto_rr ${broker} -c \\`,
        `  -e firmware/download/request -t log -m '${hello}' > request.json`,
      ),
    },
    {
      name: 'update',
      text: lines(
        `jq '.manifest | split(".")[1] | gsub("-"; "+") | gsub("_"; "/") | @base64d | fromjson' \\`,
        '  request.json > manifest.json',
        'curl -sS --fail --cacert root.pem -o image.bin "$(jq -r .url request.json)"',
        `echo "$(jq -r .sha256 manifest.json)  image.bin" | sha256sum -c`,
        'jq -c \'{id: "result", at: null, seq: [1, 1], deployment, attempt, outcome: "succeeded",',
        "  running: ($manifest[0] | {component, version, securityVersion, sha256})}' \\",
        '  --slurpfile manifest manifest.json request.json |',
        `  mosquitto_pub ${broker} \\`,
        '    -t firmware/download/result -s',
      ),
    },
  ];
}

const trusted = (facts: Facts) =>
  lines(
    folder(facts),
    file('root.pem', facts.root),
    file('firmware-keys.json', JSON.stringify(facts.keys)),
    'cd ..',
  );

function host(facts: Facts): Block[] {
  return [
    { name: 'files', text: trusted(facts) },
    {
      name: 'run',
      text: lines(
        'make -C firmware build/flota-device',
        `firmware/build/flota-device --id ${facts.id} --dir ${facts.id} --hardware ${facts.hardware} \\`,
        `  --mqtt-url ${facts.mqttUrl} --trust ${facts.id}/root.pem --signing-keys ${facts.id}/firmware-keys.json \\`,
        `  --enroll-url ${facts.url} --token ${facts.token}`,
      ),
    },
  ];
}

/** The partition tables: of the minimal example, and *Minimal SPIFFS* of Arduino-ESP32. */
const nvsSizes = { esp32: '0x21000', arduino: '0x5000' };

const settings = (facts: Facts, kind: keyof typeof nvsSizes): Block => ({
  name: 'settings',
  text: lines(
    `npx tsx firmware/esp-idf/settings.ts --id ${facts.id} --wifi-ssid "$WIFI_NAME" --wifi-password "$WIFI_PASSWORD" \\`,
    `  --mqtt ${facts.mqttUrl} --enroll ${facts.url}/api/issue_cert --token ${facts.token} \\`,
    `  --trust ${facts.id}/root.pem --keys ${facts.id}/firmware-keys.json --size ${nvsSizes[kind]} --out settings.bin`,
    'esptool.py --port "$PORT" write_flash 0x9000 settings.bin',
  ),
});

const sketch = (facts: Facts): Block => ({
  name: 'sketch',
  text: lines(
    '#include <Flota.h>',
    '#include <WiFi.h>',
    '',
    'void setup() {',
    '  static char ssid[33];',
    '  static char password[65];',
    '  (void)flota_setting("wifi_ssid", ssid, sizeof ssid);',
    '  (void)flota_setting("wifi_password", password, sizeof password);',
    '  WiFi.begin(ssid, password);',
    '  flota_config_t config = {};',
    `  config.hardware = "${facts.hardware}";`,
    '  (void)flota_start(&config);',
    '}',
    '',
    'void loop() { delay(1000); }',
  ),
});

export function commandsFor(kind: Kind, facts: Facts): Block[] {
  if (kind === 'mosquitto') return mosquitto(facts);
  if (kind === 'host') return host(facts);
  const files = { name: 'files' as const, text: trusted(facts) };
  const last = settings(facts, kind);
  return kind === 'esp32' ? [files, last] : [sketch(facts), files, last];
}
