CREATE TABLE "measured_hours" (
	"source" integer NOT NULL,
	"at" timestamp with time zone NOT NULL,
	"packed" jsonb NOT NULL
);
--> statement-breakpoint
CREATE TABLE "measurements" (
	"source" integer NOT NULL,
	"at" timestamp with time zone NOT NULL,
	"body" jsonb NOT NULL
);
--> statement-breakpoint
CREATE TABLE "telemetry_sources" (
	"id" serial PRIMARY KEY NOT NULL,
	"device_id" text NOT NULL,
	"topic" text NOT NULL,
	"last_at" timestamp with time zone,
	"last" jsonb
);
--> statement-breakpoint
DROP INDEX "device_metrics_device";--> statement-breakpoint
ALTER TABLE "device_metrics" DROP CONSTRAINT "device_metrics_name_device_id_pk";--> statement-breakpoint
ALTER TABLE "device_metrics" ADD CONSTRAINT "device_metrics_device_id_name_pk" PRIMARY KEY("device_id","name");--> statement-breakpoint
ALTER TABLE "devices" ADD COLUMN "seen_hour" timestamp with time zone GENERATED ALWAYS AS (date_bin(interval '1 hour', last_seen_at, timestamptz '2000-01-01 00:00:00+00')) STORED;--> statement-breakpoint
ALTER TABLE "device_metrics" ADD COLUMN "level" smallint GENERATED ALWAYS AS ((sign(value) * floor(ln(1 + abs(value)) * 16))::smallint) STORED;--> statement-breakpoint
ALTER TABLE "telemetry_sources" ADD CONSTRAINT "telemetry_sources_device_id_devices_id_fk" FOREIGN KEY ("device_id") REFERENCES "public"."devices"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "measured_hours_source" ON "measured_hours" USING btree ("source","at");--> statement-breakpoint
CREATE INDEX "measurements_source" ON "measurements" USING btree ("source","at");--> statement-breakpoint
CREATE UNIQUE INDEX "telemetry_sources_device" ON "telemetry_sources" USING btree ("device_id","topic");--> statement-breakpoint
CREATE INDEX "devices_seen" ON "devices" USING btree ("seen_hour" NULLS FIRST,"id");--> statement-breakpoint
CREATE INDEX "device_metrics_level" ON "device_metrics" USING btree ("name","level");
--> statement-breakpoint
-- What there is already goes along; what is older than some hours is rolled up later (telemetry/rollup.ts), by the batch. Of devices that are no more, nothing is left.
insert into telemetry_sources (device_id, topic)
select distinct t.device_id, t.topic from telemetry t join devices d on d.id = t.device_id order by 1, 2;
--> statement-breakpoint
insert into measurements (source, at, body)
select s.id, t.at, case when t.topic like 'data/%' then coalesce(t.body->'values', '{}') else t.body - '{id,at}'::text[] end
from telemetry t join telemetry_sources s on s.device_id = t.device_id and s.topic = t.topic;
--> statement-breakpoint
DROP TABLE "telemetry" CASCADE;
--> statement-breakpoint
-- Names have numbers of their own size: without it the planner takes one name for another.
create statistics device_metrics_names (mcv) on name, level from device_metrics;
