ALTER TABLE "users" ADD COLUMN "totp_secret" text;--> statement-breakpoint
ALTER TABLE "users" ADD COLUMN "totp_pending" text;--> statement-breakpoint
ALTER TABLE "users" ADD COLUMN "totp_step" bigint;--> statement-breakpoint
ALTER TABLE "users" ADD COLUMN "recovery_hashes" jsonb DEFAULT '[]'::jsonb NOT NULL;--> statement-breakpoint
ALTER TABLE "crash_group_devices" ADD COLUMN "reason" text;--> statement-breakpoint
ALTER TABLE "crash_group_devices" ADD COLUMN "first_seen_at" timestamp with time zone;--> statement-breakpoint
-- What is known of those that were counted before.
UPDATE "crash_group_devices" d SET "reason" = g."reason", "first_seen_at" = g."first_seen_at" FROM "crash_groups" g WHERE g."id" = d."group_id";--> statement-breakpoint
ALTER TABLE "crash_group_devices" ALTER COLUMN "reason" SET NOT NULL;--> statement-breakpoint
ALTER TABLE "crash_group_devices" ALTER COLUMN "first_seen_at" SET NOT NULL;--> statement-breakpoint
ALTER TABLE "notification_rules" ADD COLUMN "watched_group_id" uuid;--> statement-breakpoint
ALTER TABLE "notification_rules" ADD COLUMN "watch_above" integer;--> statement-breakpoint
ALTER TABLE "notification_rules" ADD COLUMN "watch_told" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "notification_rules" ADD CONSTRAINT "notification_rules_watched_group_id_device_groups_id_fk" FOREIGN KEY ("watched_group_id") REFERENCES "public"."device_groups"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "crash_groups_unnamed" ON "crash_groups" USING btree ("elf") WHERE "crash_groups"."symbols" = '{}';