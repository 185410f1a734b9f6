CREATE TABLE "dropped_letters" (
	"owner" text PRIMARY KEY NOT NULL,
	"letters" bigint NOT NULL,
	"bytes" bigint NOT NULL
);
--> statement-breakpoint
ALTER TABLE "dead_letters" ADD COLUMN "owner" text DEFAULT '' NOT NULL;--> statement-breakpoint
UPDATE "dead_letters" SET "owner" = "client_id" FROM "devices" WHERE "devices"."id" = "client_id";--> statement-breakpoint
CREATE INDEX "dead_letters_owner" ON "dead_letters" USING btree ("owner","id");