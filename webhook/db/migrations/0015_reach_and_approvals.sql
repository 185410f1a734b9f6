CREATE TABLE "approval_rules" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"hardware" text,
	"above_devices" integer NOT NULL,
	"created_by" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
ALTER TABLE "api_tokens" ADD COLUMN "reach" jsonb;--> statement-breakpoint
ALTER TABLE "users" ADD COLUMN "reach" jsonb;--> statement-breakpoint
ALTER TABLE "deployments" ADD COLUMN "author_id" uuid;--> statement-breakpoint
ALTER TABLE "deployments" ADD COLUMN "approval" jsonb;--> statement-breakpoint
CREATE UNIQUE INDEX "approval_rules_hardware" ON "approval_rules" USING btree ("hardware");