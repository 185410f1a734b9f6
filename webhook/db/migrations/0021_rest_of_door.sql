ALTER TABLE "crash_group_devices" ADD COLUMN "reason" text;--> statement-breakpoint
ALTER TABLE "crash_group_devices" ADD COLUMN "first_seen_at" timestamp with time zone;--> statement-breakpoint
-- What is known of those that were counted before.
UPDATE "crash_group_devices" d SET "reason" = g."reason", "first_seen_at" = g."first_seen_at" FROM "crash_groups" g WHERE g."id" = d."group_id";--> statement-breakpoint
ALTER TABLE "crash_group_devices" ALTER COLUMN "reason" SET NOT NULL;--> statement-breakpoint
ALTER TABLE "crash_group_devices" ALTER COLUMN "first_seen_at" SET NOT NULL;--> statement-breakpoint
CREATE INDEX "crash_groups_unnamed" ON "crash_groups" USING btree ("elf") WHERE "crash_groups"."symbols" = '{}';