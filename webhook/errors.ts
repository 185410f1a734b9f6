/**
 * Every error that a caller can see: a closed set of stable codes. Only `app.onError` knows their HTTP statuses.
 */
export const statusByCode = {
  invalid_request: 400,
  malformed_json: 400,
  unauthenticated: 401,
  login_failed: 401,
  totp_required: 401,
  totp_wrong: 401,
  token_invalid: 401,
  oidc_stale: 400,
  oidc_failed: 400,
  logout_token_invalid: 400,
  oidc_denied: 403,
  oidc_no_role: 403,
  oidc_no_email: 403,
  oidc_disabled: 403,
  oidc_email_taken: 409,
  oidc_user: 409,
  forbidden: 403,
  beyond_reach: 403,
  scope_missing: 403,
  approval_by_token: 403,
  approval_by_author: 403,
  origin_refused: 403,
  device_banned: 403,
  not_found: 404,
  method_not_allowed: 405,
  firmware_exists: 409,
  upload_completed: 409,
  upload_incomplete: 409,
  device_exists: 409,
  name_taken: 409,
  user_exists: 409,
  totp_on: 409,
  totp_off: 409,
  last_admin: 409,
  in_use: 409,
  claimed: 409,
  freezes_full: 409,
  tokens_full: 409,
  deployment_finished: 409,
  deployment_undone: 409,
  waiting_for_approval: 409,
  not_waiting: 409,
  dry_run_changed: 409,
  job_finished: 409,
  already_revoked: 409,
  already_banned: 409,
  request_in_progress: 409,
  outcome_unknown: 409,
  not_due: 409,
  changed_meanwhile: 412,
  body_too_large: 413,
  unsupported_media_type: 415,
  object_missing: 422,
  object_empty: 422,
  object_too_large: 422,
  upload_differs: 422,
  image_not_firmware: 422,
  image_version_differs: 422,
  image_chip_differs: 422,
  image_is_hex: 422,
  image_hex_damaged: 422,
  elf_invalid: 422,
  elf_differs: 422,
  manifest_invalid: 422,
  patch_not_made: 409,
  sbom_invalid: 422,
  feed_invalid: 422,
  vex_invalid: 422,
  evidence_too_large: 422,
  firmware_unsigned: 422,
  no_targets: 422,
  cannot_decrypt: 422,
  sealing_unavailable: 422,
  firmware_sealed: 409,
  not_undoable: 422,
  control_too_large: 422,
  too_few_devices: 422,
  signal_unreported: 422,
  no_match: 422,
  unknown_reference: 422,
  csr_malformed: 422,
  csr_signature_invalid: 422,
  csr_name_mismatch: 422,
  csr_key_refused: 422,
  csr_too_large: 422,
  csr_name_refused: 422,
  csr_extension_refused: 422,
  csr_key_mismatch: 422,
  certificate_refused: 422,
  name_invalid: 422,
  no_known_key: 422,
  idempotency_key_reused: 422,
  too_many_attempts: 429,
  too_many_requests: 429,
  not_replayable: 422,
  address_refused: 422,
  mail_not_configured: 422,
  event_rejected: 400,
  oidc_unavailable: 503,
  overloaded: 503,
  shutting_down: 503,
  database_unavailable: 503,
  storage_unavailable: 503,
  broker_unavailable: 503,
  ca_unavailable: 503,
  internal: 500,
} as const;

export type ErrorCode = keyof typeof statusByCode;

/** `rule` and `values` are what a client needs to say it in the words of its user; without a rule there is only `message`. */
export interface FieldError {
  path: string;
  message: string;
  rule?: string;
  values?: Record<string, string | number>;
}

/** Thrown anywhere below the routes; `message` is shown to the caller, `cause` only logged. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly errors: FieldError[] | undefined;
  /** What else the caller is told: members of the problem (RFC 9457, 3.2). */
  readonly data: Record<string, unknown> | undefined;
  /** When it is worth asking again. */
  readonly retryAfterS: number | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    options: {
      cause?: unknown;
      errors?: FieldError[];
      data?: Record<string, unknown>;
      retryAfterS?: number;
    } = {},
  ) {
    super(message, { cause: options.cause });
    this.name = 'AppError';
    this.code = code;
    this.errors = options.errors;
    this.data = options.data;
    this.retryAfterS = options.retryAfterS;
  }
}

/** RFC 9457 problem details with our stable `code`. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  code: ErrorCode;
  detail: string;
  errors?: FieldError[];
}

export function toProblem(error: AppError): Problem {
  return {
    type: 'about:blank',
    title: error.code.replaceAll('_', ' '),
    status: statusByCode[error.code],
    code: error.code,
    detail: error.message,
    ...error.data,
    ...(error.errors && { errors: error.errors }),
  };
}
