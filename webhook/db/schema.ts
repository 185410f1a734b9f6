/** All tables, for migrations and the typed client. Features own theirs; nobody else queries them. */
export * from '../audit/table.ts';
export * from '../auth/oidc/table.ts';
export * from '../auth/table.ts';
export * from '../broker/table.ts';
export * from '../certificates/table.ts';
export * from '../deployments/health/table.ts';
export * from '../deployments/table.ts';
export * from '../devices/table.ts';
export * from '../events/table.ts';
export * from '../firmware/patches/table.ts';
export * from '../firmware/table.ts';
export * from '../freezes/table.ts';
export * from '../jobs/table.ts';
export * from '../notifications/table.ts';
export * from '../outbox/table.ts';
export * from '../telemetry/table.ts';
export * from '../trends/table.ts';
