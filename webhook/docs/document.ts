/** The API's OpenAPI document as a copy serves it; nothing is started for it. */
import { createPublicApp } from '../app.ts';
import { createMetrics } from '../metrics/metrics.ts';

type Parts = Parameters<typeof createPublicApp>;
export type Document = { paths: Record<string, object>; components: { schemas: Record<string, object> } };

export async function readDocument(): Promise<Document> {
  const context = {
    publicUrl: 'http://localhost',
    objects: { browserOrigin: '' },
    metrics: createMetrics(),
    log: () => {},
  };
  const app = createPublicApp(context as unknown as Parts[0], {} as Parts[1]);
  const response = await app.request('/api/openapi.json', {}, { incoming: { rawHeaders: [] } });
  return (await response.json()) as Document;
}
