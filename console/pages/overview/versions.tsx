import { A } from '@solidjs/router';
import { For, type JSX, Show } from 'solid-js';
import type { Overview } from '../../admin-api.ts';
import { formatNumber, formatShare } from '../../format.ts';
import { language, t } from '../../i18n/i18n.ts';
import { toDevices } from '../../to-devices.ts';

type Version = Overview['versions']['items'][number];

function Bar(props: {
  name: JSX.Element;
  devices: number;
  total: number;
  most: number;
  href?: string;
}): JSX.Element {
  return (
    <li>
      <span class="version-name">{props.name}</span>
      <span class="version-bar" aria-hidden="true">
        <span style={{ width: `${(100 * props.devices) / Math.max(1, props.most)}%` }} />
      </span>
      <span class="num">
        <Show when={props.href} fallback={formatNumber(language(), props.devices)}>
          {(href) => <A href={href()}>{formatNumber(language(), props.devices)}</A>}
        </Show>
      </span>
      <span class="num soft small">{formatShare(language(), props.devices / Math.max(1, props.total))}</span>
    </li>
  );
}

/** What runs in the fleet, by the digests that devices attest. */
export function Versions(props: { overview: Overview }): JSX.Element {
  const items = () => props.overview.versions.items;
  const unreported = () => props.overview.versions.unreported;
  /** A share is of the whole fleet, also of those that never said what they run. */
  const total = () => props.overview.devices.total;
  const most = () =>
    Math.max(props.overview.versions.others, unreported(), ...items().map((one) => one.devices));
  /** Two builds of one version can only be told apart by their digests. */
  const nameOf = (version: Version) => {
    const twins = items().filter(
      (one) => one.version === version.version && one.component === version.component,
    );
    const text = version.component === 'main' ? version.version : `${version.component} ${version.version}`;
    return twins.length > 1 ? `${text} (${version.sha256.slice(0, 8)})` : text;
  };
  return (
    <Show when={items().length > 0} fallback={<p class="soft prose">{t('overview.noVersions')}</p>}>
      <ul class="versions">
        <For each={items()}>
          {(version) => (
            <Bar
              name={
                <Show when={version.firmware} fallback={nameOf(version)}>
                  {(id) => <A href={`/firmware/${id()}`}>{nameOf(version)}</A>}
                </Show>
              }
              devices={version.devices}
              href={toDevices(`sha256 = ${version.sha256}`)}
              total={total()}
              most={most()}
            />
          )}
        </For>
        <Show when={props.overview.versions.others > 0}>
          <Bar
            name={t('overview.otherVersions')}
            devices={props.overview.versions.others}
            total={total()}
            most={most()}
          />
        </Show>
        <Show when={unreported() > 0}>
          <Bar
            name={<span class="soft">{t('overview.unreported')}</span>}
            devices={unreported()}
            href={toDevices('not sha256 ~ ""')}
            total={total()}
            most={most()}
          />
        </Show>
      </ul>
    </Show>
  );
}
