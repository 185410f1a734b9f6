CREATE TABLE "freezes" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"name" text NOT NULL,
	"first_day" text NOT NULL,
	"last_day" text NOT NULL,
	"time_zone" text NOT NULL,
	"starts_at" timestamp with time zone NOT NULL,
	"ends_at" timestamp with time zone NOT NULL,
	"created_by" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "freezes_in_order" CHECK (starts_at < ends_at)
);
--> statement-breakpoint
ALTER TABLE "deployments" ADD COLUMN "frozen_until" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "deployments" ADD COLUMN "freeze_override" text;--> statement-breakpoint
ALTER TABLE "components" ADD COLUMN "expected_sha256" text;--> statement-breakpoint
ALTER TABLE "components" ADD COLUMN "expected_version" text;--> statement-breakpoint
ALTER TABLE "components" ADD COLUMN "expected_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "devices" ADD COLUMN "pinned" text;--> statement-breakpoint
ALTER TABLE "devices" ADD COLUMN "channel" text DEFAULT 'stable' NOT NULL;--> statement-breakpoint
CREATE INDEX "freezes_ends" ON "freezes" USING btree ("ends_at");--> statement-breakpoint
CREATE INDEX "components_drifted" ON "components" USING btree ("device_id") WHERE sha256 <> expected_sha256;--> statement-breakpoint
CREATE INDEX "devices_pinned" ON "devices" USING btree ("pinned") WHERE pinned is not null;--> statement-breakpoint
CREATE INDEX "devices_channel" ON "devices" USING btree ("channel");--> statement-breakpoint
-- What the newest deployment that succeeded left there, where what it attests now is that, or was said later.
update "components" c set "expected_sha256" = n.sha256, "expected_version" = n.version, "expected_at" = n.updated_at
from (
  select distinct on (t.device_id, t.component) t.device_id, t.component, t.updated_at, f.sha256, f.version
  from "targets" t join "deployments" d on d.id = t.deployment_id join "firmwares" f on f.id = d.firmware_id
  where t.state = 'succeeded' order by t.device_id, t.component, d.created_at desc
) n
where n.device_id = c.device_id and n.component = c.component and (c.sha256 = n.sha256 or c.reported_at > n.updated_at);
