import type { TLSSocket } from 'node:tls';

/** Attributes whose name in a printed subject is not their OpenSSL short name in capitals. */
const printedNames: Record<string, string> = { emailAddress: 'EMAILADDRESS' };

/** The certificate's common name and its subject as EMQX prints it (`SERIALNUMBER=0A1B,CN=dev-1`); null without one name. */
export function peerName(socket: TLSSocket): { cn: string; dn: string } | null {
  // Null when the peer has gone already.
  const subject = socket.getPeerCertificate()?.subject as unknown as
    | Record<string, string | string[]>
    | undefined;
  if (!subject || typeof subject.CN !== 'string' || subject.CN === '' || /[+#/\0]/.test(subject.CN))
    return null;
  const dn = Object.entries(subject)
    .flatMap(([name, values]) =>
      [values].flat().map((value) => `${printedNames[name] ?? name.toUpperCase()}=${value}`),
    )
    .join(',');
  return { cn: subject.CN, dn };
}
