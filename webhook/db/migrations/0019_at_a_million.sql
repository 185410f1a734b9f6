CREATE TABLE "component_tallies" (
	"region_id" uuid,
	"division_id" uuid,
	"component" text,
	"version" text,
	"sha256" text,
	"n" integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE "device_tallies" (
	"region_id" uuid,
	"division_id" uuid,
	"hardware" text NOT NULL,
	"online" boolean NOT NULL,
	"seen" boolean NOT NULL,
	"health" text,
	"n" integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE "device_metrics" (
	"device_id" text NOT NULL,
	"name" text NOT NULL,
	"value" double precision NOT NULL,
	"at" timestamp with time zone NOT NULL,
	"preferred" boolean NOT NULL,
	CONSTRAINT "device_metrics_name_device_id_pk" PRIMARY KEY("name","device_id")
);
--> statement-breakpoint
CREATE TABLE "leases" (
	"name" text PRIMARY KEY NOT NULL,
	"holder" uuid NOT NULL,
	"began_at" timestamp with time zone NOT NULL,
	"ends_at" timestamp with time zone NOT NULL,
	"done_at" timestamp with time zone
);
--> statement-breakpoint
DROP INDEX "received_messages_at";--> statement-breakpoint
DROP INDEX "certificates_expiry";--> statement-breakpoint
ALTER TABLE "received_messages" DROP CONSTRAINT "received_messages_device_id_message_id_pk";--> statement-breakpoint
ALTER TABLE "deployments" ADD COLUMN "targets_forgotten_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "device_metrics" ADD CONSTRAINT "device_metrics_device_id_devices_id_fk" FOREIGN KEY ("device_id") REFERENCES "public"."devices"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "device_metrics_device" ON "device_metrics" USING btree ("device_id");--> statement-breakpoint
CREATE INDEX "certificates_issued" ON "certificates" USING btree ("issued_at" DESC NULLS FIRST,"serial");--> statement-breakpoint
CREATE INDEX "certificates_revoked" ON "certificates" USING btree ("issued_at" DESC NULLS FIRST,"serial") WHERE revoked_at is not null;--> statement-breakpoint
CREATE INDEX "certificates_urgent" ON "certificates" USING btree ("not_after") WHERE profile = 'device' and revoked_at is null;--> statement-breakpoint
CREATE INDEX "certificates_seen" ON "certificates" USING btree ("first_seen_at") WHERE profile = 'device' and revoked_at is null;--> statement-breakpoint
CREATE INDEX "devices_name" ON "devices" USING btree ("name","id");--> statement-breakpoint
CREATE INDEX "devices_created" ON "devices" USING btree ("created_at","id");--> statement-breakpoint
CREATE INDEX "received_messages_id" ON "received_messages" USING btree ("device_id","message_id");--> statement-breakpoint
CREATE INDEX "certificates_expiry" ON "certificates" USING btree ("not_after","serial");--> statement-breakpoint
-- How device_tallies and component_tallies (devices/table.ts) follow devices and components, whoever writes them: a row for each kind that a
-- statement has moved. Nothing is put together at run time, so that the plans are kept: connects and disconnects come through here.
create function tally_devices() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    insert into device_tallies (region_id, division_id, hardware, online, seen, health, n)
    select region_id, division_id, hardware, online, last_seen_at is not null, health->>'state', count(*)
    from new_devices group by 1, 2, 3, 4, 5, 6;
  elsif tg_op = 'DELETE' then
    insert into device_tallies (region_id, division_id, hardware, online, seen, health, n)
    select region_id, division_id, hardware, online, last_seen_at is not null, health->>'state', -count(*)
    from old_devices group by 1, 2, 3, 4, 5, 6;
  else
    insert into device_tallies (region_id, division_id, hardware, online, seen, health, n)
    select region_id, division_id, hardware, online, seen, state, sum(sign) from (
      select 1 as sign, region_id, division_id, hardware, online, last_seen_at is not null as seen, health->>'state' as state
      from new_devices
      union all
      select -1, region_id, division_id, hardware, online, last_seen_at is not null, health->>'state' from old_devices) t
    group by 1, 2, 3, 4, 5, 6 having sum(sign) <> 0;
    -- A device that changes its place takes what it runs along.
    if exists (select from new_devices n join old_devices o on o.id = n.id
        where (o.region_id, o.division_id) is distinct from (n.region_id, n.division_id)) then
      insert into component_tallies (region_id, division_id, component, version, sha256, n)
      select region_id, division_id, component, version, sha256, sum(sign) from (
        select p.sign, p.region_id, p.division_id, c.component, c.version, c.sha256
        from new_devices n join old_devices o on o.id = n.id
          and (o.region_id, o.division_id) is distinct from (n.region_id, n.division_id),
          lateral (values (1, n.region_id, n.division_id), (-1, o.region_id, o.division_id)) p(sign, region_id, division_id),
          lateral (select component, version, sha256 from components where device_id = n.id
            union all select null, null, null where exists (select from components where device_id = n.id)) c) t
      group by 1, 2, 3, 4, 5 having sum(sign) <> 0;
    end if;
  end if;
  return null;
end $$;
--> statement-breakpoint
create trigger devices_come after insert on devices
  referencing new table as new_devices for each statement execute function tally_devices();
--> statement-breakpoint
create trigger devices_change after update on devices
  referencing new table as new_devices old table as old_devices for each statement execute function tally_devices();
--> statement-breakpoint
create trigger devices_go after delete on devices
  referencing old table as old_devices for each statement execute function tally_devices();
--> statement-breakpoint
-- While the device is there, so that its place is known.
create function forget_components() returns trigger language plpgsql as $$
begin
  delete from components where device_id = old.id;
  return old;
end $$;
--> statement-breakpoint
create trigger devices_forget before delete on devices for each row execute function forget_components();
--> statement-breakpoint
create function tally_components() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    insert into component_tallies (region_id, division_id, component, version, sha256, n)
    select d.region_id, d.division_id, t.component, t.version, t.sha256, count(*) from (
      select device_id, component, version, sha256 from new_components
      union all
      select device_id, null, null, null from (select device_id, array_agg(component) as come from new_components group by 1) g
      where not exists (select from components c where c.device_id = g.device_id and c.component <> all(g.come))) t
    join devices d on d.id = t.device_id group by 1, 2, 3, 4, 5;
  elsif tg_op = 'DELETE' then
    insert into component_tallies (region_id, division_id, component, version, sha256, n)
    select d.region_id, d.division_id, t.component, t.version, t.sha256, -count(*) from (
      select device_id, component, version, sha256 from old_components
      union all
      select distinct device_id, null, null, null from old_components o
      where not exists (select from components c where c.device_id = o.device_id)) t
    join devices d on d.id = t.device_id group by 1, 2, 3, 4, 5;
  elsif exists (select from new_components n join old_components o on o.device_id = n.device_id and o.component = n.component
      where (o.version, o.sha256) is distinct from (n.version, n.sha256)) then
    insert into component_tallies (region_id, division_id, component, version, sha256, n)
    select d.region_id, d.division_id, t.component, t.version, t.sha256, sum(sign) from (
      select 1 as sign, device_id, component, version, sha256 from new_components
      union all select -1, device_id, component, version, sha256 from old_components) t
    join devices d on d.id = t.device_id group by 1, 2, 3, 4, 5 having sum(sign) <> 0;
  end if;
  return null;
end $$;
--> statement-breakpoint
create trigger components_come after insert on components
  referencing new table as new_components for each statement execute function tally_components();
--> statement-breakpoint
create trigger components_change after update on components
  referencing new table as new_components old table as old_components for each statement execute function tally_components();
--> statement-breakpoint
create trigger components_go after delete on components
  referencing old table as old_components for each statement execute function tally_components();
--> statement-breakpoint
-- What is there already.
insert into device_tallies (region_id, division_id, hardware, online, seen, health, n)
select region_id, division_id, hardware, online, last_seen_at is not null, health->>'state', count(*)
from devices group by 1, 2, 3, 4, 5, 6;
--> statement-breakpoint
insert into component_tallies (region_id, division_id, component, version, sha256, n)
select d.region_id, d.division_id, c.component, c.version, c.sha256, count(*)
from components c join devices d on d.id = c.device_id group by 1, 2, 3, 4, 5
union all
select d.region_id, d.division_id, null, null, null, count(*)
from devices d where exists (select from components c where c.device_id = d.id) group by 1, 2;

--> statement-breakpoint
-- Written over and over: room on each page for the next version of its rows.
alter table device_metrics set (fillfactor = 70);
--> statement-breakpoint
-- What devices told within a day.
insert into device_metrics (device_id, name, value, at, preferred)
select distinct on (t.device_id, v.key) t.device_id, v.key, v.value::float8, t.at, t.topic = 'data/metrics'
from telemetry t join devices d on d.id = t.device_id cross join lateral jsonb_each(t.body->'values') v
where t.topic in ('data/metrics', 'data/sensors') and t.at > now() - interval '1 day' and jsonb_typeof(v.value) = 'number'
order by t.device_id, v.key, t.topic = 'data/metrics' desc, t.at desc;
--> statement-breakpoint
-- Presence is written over and over too.
alter table devices set (fillfactor = 85);

--> statement-breakpoint
-- Targets that are deleted by their age (deployments/history.ts) keep their place in the tallies.
drop trigger targets_go on targets;
--> statement-breakpoint
create trigger targets_go after delete on targets
  referencing old table as old_targets for each statement
  when (current_setting('flota.keep_tallies', true) is distinct from 'on') execute function tally_targets();
