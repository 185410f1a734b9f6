CREATE TABLE "device_groups" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"name" text NOT NULL,
	"query" text NOT NULL,
	"created_by" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "device_groups_name_unique" UNIQUE("name")
);
--> statement-breakpoint
CREATE TABLE "job_devices" (
	"job_id" uuid NOT NULL,
	"device_id" text NOT NULL,
	"error" text,
	CONSTRAINT "job_devices_job_id_device_id_pk" PRIMARY KEY("job_id","device_id")
);
--> statement-breakpoint
CREATE TABLE "jobs" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"act" text NOT NULL,
	"args" jsonb NOT NULL,
	"selection" jsonb NOT NULL,
	"state" text DEFAULT 'running' NOT NULL,
	"total" integer DEFAULT 0 NOT NULL,
	"done" integer DEFAULT 0 NOT NULL,
	"failed" integer DEFAULT 0 NOT NULL,
	"created_by" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"finished_at" timestamp with time zone
);
--> statement-breakpoint
ALTER TABLE "job_devices" ADD CONSTRAINT "job_devices_job_id_jobs_id_fk" FOREIGN KEY ("job_id") REFERENCES "public"."jobs"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "job_devices_left" ON "job_devices" USING btree ("job_id","device_id") WHERE error is null;--> statement-breakpoint
CREATE INDEX "jobs_created" ON "jobs" USING btree ("created_at");--> statement-breakpoint
CREATE INDEX "jobs_running" ON "jobs" USING btree ("id") WHERE state = 'running';--> statement-breakpoint
CREATE INDEX "certificates_serial_begins" ON "certificates" USING btree ("serial" text_pattern_ops);--> statement-breakpoint
CREATE INDEX "components_version" ON "components" USING btree ("component","version","device_id");--> statement-breakpoint
CREATE INDEX "devices_id_begins" ON "devices" USING btree (lower(id) text_pattern_ops);--> statement-breakpoint
CREATE INDEX "devices_name_begins" ON "devices" USING btree (lower(name) text_pattern_ops);