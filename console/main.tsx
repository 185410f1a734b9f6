import { Navigate, Route, Router } from '@solidjs/router';
import { lazy } from 'solid-js';
import { render } from 'solid-js/web';
import './styles/tokens.css';
import './styles/base.css';
import './styles/parts.css';
import './styles/pages.css';
import './styles/devices.css';
import './styles/rollout.css';
import { Shell } from './shell.tsx';

// Each page is fetched when it is gone to, so that the first one is there soon.
const CertificatePage = lazy(() => import('./pages/certificates/certificate.tsx'));
const CertificatesPage = lazy(() => import('./pages/certificates/index.tsx'));
const DeploymentPage = lazy(() => import('./pages/deployments/deployment.tsx'));
const DeploymentsPage = lazy(() => import('./pages/deployments/index.tsx'));
const DevicePage = lazy(() => import('./pages/devices/device.tsx'));
const DevicesPage = lazy(() => import('./pages/devices/index.tsx'));
const DeployPage = lazy(() => import('./pages/firmware/deploy.tsx'));
const FirmwarePage = lazy(() => import('./pages/firmware/firmware.tsx'));
const FirmwaresPage = lazy(() => import('./pages/firmware/index.tsx'));
const RegisterPage = lazy(() => import('./pages/firmware/new.tsx'));
const NotFoundPage = lazy(() => import('./pages/not-found.tsx'));

const uuid = { id: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i };
const serial = { serial: /^[0-9A-F]{2,40}$/i };
const deviceId = { id: /^[A-Za-z0-9_-]{1,64}$/ };

render(
  () => (
    <Router root={Shell}>
      <Route path="/" component={() => <Navigate href="/firmware" />} />
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
      <Route path="*" component={NotFoundPage} />
    </Router>
  ),
  document.getElementById('app')!,
);
