import { A } from '@solidjs/router';
import { createSignal, For, type JSX, Show } from 'solid-js';
import { createAct } from '../../act.ts';
import { t } from '../../i18n/i18n.ts';
import { useLive } from '../../live.ts';
import { createLoad } from '../../load.ts';
import { Allowed } from '../../parts/allowed.tsx';
import { Digest } from '../../parts/digest.tsx';
import { Problem } from '../../parts/notes.tsx';
import { Fact, Facts } from '../../parts/page.tsx';
import { type FirmwareFinding, type Sbom, vulnerabilityApi } from '../../vulnerability-api.ts';
import { Assessment } from '../vulnerabilities/assessment.tsx';

const shownFindings = 20;

async function loadSbom(id: string, signal: AbortSignal) {
  const [sbom, findings] = await Promise.all([
    vulnerabilityApi.getSbom(id, signal),
    vulnerabilityApi.listOfFirmware(id, signal),
  ]);
  return { sbom, findings };
}

async function download(id: string): Promise<void> {
  const { url } = await vulnerabilityApi.presignSbom(id);
  const link = document.createElement('a');
  link.href = url;
  link.click();
}

function SbomFacts(props: { sbom: Sbom; findings: FirmwareFinding[] }): JSX.Element {
  return (
    <Facts>
      <Fact name={t('sbom.format')}>
        {props.sbom.format} {props.sbom.specVersion}
      </Fact>
      <Fact name={t('sbom.packages')}>
        {props.sbom.packages}
        <Show when={props.sbom.unversioned}>
          {(n) => <p class="hint">{t('sbom.unversioned', { n: n() })}</p>}
        </Show>
      </Fact>
      <Fact name="SHA-256">
        <Digest sha256={props.sbom.sha256} />
      </Fact>
      <Fact name={t('sbom.signature')}>{t(props.sbom.signed ? 'sbom.signed' : 'sbom.unsigned')}</Fact>
      <Fact name={t('sbom.vulnerabilities')}>
        <For each={props.findings.slice(0, shownFindings)} fallback={t('sbom.clean')}>
          {(one) => (
            <p>
              <A href={`/vulnerabilities/${encodeURIComponent(one.vulnerability)}`}>{one.vulnerability}</A> ·{' '}
              {one.package} {one.version} · <Assessment status={one.status ?? 'open'} />
            </p>
          )}
        </For>
        <Show when={props.findings.length > shownFindings}>
          <p>
            <A href="/vulnerabilities">{t('vuln.all')}</A>
          </p>
        </Show>
      </Fact>
    </Facts>
  );
}

/** What a firmware is made of, and what of that is known to be vulnerable. */
export function SbomSection(props: { firmwareId: string }): JSX.Element {
  const load = createLoad(() => props.firmwareId, loadSbom);
  useLive('firmware', () => props.firmwareId, load.refetch);
  useLive('vulnerability', undefined, load.refetch);
  const [name, setName] = createSignal('');
  const upload = createAct(async (file: File) => {
    setName(file.name);
    await vulnerabilityApi.putSbom(props.firmwareId, file);
    load.refetch();
  });
  const downloading = createAct(download);
  let input!: HTMLInputElement;
  return (
    <section aria-labelledby="sbom" class="block" data-testid="sbom">
      <h2 id="sbom">{t('sbom.title')}</h2>
      <Problem error={load.error ?? upload.error() ?? downloading.error()} />
      <Show when={load.data}>
        {(found) => (
          <>
            <Show when={found().sbom} fallback={<p class="prose soft">{t('sbom.none')}</p>}>
              {(sbom) => <SbomFacts sbom={sbom()} findings={found().findings} />}
            </Show>
            <div class="actions">
              <Show when={found().sbom}>
                <button type="button" class="button" onClick={() => downloading.run(props.firmwareId)}>
                  {t('sbom.download')}
                </button>
              </Show>
              <Allowed to="operator" fleet>
                <input
                  ref={input}
                  type="file"
                  hidden
                  aria-label={t('sbom.upload')}
                  onChange={() => {
                    const file = input.files?.[0];
                    input.value = '';
                    if (file) void upload.run(file);
                  }}
                />
                <button type="button" class="button" disabled={upload.busy()} onClick={() => input.click()}>
                  {t('sbom.upload')}
                </button>
              </Allowed>
            </div>
            <Allowed to="operator" fleet>
              <p class="hint">{upload.busy() ? name() : t('sbom.uploadLead')}</p>
            </Allowed>
          </>
        )}
      </Show>
    </section>
  );
}
