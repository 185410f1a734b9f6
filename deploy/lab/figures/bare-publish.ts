/** What dispatch is compared with: calls of `publish/bulk` whose bodies lie ready and whose answers nobody reads. */
import { once } from 'node:events';
import http from 'node:http';
import type { PublishMessage } from '#emqx/api.ts';

/** `publish` makes the calls of these batches, one after the other. */
export function openBarePublisher(
  api: { url: string; key: string; secret: string },
  batches: PublishMessage[][],
): { publish(): Promise<void>; close(): void } {
  const agent = new http.Agent({ keepAlive: true });
  const authorization = `Basic ${Buffer.from(`${api.key}:${api.secret}`).toString('base64')}`;
  const headers = { authorization, 'content-type': 'application/json' };
  const bodies = batches.map((batch) =>
    JSON.stringify(
      batch.map(({ messageExpirySeconds, traceparent, ...message }) => ({
        ...message,
        properties: {
          ...(messageExpirySeconds !== undefined && { message_expiry_interval: messageExpirySeconds }),
          ...(traceparent !== undefined && { user_properties: { traceparent } }),
        },
      })),
    ),
  );
  return {
    async publish() {
      for (const body of bodies) {
        const request = http.request(`${api.url}/api/v5/publish/bulk`, { agent, method: 'POST', headers });
        request.end(body);
        const [response] = (await once(request, 'response')) as [http.IncomingMessage];
        if (response.statusCode !== 200) throw new Error(`publish/bulk: ${response.statusCode}`);
        response.resume();
        await once(response, 'end');
      }
    },
    close: () => agent.destroy(),
  };
}
