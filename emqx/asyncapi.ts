/** The wire contract as AsyncAPI 3 with JSON Schemas, for who writes a device in another language. Made from `protocol.ts` alone. */
import { z } from 'zod';
import {
  maxCertificateDownlinkBytes,
  maxDownlinkBytes,
  maxUplinkBytes,
  type Topic,
  topics,
} from './protocol.ts';

export const summaries: Record<Topic, string> = {
  'firmware/download/request': 'Start an update, or go on with it by a fresh address',
  'firmware/download/cancel': 'Stop an update',
  'firmware/download/request/ack': 'Whether the update is taken on',
  'firmware/download/progress': 'How far it has come; also asks for a fresh address',
  'firmware/download/result': 'How the attempt ended, and what runs now',
  'firmware/download/cancel/ack': 'Whether it could still be stopped',
  'status/system': 'Uptime, memory, temperature',
  'status/network': 'Signal, address, reconnects',
  'status/health': 'Health and what runs; with seq and boot the report of a boot',
  'data/sensors': 'Numbers by name',
  'data/metrics': 'Numbers by name',
  log: 'A line of the log',
  'control/command': 'A command of an admin',
  'control/response': 'The answer to a command',
  'cert/renew/request': 'A CSR for the next certificate',
  'cert/renew/response': 'The next certificate, or why there is none',
  ack: 'Critical messages that are stored: they need not be sent again',
};

/**
 * Draft 7. Unknown fields are ignored, so no schema closes its objects; and a schema stands alone, so that any JSON, which zod writes
 * as a reference to itself, is the schema that takes anything.
 */
export function toJsonSchema(topic: Topic): Record<string, unknown> {
  const { $schema, definitions, ...schema } = z.toJSONSchema(topics[topic].schema, {
    target: 'draft-7',
    override: ({ jsonSchema }) => {
      if (jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties;
    },
  });
  const isReference = (value: unknown) =>
    typeof value === 'object' && value !== null && '$ref' in value && Object.keys(value).length === 1;
  return JSON.parse(JSON.stringify(schema), (_, value: unknown) => (isReference(value) ? {} : value));
}

export const maxBytesOf = (topic: Topic): number => {
  if (topics[topic].direction === 'up') return maxUplinkBytes;
  return topic === 'cert/renew/response' ? maxCertificateDownlinkBytes : maxDownlinkBytes;
};
const nameOf = (topic: string) => topic.replaceAll(/\/(\w)/g, (_, first: string) => first.toUpperCase());

/** The application is the device: it sends what goes up and receives what comes down. Addresses are as the device sees them. */
export function createAsyncApi() {
  const all = Object.keys(topics) as Topic[];
  const refs = (topic: Topic) => ({ $ref: `#/channels/${nameOf(topic)}` });
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Flota devices',
      version: '1',
      description:
        'What a device says and hears over MQTT 3.1.1 with mutual TLS and QoS 1, in a persistent session. The broker puts devices/<id>/ in front of each topic.',
    },
    defaultContentType: 'application/json',
    channels: Object.fromEntries(
      all.map((topic) => [
        nameOf(topic),
        {
          address: topic,
          description: summaries[topic],
          messages: { message: { $ref: `#/components/messages/${nameOf(topic)}` } },
        },
      ]),
    ),
    operations: Object.fromEntries(
      all.map((topic) => [
        nameOf(topic),
        {
          action: topics[topic].direction === 'up' ? 'send' : 'receive',
          channel: refs(topic),
          summary: summaries[topic],
          bindings: { mqtt: { qos: 1, retain: false, bindingVersion: '0.2.0' } },
        },
      ]),
    ),
    components: {
      messages: Object.fromEntries(
        all.map((topic) => [
          nameOf(topic),
          {
            name: nameOf(topic),
            summary: summaries[topic],
            payload: toJsonSchema(topic),
            'x-class': topics[topic].class,
            'x-max-bytes': maxBytesOf(topic),
          },
        ]),
      ),
    },
  };
}
