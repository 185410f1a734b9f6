import { Navigate, Route, Router } from '@solidjs/router';
import { lazy } from 'solid-js';
import { render } from 'solid-js/web';
import './styles/tokens.css';
import './styles/base.css';
import './styles/parts.css';
import './styles/pages.css';
import './styles/devices.css';
import './styles/rollout.css';
import { beginnings } from './beginnings.ts';
import { askEarly } from './early.ts';
import { ready } from './i18n/i18n.ts';
import { reachesAll } from './session.ts';
import { applyTheme } from './settings.ts';
import { Shell } from './shell.tsx';
import { speakOfFields } from './validity.ts';

// Each page is fetched when it is gone to, so that the first one is there soon.
const VulnerabilitiesPage = lazy(() => import('./pages/vulnerabilities/index.tsx'));
const VulnerabilityPage = lazy(() => import('./pages/vulnerabilities/vulnerability.tsx'));
const EvidencePage = lazy(() => import('./pages/vulnerabilities/evidence.tsx'));
const CertificatePage = lazy(() => import('./pages/certificates/certificate.tsx'));
const CertificatesPage = lazy(() => import('./pages/certificates/index.tsx'));
const CrashPage = lazy(() => import('./pages/crashes/crash.tsx'));
const CrashesPage = lazy(() => import('./pages/crashes/index.tsx'));
const DeploymentPage = lazy(() => import('./pages/deployments/deployment.tsx'));
const CalendarPage = lazy(() => import('./pages/calendar/index.tsx'));
const DeploymentsPage = lazy(() => import('./pages/deployments/index.tsx'));
const DevicePage = lazy(() => import('./pages/devices/device.tsx'));
const DevicesPage = lazy(() => import('./pages/devices/index.tsx'));
const ConnectPage = lazy(() => import('./pages/connect/index.tsx'));
const DeployPage = lazy(() => import('./pages/firmware/deploy.tsx'));
const FirmwarePage = lazy(() => import('./pages/firmware/firmware.tsx'));
const FirmwaresPage = lazy(() => import('./pages/firmware/index.tsx'));
const RegisterPage = lazy(() => import('./pages/firmware/new.tsx'));
const NotFoundPage = lazy(() => import('./pages/not-found.tsx'));
const JobPage = lazy(() => import('./pages/jobs/job.tsx'));
const JobsPage = lazy(() => import('./pages/jobs/index.tsx'));
const OverviewPage = lazy(() => import('./pages/overview/index.tsx'));
const SystemFrame = lazy(() => import('./pages/system.tsx'));
const BrokerPage = lazy(() => import('./pages/broker/index.tsx'));
const PlacesPage = lazy(() => import('./pages/regions/index.tsx'));
const DeadLettersPage = lazy(() => import('./pages/accounts/dead-letters.tsx'));
const ApprovalRulesPage = lazy(() => import('./pages/approvals/index.tsx'));
const EncryptionPage = lazy(() => import('./pages/encryption/index.tsx'));
const NotificationsPage = lazy(() => import('./pages/notifications/index.tsx'));
const UsersPage = lazy(() => import('./pages/accounts/users.tsx'));
const TokensPage = lazy(() => import('./pages/accounts/tokens.tsx'));
const AuditPage = lazy(() => import('./pages/accounts/audit.tsx'));
// The lab's page: what is built for production does not have it.
const ShowPage =
  import.meta.env.MODE === 'production' ? NotFoundPage : lazy(() => import('./pages/show/index.tsx'));

const uuid = { id: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i };
const serial = { serial: /^[0-9A-F]{2,40}$/i };
const vulnerability = { id: /^[A-Za-z0-9][A-Za-z0-9:._-]{0,99}$/ };
const deviceId = { id: /^[A-Za-z0-9_-]{1,64}$/ };

