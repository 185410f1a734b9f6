CREATE TABLE "device_bans" (
	"device_id" text PRIMARY KEY NOT NULL,
	"reason" text NOT NULL,
	"banned_by" text NOT NULL,
	"banned_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "published_crls" (
	"name" text PRIMARY KEY NOT NULL,
	"number" bigint NOT NULL,
	"next_update" timestamp with time zone NOT NULL,
	"published_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
ALTER TABLE "certificates" ADD COLUMN "csr_hash" text;--> statement-breakpoint
ALTER TABLE "certificates" ADD COLUMN "revoked_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "certificates" ADD COLUMN "revocation_reason" text;--> statement-breakpoint
ALTER TABLE "certificates" ADD COLUMN "revoked_by" text;--> statement-breakpoint
ALTER TABLE "certificates" ADD COLUMN "revocation_confirmed_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "enrollment_tokens" ADD COLUMN "same_key_as" text;--> statement-breakpoint
ALTER TABLE "devices" ADD COLUMN "blocked" boolean DEFAULT false NOT NULL;--> statement-breakpoint
CREATE INDEX "certificates_unconfirmed" ON "certificates" USING btree ("revoked_at") WHERE revoked_at is not null and revocation_confirmed_at is null;--> statement-breakpoint
CREATE INDEX "renewals_device" ON "renewals" USING btree ("device_id","id");--> statement-breakpoint
CREATE INDEX "devices_blocked" ON "devices" USING btree ("id") WHERE blocked;