import { A, useParams } from '@solidjs/router';
import { type JSX, Show } from 'solid-js';
import { createAct } from '../../act.ts';
import { api, type FirmwareDetails } from '../../api.ts';
import { formatBytes } from '../../format.ts';
import { language, t } from '../../i18n/i18n.ts';
import { useLive } from '../../live.ts';
import { createLoad } from '../../load.ts';
import { Allowed } from '../../parts/allowed.tsx';
import { DeploymentTable } from '../../parts/deployment-table.tsx';
import { Digest } from '../../parts/digest.tsx';
import { Loaded } from '../../parts/loaded.tsx';
import { Problem } from '../../parts/notes.tsx';
import { Fact, Facts, Head } from '../../parts/page.tsx';
import { Signature } from '../../parts/signature.tsx';
import { When } from '../../parts/time.tsx';
import { toDevices } from '../../to-devices.ts';
import { Elf } from './elf.tsx';
import { Patches } from './patches.tsx';
import { SbomSection } from './sbom.tsx';

/** As it is counted: by what their component attests. */
const runsIt = ({ component, sha256 }: FirmwareDetails) =>
  `sha256${component === 'main' ? '' : `.${component}`} = ${sha256}`;

function FirmwareFacts(props: { firmware: FirmwareDetails }): JSX.Element {
  return (
    <Facts>
      <Fact name={t('firmware.version')}>{props.firmware.version}</Fact>
      <Fact name={t('firmware.author')}>{props.firmware.author}</Fact>
      <Fact name={t('firmware.hardware')}>{props.firmware.hardware || t('firmware.anyHardware')}</Fact>
      <Fact name={t('firmware.component')}>{props.firmware.component}</Fact>
      <Fact name={t('firmware.securityVersion')}>{props.firmware.securityVersion}</Fact>
      <Fact name={t('firmware.file')}>{props.firmware.fileName}</Fact>
      <Fact name={t('firmware.size')}>{formatBytes(language(), props.firmware.sizeBytes)}</Fact>
      <Fact name="SHA-256">
        <Digest sha256={props.firmware.sha256} />
      </Fact>
      <Fact name={t('firmware.signature')}>
        <Signature signed={props.firmware.signed} />
        <Show when={!props.firmware.signed}>
          <p class="hint">{t('firmware.unsignedWhy')}</p>
        </Show>
      </Fact>
      <Fact name={t('firmware.uploaded')}>
        <When at={props.firmware.createdAt} />
      </Fact>
      <Fact name={t('firmware.changed')}>
        <When at={props.firmware.updatedAt} />
      </Fact>
      <Fact name={t('firmware.runningOn')}>
        <A href={toDevices(runsIt(props.firmware))}>{t('common.devices', { n: props.firmware.runningOn })}</A>
      </Fact>
    </Facts>
  );
}

/** Asks for a fresh presigned address and hands it to the browser's own download. */
async function download(firmware: FirmwareDetails): Promise<void> {
  const { url } = await api.presignDownload({ version: firmware.version, fileName: firmware.fileName });
  const link = document.createElement('a');
  link.href = url;
  link.download = firmware.fileName;
  link.click();
}

export default function FirmwarePage(): JSX.Element {
  const params = useParams();
  const load = createLoad(
    () => params.id,
    (id, signal) => api.getFirmware(id, signal),
  );
  const downloading = createAct(download);
  useLive('firmware', () => params.id, load.refetch);
  useLive('deployment', undefined, load.refetch);

  return (
    <Loaded load={load}>
      {(firmware) => (
        <>
          <Head
            title={`${firmware().name} ${firmware().version}`}
            actions={
              <>
                <button type="button" class="button" onClick={() => downloading.run(firmware())}>
                  {t('firmware.download')}
                </button>
                <Allowed to="operator">
                  <A class="button primary" href={`/firmware/${firmware().id}/deploy`}>
                    {t('firmware.deploy')}
                  </A>
                </Allowed>
              </>
            }
          />
          <Problem error={downloading.error()} />
          <div class="columns">
            <section aria-labelledby="facts">
              <h2 id="facts">{t('firmware.facts')}</h2>
              <FirmwareFacts firmware={firmware()} />
            </section>
            <div>
              <section aria-labelledby="note">
                <h2 id="note">{t('firmware.note')}</h2>
                <p class="prose" classList={{ soft: !firmware().releaseNote }}>
                  {firmware().releaseNote || t('firmware.noNote')}
                </p>
              </section>
              <section aria-labelledby="elf">
                <h2 id="elf">{t('firmware.elf')}</h2>
                <Elf firmwareId={firmware().id} />
              </section>
              <section aria-labelledby="patches">
                <h2 id="patches">{t('firmware.patches')}</h2>
                <Patches firmwareId={firmware().id} />
              </section>
            </div>
          </div>
          <SbomSection firmwareId={firmware().id} />
          <section aria-labelledby="deployments" class="block">
            <h2 id="deployments">{t('firmware.itsDeployments')}</h2>
            <Show
              when={firmware().deployments.length > 0}
              fallback={<p class="prose soft">{t('firmware.neverDeployed')}</p>}
            >
              <DeploymentTable deployments={firmware().deployments} />
            </Show>
          </section>
        </>
      )}
    </Loaded>
  );
}
