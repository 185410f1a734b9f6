ALTER TABLE "api_tokens" ADD COLUMN "scopes" jsonb;--> statement-breakpoint
ALTER TABLE "api_tokens" ADD COLUMN "revision" bigint DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE "users" ADD COLUMN "revision" bigint DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE "deployments" ADD COLUMN "revision" bigint DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE "device_groups" ADD COLUMN "revision" bigint DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE "devices" ADD COLUMN "revision" bigint DEFAULT (extract(epoch from now()) * 1000000)::bigint NOT NULL;--> statement-breakpoint
ALTER TABLE "divisions" ADD COLUMN "revision" bigint DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE "regions" ADD COLUMN "revision" bigint DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE "firmwares" ADD COLUMN "revision" bigint DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE "freezes" ADD COLUMN "revision" bigint DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE "notification_channels" ADD COLUMN "revision" bigint DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE "notification_rules" ADD COLUMN "revision" bigint DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE "rollout_policies" ADD COLUMN "revision" bigint DEFAULT 1 NOT NULL;
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
create trigger firmwares_revision before update on firmwares for each row execute function bump_revision();
--> statement-breakpoint
create trigger notification_channels_revision before update on notification_channels for each row execute function bump_revision();
--> statement-breakpoint
create trigger notification_rules_revision before update on notification_rules for each row execute function bump_revision();
--> statement-breakpoint
-- A login of the single sign-on writes what is there already.
create trigger users_revision before update on users for each row
  when (old.* is distinct from new.*) execute function bump_revision();
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
