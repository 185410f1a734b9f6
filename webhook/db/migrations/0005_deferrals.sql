ALTER TABLE "targets" ADD COLUMN "deferred" jsonb;--> statement-breakpoint
ALTER TABLE "targets" ADD COLUMN "deferral_ends_at" timestamp with time zone;