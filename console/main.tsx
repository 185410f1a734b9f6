import { Navigate, Route, Router } from '@solidjs/router';
import { lazy } from 'solid-js';
import { render } from 'solid-js/web';
import './styles/tokens.css';
import './styles/base.css';
import './styles/parts.css';
import './styles/pages.css';
import CertificatePage from './pages/certificates/certificate.tsx';
import CertificatesPage from './pages/certificates/index.tsx';
import DeploymentPage from './pages/deployments/deployment.tsx';
import DeploymentsPage from './pages/deployments/index.tsx';
import DevicePage from './pages/devices/device.tsx';
import DevicesPage from './pages/devices/index.tsx';
import DeployPage from './pages/firmware/deploy.tsx';
import FirmwarePage from './pages/firmware/firmware.tsx';
import FirmwaresPage from './pages/firmware/index.tsx';
import RegisterPage from './pages/firmware/new.tsx';
import NotFoundPage from './pages/not-found.tsx';
import OverviewPage from './pages/overview/index.tsx';
import { Shell } from './shell.tsx';

// What few people open is fetched when they do.
const SystemFrame = lazy(() => import('./pages/system.tsx'));
const BrokerPage = lazy(() => import('./pages/broker/index.tsx'));
const PlacesPage = lazy(() => import('./pages/regions/index.tsx'));
const DeadLettersPage = lazy(() => import('./pages/accounts/dead-letters.tsx'));
const UsersPage = lazy(() => import('./pages/accounts/users.tsx'));
const TokensPage = lazy(() => import('./pages/accounts/tokens.tsx'));
const AuditPage = lazy(() => import('./pages/accounts/audit.tsx'));
const ShowPage = lazy(() => import('./pages/show/index.tsx'));

const uuid = { id: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i };
const serial = { serial: /^[0-9A-F]{2,40}$/i };
const deviceId = { id: /^[A-Za-z0-9_-]{1,64}$/ };

render(
  () => (
    <Router root={Shell}>
      <Route path="/" component={OverviewPage} />
      <Route path="/firmware" component={FirmwaresPage} />
      <Route path="/firmware/new" component={RegisterPage} />
      <Route path="/firmware/:id" matchFilters={uuid} component={FirmwarePage} />
      <Route path="/firmware/:id/deploy" matchFilters={uuid} component={DeployPage} />
      <Route path="/deployments" component={DeploymentsPage} />
      <Route path="/deployments/:id" matchFilters={uuid} component={DeploymentPage} />
      <Route path="/devices" component={DevicesPage} />
      <Route path="/devices/:id" matchFilters={deviceId} component={DevicePage} />
      <Route path="/certificates" component={CertificatesPage} />
      <Route path="/certificates/:serial" matchFilters={serial} component={CertificatePage} />
      <Route path="/system" component={SystemFrame}>
        <Route path="/" component={() => <Navigate href="/system/broker" />} />
        <Route path="/broker" component={BrokerPage} />
        <Route path="/regions" component={PlacesPage} />
        <Route path="/dead-letters" component={DeadLettersPage} />
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
