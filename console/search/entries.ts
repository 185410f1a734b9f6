import type { Search } from '../api.ts';
import { type MessageKey, t } from '../i18n/i18n.ts';
import { tabs } from '../pages/system-tabs.ts';
import { stateWord } from '../parts/state.tsx';
import { may, type Role, user } from '../session.ts';
import { openSettings } from '../settings.ts';

/** One line of what was found, and where it leads, or what it does. */
export type Entry = { label: string; note?: string } & ({ href: string } | { act: () => void });
export type Section = { title: string; entries: Entry[] };

type Place = { href: string; key: MessageKey; to?: Role };

const pages: Place[] = [
  { href: '/', key: 'nav.overview' },
  { href: '/firmware', key: 'nav.firmware' },
  { href: '/deployments', key: 'nav.deployments' },
  { href: '/deployments/calendar', key: 'calendar.title' },
  { href: '/devices', key: 'nav.devices' },
  { href: '/jobs', key: 'jobs.title' },
  { href: '/certificates', key: 'nav.certificates' },
  { href: '/crashes', key: 'nav.crashes' },
  { href: '/vulnerabilities', key: 'nav.vulnerabilities' },
  ...tabs.map(({ path, name, to }) => ({ href: `/system/${path}`, key: name, to })),
];
const acts: Place[] = [
  { href: '/firmware/new', key: 'firmware.register', to: 'operator' },
  { href: '/connect', key: 'connect.title', to: 'admin' },
];

/** What is done in a dialog, wherever one is. Who comes by the single sign-on has no password here. */
const ownActs = (): Entry[] => [
  { label: t('settings.title'), act: () => openSettings('all') },
  { label: t('ownTokens.title'), act: () => openSettings('tokens') },
  ...(user()?.sso
    ? []
    : [
        { label: t('password.title'), act: () => openSettings('password') },
        { label: t(user()?.totp ? 'totp.offTitle' : 'totp.title'), act: () => openSettings('totp') },
      ]),
];

const toEntries = (places: Place[]): Entry[] =>
  places.filter(({ to }) => !to || may(to)).map(({ href, key }) => ({ href, label: t(key) }));

const matching = (entries: Entry[], text: string): Entry[] =>
  entries.filter(({ label }) => label.toLocaleLowerCase().includes(text.toLocaleLowerCase()));

const part = encodeURIComponent;

/** Pages and acts are known here; the rest is what the server found. Sections without an entry are left out. */
export function toSections(text: string, found: Search | undefined): Section[] {
  const sections: Section[] = [
    {
      title: t('nav.devices'),
      entries: (found?.devices ?? []).map(({ id, name }) => ({
        href: `/devices/${part(id)}`,
        label: name || id,
        ...(name && name !== id && { note: id }),
      })),
    },
    {
      title: t('nav.firmware'),
      entries: (found?.firmwares ?? []).map(({ id, name, version, sha256 }) => ({
        href: `/firmware/${id}`,
        label: `${name} ${version}`,
        note: sha256.slice(0, 12),
      })),
    },
    {
      title: t('nav.deployments'),
      entries: (found?.deployments ?? []).map(({ id, state, firmware }) => ({
        href: `/deployments/${id}`,
        label: `${firmware.name} ${firmware.version}`,
        note: `${stateWord(state)} · ${id.slice(0, 8)}`,
      })),
    },
    {
      title: t('nav.certificates'),
      entries: (found?.certificates ?? []).map(({ serial, commonName }) => ({
        href: `/certificates/${serial}`,
        label: serial,
        note: commonName,
      })),
    },
    { title: t('search.pages'), entries: matching(toEntries(pages), text) },
    {
      title: t('search.acts'),
      entries: [
        ...matching([...toEntries(acts), ...ownActs()], text),
        ...(text ? [{ href: `/devices?search=${part(text)}`, label: t('search.allDevices', { text }) }] : []),
      ],
    },
  ];
  return sections.filter(({ entries }) => entries.length > 0);
}
