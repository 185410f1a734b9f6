import { A, useSearchParams } from '@solidjs/router';
import { createSignal, For, type JSX, Match, Show, Switch } from 'solid-js';
import { createAct } from '../../act.ts';
import { api, type Device, type Surroundings, type Token } from '../../api.ts';
import { ApiError } from '../../http.ts';
import { t } from '../../i18n/i18n.ts';
import { createLoad } from '../../load.ts';
import { Allowed } from '../../parts/allowed.tsx';
import { Copied } from '../../parts/digest.tsx';
import { Loaded } from '../../parts/loaded.tsx';
import { Problem } from '../../parts/notes.tsx';
import { Head } from '../../parts/page.tsx';
import { textOf } from '../../parts/params.ts';
import { TextField } from '../../parts/text-field.tsx';
import { When } from '../../parts/time.tsx';
import { commandsFor, type Kind, kinds } from './commands.ts';
import { Steps } from './steps.tsx';
import { deployTestImage } from './test-image.ts';

/** What the hardware of such a device is called until somebody says otherwise. */
const hardwareOf: Record<Kind, string> = {
  mosquitto: 'my-device',
  host: 'esp32s3',
  esp32: 'minimal',
  arduino: 'minimal',
};
/** A virtual or hand-made device takes any image that is signed; a chip needs one that was built for it. */
const takesAnything = (kind: Kind) => kind === 'mosquitto' || kind === 'host';

type Joined = { device: Device; token: Token };

/** Registers the device, or finds it registered, and makes the token for its certificate. */
async function join(id: string, hardware: string): Promise<Joined> {
  const device = await api.createDevice({ id, hardware }).catch((error: unknown) => {
    if (error instanceof ApiError && error.code === 'device_exists') return api.getDevice(id);
    throw error;
  });
  return { device, token: await api.createToken({ profile: 'device', commonName: id, names: [] }) };
}

function Kinds(props: { kind: Kind; onKind: (kind: Kind) => void }): JSX.Element {
  return (
    <fieldset class="segments" aria-label={t('connect.kind')}>
      <For each={kinds}>
        {(kind) => (
          <button type="button" aria-pressed={props.kind === kind} onClick={() => props.onKind(kind)}>
            {t(`connect.kind.${kind}`)}
          </button>
        )}
      </For>
    </fieldset>
  );
}

function Register(props: { kind: Kind; onJoined: (joined: Joined) => void }): JSX.Element {
  const [search] = useSearchParams();
  const act = createAct(async (fields: FormData) => {
    const text = (name: string) => String(fields.get(name) ?? '').trim();
    props.onJoined(await join(text('id'), text('hardware')));
  });
  return (
    <form
      class="register"
      onSubmit={(event) => {
        event.preventDefault();
        void act.run(new FormData(event.currentTarget));
      }}
    >
      <div class="pair">
        <TextField
          name="id"
          label={t('connect.id')}
          hint={t('connect.idHint')}
          value={textOf(search.id) || 'my-device-1'}
          maxLength={64}
          required
        />
        <TextField
          name="hardware"
          label={t('devices.hardware')}
          hint={t('connect.hardwareHint')}
          value={hardwareOf[props.kind]}
          maxLength={64}
          required
        />
      </div>
      <Problem error={act.error()} />
      <div class="actions">
        <button type="submit" class="button primary" disabled={act.busy()}>
          {t('connect.register')}
        </button>
      </div>
    </form>
  );
}

function Commands(props: { kind: Kind; joined: Joined; given: Surroundings }): JSX.Element {
  const blocks = () =>
    commandsFor(props.kind, {
      id: props.joined.device.id,
      hardware: props.joined.device.hardware,
      token: props.joined.token.token,
      url: props.given.url,
      mqttUrl: props.given.mqttUrl ?? 'mqtts://BROKER:8883',
      root: props.given.root,
      keys: props.given.keys,
    });
  return (
    <>
      <p class="soft">
        {t(`connect.needs.${props.kind}`)} {t('connect.tokenUntil')}{' '}
        <When at={props.joined.token.expiresAt} />
      </p>
      <Show when={props.given.mqttUrl === null}>
        <p class="wrong">{t('connect.noMqtt')}</p>
      </Show>
      <Show when={!takesAnything(props.kind) && !props.given.url.startsWith('https:')}>
        <p class="wrong">{t('connect.needsHttps')}</p>
      </Show>
      <ol class="blocks">
        <For each={blocks()}>
          {(block) => (
            <li>
              <p>
                {t(`connect.block.${block.name}`)} <Copied text={block.text} />
              </p>
              <section class="code-block" tabindex="0" aria-label={t(`connect.block.${block.name}`)}>
                <pre data-testid={`block-${block.name}`}>
                  <code>{block.text}</code>
                </pre>
              </section>
            </li>
          )}
        </For>
      </ol>
    </>
  );
}

function FirstUpdate(props: { kind: Kind; device: Device; signs: boolean }): JSX.Element {
  const [deployment, setDeployment] = createSignal<string>();
  const act = createAct(async () => setDeployment((await deployTestImage(props.device)).id));
  return (
    <section aria-labelledby="first-update">
      <h2 id="first-update">{t('connect.update')}</h2>
      <Problem error={act.error()} />
      <Switch>
        <Match when={deployment()}>
          {(id) => (
            <p>
              <A href={`/deployments/${id()}`}>{t('connect.deployed')}</A>
            </p>
          )}
        </Match>
        <Match when={takesAnything(props.kind) && props.signs}>
          <p class="soft">{t('connect.updateTest')}</p>
          <button type="button" class="button primary" disabled={act.busy()} onClick={() => act.run()}>
            {t('connect.deploy')}
          </button>
        </Match>
        <Match when={true}>
          <p class="soft">{t(takesAnything(props.kind) ? 'connect.updateSigned' : 'connect.updateBuilt')}</p>
          <A class="button" href="/firmware/new">
            {t('firmware.register')}
          </A>
        </Match>
      </Switch>
    </section>
  );
}

function Connect(): JSX.Element {
  const [kind, setKind] = createSignal<Kind>('mosquitto');
  const [joined, setJoined] = createSignal<Joined>();
  const given = createLoad(
    () => true,
    (_, signal) => api.getSurroundings(signal),
  );
  return (
    <>
      <Kinds kind={kind()} onKind={setKind} />
      <Show when={joined()} fallback={<Register kind={kind()} onJoined={setJoined} />}>
        {(found) => (
          <div class="connect">
            <div>
              <h2>
                <A href={`/devices/${found().device.id}`}>{found().device.id}</A>
              </h2>
              <Loaded load={given}>
                {(surroundings) => (
                  <>
                    <Commands kind={kind()} joined={found()} given={surroundings()} />
                    <FirstUpdate kind={kind()} device={found().device} signs={surroundings().signs} />
                  </>
                )}
              </Loaded>
            </div>
            <Steps device={found().device.id} />
          </div>
        )}
      </Show>
    </>
  );
}

/** From nothing to a device of one's own that has been updated, with everything filled in. */
export default function ConnectPage(): JSX.Element {
  return (
    <>
      <Head title={t('connect.title')} lead={t('connect.lead')} />
      <Allowed page to="admin" fleet>
        <Connect />
      </Allowed>
    </>
  );
}
