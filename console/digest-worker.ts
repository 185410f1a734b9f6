import { digestPieces } from './digest.ts';

export type DigestNews = { share: number } | { sha256: string } | { error: unknown };

const tell = (news: DigestNews) => self.postMessage(news);

self.onmessage = ({ data }: MessageEvent<Blob>) =>
  digestPieces(data, (share) => tell({ share })).then(
    (sha256) => tell({ sha256 }),
    (error) => tell({ error }),
  );
