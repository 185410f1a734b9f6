/** Objects that come in parts: S3's multipart uploads. */
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  HeadObjectCommand,
  ListPartsCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { isNotThere, storeUnavailable } from './store-faults.ts';

export interface StoredPart {
  number: number;
  sizeBytes: number;
  etag: string;
}

/** One upload: where it goes, and the store's name of it. */
export interface PartsOf {
  key: string;
  uploadId: string;
}

/** All throw `storage_unavailable`. */
export interface PartStore {
  begin(key: string): Promise<string>;
  /** For a PUT of exactly so many bytes. */
  presign(of: PartsOf, number: number, sizeBytes: number, lifetimeS: number): Promise<string>;
  /** By number; null: there is no such upload, it may have been completed. */
  list(of: PartsOf): Promise<StoredPart[] | null>;
  /** Makes one object of these parts. What has been done already is done. */
  complete(of: PartsOf, parts: StoredPart[]): Promise<void>;
  abort(of: PartsOf): Promise<void>;
}

export function createPartStore(internal: S3Client, browser: S3Client, bucket: string): PartStore {
  const named = ({ key, uploadId }: PartsOf) => ({ Bucket: bucket, Key: key, UploadId: uploadId });
  return {
    async begin(key) {
      const about = { Bucket: bucket, Key: key, ContentType: 'application/octet-stream' };
      const command = new CreateMultipartUploadCommand(about);
      return (await ask(internal.send(command))).UploadId!;
    },
    presign: (of, number, sizeBytes, expiresIn) =>
      getSignedUrl(
        browser,
        // The length is signed, so a part of another one is refused.
        new UploadPartCommand({ ...named(of), PartNumber: number, ContentLength: sizeBytes }),
        { expiresIn },
      ),
    async list(of) {
      // As many as S3 lists at once are more than a firmware has.
      const found = await ask(internal.send(new ListPartsCommand(named(of))).catch(noSuchUpload));
      if (!found) return null;
      return (found.Parts ?? []).map(({ PartNumber, Size, ETag }) => ({
        number: PartNumber!,
        sizeBytes: Size!,
        etag: ETag!,
      }));
    },
    async complete(of, parts) {
      const Parts = parts.map(({ number, etag }) => ({ PartNumber: number, ETag: etag }));
      const command = new CompleteMultipartUploadCommand({ ...named(of), MultipartUpload: { Parts } });
      if (await ask(internal.send(command).catch(noSuchUpload))) return;
      // Completed before, and the answer was lost.
      await ask(internal.send(new HeadObjectCommand({ Bucket: bucket, Key: of.key })));
    },
    async abort(of) {
      await ask(internal.send(new AbortMultipartUploadCommand(named(of))).catch(noSuchUpload));
    },
  };
}

function noSuchUpload(error: unknown): null {
  if (isNotThere(error)) return null;
  throw error;
}

function ask<T>(asked: Promise<T>): Promise<T> {
  return asked.catch((cause: unknown) => {
    throw storeUnavailable(cause);
  });
}
