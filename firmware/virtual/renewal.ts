import type { CertRenewResponse } from '#emqx/protocol.ts';
import { createCsr } from './csr.ts';
import {
  certificateProblem,
  createKey,
  type Identity,
  type KeyPair,
  type PendingIdentity,
  validity,
} from './identity.ts';
import type { Log } from './options.ts';

const thirtyDaysMs = 30 * 24 * 3600 * 1000;

/** When a certificate wants renewing: 30 days before its end, but not before two thirds of its life are over. */
export function renewalDueAt(certificate: string): number {
  const { notBefore, notAfter } = validity(certificate);
  return notAfter - Math.min(thirtyDaysMs, (notAfter - notBefore) / 3);
}

export interface RenewalHost {
  id: string;
  identity(): Identity;
  /** Stores it, atomically. */
  store(identity: Identity): void;
  /** True while a request is in the outbox. */
  isQueued(requestId: string): boolean;
  /** Puts a `cert/renew/request` into the outbox. */
  ask(requestId: string, csr: string): void;
  newId(): string;
  /** Connect again: there is another pair to try. */
  reconnect(): void;
  renewed(): void;
  retryMs: number;
  maxConnects: number;
  log: Log;
}

/**
 * Certificate renewal. Every step is one atomic write of the identity file, and each can be the last before the power
 * goes: a new key and its CSR; the certificate beside it; the new pair instead of the old one, once it has connected.
 */
export class Renewal {
  readonly #host: RenewalHost;
  #waitUntil = 0;
  #failedConnects = 0;
  #creating = false;

  constructor(host: RenewalHost) {
    this.#host = host;
  }

  /** The pair for the next connect: the new one, but the old one after the new one has failed a few times. */
  keyPair(): KeyPair {
    const identity = this.#host.identity();
    const issued = this.#triable(identity);
    return issued && this.#failedConnects < this.#host.maxConnects ? issued : identity;
  }

  /** Asks for a certificate when it is time, or again when no answer came. */
  async check(): Promise<void> {
    const host = this.#host;
    const identity = host.identity();
    const now = Date.now();
    if (identity.pending?.issued || this.#creating || now < this.#waitUntil) return;
    if (identity.pending) {
      if (host.isQueued(identity.pending.requestId)) return;
      const pending = { ...identity.pending, requestId: host.newId() };
      host.store({ ...identity, pending });
      return this.#send(pending);
    }
    if (now < renewalDueAt(identity.certificate)) return;
    this.#creating = true;
    try {
      const key = createKey();
      const csr = await createCsr(key, host.id);
      const pending: PendingIdentity = { key, csr, requestId: host.newId(), issued: null };
      host.store({ ...host.identity(), pending });
      host.log('info', 'certificate is near its end, asking for a new one');
      this.#send(pending);
    } finally {
      this.#creating = false;
    }
  }

  answered(response: CertRenewResponse): void {
    const host = this.#host;
    const identity = host.identity();
    const { pending } = identity;
    if (!pending || pending.issued) return;
    const { certificate, chain, error } = response;
    if (certificate && chain) {
      const problem = certificateProblem(certificate, pending.key, host.id);
      // An answer to an earlier request; the one to this is still to come.
      if (problem) {
        host.log('warn', 'certificate refused', { problem });
        return;
      }
      host.store({ ...identity, pending: { ...pending, issued: { certificate, chain } } });
      this.#failedConnects = 0;
      host.reconnect();
      return;
    }
    if (response.request !== pending.requestId) return;
    host.log('warn', 'certificate request refused', { code: error?.code });
    this.#waitUntil = Date.now() + host.retryMs;
    // A CSR that was refused stays refused; a new key is the way out.
    if (error?.code.startsWith('csr_')) host.store({ ...identity, pending: null });
  }

  connected(pair: KeyPair): void {
    const identity = this.#host.identity();
    const issued = this.#triable(identity);
    if (!issued) return;
    if (pair.certificate === issued.certificate) {
      this.#host.store({ ...issued, pending: null });
      this.#failedConnects = 0;
      this.#host.log('info', 'certificate renewed');
      this.#host.renewed();
      return;
    }
    // The old one connects where the new one did not: the new one is no good.
    this.#host.log('error', 'the new certificate does not connect, going on with the old one');
    this.#failedConnects = 0;
    this.#waitUntil = Date.now() + this.#host.retryMs;
    this.#host.store({ ...identity, pending: null });
  }

  /** A broker was reached and did not let this pair in. */
  connectFailed(pair: KeyPair): void {
    const issued = this.#triable(this.#host.identity());
    if (!issued) return;
    // When neither connects it is the network: take turns.
    this.#failedConnects = pair.certificate === issued.certificate ? this.#failedConnects + 1 : 0;
  }

  #triable(identity: Identity): KeyPair | null {
    const { pending } = identity;
    return pending?.issued ? { key: pending.key, ...pending.issued } : null;
  }

  #send(pending: PendingIdentity): void {
    this.#waitUntil = Date.now() + this.#host.retryMs;
    this.#host.ask(pending.requestId, pending.csr);
  }
}
