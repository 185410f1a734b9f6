/**
 * The embedded broker: aedes behind a TLS listener that demands a client certificate, with EMQX's mountpoint, ACL, rules,
 * HTTP actions and a part of its HTTP API. For development and tests; see README.md for what it is not.
 */
import { randomUUID } from 'node:crypto';
import type { Server, Socket } from 'node:net';
import tls, { type TLSSocket } from 'node:tls';
import { Aedes, type AedesPublishPacket, type Client } from 'aedes';
import { listen } from '#deploy/lab/primitives/listen.ts';
import { clientidPlaceholder, parseAcl } from './acl.ts';
import type { ApiMessage } from './api-publish.ts';
import { createConfiguration, type EngineConfig, type StandinVersion } from './configuration.ts';
import { CrlCheck, type CrlCheckOptions } from './crl-check.ts';
import { clientConnected, clientDisconnected, messagePublished, sessionSubscribed } from './event-columns.ts';
import type { ActionMetrics } from './http-action.ts';
import { createHttpApi } from './http-api.ts';
import { readListenerSettings } from './listener-settings.ts';
import { MountStream, nowhere } from './mount-stream.ts';
import { createOutgoingQueues, isExpired } from './outgoing-queues.ts';
import type { Log, RuleMetrics } from './rule-engine.ts';
import { type Session, Sessions } from './sessions.ts';

export interface BrokerOptions {
  host: string;
  /** 0: any free port. */
  mqttPort: number;
  apiPort: number;
  /** PEM texts; `cert` may hold leaf and chain, `ca` is root and issuing CA. */
  tls: { key: string; cert: string; ca: string };
  /** `enable_crl_check`; left out: no CRL is looked at. */
  crl?: CrlCheckOptions;
  /** Text of conf/acl.conf. */
  acl: string;
  /** Connectors, actions and rules in the shape of EMQX's configuration. */
  config: EngineConfig;
  /** Text of conf/emqx.conf: mountpoint and sizes; left out: EMQX's defaults. */
  conf?: string;
  /** Whose HTTP API it speaks, and whose defaults hold (5.8.9). */
  version?: StandinVersion;
  apiKey: string;
  apiSecret: string;
  /** Of the user `admin`; left out: a made one, which nobody knows. */
  dashboardPassword?: string;
  log?: Log;
  /** For tests: after how long an unanswered action request is sent again. */
  actionHangMs?: number;
}
export interface Broker {
  mqttPort: number;
  apiPort: number;
  rules: {
    ruleMetrics(id: string): RuleMetrics | undefined;
    actionMetrics(id: string): ActionMetrics | undefined;
  };
  close(): Promise<void>;
}

