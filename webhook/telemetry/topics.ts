/** What devices measure on, and what of such a message is kept. */
export const measuredTopics = ['status/system', 'status/network', 'data/sensors', 'data/metrics'] as const;
export type MeasuredTopic = (typeof measuredTopics)[number];

/** Those whose numbers are in `values`. */
export const dataTopics = ['data/sensors', 'data/metrics'] as const satisfies MeasuredTopic[];
export const isOfData = (topic: string): boolean => (dataTopics as readonly string[]).includes(topic);

type Fields = Record<string, unknown>;

/** Numbers by name, and what else a status says. Its id and the device's clock are asked for by nobody. */
export function toBody(topic: string, { id: _, at: __, ...told }: Fields): Fields {
  return isOfData(topic) ? (told.values as Fields) : told;
}

export function toMessage(topic: string, body: Fields): Fields {
  return isOfData(topic) ? { values: body } : body;
}
