ALTER TABLE "api_tokens" ADD COLUMN "reach" jsonb;--> statement-breakpoint
ALTER TABLE "users" ADD COLUMN "reach" jsonb;