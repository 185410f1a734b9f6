/** What browsers are told about everything that the public app serves. */
import { secureHeaders } from 'hono/secure-headers';
import type { Context } from './context.ts';

export function securityHeaders({ objects, publicUrl }: Context) {
  return secureHeaders({
    contentSecurityPolicy: {
      defaultSrc: ["'self'"],
      scriptSrc: ["'self'"],
      objectSrc: ["'none'"],
      baseUri: ["'none'"],
      formAction: ["'self'"],
      // Files are uploaded to the store; a download is a link, which this does not concern.
      connectSrc: ["'self'", objects.browserOrigin],
      imgSrc: ["'self'", 'data:'],
      styleSrc: ["'self'", "'unsafe-inline'"],
      frameAncestors: ["'none'"],
    },
    xFrameOptions: 'DENY',
    // RFC 6797 §7.2: not over plain http. No includeSubDomains: the names beside ours are not ours.
    strictTransportSecurity: publicUrl.startsWith('https:') ? `max-age=${180 * 86_400}` : false,
    permissionsPolicy: { camera: [], microphone: [], geolocation: [], usb: [], serial: [], payment: [] },
  });
}