/** Throws AclError, ConfigError or HoconError for what it cannot use, and the system's own error (EADDRINUSE …) for a port. */
export async function startBroker(options: BrokerOptions): Promise<Broker> {
  const log = options.log ?? (() => {});
  const acl = parseAcl(options.acl);
  const settings = readListenerSettings(options.conf ?? '');
  const configuration = createConfiguration(options.config, log, options);
  const { engine } = configuration;
  const sessions = new Sessions();
  /** A will is published after its session is gone. */
  const sessionOf = new WeakMap<object, Session>();
  const queues = createOutgoingQueues(settings.maxQueuedMessages);
  const aedes = await Aedes.createBroker({
    queueLimit: 1000,
    // EMQX's tcp_options.send_timeout.
    drainTimeout: 15_000,
    authorizePublish: (_client, _packet, done) => done(null),
    authorizeForward: (_client, packet) => (isExpired(packet as object) ? null : packet),
  });
  Object.assign((aedes as unknown as { persistence: object }).persistence, queues.persistence);

  const begin = (stream: MountStream, session: Omit<Session, 'subscriptions' | 'stream'>) => {
    const old = sessions.get(session.clientid);
    if (old?.connected) {
      old.stream.endsBecause(session.persistent ? 'takenover' : 'discarded');
      // Its end must be told before this one's beginning, and aedes closes it only if this one lives until it is registered.
      ended(old.clientid, old.stream);
      old.stream.destroy();
    }
    if (!session.persistent) queues.drop(session.clientid);
    sessionOf.set(stream, sessions.begin({ ...session, stream }));
  };
  const ended = (clientid: string, stream: MountStream) => {
    const session = sessions.end(clientid, stream, Date.now());
    if (!session) return;
    engine.handle('$events/client_disconnected', () =>
      clientDisconnected(session, stream.reason ?? 'tcp_closed'),
    );
  };

  const bans = new Set<string>();
  let unacknowledged = 0;
  const accept = (socket: TLSSocket) => {
    const name = peerName(socket);
    if (!name) {
      log('warn', 'certificate without a usable common name');
      socket.destroy();
      return;
    }
    const clientid = name.cn;
    const prefix = settings.mountpoint.replaceAll(clientidPlaceholder, clientid);
    const stream: MountStream = new MountStream(socket, {
      ...settings,
      clientid,
      prefix,
      acl,
      isBanned: () => bans.has(clientid),
      onRefused: (reason) => log('warn', 'connection refused', { clientid, reason }),
      onConnect: ({ clean, keepalive, protocolVersion }) =>
        begin(stream, {
          clientid,
          persistent: !clean,
          connected: true,
          connectedAt: Date.now(),
          disconnectedAt: null,
          peer: { host: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 },
          attrs: { cert: name.dn, cn: name.cn },
          keepalive,
          protocolVersion,
          prefix,
        }),
    });
    stream.once('close', () => ended(clientid, stream));
    socket.setNoDelay(true);
    aedes.handle(stream);
  };

  /** Undefined when a newer connection has its name already. */
  const currentOf = (client: Client) => {
    const session = sessions.get(client.id);
    return session?.stream === client.conn ? session : undefined;
  };
  aedes.on('client', (client: Client) => {
    const session = currentOf(client);
    if (session) engine.handle('$events/client_connected', () => clientConnected(session));
  });
  aedes.on('subscribe', (subscriptions, client: Client) => {
    const session = currentOf(client);
    for (const { topic, qos } of session ? subscriptions : []) {
      if (topic === nowhere) continue;
      sessions.subscribed(session!, topic, qos);
      engine.handle('$events/session_subscribed', () => sessionSubscribed(session!, topic, qos));
    }
  });
  aedes.on('unsubscribe', (topics, client: Client) => {
    const session = currentOf(client);
    for (const topic of session ? topics : []) sessions.unsubscribed(session!, topic);
  });
  aedes.on('keepaliveTimeout', (client: Client) =>
    (client.conn as MountStream).endsBecause('keepalive_timeout'),
  );
  aedes.on('clientError', (client: Client, error: Error) =>
    log('debug', error.message, { clientid: client.id }),
  );
  aedes.on('publish', (packet: AedesPublishPacket, client: Client | null) => {
    const session = client && sessionOf.get(client.conn);
    // aedes keeps no QoS 0 for who is away; EMQX does.
    if (packet.qos === 0)
      for (const id of sessions.awayFrom(packet.topic))
        queues.enqueue(id, { ...packet, brokerId: 'qos0', brokerCounter: ++unacknowledged });
    const payload = Buffer.from(packet.payload);
    if (session) engine.handle(packet.topic, () => messagePublished({ ...packet, payload }, session));
  });

  const crls = options.crl && new CrlCheck(options.crl, options.tls.ca, log);
  /** Node, too, judges a client's certificate only when its part of the handshake has come, and then destroys the socket. */
  const judge = async (socket: TLSSocket, check: CrlCheck) => {
    const { raw, subject } = socket.getPeerCertificate() ?? {};
    socket.on('error', () => {});
    const obstacle = raw ? await check.findObstacle(raw) : 'the peer has gone';
    if (socket.destroyed) return;
    if (!obstacle) return accept(socket);
    log('warn', 'TLS handshake refused', { error: obstacle, clientid: String(subject?.CN) });
    socket.destroy();
  };

  const listener = tls.createServer(
    {
      key: options.tls.key,
      cert: options.tls.cert,
      ca: options.tls.ca,
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: 'TLSv1.2',
      handshakeTimeout: 15_000,
    },
    (socket) => (crls ? void judge(socket, crls) : accept(socket)),
  );
  const sockets = new Set<Socket>();
  listener.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  listener.on('tlsClientError', (error) => log('debug', 'TLS handshake refused', { error: error.message }));

  const kick = async (clientid: string) => {
    crls?.expire();
    const session = sessions.get(clientid);
    if (!session) return;
    session.stream.endsBecause('kicked');
    session.stream.destroy();
    ended(clientid, session.stream);
    sessions.remove(clientid);
    queues.drop(clientid);
    const { persistence } = aedes as unknown as {
      persistence: { cleanSubscriptions(client: { id: string }): Promise<void> };
    };
    await persistence.cleanSubscriptions({ id: clientid });
  };
  const publish = (message: ApiMessage) =>
    new Promise<boolean>((resolve) => {
      const packet = { cmd: 'publish' as const, ...message, retain: false, dup: false };
      const routed = sessions.hasRoute(message.topic);
      engine.handle(message.topic, () => messagePublished(packet, null));
      aedes.publish(packet, () => resolve(routed));
    });
  const api = createHttpApi({
    ...{ key: options.apiKey, secret: options.apiSecret, configuration, sessions, bans, kick, publish },
    dashboardPassword: options.dashboardPassword ?? randomUUID(),
    maxPacketBytes: settings.maxPacketBytes,
    version: options.version ?? '5.8.9',
  });

  for (const server of [listener, api]) server.on('error', (error) => log('error', error.message));
  const close = async () => {
    engine.close();
    const closing = [listener, api].map(
      (server: Server) =>
        new Promise<void>((resolve) => (server.listening ? server.close(() => resolve()) : resolve())),
    );
    api.closeAllConnections();
    await new Promise<void>((resolve) => aedes.close(() => resolve()));
    // Those in the middle of their handshake, too.
    for (const socket of sockets) socket.destroy();
    await Promise.all(closing);
  };
  try {
    const [mqttPort, apiPort] = [
      await listen(listener, options.mqttPort, options.host),
      await listen(api, options.apiPort, options.host),
    ];
    return { mqttPort, apiPort, rules: engine, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The certificate's common name and its subject as EMQX prints it (`SERIALNUMBER=0A1B,CN=dev-1`); null without one name. */
function peerName(socket: TLSSocket): { cn: string; dn: string } | null {
  // Null when the peer has gone already.
  const subject = { ...socket.getPeerCertificate()?.subject } as Record<string, string | string[]>;
  const cn = subject.CN;
  if (typeof cn !== 'string' || cn === '' || /[+#/\0]/.test(cn)) return null;
  const parts = Object.entries(subject).flatMap(([name, values]) =>
    [values].flat().map((value) => `${name.toUpperCase()}=${value}`),
  );
  return { cn, dn: parts.join(',') };
}
