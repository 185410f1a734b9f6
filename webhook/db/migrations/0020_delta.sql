CREATE TABLE "patches" (
	"base" text NOT NULL,
	"result" text NOT NULL,
	"state" text DEFAULT 'wanted' NOT NULL,
	"s3_path" text,
	"size_bytes" integer,
	"sha256" text,
	"manifest" text,
	"made_ms" integer,
	"error" text,
	"tries" integer DEFAULT 0 NOT NULL,
	"lease_until" timestamp with time zone,
	"wanted_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "patches_base_result_pk" PRIMARY KEY("base","result")
);
--> statement-breakpoint
ALTER TABLE "targets" ADD COLUMN "patch_fault" text;--> statement-breakpoint
ALTER TABLE "components" ADD COLUMN "patch" text;--> statement-breakpoint
CREATE INDEX "patches_state" ON "patches" USING btree ("state");