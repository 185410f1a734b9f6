CREATE SEQUENCE "public"."notification_event_numbers" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1;--> statement-breakpoint
CREATE TABLE "idempotency_keys" (
	"caller" text NOT NULL,
	"key_hash" text NOT NULL,
	"request" text NOT NULL,
	"status" integer,
	"answer" "bytea",
	"started_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "idempotency_keys_caller_key_hash_pk" PRIMARY KEY("caller","key_hash")
);
--> statement-breakpoint
ALTER TABLE "notification_events" ADD COLUMN "number" bigint;--> statement-breakpoint
CREATE INDEX "idempotency_keys_age" ON "idempotency_keys" USING btree ("started_at");--> statement-breakpoint
ALTER TABLE "notification_events" ADD CONSTRAINT "notification_events_number_unique" UNIQUE("number");--> statement-breakpoint
-- By hand: what the rules have seen already gets its place in the feed.
UPDATE "notification_events" e SET "number" = v.number FROM (
  SELECT id, nextval('notification_event_numbers') AS number FROM (
    SELECT id FROM "notification_events" WHERE ruled_at IS NOT NULL ORDER BY at, id) ruled) v
WHERE e.id = v.id;