const firstPages: Record<(typeof beginnings)[number]['page'], { preload(): Promise<unknown> }> = {
  'pages/overview/index.tsx': OverviewPage,
  'pages/firmware/index.tsx': FirmwaresPage,
  'pages/firmware/new.tsx': RegisterPage,
  'pages/firmware/firmware.tsx': FirmwarePage,
  'pages/firmware/deploy.tsx': DeployPage,
  'pages/deployments/index.tsx': DeploymentsPage,
  'pages/deployments/deployment.tsx': DeploymentPage,
  'pages/crashes/index.tsx': CrashesPage,
  'pages/crashes/crash.tsx': CrashPage,
  'pages/connect/index.tsx': ConnectPage,
  'pages/devices/index.tsx': DevicesPage,
  'pages/devices/device.tsx': DevicePage,
  'pages/certificates/index.tsx': CertificatesPage,
  'pages/certificates/certificate.tsx': CertificatePage,
  'pages/vulnerabilities/index.tsx': VulnerabilitiesPage,
  'pages/vulnerabilities/vulnerability.tsx': VulnerabilityPage,
  'pages/system.tsx': SystemFrame,
};

// Who it is, the words, the page and what is on it are fetched at the same time.
applyTheme();
askEarly('/api/me');
for (const one of beginnings) {
  if (!one.path.test(location.pathname)) continue;
  void firstPages[one.page].preload();
  const asks = [...('asks' in one ? one.asks : []), ...('later' in one ? one.later : [])];
  if (!location.search) for (const ask of asks) askEarly(ask);
}
await ready;
speakOfFields();
render(
  () => (
    <Router root={Shell}>
      <Route path="/" component={OverviewPage} />
      <Route path="/firmware" component={FirmwaresPage} />
      <Route path="/firmware/new" component={RegisterPage} />
      <Route path="/firmware/:id" matchFilters={uuid} component={FirmwarePage} />
      <Route path="/firmware/:id/deploy" matchFilters={uuid} component={DeployPage} />
      <Route path="/deployments" component={DeploymentsPage} />
      <Route path="/deployments/calendar" component={CalendarPage} />
      <Route path="/deployments/:id" matchFilters={uuid} component={DeploymentPage} />
      <Route path="/crashes" component={CrashesPage} />
      <Route path="/crashes/:id" matchFilters={uuid} component={CrashPage} />
      <Route path="/connect" component={ConnectPage} />
      <Route path="/devices" component={DevicesPage} />
      <Route path="/devices/:id" matchFilters={deviceId} component={DevicePage} />
      <Route path="/jobs" component={JobsPage} />
      <Route path="/jobs/:id" matchFilters={uuid} component={JobPage} />
      <Route path="/certificates" component={CertificatesPage} />
      <Route path="/certificates/:serial" matchFilters={serial} component={CertificatePage} />
      <Route path="/vulnerabilities" component={VulnerabilitiesPage} />
      <Route path="/vulnerabilities/:id" matchFilters={vulnerability} component={VulnerabilityPage} />
      <Route path="/vulnerabilities/:id/evidence" matchFilters={vulnerability} component={EvidencePage} />
      <Route path="/system" component={SystemFrame}>
        <Route
          path="/"
          component={() => <Navigate href={reachesAll() ? '/system/broker' : '/system/regions'} />}
        />
        <Route path="/broker" component={BrokerPage} />
        <Route path="/regions" component={PlacesPage} />
        <Route path="/dead-letters" component={DeadLettersPage} />
        <Route path="/approvals" component={ApprovalRulesPage} />
        <Route path="/encryption" component={EncryptionPage} />
        <Route path="/notifications" component={NotificationsPage} />
        <Route path="/users" component={UsersPage} />
        <Route path="/tokens" component={TokensPage} />
        <Route path="/audit" component={AuditPage} />
      </Route>
      <Route path="/show" component={ShowPage} />
      <Route path="*" component={NotFoundPage} />
    </Router>
  ),
  document.getElementById('app')!,
);
