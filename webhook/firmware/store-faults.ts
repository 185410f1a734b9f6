/** What the file store's faults come to. */
import { S3ServiceException } from '@aws-sdk/client-s3';
import { AppError } from '../errors.ts';

export function storeUnavailable(cause: unknown): AppError {
  return new AppError('storage_unavailable', 'The file store does not answer.', { cause });
}

/** The store has no such object, or no such upload. */
export function isNotThere(error: unknown): boolean {
  return error instanceof S3ServiceException && error.$metadata.httpStatusCode === 404;
}
