CREATE TABLE "claims" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"owner" text NOT NULL,
	"kind" text NOT NULL,
	"name" text NOT NULL,
	"subject" uuid,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "claims_kind_name" UNIQUE("kind","name")
);
--> statement-breakpoint
CREATE TABLE "rollout_policies" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"name" text NOT NULL,
	"policy" jsonb NOT NULL,
	"created_by" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "rollout_policies_name_unique" UNIQUE("name")
);
--> statement-breakpoint
CREATE TABLE "firmware_packages" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"firmware_id" uuid NOT NULL,
	"name" text NOT NULL,
	"version" text,
	"purl" text,
	"cpe" text,
	"keys" text[] NOT NULL
);
--> statement-breakpoint
CREATE TABLE "firmware_sboms" (
	"firmware_id" uuid PRIMARY KEY NOT NULL,
	"format" text NOT NULL,
	"spec_version" text NOT NULL,
	"sha256" text NOT NULL,
	"size_bytes" integer NOT NULL,
	"s3_path" text NOT NULL,
	"packages" integer NOT NULL,
	"unversioned" integer NOT NULL,
	"bad_purls" integer NOT NULL,
	"uploaded_by" text NOT NULL,
	"uploaded_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "advisories" (
	"id" text PRIMARY KEY NOT NULL,
	"vulnerability" text NOT NULL,
	"aliases" text[] NOT NULL,
	"summary" text NOT NULL,
	"details" text NOT NULL,
	"severity" text,
	"references" text[] NOT NULL,
	"published_at" timestamp with time zone,
	"modified_at" timestamp with time zone NOT NULL,
	"imported_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "advisory_packages" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"advisory_id" text NOT NULL,
	"keys" text[] NOT NULL,
	"name" text NOT NULL,
	"versions" text[] NOT NULL,
	"ranges" jsonb NOT NULL
);
--> statement-breakpoint
CREATE TABLE "findings" (
	"advisory_id" text NOT NULL,
	"firmware_id" uuid NOT NULL,
	"package_id" bigint NOT NULL,
	"vulnerability" text NOT NULL,
	"package" text NOT NULL,
	"version" text NOT NULL,
	"fixed_in" text,
	CONSTRAINT "findings_advisory_id_firmware_id_package_id_pk" PRIMARY KEY("advisory_id","firmware_id","package_id")
);
--> statement-breakpoint
CREATE TABLE "vex_statements" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"vulnerability" text NOT NULL,
	"firmware_id" uuid,
	"status" text NOT NULL,
	"justification" text,
	"note" text NOT NULL,
	"author" text NOT NULL,
	"created_by" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
ALTER TABLE "firmware_packages" ADD CONSTRAINT "firmware_packages_firmware_id_firmwares_id_fk" FOREIGN KEY ("firmware_id") REFERENCES "public"."firmwares"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "firmware_sboms" ADD CONSTRAINT "firmware_sboms_firmware_id_firmwares_id_fk" FOREIGN KEY ("firmware_id") REFERENCES "public"."firmwares"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "advisory_packages" ADD CONSTRAINT "advisory_packages_advisory_id_advisories_id_fk" FOREIGN KEY ("advisory_id") REFERENCES "public"."advisories"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "findings" ADD CONSTRAINT "findings_advisory_id_advisories_id_fk" FOREIGN KEY ("advisory_id") REFERENCES "public"."advisories"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "findings" ADD CONSTRAINT "findings_firmware_id_firmwares_id_fk" FOREIGN KEY ("firmware_id") REFERENCES "public"."firmwares"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "vex_statements" ADD CONSTRAINT "vex_statements_firmware_id_firmwares_id_fk" FOREIGN KEY ("firmware_id") REFERENCES "public"."firmwares"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "firmware_packages_firmware" ON "firmware_packages" USING btree ("firmware_id");--> statement-breakpoint
CREATE INDEX "firmware_packages_keys" ON "firmware_packages" USING gin ("keys");--> statement-breakpoint
CREATE INDEX "advisories_vulnerability" ON "advisories" USING btree ("vulnerability");--> statement-breakpoint
CREATE INDEX "advisory_packages_advisory" ON "advisory_packages" USING btree ("advisory_id");--> statement-breakpoint
CREATE INDEX "advisory_packages_keys" ON "advisory_packages" USING gin ("keys");--> statement-breakpoint
CREATE INDEX "findings_vulnerability" ON "findings" USING btree ("vulnerability","firmware_id");--> statement-breakpoint
CREATE INDEX "findings_firmware" ON "findings" USING btree ("firmware_id");--> statement-breakpoint
CREATE INDEX "vex_statements_vulnerability" ON "vex_statements" USING btree ("vulnerability","firmware_id","id");