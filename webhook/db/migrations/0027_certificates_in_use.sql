DROP INDEX "certificates_urgent";--> statement-breakpoint
CREATE INDEX "certificates_urgent" ON "certificates" USING btree ((case when profile = 'device' and revoked_at is null then not_after end));--> statement-breakpoint
-- Until then nothing is known of how its values are spread.
ANALYZE "certificates";
