interface Addressed {
  kind: 'webhook' | 'slack' | 'email';
  url: string | null;
  recipients: string[] | null;
}

/** Where it leads, without what is secret in it: all of Slack's path, and the query of any. */
export function targetOf({ kind, url, recipients }: Addressed): string {
  if (url === null) return (recipients ?? []).join(', ');
  const { origin, pathname, search } = new URL(url);
  return kind === 'slack' ? `${origin}/…` : `${origin}${pathname}${search && '?…'}`;
}
