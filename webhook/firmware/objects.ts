/** Firmware images in S3 (or anything that speaks its API): presigned URLs for browsers and devices, streams for ourselves. */
import type { Readable } from 'node:stream';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { AppError } from '../errors.ts';
import { type CdnSettings, signCdnUrl } from './cdn.ts';
import { createPartStore, type PartStore } from './parts.ts';
import { isNotThere, storeUnavailable } from './store-faults.ts';

export interface ObjectStoreSettings {
  /** Where this process reaches the store, e.g. `http://127.0.0.1:9000`; undefined for AWS itself. */
  endpoint?: string;
  /** Where browsers reach it; default: endpoint. */
  publicUrl?: string;
  /** Where devices reach it (must be https for them to accept it); default: publicUrl. */
  deviceUrl?: string;
  /** Devices download through this CDN instead; it reads the same bucket. */
  cdn?: CdnSettings;
  bucket: string;
  region: string;
  /** Undefined: the SDK's own chain (environment, task role). */
  credentials?: { accessKeyId: string; secretAccessKey: string };
}

export interface PresignedUrl {
  url: string;
  expiresAt: Date;
}

export interface ObjectStore {
  /** Where browsers are sent to by presigned addresses. */
  browserOrigin: string;
  presignUpload(key: string, sha256Hex?: string): Promise<PresignedUrl & { headers: Record<string, string> }>;
  /** What comes in parts. */
  parts: PartStore;
  /** For a browser: answers as an attachment with this file name. */
  presignDownload(key: string, fileName: string): Promise<PresignedUrl>;
  presignForDevice(key: string): Promise<PresignedUrl>;
  /** Throws `object_missing` or `storage_unavailable`. The caller reads or destroys the stream. */
  open(key: string): Promise<{ stream: Readable; sizeBytes: number }>;
  /** Something small of our own. Throws `storage_unavailable`. */
  put(key: string, content: string | Uint8Array, contentType: string): Promise<void>;
  /** Something of this size, as it comes; rejects when it has another, or breaks off. Throws `storage_unavailable`. */
  putStream(key: string, content: Readable, sizeBytes: number): Promise<void>;
  delete(key: string): Promise<void>;
  /** Throws when the bucket cannot be reached. */
  ping(): Promise<void>;
  close(): void;
}

const uploadLifetimeS = 15 * 60;
const downloadLifetimeS = 5 * 60;
/** A device's URL lives at most an hour. */
export const deviceUrlLifetimeS = 3600;

/** AWS's own name for a bucket depends on the bucket's name and on the region's partition, which the SDK knows. */
function originOf(client: S3Client, endpoint: string | undefined, bucket: string, region: string): string {
  const url = endpoint ?? client.config.endpointProvider({ Bucket: bucket, Region: region }).url;
  return new URL(url).origin;
}

export function createObjectStore(settings: ObjectStoreSettings): ObjectStore {
  const { bucket } = settings;
  const clients = new Map<string | undefined, S3Client>();
  const clientFor = (endpoint: string | undefined): S3Client => {
    const existing = clients.get(endpoint);
    if (existing) return existing;
    const client = new S3Client({
      region: settings.region,
      ...(endpoint && { endpoint, forcePathStyle: true }),
      ...(settings.credentials && { credentials: settings.credentials }),
      // A presigned PUT must not demand a checksum that the browser does not send.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
    });
    clients.set(endpoint, client);
    return client;
  };
  const internal = clientFor(settings.endpoint);
  const browser = clientFor(settings.publicUrl ?? settings.endpoint);
  const device = clientFor(settings.deviceUrl ?? settings.publicUrl ?? settings.endpoint);

  return {
    parts: createPartStore(internal, browser, bucket),
    browserOrigin: originOf(browser, settings.publicUrl ?? settings.endpoint, bucket, settings.region),
    async presignUpload(key, sha256Hex) {
      const checksum = sha256Hex && Buffer.from(sha256Hex, 'hex').toString('base64');
      const headers: Record<string, string> = {
        'if-none-match': '*',
        ...(checksum && { 'x-amz-checksum-sha256': checksum }),
      };
      const command = new PutObjectCommand({
        Bucket: bucket,
        Key: key,
        IfNoneMatch: '*',
        ...(checksum && { ChecksumSHA256: checksum }),
      });
      const url = await getSignedUrl(browser, command, {
        expiresIn: uploadLifetimeS,
        unhoistableHeaders: new Set(Object.keys(headers)),
      });
      return { url, headers, expiresAt: expiry(uploadLifetimeS) };
    },
    async presignDownload(key, fileName) {
      const command = new GetObjectCommand({
        Bucket: bucket,
        Key: key,
        ResponseContentDisposition: `attachment; filename*=UTF-8''${encodeURIComponent(fileName)}`,
        ResponseContentType: 'application/octet-stream',
      });
      const url = await getSignedUrl(browser, command, { expiresIn: downloadLifetimeS });
      return { url, expiresAt: expiry(downloadLifetimeS) };
    },
    async presignForDevice(key) {
      if (settings.cdn) return signCdnUrl(settings.cdn, key, expiry(deviceUrlLifetimeS));
      const url = await getSignedUrl(device, new GetObjectCommand({ Bucket: bucket, Key: key }), {
        expiresIn: deviceUrlLifetimeS,
      });
      return { url, expiresAt: expiry(deviceUrlLifetimeS) };
    },
    async open(key) {
      try {
        const answer = await internal.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
        return { stream: answer.Body as Readable, sizeBytes: answer.ContentLength ?? 0 };
      } catch (error) {
        if (isNotThere(error)) {
          throw new AppError('object_missing', 'The file was never uploaded: no such object.', {
            cause: error,
          });
        }
        throw storeUnavailable(error);
      }
    },
    async put(key, content, contentType) {
      try {
        await internal.send(
          new PutObjectCommand({ Bucket: bucket, Key: key, Body: content, ContentType: contentType }),
        );
      } catch (error) {
        throw storeUnavailable(error);
      }
    },
    async putStream(key, content, sizeBytes) {
      // What was read from goes wrong by itself, and is no fault of the store.
      let cause: unknown;
      content.once('error', (error) => {
        cause = error;
      });
      try {
        await internal.send(
          new PutObjectCommand({
            ...{ Bucket: bucket, Key: key, Body: content, ContentLength: sizeBytes },
            ContentType: 'application/octet-stream',
          }),
        );
      } catch (error) {
        if (cause) throw cause;
        throw storeUnavailable(error);
      }
    },
    async delete(key) {
      await internal.send(new DeleteObjectCommand({ Bucket: bucket, Key: key }));
    },
    async ping() {
      await internal.send(new HeadBucketCommand({ Bucket: bucket }));
    },
    close() {
      for (const client of clients.values()) client.destroy();
    },
  };
}

function expiry(seconds: number): Date {
  return new Date(Date.now() + seconds * 1000);
}
