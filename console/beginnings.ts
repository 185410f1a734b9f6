/**
 * What each page begins with: its file, and what it asks for first, as it asks for it (of one with filters only without any). `later`
 * is asked for as soon as there is code, and not by the document: browsers open six connections, and these are not waited for.
 */
export const beginnings = [
  { path: /^\/$/, page: 'pages/overview/index.tsx', asks: ['/api/overview', '/api/deployments?limit=5'] },
  { path: /^\/firmware$/, page: 'pages/firmware/index.tsx' },
  { path: /^\/firmware\/new$/, page: 'pages/firmware/new.tsx' },
  { path: /^\/firmware\/[^/]+$/, page: 'pages/firmware/firmware.tsx' },
  { path: /^\/firmware\/[^/]+\/deploy$/, page: 'pages/firmware/deploy.tsx' },
  { path: /^\/deployments$/, page: 'pages/deployments/index.tsx' },
  { path: /^\/deployments\//, page: 'pages/deployments/deployment.tsx' },
  { path: /^\/crashes$/, page: 'pages/crashes/index.tsx' },
  { path: /^\/crashes\//, page: 'pages/crashes/crash.tsx' },
  { path: /^\/connect$/, page: 'pages/connect/index.tsx' },
  {
    path: /^\/devices$/,
    page: 'pages/devices/index.tsx',
    asks: ['/api/devices?limit=100&offset=0'],
    later: ['/api/regions', '/api/divisions', '/api/hardware'],
  },
  { path: /^\/devices\//, page: 'pages/devices/device.tsx' },
  { path: /^\/certificates$/, page: 'pages/certificates/index.tsx' },
  { path: /^\/certificates\//, page: 'pages/certificates/certificate.tsx' },
  { path: /^\/vulnerabilities$/, page: 'pages/vulnerabilities/index.tsx' },
  { path: /^\/vulnerabilities\/[^/]+$/, page: 'pages/vulnerabilities/vulnerability.tsx' },
  { path: /^\/system/, page: 'pages/system.tsx' },
] as const satisfies { path: RegExp; page: string; asks?: readonly string[]; later?: readonly string[] }[];
