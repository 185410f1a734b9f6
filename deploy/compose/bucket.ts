/** The bucket, and the CORS rule that lets the console upload from a browser. */
import { CreateBucketCommand, HeadBucketCommand, PutBucketCorsCommand, S3Client } from '@aws-sdk/client-s3';
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
  process.stdout.write(`bucket ${Bucket} is there\n`);
});
