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
ALTER TABLE "api_tokens" ADD COLUMN "scopes" jsonb;--> statement-breakpoint
ALTER TABLE "api_tokens" ADD COLUMN "revision" bigint DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE "users" ADD COLUMN "totp_secret" text;--> statement-breakpoint
ALTER TABLE "users" ADD COLUMN "totp_pending" text;--> statement-breakpoint
ALTER TABLE "users" ADD COLUMN "totp_step" bigint;--> statement-breakpoint
ALTER TABLE "users" ADD COLUMN "recovery_hashes" jsonb DEFAULT '[]'::jsonb NOT NULL;--> statement-breakpoint
ALTER TABLE "users" ADD COLUMN "revision" bigint DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE "crash_group_devices" ADD COLUMN "reason" text;--> statement-breakpoint
ALTER TABLE "crash_group_devices" ADD COLUMN "first_seen_at" timestamp with time zone;--> statement-breakpoint
-- What is known of those that were counted before.
UPDATE "crash_group_devices" d SET "reason" = g."reason", "first_seen_at" = g."first_seen_at" FROM "crash_groups" g WHERE g."id" = d."group_id";--> statement-breakpoint
ALTER TABLE "crash_group_devices" ALTER COLUMN "reason" SET NOT NULL;--> statement-breakpoint
ALTER TABLE "crash_group_devices" ALTER COLUMN "first_seen_at" SET NOT NULL;--> statement-breakpoint
ALTER TABLE "deployments" ADD COLUMN "revision" bigint DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE "components" ADD COLUMN "compressed" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "components" ADD COLUMN "seal" text;--> statement-breakpoint
ALTER TABLE "device_groups" ADD COLUMN "revision" bigint DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE "devices" ADD COLUMN "revision" bigint DEFAULT (extract(epoch from now()) * 1000000)::bigint NOT NULL;--> statement-breakpoint
ALTER TABLE "divisions" ADD COLUMN "revision" bigint DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE "regions" ADD COLUMN "revision" bigint DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE "firmwares" ADD COLUMN "sealed" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "firmwares" ADD COLUMN "revision" bigint DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE "freezes" ADD COLUMN "revision" bigint DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE "notification_channels" ADD COLUMN "revision" bigint DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE "notification_rules" ADD COLUMN "watched_group_id" uuid;--> statement-breakpoint
ALTER TABLE "notification_rules" ADD COLUMN "watch_above" integer;--> statement-breakpoint
ALTER TABLE "notification_rules" ADD COLUMN "watch_told" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "notification_rules" ADD COLUMN "revision" bigint DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE "rollout_policies" ADD COLUMN "revision" bigint DEFAULT 1 NOT NULL;--> statement-breakpoint
CREATE INDEX "sealed_objects_state" ON "sealed_objects" USING btree ("state","plain_gone_at");--> statement-breakpoint
ALTER TABLE "notification_rules" ADD CONSTRAINT "notification_rules_watched_group_id_device_groups_id_fk" FOREIGN KEY ("watched_group_id") REFERENCES "public"."device_groups"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "crash_groups_unnamed" ON "crash_groups" USING btree ("elf") WHERE "crash_groups"."symbols" = '{}';--> statement-breakpoint
CREATE INDEX "targets_patched" ON "targets" USING btree ("deployment_id") WHERE stats ->> 'patch' is not null;
--> statement-breakpoint
-- Whoever writes: `If-Match` is compared with it.
create function bump_revision() returns trigger language plpgsql as $$
begin
  new.revision := old.revision + 1;
  return new;
end $$;
--> statement-breakpoint
create trigger regions_revision before update on regions for each row execute function bump_revision();
--> statement-breakpoint
create trigger divisions_revision before update on divisions for each row execute function bump_revision();
--> statement-breakpoint
create trigger device_groups_revision before update on device_groups for each row execute function bump_revision();
--> statement-breakpoint
create trigger rollout_policies_revision before update on rollout_policies for each row execute function bump_revision();
--> statement-breakpoint
create trigger freezes_revision before update on freezes for each row execute function bump_revision();
--> statement-breakpoint
-- Not by its being encrypted.
create trigger firmwares_revision before update on firmwares for each row when (old.sealed = new.sealed) execute function bump_revision();
--> statement-breakpoint
create trigger notification_channels_revision before update on notification_channels for each row execute function bump_revision();
--> statement-breakpoint
-- Not by what it has told.
create trigger notification_rules_revision before update on notification_rules for each row
  when (old.watch_told = new.watch_told or to_jsonb(old) - 'watch_told' is distinct from to_jsonb(new) - 'watch_told') execute function bump_revision();
--> statement-breakpoint
-- A login writes what is there already, or of an authenticator what was used of it.
create trigger users_revision before update on users for each row
  when ((old.email, old.role, old.reach, old.password_hash, old.disabled_at, old.totp_secret is null)
    is distinct from (new.email, new.role, new.reach, new.password_hash, new.disabled_at, new.totp_secret is null)) execute function bump_revision();
--> statement-breakpoint
-- Not by its use.
create trigger api_tokens_revision before update of revoked_at on api_tokens for each row execute function bump_revision();
--> statement-breakpoint
-- Not by what a device says, or by what a deployment's devices do. An operation that changes any other field sets the revision.
create trigger devices_revision before update of name, hardware, tags, region_id, division_id, pinned, channel, revision on devices for each row
  when ((old.name, old.hardware, old.tags, old.region_id, old.division_id, old.pinned, old.channel, old.revision)
    is distinct from (new.name, new.hardware, new.tags, new.region_id, new.division_id, new.pinned, new.channel, new.revision))
  execute function bump_revision();
--> statement-breakpoint
create trigger deployments_revision before update of state, policy, start_at, freeze_override, approval on deployments for each row
  when ((old.state, old.policy, old.start_at, old.freeze_override, old.approval)
    is distinct from (new.state, new.policy, new.start_at, new.freeze_override, new.approval)) execute function bump_revision();
