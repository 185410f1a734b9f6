export type ReleaseFault =
  | 'usage'
  | 'versions_differ'
  | 'changelog'
  | 'tree_dirty'
  | 'tag_taken'
  | 'contract_broken'
  | 'tool_missing';

/** What stops a release; the message says what to do. */
export class ReleaseError extends Error {
  readonly code: ReleaseFault;

  constructor(code: ReleaseFault, message: string) {
    super(message);
    this.name = 'ReleaseError';
    this.code = code;
  }
}
