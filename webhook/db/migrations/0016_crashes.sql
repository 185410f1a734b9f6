CREATE TABLE "crash_days" (
	"group_id" uuid NOT NULL,
	"day" date NOT NULL,
	"reports" bigint NOT NULL,
	CONSTRAINT "crash_days_group_id_day_pk" PRIMARY KEY("group_id","day")
);
--> statement-breakpoint
CREATE TABLE "crash_group_devices" (
	"group_id" uuid NOT NULL,
	"device_id" text NOT NULL,
	"last_seen_at" timestamp with time zone NOT NULL,
	"reports" bigint NOT NULL,
	CONSTRAINT "crash_group_devices_group_id_device_id_pk" PRIMARY KEY("group_id","device_id")
);
--> statement-breakpoint
CREATE TABLE "crash_groups" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"signature" text NOT NULL,
	"elf" text NOT NULL,
	"reason" text NOT NULL,
	"frames" jsonb NOT NULL,
	"first_seen_at" timestamp with time zone NOT NULL,
	"last_seen_at" timestamp with time zone NOT NULL,
	"reports" bigint NOT NULL,
	"devices" integer DEFAULT 0 NOT NULL,
	"symbols" jsonb DEFAULT '{}'::jsonb NOT NULL,
	CONSTRAINT "crash_groups_signature_unique" UNIQUE("signature")
);
--> statement-breakpoint
CREATE TABLE "crash_reports" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"group_id" uuid NOT NULL,
	"device_id" text NOT NULL,
	"crash_id" text NOT NULL,
	"at" timestamp with time zone NOT NULL,
	"reason" text NOT NULL,
	"task" text,
	"running_version" text NOT NULL,
	"pc" text NOT NULL,
	"backtrace" jsonb NOT NULL,
	"corrupted" boolean NOT NULL,
	CONSTRAINT "crash_reports_once" UNIQUE("device_id","crash_id")
);
--> statement-breakpoint
CREATE TABLE "firmware_elfs" (
	"firmware_id" uuid PRIMARY KEY NOT NULL,
	"sha256" text NOT NULL,
	"named_by_image" boolean NOT NULL,
	"file_name" text,
	"size_bytes" bigint,
	"s3_path" text,
	"uploaded_by" text,
	"uploaded_at" timestamp with time zone
);
--> statement-breakpoint
ALTER TABLE "crash_days" ADD CONSTRAINT "crash_days_group_id_crash_groups_id_fk" FOREIGN KEY ("group_id") REFERENCES "public"."crash_groups"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "crash_group_devices" ADD CONSTRAINT "crash_group_devices_group_id_crash_groups_id_fk" FOREIGN KEY ("group_id") REFERENCES "public"."crash_groups"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "crash_reports" ADD CONSTRAINT "crash_reports_group_id_crash_groups_id_fk" FOREIGN KEY ("group_id") REFERENCES "public"."crash_groups"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "firmware_elfs" ADD CONSTRAINT "firmware_elfs_firmware_id_firmwares_id_fk" FOREIGN KEY ("firmware_id") REFERENCES "public"."firmwares"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "crash_group_devices_device" ON "crash_group_devices" USING btree ("device_id");--> statement-breakpoint
CREATE INDEX "crash_groups_seen" ON "crash_groups" USING btree ("last_seen_at","id");--> statement-breakpoint
CREATE INDEX "crash_groups_elf" ON "crash_groups" USING btree ("elf");--> statement-breakpoint
CREATE INDEX "crash_reports_group" ON "crash_reports" USING btree ("group_id","id");--> statement-breakpoint
CREATE INDEX "crash_reports_device_at" ON "crash_reports" USING btree ("device_id","at");--> statement-breakpoint
CREATE INDEX "crash_reports_at" ON "crash_reports" USING btree ("at");--> statement-breakpoint
CREATE INDEX "firmware_elfs_sha256" ON "firmware_elfs" USING btree ("sha256");