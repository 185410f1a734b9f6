/** What ends a command without success: a code, a line that says what is wrong, and one that says what to do next. */
export const exits = {
  succeeded: 0,
  failed: 1,
  usage: 2,
  /** Of `plan` alone, as of the broker's plan and of others. */
  differs: 2,
  refused: 3,
  unreachable: 4,
  waiting: 5,
  interrupted: 130,
} as const;
export type Exit = (typeof exits)[keyof typeof exits];

/** Our own codes; beside them those of the API (`webhook/errors.ts`), with 3, or 4 for a part of the server that is away. */
const exitByCode = {
  usage: exits.usage,
  url_missing: exits.usage,
  url_invalid: exits.usage,
  login_missing: exits.usage,
  login_file_invalid: exits.usage,
  file_unreadable: exits.usage,
  object_empty: exits.usage,
  object_too_large: exits.usage,
  image_not_firmware: exits.usage,
  image_version_differs: exits.usage,
  image_chip_differs: exits.usage,
  image_is_hex: exits.usage,
  image_hex_damaged: exits.usage,
  image_version_unknown: exits.usage,
  key_invalid: exits.usage,
  patches_not_signed: exits.usage,
  patches_not_made: exits.failed,
  fleet_file_invalid: exits.usage,
  feed_invalid: exits.usage,
  policy_unknown: exits.refused,
  apply_broke_off: exits.refused,
  changed_meanwhile: exits.refused,
  firmware_ambiguous: exits.usage,
  firmware_unknown: exits.refused,
  place_unknown: exits.refused,
  group_unknown: exits.refused,
  upload_refused: exits.refused,
  unreachable: exits.unreachable,
  tls_untrusted: exits.unreachable,
  redirected: exits.unreachable,
  not_flota: exits.unreachable,
} as const;
export type CliCode = keyof typeof exitByCode;

export class CliError extends Error {
  readonly code: string;
  readonly exit: Exit;
  readonly next: string | undefined;
  private constructor(code: string, exit: Exit, message: string, next: string | undefined, cause?: unknown) {
    super(message, { cause });
    this.name = 'CliError';
    this.code = code;
    this.exit = exit;
    this.next = next;
  }

  static of(code: CliCode, message: string, next?: string, cause?: unknown): CliError {
    return new CliError(code, exitByCode[code], message, next, cause);
  }

  /** Where its exit status would say something else. */
  endingWith(exit: Exit): CliError {
    return new CliError(this.code, exit, this.message, this.next, this.cause);
  }

  /** Of a problem that the API returned (RFC 9457). */
  static refused(status: number, code: string, detail: string): CliError {
    return new CliError(
      code,
      status >= 500 ? exits.unreachable : exits.refused,
      detail,
      advise(status, code),
    );
  }
}

const advice: Record<string, string> = {
  firmware_exists: 'Raise the version, or give the file another name with --file-name.',
  upload_incomplete: 'Upload again: it goes on where it stood.',
  upload_differs: 'The file changed while it was sent: upload it again.',
  firmware_unsigned: 'Sign it: upload the same file again with --key, or `npm run firmware -- sign`.',
  manifest_invalid: 'The server does not trust this key: its FIRMWARE_KEYS must have the public half.',
  patch_not_made: 'Have it made and wait for it: flota patches make FIRMWARE.',
  no_match: 'Try the query alone: flota devices query QUERY.',
  no_targets: 'See who has what: flota devices list --hardware NAME.',
  deployment_finished: 'There is nothing left to stop: flota watch ID shows how it ended.',
  name_taken: 'Try once more.',
  changed_meanwhile: 'Look again (flota plan), then apply again.',
  totp_required: 'Give the code of the authenticator, or a recovery code: --code …',
  totp_wrong: 'A code holds once, and for half a minute: wait for the next one.',
  scope_missing:
    'Take a token with that scope. Accounts and tokens are managed in the console, or by a token that an admin has made for a machine.',
};

function advise(status: number, code: string): string | undefined {
  if (advice[code]) return advice[code];
  if (status === 401) return 'Log in again (flota login), or give another FLOTA_TOKEN.';
  if (status === 403)
    return 'Ask an admin for a token with a role that may: Users and tokens in the console.';
  if (status === 429 || status >= 500) return 'Try again in a minute.';
  return undefined;
}

const untrusted =
  /^(CERT_|ERR_TLS_CERT|DEPTH_ZERO_SELF_SIGNED|SELF_SIGNED_CERT|UNABLE_TO_(GET|VERIFY)|HOSTNAME_MISMATCH)/;

/** What a connection broke with. */
export function toUnreachable(url: string, error: unknown): CliError {
  const deepest = (of: unknown): NodeJS.ErrnoException => {
    const { cause, errors } = of as { cause?: unknown; errors?: unknown[] };
    if (cause ?? errors?.[0]) return deepest(cause ?? errors?.[0]);
    return of as NodeJS.ErrnoException;
  };
  const { code = '', message } = deepest(error);
  const { host } = new URL(url);
  if (untrusted.test(code))
    return CliError.of(
      'tls_untrusted',
      `${host} has a certificate that is not trusted here: ${message}`,
      'For a private CA: NODE_EXTRA_CA_CERTS=/path/to/ca.pem flota …',
      error,
    );
  const isPlain =
    code === 'ERR_SSL_WRONG_VERSION_NUMBER' || /wrong version number|packet length too long/.test(message);
  return CliError.of(
    'unreachable',
    `${host} does not answer: ${isPlain ? 'it speaks http, not https' : message || code}`,
    isPlain
      ? 'Give the address with http://.'
      : 'Is the address right (--url, FLOTA_URL), and the server running?',
    error,
  );
}
