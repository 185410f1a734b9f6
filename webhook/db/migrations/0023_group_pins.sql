ALTER TABLE "device_groups" ADD COLUMN "pinned" text;--> statement-breakpoint
ALTER TABLE "device_groups" ADD COLUMN "channel" text;