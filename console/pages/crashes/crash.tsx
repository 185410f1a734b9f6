import { A, useParams } from '@solidjs/router';
import { createMemo, For, type JSX, Show } from 'solid-js';
import { api, type CrashDetails } from '../../api.ts';
import { formatNumber } from '../../format.ts';
import { language, t } from '../../i18n/i18n.ts';
import { createLoad, usePoll } from '../../load.ts';
import { type Column, DataTable, TableHead } from '../../parts/data-table.tsx';
import { Digest } from '../../parts/digest.tsx';
import { Loaded } from '../../parts/loaded.tsx';
import { Fact, Facts, Head } from '../../parts/page.tsx';
import { Ago, When } from '../../parts/time.tsx';
import { Trend } from './trend.tsx';
import { placeOf, sourceOf } from './words.ts';

const pollMs = 30_000;

function CrashFacts(props: { crash: CrashDetails }): JSX.Element {
  return (
    <Facts>
      <Fact name={t('crashes.firmware')}>
        <Show when={props.crash.firmware} fallback={t('crashes.unknownFirmware')}>
          {(firmware) => (
            <A href={`/firmware/${firmware().id}`}>
              {firmware().name} {firmware().version}
            </A>
          )}
        </Show>
      </Fact>
      <Fact name="ELF SHA-256">
        <Digest sha256={props.crash.elf} />
      </Fact>
      <Show when={props.crash.task}>
        {(task) => (
          <Fact name={t('crash.task')}>
            <code>{task()}</code>
          </Fact>
        )}
      </Show>
      <Fact name={t('crashes.firstSeen')}>
        <When at={props.crash.firstSeenAt} />
      </Fact>
      <Fact name={t('crashes.lastSeen')}>
        <When at={props.crash.lastSeenAt} />
      </Fact>
      <Fact name={t('crashes.reports')}>{formatNumber(language(), props.crash.reports)}</Fact>
      <Fact name={t('crashes.devices')}>{t('common.devices', { n: props.crash.devices })}</Fact>
    </Facts>
  );
}

type Call = CrashDetails['backtrace'][number]['calls'][number];

/** A row for each call; those that the compiler has put into others stand at the same address. */
function Backtrace(props: { crash: CrashDetails }): JSX.Element {
  const rows = () =>
    props.crash.backtrace.flatMap(({ address, calls }) =>
      calls.length === 0
        ? [{ address, call: null as Call | null, inlined: false }]
        : calls.map((call, i) => ({ address: i === 0 ? address : '', call, inlined: i < calls.length - 1 })),
    );
  const columns = () => [
    { head: t('crash.address') },
    { head: t('crash.function') },
    { head: t('crash.source'), class: 'mid' },
  ];
  return (
    <div class="table-wrap">
      <table data-testid="backtrace">
        <TableHead caption={t('crash.backtrace')} columns={columns()} />
        <tbody>
          <For each={rows()}>
            {({ address, call, inlined }) => (
              <tr>
                <td>
                  <code>{address}</code>
                </td>
                <td class="anywhere">
                  <Show when={call} fallback={<span class="soft">–</span>}>
                    {(known) => <code>{known().function}</code>}
                  </Show>
                  <Show when={inlined}>
                    <span class="soft small"> {t('crash.inlined')}</span>
                  </Show>
                </td>
                <td class="mid soft">
                  <Show when={call && sourceOf(call)}>
                    {(source) => <span title={call?.file ?? undefined}>{source()}</span>}
                  </Show>
                </td>
              </tr>
            )}
          </For>
        </tbody>
      </table>
    </div>
  );
}

type Affected = CrashDetails['affected'][number];
const describeAffected = (): Column<Affected>[] => [
  {
    head: t('devices.name'),
    cell: ({ device }) => <A href={`/devices/${encodeURIComponent(device)}`}>{device}</A>,
  },
  { head: t('crashes.reports'), class: 'num tight', cell: (one) => formatNumber(language(), one.reports) },
  { head: t('crashes.lastSeen'), class: 'tight soft', cell: (one) => <Ago at={one.lastSeenAt} /> },
];

/** Crashes at one place of one program. */
export default function CrashPage(): JSX.Element {
  const params = useParams();
  const load = createLoad(
    () => params.id,
    (id, signal) => api.getCrash(id, signal),
  );
  usePoll(pollMs, load.refetch);
  const columns = createMemo(describeAffected);
  return (
    <Loaded load={load}>
      {(crash) => (
        <>
          <Head
            title={placeOf(crash())}
            lead={crash().reason}
            actions={
              <A class="button" href="/crashes">
                {t('crashes.title')}
              </A>
            }
          />
          <section aria-labelledby="backtrace">
            <h2 id="backtrace">{t('crash.backtrace')}</h2>
            <Show when={crash().symbols !== 'known' && crash().symbols}>
              {(state) => (
                <p class="prose" role="status" data-testid="symbols">
                  {t(`crash.symbols.${state() as 'no_elf' | 'no_tool' | 'failed'}`)}
                </p>
              )}
            </Show>
            <Backtrace crash={crash()} />
            <Show when={crash().corrupted}>
              <p class="soft">{t('crash.corrupted')}</p>
            </Show>
          </section>
          <div class="columns block">
            <section aria-labelledby="details">
              <h2 id="details">{t('crash.details')}</h2>
              <CrashFacts crash={crash()} />
            </section>
            <section aria-label={t('crashes.trend')}>
              <Trend days={crash().trend} />
            </section>
          </div>
          <section aria-labelledby="affected" class="block">
            <h2 id="affected">{t('crash.affected')}</h2>
            <Show when={crash().devices > crash().affected.length && crash().affected.length > 0}>
              <p class="soft">{t('crash.affectedSome', { n: crash().affected.length })}</p>
            </Show>
            <DataTable caption={t('crash.affected')} columns={columns()} rows={crash().affected} />
          </section>
        </>
      )}
    </Loaded>
  );
}
