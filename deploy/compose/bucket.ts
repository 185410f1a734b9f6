/** The bucket, the CORS rule that lets the console upload from a browser, and what becomes of uploads in parts that nobody ends. */
import {
  CreateBucketCommand,
  HeadBucketCommand,
  PutBucketCorsCommand,
  PutBucketLifecycleConfigurationCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { readJob } from './config.ts';
import { runJob } from './job.ts';

await runJob([], async () => {
  const { S3_ENDPOINT: endpoint, S3_BUCKET: Bucket, AWS_REGION: region, PUBLIC_URL } = readJob('bucket');
  const client = new S3Client({
    endpoint,
    region,
    forcePathStyle: true,
    requestChecksumCalculation: 'WHEN_REQUIRED',
  });
  await client
    .send(new HeadBucketCommand({ Bucket }))
    .catch((error: { $metadata?: { httpStatusCode?: number } }) => {
      if (error.$metadata?.httpStatusCode !== 404) throw error;
      return client.send(new CreateBucketCommand({ Bucket }));
    });
  const rule = {
    AllowedOrigins: [new URL(PUBLIC_URL).origin],
    AllowedMethods: ['GET', 'PUT'],
    AllowedHeaders: ['*'],
    ExposeHeaders: ['ETag'],
    MaxAgeSeconds: 3600,
  };
  await client.send(new PutBucketCorsCommand({ Bucket, CORSConfiguration: { CORSRules: [rule] } }));
  // The webhook gives them up after three days by itself: this is for those that it has forgotten (a database put back).
  const abort = {
    ...{ ID: 'uploads', Status: 'Enabled' as const, Filter: { Prefix: '' } },
    AbortIncompleteMultipartUpload: { DaysAfterInitiation: 7 },
  };
  await client
    .send(new PutBucketLifecycleConfigurationCommand({ Bucket, LifecycleConfiguration: { Rules: [abort] } }))
    .catch((error: { name: string; $metadata?: { httpStatusCode?: number } }) => {
      if (error.$metadata?.httpStatusCode !== 501) throw error;
      process.stdout.write('the store has no lifecycle rules\n');
    });
  process.stdout.write(`bucket ${Bucket} is there\n`);
});
