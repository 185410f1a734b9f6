CREATE TABLE "sealed_hardware" (
	"hardware" text PRIMARY KEY NOT NULL,
	"created_by" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "sealed_objects" (
	"sha256" text PRIMARY KEY NOT NULL,
	"state" text DEFAULT 'wanted' NOT NULL,
	"size_bytes" bigint NOT NULL,
	"plain_path" text NOT NULL,
	"s3_path" text,
	"wrapped_key" text,
	"error" text,
	"tries" integer DEFAULT 0 NOT NULL,
	"lease_until" timestamp with time zone,
	"wanted_at" timestamp with time zone DEFAULT now() NOT NULL,
	"plain_gone_at" timestamp with time zone
);
--> statement-breakpoint
ALTER TABLE "components" ADD COLUMN "seal" text;--> statement-breakpoint
ALTER TABLE "firmwares" ADD COLUMN "sealed" boolean DEFAULT false NOT NULL;--> statement-breakpoint
CREATE INDEX "sealed_objects_state" ON "sealed_objects" USING btree ("state","plain_gone_at");